//! A Vulkan driver that computes on the CPU, so that kernel tests need no GPU and give the same bits everywhere.

use std::env;
use std::path::PathBuf;

use anyhow::Result;

use super::{apt, browser};
use crate::project::{Project, ask};

/// What to give to `VK_DRIVER_FILES`: the user's own choice, Chromium's SwiftShader, or Mesa's lavapipe.
///
/// Nothing on systems whose native interface is not Vulkan.
pub fn software_driver(project: &Project) -> Option<PathBuf> {
    if let Some(chosen) = env::var_os("VK_DRIVER_FILES") {
        return Some(PathBuf::from(chosen));
    }
    let beside_browser = browser::chromium(project)
        .and_then(|path| path.canonicalize().ok())
        .and_then(|path| Some(path.parent()?.join(SWIFTSHADER)));
    beside_browser.into_iter().chain(PLACES.iter().map(PathBuf::from)).find(|path| path.is_file())
}

/// Finds the driver and the Vulkan loader, or installs them.
pub fn ensure(project: &Project) -> Result<String> {
    if !cfg!(target_os = "linux") {
        return Ok("not needed on this system".to_owned());
    }
    let mut packages = Vec::new();
    if software_driver(project).is_none() {
        packages.push("mesa-vulkan-drivers");
    }
    if !has_loader() {
        packages.push("libvulkan1");
    }
    if !packages.is_empty() {
        apt::install(project, &packages, "kernel tests run on a Vulkan driver for the CPU")?;
    }
    let found = software_driver(project).map(|path| path.display().to_string());
    Ok(found.unwrap_or_else(|| "the system's own driver".to_owned()))
}

fn has_loader() -> bool {
    // Debian keeps ldconfig outside an ordinary user's search path.
    ["ldconfig", "/sbin/ldconfig"]
        .iter()
        .filter_map(|program| ask(program, &["-p"]))
        .any(|list| list.contains("libvulkan.so.1"))
}

const SWIFTSHADER: &str = "vk_swiftshader_icd.json";
const PLACES: &[&str] = &[
    "/usr/lib/chromium/vk_swiftshader_icd.json",
    "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json",
    "/usr/share/vulkan/icd.d/lvp_icd.aarch64.json",
    "/usr/share/vulkan/icd.d/lvp_icd.json",
];
