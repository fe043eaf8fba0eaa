//! Debian packages, for machines where the ordinary way does not work.

use anyhow::{Result, bail};

use crate::progress::{note, step};
use crate::project::{Project, ask, on_path};

/// Installs Debian packages because of `why`, a clause that follows "because".
///
/// Nothing is ever removed for them. Without apt or root the error says what to install by hand.
pub fn install(project: &Project, packages: &[&str], why: &str) -> Result<()> {
    let list = packages.join(" ");
    if on_path("apt-get").is_none() {
        bail!("{list} (Debian's names) must be installed by hand, because {why}");
    }
    let Some(prefix) = root_prefix() else {
        bail!("run `sudo apt-get install {list}` and try again, because {why}");
    };
    note(&format!("installing {list}, because {why}"));
    if install_once(project, prefix, packages).is_ok() {
        return Ok(());
    }
    let mut update = project.command(prefix[0]);
    update.args(&prefix[1..]).arg("update");
    step(project, "apt-get update", update)?;
    install_once(project, prefix, packages)
}

fn install_once(project: &Project, prefix: &[&str], packages: &[&str]) -> Result<()> {
    let mut command = project.command(prefix[0]);
    command
        .args(&prefix[1..])
        .args(["install", "--yes", "--no-remove", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive");
    step(project, &format!("apt-get install {}", packages.join(" ")), command)
}

/// How apt-get is started with the rights it needs; nothing where that takes a password.
fn root_prefix() -> Option<&'static [&'static str]> {
    if ask("id", &["-u"])? == "0" {
        return Some(&["apt-get"]);
    }
    ask("sudo", &["-n", "true"]).map(|_| ["sudo", "-n", "apt-get"].as_slice())
}
