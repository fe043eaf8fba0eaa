//! A Chromium that plays the phones.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use super::{apt, node};
use crate::progress::{note, step_within};
use crate::project::{Project, ask, on_path};

/// The Chromium that the tests start, if there is one. Installs nothing.
///
/// `LINGUALINKED_CHROMIUM` names one; else the search path is looked at, and then what Playwright downloaded.
pub fn chromium(project: &Project) -> Option<PathBuf> {
    if let Some(named) = env::var_os(CHROMIUM_VARIABLE) {
        return Some(PathBuf::from(named)).filter(|path| path.is_file());
    }
    NAMES
        .iter()
        .find_map(|name| on_path(name))
        .or_else(|| PLACES.iter().map(PathBuf::from).find(|path| path.is_file()))
        .or_else(|| downloaded(project))
}

/// Finds a Chromium, or installs one.
pub fn ensure(project: &Project) -> Result<String> {
    if let Some(named) = env::var_os(CHROMIUM_VARIABLE)
        && !Path::new(&named).is_file()
    {
        bail!("{CHROMIUM_VARIABLE} names {}, which is not a file", named.display());
    }
    if chromium(project).is_none() {
        install(project)?;
    }
    match chromium(project) {
        Some(path) => Ok(path.display().to_string()),
        None => {
            bail!("no Chromium was found; install Chrome or Chromium, or set {CHROMIUM_VARIABLE}")
        }
    }
}

fn install(project: &Project) -> Result<()> {
    node::ensure_packages(project, "e2e")?;
    let mut command = project.command("npx");
    command.current_dir(project.path("e2e")).args(["playwright", "install", "chromium"]);
    if step_within(project, "playwright install chromium", command, DOWNLOAD_LIMIT).is_ok() {
        return Ok(());
    }
    note("Playwright could not download its Chromium; trying Debian's instead");
    apt::install(project, &["chromium"], "no Chrome or Chromium is on this machine")
}

fn downloaded(project: &Project) -> Option<PathBuf> {
    let script = "console.log(require(process.argv[1]).chromium.executablePath())";
    let package = project.path("e2e/node_modules/playwright-core");
    let path = PathBuf::from(ask("node", &["-e", script, package.to_str()?])?);
    path.is_file().then_some(path)
}

/// Names a browser to use instead of the one that would be found.
pub const CHROMIUM_VARIABLE: &str = "LINGUALINKED_CHROMIUM";
const NAMES: &[&str] =
    &["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"];
const PLACES: &[&str] = &[
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(600);
