//! A compiler for wasm32-unknown-unknown.
//!
//! Ordinarily rustup adds the target. Where it cannot download, Debian's `rustc-web` (the compiler that Debian keeps
//! current for its browsers) builds the standard library from source along with the crate.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::apt;
use crate::progress::{note, step_within};
use crate::project::{Project, ask, on_path};

/// A way to compile for wasm32-unknown-unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WasmToolchain {
    /// The user's toolchain has the target.
    Installed,
    /// Debian's compiler and the standard library's source, with this linker.
    Debian { linker: PathBuf },
}

impl WasmToolchain {
    /// Cargo set up for `build --target wasm32-unknown-unknown`; the caller adds what to build.
    pub fn cargo_build(&self, project: &Project) -> Command {
        let mut command = match self {
            Self::Installed => project.cargo(),
            Self::Debian { .. } => project.command(DEBIAN_CARGO),
        };
        command.arg("build").args(["--target", TARGET]).env("CARGO_TARGET_DIR", &project.target);
        if let Self::Debian { linker } = self {
            let path = std::env::var("PATH").unwrap_or_default();
            command
                .arg("-Zbuild-std=std,panic_abort")
                .env("RUSTC", DEBIAN_RUSTC)
                // A released compiler takes the -Z option only with this.
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                .env("PATH", format!("/usr/bin:{path}"));
        }
        command
    }
}

/// The way that works now, if one does. Installs nothing.
pub fn wasm_toolchain(project: &Project) -> Option<WasmToolchain> {
    if has_target(project) {
        return Some(WasmToolchain::Installed);
    }
    let linker = debian_linker()?;
    is_debian_complete().then_some(WasmToolchain::Debian { linker })
}

/// Finds a way, or makes one.
pub fn ensure(project: &Project) -> Result<String> {
    if wasm_toolchain(project).is_none() {
        install(project)?;
    }
    match wasm_toolchain(project) {
        Some(WasmToolchain::Installed) => Ok(format!("the toolchain has {TARGET}")),
        Some(WasmToolchain::Debian { linker }) => {
            Ok(format!("Debian's rustc-web builds for {TARGET}, linked by {}", linker.display()))
        }
        None => bail!(
            "no compiler for {TARGET} was found after installing one; run `rustup target add {TARGET}` by hand"
        ),
    }
}

fn install(project: &Project) -> Result<()> {
    if on_path("rustup").is_some() {
        let mut command = project.command("rustup");
        command.args(["target", "add", TARGET]);
        if step_within(project, "rustup target add", command, RUSTUP_LIMIT).is_ok() {
            return Ok(());
        }
        note("rustup could not download the target; trying Debian's compiler instead");
    }
    let mut packages = vec!["rustc-web", "cargo-web", "rust-web-src"];
    if rustup_linker().is_none() {
        packages.push("lld");
    }
    apt::install(project, &packages, &format!("no Rust toolchain here can compile for {TARGET}"))
        .with_context(|| format!("the page needs a compiler for {TARGET}, from rustup or Debian"))
}

fn has_target(project: &Project) -> bool {
    // Asked in the workspace, because rustup's toolchain may depend on the folder.
    let output =
        project.command("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    output.is_ok_and(|output| {
        Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
            && output.status.success()
    })
}

fn is_debian_complete() -> bool {
    let source = ask(DEBIAN_RUSTC, &["--print", "sysroot"])
        .map(|root| Path::new(&root).join("lib/rustlib/src/rust/library/std/Cargo.toml"));
    Path::new(DEBIAN_CARGO).is_file() && source.is_some_and(|path| path.is_file())
}

/// Debian's compiler comes without a linker for wasm: rustup's or the `lld` package's does it.
fn debian_linker() -> Option<PathBuf> {
    rustup_linker().or_else(|| on_path("wasm-ld"))
}

fn rustup_linker() -> Option<PathBuf> {
    let root = ask("rustc", &["--print", "sysroot"])?;
    let host = ask("rustc", &["--version", "--verbose"])?
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))?;
    let linker = Path::new(&root).join("lib/rustlib").join(host).join("bin/rust-lld");
    linker.is_file().then_some(linker)
}

/// The target of everything that runs in a browser.
const TARGET: &str = "wasm32-unknown-unknown";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
/// Behind some firewalls the download neither works nor fails.
pub(super) const RUSTUP_LIMIT: Duration = Duration::from_secs(180);
