//! `cargo xtask e2e`: the browser tests, against the real server.
//!
//! The tests start servers of their own. What they need to know stands in the environment; see [`prepare`].

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::android::{self, Seats};
use crate::build;
use crate::project::Project;
use crate::server::bundled_models;
use crate::setup::{self, Need};

#[derive(clap::Args)]
pub struct Args {
    /// Put Chrome for Android in the first seats: serials of devices or names of emulators; without one, whatever adb lists.
    #[arg(long, value_name = "SERIAL", num_args = 0.., value_delimiter = ',')]
    android: Option<Vec<String>>,
    /// Show the browsers.
    #[arg(long)]
    headed: bool,
    /// Only the tests whose file or title has this in it.
    filter: Option<String>,
}

pub fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    let server = prepare(project)?;
    let mut command = playwright(project, &server);
    if args.headed {
        command.arg("--headed");
    }
    if let Some(wanted) = &args.android {
        seat_android(project, wanted, &mut command)?;
    }
    command.args(&args.filter);
    let status = command.status().context("cannot start Playwright")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds all that the browser tests need and returns the server's program.
pub fn prepare(project: &Project) -> Result<PathBuf> {
    setup::ensure(project, &[Need::Node, Need::E2e, Need::Chromium])?;
    build::app(project)?;
    build::server(project)
}

/// Playwright in `e2e/`, with the environment that its tests read.
pub fn playwright(project: &Project, server: &PathBuf) -> Command {
    let mut command = project.command("node");
    command
        .current_dir(project.path("e2e"))
        .args(["node_modules/@playwright/test/cli.js", "test"])
        .env("LINGUALINKED_SERVER_PROGRAM", server)
        .env("LINGUALINKED_APP", project.path(build::DIST))
        .env("LINGUALINKED_MODELS", bundled_models(project))
        .env("LINGUALINKED_OUTPUT", project.path("e2e/output"));
    if let Some(path) = setup::chromium(project) {
        command.env(setup::CHROMIUM_VARIABLE, path);
    }
    command
}

fn seat_android(project: &Project, wanted: &[String], command: &mut Command) -> Result<()> {
    setup::ensure(project, &[Need::Adb])?;
    command.args(["--project", "android"]);
    match android::seats(project, wanted)? {
        Seats::Ready { serials, port } => {
            command
                .env("LINGUALINKED_ANDROID", serials.join(","))
                .env("LINGUALINKED_PORT", port.to_string());
        }
        Seats::Empty { reason } => {
            command.env("LINGUALINKED_ANDROID_SKIPPED", reason);
        }
    }
    Ok(())
}
