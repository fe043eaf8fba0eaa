//! `cargo xtask bench engine`: our engine beside others, in the same Chromium, on the same weights.
//!
//! `e2e/src/bench/engine.ts` makes the model's files, starts the browsers and reckons; it prints a table and, as its
//! last line, all figures as JSON.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::build::{self, Profile};
use crate::driver::drive;
use crate::e2e;
use crate::project::Project;
use crate::setup::{self, Need};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// One phone alone beside wllama and ONNX Runtime Web: load, prefill, decode, memory, bytes of wasm.
    Engine(EngineArgs),
}

#[derive(clap::Args)]
struct EngineArgs {
    /// Print one JSON object as the last line.
    #[arg(long)]
    json: bool,
    /// How often each engine has its turn; fewer where that would take more than 45 minutes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
}

pub fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    let What::Engine(args) = &args.what;
    e2e::ensure(project)?;
    setup::ensure(project, &[Need::Peers])?;
    build::app(project)?;
    let server = build::server(project, Profile::Release)?;
    let mut command = project.command("node");
    command.args(["--import", "tsx", "src/bench/engine.ts"]);
    e2e::describe(project, &server, &mut command);
    let options = json!({
        "rounds": args.rounds,
        "models": project.scratch("bench")?,
        "stories": project.path(build::MODELS),
    });
    let (code, last) = drive(command, &options, "bench", LIMIT)?;
    if code == 0 && serde_json::from_str::<Value>(&last).is_err() {
        bail!("the bench's last line is no JSON: {last}");
    }
    if code == 0 && args.json {
        println!("{last}");
    }
    Ok(ExitCode::from(code))
}

/// The driver begins no round that would make it last longer than 45 minutes; that round may be slower than the others.
const LIMIT: Duration = Duration::from_secs(3600);
