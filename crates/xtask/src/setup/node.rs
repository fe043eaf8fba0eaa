//! Node, npm and the packages that the folders' lock files name.

use anyhow::{Result, bail};

use crate::files;
use crate::progress::step;
use crate::project::{Project, ask};

/// Node of a version that the tools support.
pub fn ensure() -> Result<String> {
    let Some(version) = ask("node", &["--version"]) else {
        bail!("Node is missing; install version {OLDEST_NODE} or newer from https://nodejs.org");
    };
    match parse_major_minor(&version) {
        Some(found) if found >= OLDEST_NODE_PARTS => Ok(format!("Node {version}")),
        _ => bail!(
            "Node {version} is too old; install version {OLDEST_NODE} or newer from https://nodejs.org"
        ),
    }
}

/// The packages of one folder, exactly as its lock file has them.
pub fn ensure_packages(project: &Project, folder: &str) -> Result<String> {
    ensure()?;
    let lock = project.path(folder).join("package-lock.json");
    if !lock.is_file() {
        bail!(
            "{folder}/package-lock.json is missing; run `npm install` in {folder}/ and commit it"
        );
    }
    let manifest = project.path(folder).join("package.json");
    let wanted = files::fingerprint(&[lock, manifest], &[])?;
    let stamp = project.path(folder).join("node_modules/.xtask-stamp");
    if !files::is_fresh(&stamp, &wanted) {
        let mut command = project.npm(folder);
        command.args(["ci", "--no-audit", "--no-fund"]);
        step(project, &format!("npm ci in {folder}"), command)?;
        files::write_stamp(&stamp, &wanted)?;
    }
    Ok(format!("the packages of {folder}/package-lock.json"))
}

fn parse_major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix('v')?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// What Vite needs.
const OLDEST_NODE: &str = "20.19";
const OLDEST_NODE_PARTS: (u32, u32) = (20, 19);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parse_major_minor("v20.19.4"), Some((20, 19)));
        assert!(parse_major_minor("v20.9.0") < Some(OLDEST_NODE_PARTS));
        assert!(parse_major_minor("v100.0.0") > Some(OLDEST_NODE_PARTS));
        assert_eq!(parse_major_minor("20"), None);
    }
}
