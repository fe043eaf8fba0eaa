//! `lingualinked plan`: an instance of the planner's file format to the best assignment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use base::PlanInput;
use plan::{Answer, Options, PlanError, Refusal, Shortfall, Solution, overlap, solve};

use crate::report;

#[derive(clap::Args)]
pub struct Args {
    /// The instance, as `docs/planner.md` describes it.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Print the answer as one line of JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> ExitCode {
    match answer(args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(INVALID)
        }
    }
}

fn answer(args: &Args) -> Result<ExitCode> {
    let input = read(&args.input)?;
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

fn read(path: &Path) -> Result<PlanInput> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut json = serde_json::Deserializer::from_str(&text);
    let input = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let (place, problem) = (error.path().to_string(), error.inner().to_string());
        let place = if [".", "?"].contains(&place.as_str()) { String::new() } else { place };
        match (missing_field(&problem), place.as_str()) {
            (Some(field), "") => anyhow!("{field}: is missing"),
            (Some(field), place) => anyhow!("{place}.{field}: is missing"),
            (None, "") => anyhow!("{}: {problem}", path.display()),
            (None, place) => anyhow!("{place}: {problem}"),
        }
    })?;
    json.end().with_context(|| format!("{}", path.display()))?;
    Ok(input)
}

/// The name in serde's "missing field `name` at line 1 column 2".
fn missing_field(problem: &str) -> Option<&str> {
    problem.strip_prefix("missing field `")?.split('`').next()
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
/// The input cannot be read or means nothing.
const INVALID: u8 = 1;
/// No assignment keeps every constraint.
const INFEASIBLE: u8 = 2;
/// Nothing was found in the time, and nothing is wrong with the input: try again elsewhere.
const GAVE_UP: u8 = 75;
