//! `cargo xtask e2e`: the browser tests, against the real server.
//!
//! The tests start servers and browsers of their own. Where those are stands in the environment; `e2e/README.md` lists
//! the variables.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::build::{self, Profile};
use crate::project::Project;
use crate::setup::{self, Need};

#[derive(clap::Args)]
pub struct Args {
    /// Only the Android tests, on these phones (serials of adb) or emulators (avd:NAME); without one, on whatever is plugged in.
    #[arg(long, value_name = "SERIAL", num_args = 0..=1, value_delimiter = ',')]
    android: Option<Vec<String>>,
    /// Show the browsers.
    #[arg(long)]
    headed: bool,
    /// Only the tests whose file or title has this in it.
    filter: Option<String>,
}

pub fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    ensure(project)?;
    build::app(project)?;
    let server = build::server(project, Profile::Dev)?;
    let mut command = playwright(project, &server)?;
    if args.headed {
        command.arg("--headed");
    }
    match &args.android {
        Some(seats) => {
            setup::ensure(project, &[Need::Adb])?;
            command.arg("--project=android").env("LINGUALINKED_ANDROID", seats.join(","));
        }
        None => {
            // Not as two arguments: a filter after them would be taken for one more project.
            command.args(["--project=parts", "--project=rooms"]);
        }
    }
    command.args(&args.filter);
    let status = command.status().context("cannot start Playwright")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Installs what the browser tests and the demo need.
pub fn ensure(project: &Project) -> Result<()> {
    setup::ensure(project, &[Need::Node, Need::E2e, Need::Chromium])
}

/// Playwright with all that its tests read; all projects, unless the caller adds some.
pub fn playwright(project: &Project, server: &Path) -> Result<Command> {
    let checks = build::kernel_checks(project)?;
    let mut command = project.command("node");
    command.args(["node_modules/@playwright/test/cli.js", "test"]);
    describe(project, server, &mut command);
    command.env("LINGUALINKED_KERNEL_CHECKS", checks);
    command.env("LINGUALINKED_PROGRAM_BIN", build::program(project)?);
    // What joins without a browser is to give the browsers' bits.
    if let Some(driver) = setup::software_driver(project) {
        command.env("LINGUALINKED_VULKAN", driver);
    }
    Ok(command)
}

/// Puts a child into `e2e/` and tells it where the program, the page, the models and the browser are.
pub fn describe(project: &Project, server: &Path, command: &mut Command) {
    command
        .current_dir(project.path("e2e"))
        .env("LINGUALINKED_SERVER_BIN", server)
        .env("LINGUALINKED_APP", project.path(build::DIST))
        .env("LINGUALINKED_MODELS", project.path(build::MODELS));
    if let Some(path) = setup::chromium(project) {
        command.env(setup::CHROMIUM_VARIABLE, path);
    }
}
