//! `cargo xtask serve`: the page for real phones in the same network.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::build::{self, Profile};
use crate::project::{Project, on_path};
use crate::setup::{self, Need};
use crate::usb::Cable;

#[derive(clap::Args)]
pub struct Args {
    /// HTTPS with a certificate of this machine's own authority; phones need HTTPS for WebGPU and the camera.
    #[arg(long)]
    tls: bool,
    /// Phones on a cable open the page as localhost, which needs no certificate.
    #[arg(long, conflicts_with = "tls")]
    usb: bool,
    /// Let this machine's programs and browsers trust its authority, and end; says what it does.
    #[arg(long)]
    install_ca: bool,
    /// Undo --install-ca, and end.
    #[arg(long, conflicts_with = "install_ca")]
    remove_ca: bool,
    /// Where to listen [default: 0.0.0.0:8443 with --tls, else 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Relay (TURN) between phones that cannot reach each other, as in a guests' network: 0.0.0.0:3478, say.
    #[arg(long, value_name = "ADDR:PORT")]
    turn: Option<String>,
    /// Another folder with .gguf files; may be repeated.
    #[arg(long, value_name = "DIR")]
    models: Vec<PathBuf>,
}

pub fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    let mut command = match trust_option(args) {
        Some(option) => {
            let mut command = project.command(build::server(project, Profile::Release)?);
            command.arg(option);
            command
        }
        None => serving(project, args)?,
    };
    let status = command.status().context("cannot start the server")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn trust_option(args: &Args) -> Option<&'static str> {
    let install = args.install_ca.then_some("--install-ca");
    install.or(args.remove_ca.then_some("--remove-ca"))
}

fn serving(project: &Project, args: &Args) -> Result<Command> {
    let usual = if args.tls { "0.0.0.0:8443" } else { "127.0.0.1:8080" };
    let listen = args.listen.as_deref().unwrap_or(usual);
    let mut models = Vec::new();
    for folder in &args.models {
        if !folder.is_dir() {
            bail!("--models {}: there is no such folder", folder.display());
        }
        // The server runs in the workspace's root, the user perhaps elsewhere.
        models.push(folder.canonicalize()?);
    }
    models.push(project.path(build::MODELS));
    let cable = args.usb.then(|| cable(project, listen)).transpose()?;
    build::app(project)?;
    let mut command = project.command(build::server(project, Profile::Release)?);
    command.arg("--app").arg(project.path(build::DIST));
    for folder in &models {
        command.arg("--models").arg(folder);
    }
    command.arg("--listen").arg(listen);
    if args.tls {
        command.arg("--tls");
    }
    if let Some(turn) = &args.turn {
        command.arg("--turn").arg(turn);
    }
    match cable {
        Some(cable) => cable.watch(),
        // Over a cable the address is another one.
        None => drop(command.arg("--qr")),
    }
    Ok(command)
}

fn cable(project: &Project, listen: &str) -> Result<Cable> {
    setup::ensure(project, &[Need::Adb])?;
    Cable::new(on_path("adb").context("adb is not on the search path")?, listen)
}
