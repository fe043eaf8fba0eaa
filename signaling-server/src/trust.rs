//! Lets this machine trust its own authority, and undoes that.

mod browsers;
mod system;

use std::{
    env, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use clap::ValueEnum;
use signaling_server::Authority;

use browsers::Browsers;
use system::System;

/// Whose trust is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Where {
    /// Programs that ask the system, such as curl
    System,
    /// Chromium, Chrome and Firefox of this user
    Browsers,
    /// Both
    All,
}

impl Where {
    fn has_browsers(self) -> bool {
        self != Self::System
    }

    fn has_system(self) -> bool {
        self != Self::Browsers
    }
}

/// Why an authority was not installed or removed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A program that is needed.
    #[error("{program} is missing: install {package} (Debian's name), or add {} by hand", .file.display())]
    Missing {
        /// The program.
        program: &'static str,
        /// What brings it.
        package: &'static str,
        /// The certificate.
        file: PathBuf,
    },
    /// A command that failed.
    #[error("`{command}` failed ({reason})")]
    Failed {
        /// As one would type it.
        command: String,
        /// What it or the system says.
        reason: String,
    },
    /// A file that cannot be written.
    #[error("{} cannot be written ({source})", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Installs `authority`, and prints each thing that it does. What fails in one place keeps nothing from the others.
pub fn install(authority: &Authority, place: Where) -> Result<(), TrustError> {
    println!("{}", about(authority));
    let browsers = place.has_browsers().then(|| Browsers::usual().install(authority));
    let system = place.has_system().then(|| System::usual().install(authority));
    println!("browsers that run must be started anew");
    [browsers, system].into_iter().flatten().collect()
}

/// Undoes [`install`].
pub fn remove(authority: &Authority, place: Where) -> Result<(), TrustError> {
    println!("{}", about(authority));
    let browsers = place.has_browsers().then(|| Browsers::usual().remove(authority));
    let system = place.has_system().then(|| System::usual().remove(authority));
    [browsers, system].into_iter().flatten().collect()
}

fn about(authority: &Authority) -> String {
    format!(
        "authority: {}, SHA-256 {}\nit may vouch for names and addresses of private networks only",
        authority.name(),
        authority.fingerprint()
    )
}

/// Prints the command, then runs it.
fn run(command: &mut Command) -> Result<(), TrustError> {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    println!("  {line}");
    let failed = |reason: String| TrustError::Failed { command: line.clone(), reason };
    let output =
        command.stdin(Stdio::inherit()).output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// Fails where a program is missing, with the name of what brings it.
fn need(
    program: &'static str,
    package: &'static str,
    authority: &Authority,
) -> Result<(), TrustError> {
    if is_on_path(program) {
        return Ok(());
    }
    Err(TrustError::Missing { program, package, file: authority.file().to_owned() })
}

fn is_on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    // Debian keeps some out of the path of those who are not root.
    let folders = env::split_paths(&path).chain([Path::new("/usr/sbin").to_owned()]);
    folders.map(|folder| folder.join(program)).any(|file| file.is_file())
}
