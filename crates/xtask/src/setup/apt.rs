//! Debian packages, for machines where the ordinary way does not work.

use std::process::Command;

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
    let mut update = as_root(project, prefix, "apt-get");
    update.arg("update");
    step(project, "apt-get update", update)?;
    install_once(project, prefix, packages)
}

/// [`install`] for a package with a service that is not to run: it is masked before the package comes.
pub fn install_without_service(
    project: &Project,
    package: &str,
    service: &str,
    why: &str,
) -> Result<()> {
    let has_services = on_path("apt-get").and(on_path("systemctl")).is_some();
    if let Some(prefix) = root_prefix().filter(|_| has_services) {
        let mut mask = as_root(project, prefix, "systemctl");
        mask.args(["mask", service]);
        step(project, &format!("systemctl mask {service}"), mask)?;
    }
    install(project, &[package], why)
}

fn install_once(project: &Project, prefix: &[&str], packages: &[&str]) -> Result<()> {
    let mut command = as_root(project, prefix, "apt-get");
    command
        .args(["install", "--yes", "--no-remove", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive");
    step(project, &format!("apt-get install {}", packages.join(" ")), command)
}

fn as_root(project: &Project, prefix: &[&str], program: &str) -> Command {
    let mut words = prefix.iter().chain([&program]);
    let mut command = project.command(words.next().expect("the program is one at least"));
    command.args(words);
    command
}

/// What gives a command root's rights; nothing where that takes a password.
fn root_prefix() -> Option<&'static [&'static str]> {
    if ask("id", &["-u"])? == "0" {
        return Some(&[]);
    }
    ask("sudo", &["-n", "true"]).map(|_| ["sudo", "-n"].as_slice())
}
