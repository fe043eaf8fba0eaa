//! `lingualinked simulate`: a scenario to what becomes of it.

mod table;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use sim::scenario::{Assignment, Scenario, SimulateError, simulate};

use crate::input;

#[derive(clap::Args)]
pub struct Args {
    /// The scenario, as `docs/simulate.md` describes it.
    #[arg(long, value_name = "FILE")]
    scenario: PathBuf,
    /// Print the report as one line of JSON.
    #[arg(long)]
    json: bool,
    /// Draw the time line.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// What chance is drawn from, in place of the file's seed.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How the first plan is made, in place of the file's way.
    #[arg(long, value_name = "HOW")]
    assignment: Option<How>,
    /// Whether cuts move while answers go on, in place of what the file says.
    #[arg(long, value_name = "BOOL")]
    balances: Option<bool>,
    /// Whether an encoder's output goes straight to the phones that read it and not along the ring, in place of what
    /// the file says.
    #[arg(long, value_name = "BOOL")]
    skips: Option<bool>,
    /// Requests that have a KV cache at once, in place of the file's number.
    #[arg(long, value_name = "N")]
    slots: Option<u16>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum How {
    /// As the planner finds it best.
    Best,
    /// Parts of the same number of modules for all phones.
    Equal,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let mut scenario: Scenario = input::read(&args.scenario)?;
    args.change(&mut scenario);
    // A scenario that means nothing is told of in one sentence and nothing before it.
    scenario.check()?;
    let run = match simulate(&scenario, &mut |line| eprintln!("{line}")) {
        Ok(run) => run,
        Err(SimulateError::NotReady(why)) => return refuse(&why, args.json),
        Err(error) => return Err(error.into()),
    };
    if let Some(path) = &args.svg {
        let failed = || format!("cannot write {}", path.display());
        fs::write(path, &run.svg).with_context(failed)?;
    }
    eprint!("{}", table::text(&run.report));
    if args.json {
        println!("{}", serde_json::to_string(&run.report)?);
    }
    Ok(ExitCode::SUCCESS)
}

fn refuse(why: &str, as_json: bool) -> Result<ExitCode> {
    eprintln!("the room does not get ready: {why}");
    if as_json {
        println!("{}", serde_json::json!({ "not_ready": why }));
    }
    Ok(ExitCode::from(NOT_READY))
}

impl Args {
    fn change(&self, scenario: &mut Scenario) {
        scenario.seed = self.seed.unwrap_or(scenario.seed);
        scenario.balances = self.balances.unwrap_or(scenario.balances);
        scenario.skips = self.skips.unwrap_or(scenario.skips);
        scenario.model.slots = self.slots.unwrap_or(scenario.model.slots);
        scenario.assignment = match self.assignment {
            Some(How::Best) => Assignment::Best,
            Some(How::Equal) => Assignment::Equal,
            None => scenario.assignment,
        };
    }
}

/// The phones cannot hold the model, or do not come to answer.
const NOT_READY: u8 = 2;
