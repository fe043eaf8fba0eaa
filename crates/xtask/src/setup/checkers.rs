//! Tools that only some commands use, installed when they are asked for.

use anyhow::{Context, Result, bail};

use super::{apt, wasm::RUSTUP_LIMIT};
use crate::progress::{step, step_within};
use crate::project::{Project, ask, on_path};

/// adb from the search path or from Debian.
pub fn ensure_adb(project: &Project) -> Result<String> {
    if on_path("adb").is_none() {
        apt::install(project, &["adb"], "phones on a cable are reached through it")?;
    }
    Ok("adb is there".to_owned())
}

/// Pebble and certutil from the search path or from Debian.
pub fn ensure_certificates(project: &Project) -> Result<String> {
    for (program, package) in
        [("pebble", "pebble"), ("pebble-challtestsrv", "pebble"), ("certutil", "libnss3-tools")]
    {
        if on_path(program).is_none() {
            apt::install(project, &[package], "the server's certificates are tested with it")?;
        }
    }
    Ok("pebble and certutil are there".to_owned())
}

/// NATS from the search path or from Debian, whose package would also start it as a service.
pub fn ensure_nats(project: &Project) -> Result<String> {
    if on_path("nats-server").is_none() {
        let why = "several servers are tested with it";
        apt::install_without_service(project, "nats-server", "nats-server.service", why)?;
    }
    Ok("nats-server is there".to_owned())
}

/// coturn from the search path or from Debian, whose package would also start it as a service that relays for everybody.
pub fn ensure_coturn(project: &Project) -> Result<String> {
    if on_path("turnserver").is_none() {
        let why = "credentials for TURN servers elsewhere are tested with it";
        apt::install_without_service(project, "coturn", "coturn.service", why)?;
    }
    Ok("turnserver is there".to_owned())
}

/// The parts of the toolchain that a minimal installation leaves out.
pub fn ensure_components(project: &Project) -> Result<String> {
    for (command, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if ask("cargo", &[command, "--version"]).is_some() {
            continue;
        }
        if on_path("rustup").is_none() {
            bail!("{component} is missing; install it beside cargo");
        }
        let mut install = project.command("rustup");
        install.args(["component", "add", component]);
        let label = format!("rustup component add {component}");
        step_within(project, &label, install, RUSTUP_LIMIT).with_context(|| {
            format!(
                "{component} is missing and rustup could not download it; run `{label}` where it can, \
                 or install {component} beside cargo"
            )
        })?;
    }
    Ok("rustfmt and clippy are there".to_owned())
}

/// libFuzzer comes as C++.
pub fn ensure_cxx(project: &Project) -> Result<String> {
    if on_path("c++").is_none() {
        apt::install(project, &["g++"], "the fuzz targets' engine is compiled from C++")?;
    }
    Ok("c++ is there".to_owned())
}

/// A tool that cargo compiles and installs for the user.
pub fn ensure_cargo_tool(project: &Project, package: &str) -> Result<String> {
    let program = package.strip_suffix("-cli").unwrap_or(package);
    if on_path(program).is_none() {
        let mut command = project.command("cargo");
        command
            .args(["install", "--locked", package])
            .env("CARGO_TARGET_DIR", project.scratch("install")?);
        step(project, &format!("cargo install {package}"), command)?;
    }
    Ok(format!("{program} is there"))
}
