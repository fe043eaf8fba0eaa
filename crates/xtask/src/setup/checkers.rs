//! Tools that only some commands use, installed when they are asked for.

use anyhow::Result;

use super::apt;
use crate::progress::step;
use crate::project::{Project, on_path};

/// adb from the search path or from Debian.
pub fn ensure_adb(project: &Project) -> Result<String> {
    if on_path("adb").is_none() {
        apt::install(project, &["adb"], "phones on a cable are reached through it")?;
    }
    Ok("adb is there".to_owned())
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
