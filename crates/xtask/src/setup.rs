//! `cargo xtask setup`: what the other commands need, checked, and installed where it is missing.
//!
//! The ordinary way comes first (rustup, npm, a browser that is already there); where rustup cannot download, Debian's
//! packages stand in. Everything here may be repeated.

mod apt;
mod browser;
mod checkers;
mod node;
mod vulkan;
mod wasm;

use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;

use crate::progress::note;
use crate::project::Project;

pub use browser::{CHROMIUM_VARIABLE, chromium};
pub use vulkan::software_driver;
pub use wasm::wasm_toolchain;

#[derive(clap::Args)]
pub struct Args {
    /// Only these parts; without it, all but peers, adb, certificates, nats, coturn, deny and typos.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Need>,
}

/// Something that a command may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Need {
    /// A compiler for wasm32-unknown-unknown.
    Wasm,
    /// Node and npm.
    Node,
    /// The packages of `web/`, wasm-opt among them.
    Web,
    /// The packages of `e2e/`.
    E2e,
    /// The engines that the bench measures beside ours; 170 MB.
    Peers,
    /// A Chromium for the phones.
    Chromium,
    /// A Vulkan driver for kernel tests without a GPU.
    Vulkan,
    /// rustfmt and clippy.
    Components,
    /// A C++ compiler, for the fuzz targets.
    Cxx,
    /// adb, for phones on a cable.
    Adb,
    /// An authority and a browser's list of authorities, for the server's tests.
    Certificates,
    /// NATS, for the tests of several servers.
    Nats,
    /// coturn, for the tests of TURN servers elsewhere.
    Coturn,
    /// cargo-deny; compiles for minutes.
    Deny,
    /// The spelling checker; compiles for minutes.
    Typos,
}

pub fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    let needs = if args.only.is_empty() { ORDINARY } else { &args.only };
    for need in needs {
        note(&format!("{}: {}", name(*need), describe(project, *need)?));
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes sure that all of `needs` are there.
pub fn ensure(project: &Project, needs: &[Need]) -> Result<()> {
    needs.iter().try_for_each(|need| describe(project, *need).map(drop))
}

/// Installs `need` where it is missing, and says what is there now.
fn describe(project: &Project, need: Need) -> Result<String> {
    match need {
        Need::Wasm => wasm::ensure(project),
        Need::Node => node::ensure(),
        Need::Web => node::ensure_packages(project, "web"),
        Need::E2e => node::ensure_packages(project, "e2e"),
        Need::Peers => node::ensure_packages(project, "e2e/peers"),
        Need::Chromium => browser::ensure(project),
        Need::Vulkan => vulkan::ensure(project),
        Need::Components => checkers::ensure_components(project),
        Need::Cxx => checkers::ensure_cxx(project),
        Need::Adb => checkers::ensure_adb(project),
        Need::Certificates => checkers::ensure_certificates(project),
        Need::Nats => checkers::ensure_nats(project),
        Need::Coturn => checkers::ensure_coturn(project),
        Need::Deny => checkers::ensure_cargo_tool(project, "cargo-deny"),
        Need::Typos => checkers::ensure_cargo_tool(project, "typos-cli"),
    }
}

fn name(need: Need) -> String {
    need.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

const ORDINARY: &[Need] = &[
    Need::Components,
    Need::Wasm,
    Need::Node,
    Need::Web,
    Need::E2e,
    Need::Chromium,
    Need::Vulkan,
    Need::Cxx,
];
