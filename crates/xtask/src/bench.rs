//! `cargo xtask bench engine`: our engine beside others, in the same Chromium, on the same weights.
//! `cargo xtask bench assignment`: the planner's assignment beside parts of equal size, on phones of unequal speed.
//! `cargo xtask bench room`: what a room gains by moving its cuts and by several requests in flight.
//! `cargo xtask bench planner`: how long planning takes in a browser.
//! `cargo xtask bench server`: what the signaling server bears.
//!
//! `e2e/src/bench/` starts the browsers and reckons, `crates/load` is the server's load; each driver prints a table and, as
//! its last line, all figures as JSON. Those of `bench room` are drawn, too.

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::build::{self, Profile};
use crate::driver::drive;
use crate::progress::note;
use crate::project::Project;
use crate::setup::{self, Need};
use crate::{e2e, plots};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// One phone alone beside wllama and ONNX Runtime Web: load, prefill, decode, memory, bytes of wasm.
    Engine(EngineArgs),
    /// Three phones with 60, 60 and 20 % of a processor: the plan beside equal parts, predicted and measured.
    Assignment(AssignmentArgs),
    /// Three slow phones: cuts that move, when one becomes slower, and several requests in flight.
    Room(RoomArgs),
    /// Frames over a data channel, in messages of several sizes.
    Slices(SlicesArgs),
    /// The planner in a browser, on rooms of 8 phones and 62 modules.
    Planner(PlannerArgs),
    /// The signaling server with 12,000 open sockets: its memory, and how fast it introduces phones beside them.
    Server(ServerArgs),
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

#[derive(clap::Args)]
struct AssignmentArgs {
    /// Print one JSON object as the last line.
    #[arg(long)]
    json: bool,
    /// How many rooms are made; each runs both.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
}

#[derive(clap::Args)]
struct RoomArgs {
    /// Print one JSON object as the last line.
    #[arg(long)]
    json: bool,
    /// How many pairs of runs are compared.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
}

#[derive(clap::Args)]
struct SlicesArgs {
    /// Print one JSON object as the last line.
    #[arg(long)]
    json: bool,
    /// How many channels are tried for each size.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
}

#[derive(clap::Args)]
struct PlannerArgs {
    /// Print one JSON object as the last line.
    #[arg(long)]
    json: bool,
    /// How many rooms of each kind are planned for.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
}

#[derive(clap::Args)]
struct ServerArgs {
    /// Print one JSON object as the last line.
    #[arg(long)]
    json: bool,
    /// How long each of the two phases lasts: pairings on a schedule, and as many as go.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=1500))]
    secs: u16,
}

pub fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    if !matches!(args.what, What::Server(_)) {
        e2e::ensure(project)?;
    }
    let (code, result) = match &args.what {
        What::Engine(args) => {
            setup::ensure(project, &[Need::Peers])?;
            let options = json!({
                "rounds": args.rounds,
                "models": project.scratch("bench")?,
                "stories": project.path(build::MODELS),
            });
            run_driver(project, "src/bench/engine.ts", &options, args.json)
        }
        What::Assignment(args) => {
            let options = json!({ "rounds": args.rounds });
            run_driver(project, "src/bench/assignment.ts", &options, args.json)
        }
        What::Room(args) => {
            let options = json!({ "rounds": args.rounds });
            run_driver(project, "src/bench/room.ts", &options, args.json)
        }
        What::Slices(args) => {
            let options = json!({ "rounds": args.rounds });
            run_driver(project, "src/bench/slices.ts", &options, args.json)
        }
        What::Planner(args) => {
            let options = json!({ "rounds": args.rounds });
            run_driver(project, "src/bench/planner.ts", &options, args.json)
        }
        What::Server(args) => run_load(project, args),
    }?;
    // Without control groups there is nothing to draw.
    if code == 0 && matches!(args.what, What::Room(_)) && result["skipped"].is_null() {
        for plot in plots::draw_room(&project.scratch("bench")?, &result)? {
            note(&format!("drawn: {}", plot.display()));
        }
    }
    Ok(ExitCode::from(code))
}

fn run_driver(
    project: &Project,
    script: &str,
    options: &Value,
    as_json: bool,
) -> Result<(u8, Value)> {
    build::app(project)?;
    let server = build::server(project, Profile::Release)?;
    let mut command = project.command("node");
    command.args(["--import", "tsx", script]);
    e2e::describe(project, &server, &mut command);
    result_of(command, options, as_json)
}

/// Without a page and a browser.
fn run_load(project: &Project, args: &ServerArgs) -> Result<(u8, Value)> {
    let [server, load] = build::server_and_load(project)?;
    let options = json!({
        "server": server,
        "idle_sockets": 10_000,
        "active_sockets": 2_000,
        "pairings_per_sec": 500,
        "secs": args.secs,
    });
    result_of(project.command(load), &options, args.json)
}

/// The driver's status, and its result where it ended well.
fn result_of(command: Command, options: &Value, as_json: bool) -> Result<(u8, Value)> {
    let (code, last) = drive(command, options, "bench", LIMIT)?;
    let result = serde_json::from_str(&last);
    if as_json && result.is_ok() {
        println!("{last}");
    }
    if code != 0 {
        return Ok((code, Value::Null));
    }
    let result = result.with_context(|| format!("the bench's last line is no JSON: {last}"))?;
    Ok((code, result))
}

/// The driver begins no round that would make it last longer than 45 minutes; that round may be slower than the others.
const LIMIT: Duration = Duration::from_secs(3600);
