//! `lingualinked plan`: an instance of the planner's file format to the best assignment.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use base::PlanInput;
use plan::{Answer, Options, PlanError, Refusal, Shortfall, Solution, overlap, solve};

use crate::{input, report};

#[derive(clap::Args)]
pub struct Args {
    /// The instance, as `docs/planner.md` describes it.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Print the answer as one line of JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let input: PlanInput = input::read(&args.input)?;
    let started = Instant::now();
    let options = Options {
        search_steps: u64::MAX,
        time_limit: Some(TIME_LIMIT),
        most_devices: MOST_DEVICES,
        ..Options::default()
    };
    let mut solution = match solve(&input, &options) {
        Ok(solution) => solution,
        Err(PlanError::Infeasible(shortfalls)) => return refuse(&shortfalls, args.json),
        Err(error @ PlanError::GaveUp { .. }) => {
            eprintln!("{error}");
            return Ok(ExitCode::from(GAVE_UP));
        }
        Err(error) => return Err(error.into()),
    };
    solution.plan.overlap = overlap(&input, &solution.plan.stages);
    let solve_secs = started.elapsed().as_secs_f64();
    if !is_proven(&solution) {
        eprintln!(
            "stopped after {solve_secs:.1} s: the best plan found takes {} s, and none takes less than {} s",
            solution.objective_secs, solution.lower_bound_secs
        );
    }
    if args.json {
        println!("{}", serde_json::to_string(&Answer::new(&input, &solution, solve_secs))?);
    } else {
        report::print(&input, &solution)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn refuse(shortfalls: &[Shortfall], as_json: bool) -> Result<ExitCode> {
    for one in shortfalls {
        eprintln!("{}", one.help);
    }
    if as_json {
        println!("{}", serde_json::to_string(&Refusal { infeasible: shortfalls })?);
    }
    Ok(ExitCode::from(INFEASIBLE))
}

/// Whether no plan can be better, but for rounding.
fn is_proven(solution: &Solution) -> bool {
    solution.objective_secs - solution.lower_bound_secs <= TIE * solution.objective_secs
}

/// The planner's table takes a gigabyte at most for so many.
const MOST_DEVICES: usize = 16;
/// Then the best plan found so far is the answer.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Costs this close, relatively, are equal.
const TIE: f64 = 1e-9;
/// No assignment keeps every constraint.
const INFEASIBLE: u8 = 2;
/// Nothing was found in the time, and nothing is wrong with the input: try again elsewhere.
const GAVE_UP: u8 = 75;
