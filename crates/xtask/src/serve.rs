//! `cargo xtask serve`: the page for real phones in the same network.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::build::{self, Profile};
use crate::project::Project;

#[derive(clap::Args)]
pub struct Args {
    /// HTTPS with a certificate of its own; phones need it for WebGPU and the camera.
    #[arg(long)]
    tls: bool,
    /// Where to listen [default: 0.0.0.0:8443 with --tls, else 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Another folder with .gguf files; may be repeated.
    #[arg(long, value_name = "DIR")]
    models: Vec<PathBuf>,
}

pub fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    let mut models = Vec::new();
    for folder in &args.models {
        if !folder.is_dir() {
            bail!("--models {}: there is no such folder", folder.display());
        }
        // The server runs in the workspace's root, the user perhaps elsewhere.
        models.push(folder.canonicalize()?);
    }
    models.push(project.path(build::MODELS));
    build::app(project)?;
    let program = build::server(project, Profile::Release)?;
    let usual = if args.tls { "0.0.0.0:8443" } else { "127.0.0.1:8080" };
    let mut command = project.command(&program);
    command.arg("--app").arg(project.path(build::DIST));
    for folder in &models {
        command.arg("--models").arg(folder);
    }
    command.arg("--listen").arg(args.listen.as_deref().unwrap_or(usual)).arg("--qr");
    if args.tls {
        command.arg("--tls");
    }
    let status = command.status().context("cannot start the server")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
