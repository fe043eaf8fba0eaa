//! `cargo xtask soak`: what takes too long for `cargo xtask test`.
//!
//! Short forms of all of it are among the ordinary tests. What a part finds has a seed or an input that finds it again.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::build::{self, Profile};
use crate::driver::drive;
use crate::progress::{note, step_within};
use crate::project::Project;
use crate::{e2e, fuzz, plots};

#[derive(clap::Args)]
pub struct Args {
    /// Only these parts, separated by commas.
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,
    /// Random input to each decoder, for so long.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    fuzz_secs: u64,
    /// How many stories of failures the simulated room is told.
    #[arg(long, value_name = "STORIES", default_value_t = 1000)]
    faults: u32,
    /// How many phones are lost in the midst of an answer.
    #[arg(long, value_name = "STORIES", default_value_t = 50)]
    kills: u32,
    /// How long a room is asked all the time.
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    minutes: u32,
    /// Of the first lost phone, and of the phones that come and go. The line of a story that failed names its own.
    #[arg(long, default_value_t = 1)]
    seed: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Random input to every decoder.
    Fuzz,
    /// Random failures in a simulated room.
    Faults,
    /// Browsers killed and frozen at random tokens: the answer is the golden one, and soon goes on.
    Kills,
    /// A room of browsers that is asked all the time while phones come and go: no answer is lost, and memory stays.
    Requests,
}

pub fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    let chosen = |part: &&Part| args.only.is_empty() || args.only.contains(part);
    let mut failed = Vec::new();
    for part in Part::value_variants().iter().filter(chosen) {
        if let Err(error) = run_part(project, args, *part) {
            note(&format!("{error:#}"));
            failed.push(format!("{error:#}"));
        }
    }
    if failed.is_empty() { Ok(ExitCode::SUCCESS) } else { bail!(failed.join("; ")) }
}

fn run_part(project: &Project, args: &Args, part: Part) -> Result<()> {
    match part {
        Part::Fuzz => fuzz::run_all(project, args.fuzz_secs),
        Part::Faults => faults(project, args.faults),
        Part::Kills => {
            let options = json!({ "stories": args.kills, "seed": args.seed });
            let limit = SLOW_START + STORY * args.kills;
            let (code, _) = run_driver(project, "kills", &options, limit)?;
            check(code, "kills")
        }
        Part::Requests => {
            let folder = project.scratch("soak")?;
            let options = json!({ "minutes": args.minutes, "seed": args.seed, "folder": folder });
            let limit = SLOW_START + MINUTE * args.minutes;
            let (code, result) = run_driver(project, "requests", &options, limit)?;
            // What failed is worth a look, too.
            let drawn = draw_memory(&result);
            check(code, "requests")?;
            drawn
        }
    }
}

/// In the profile of the tests, which have compiled it.
fn faults(project: &Project, stories: u32) -> Result<()> {
    let mut command = project.cargo();
    command
        .args(["test", "--workspace", "--test", "faults"])
        .env("LINGUALINKED_FAULT_SEEDS", stories.to_string());
    step_within(project, &format!("{stories} stories of failures"), command, FAULTS_LIMIT)
}

/// The driver's status and its result.
fn run_driver(
    project: &Project,
    name: &str,
    options: &Value,
    limit: Duration,
) -> Result<(u8, String)> {
    e2e::ensure(project)?;
    build::app(project)?;
    let server = build::server(project, Profile::Release)?;
    let mut command = project.command("node");
    command.args(["--import", "tsx", &format!("src/soak/{name}.ts")]);
    e2e::describe(project, &server, &mut command);
    let (code, result) = drive(command, options, name, limit)?;
    println!("{result}");
    Ok((code, result))
}

fn check(code: u8, name: &str) -> Result<()> {
    if code == 0 { Ok(()) } else { bail!("the soak's {name} failed") }
}

fn draw_memory(result: &str) -> Result<()> {
    let result: Value = serde_json::from_str(result).context("the soak's last line is no JSON")?;
    let story = result["memory_file"].as_str().context("the soak names no file of its memory")?;
    let drawing = plots::draw_memory(Path::new(story))?;
    note(&format!("memory is drawn in {}", drawing.display()));
    Ok(())
}

const MINUTE: Duration = Duration::from_secs(60);
/// The slowest that a machine with two processors told one.
const STORY: Duration = Duration::from_secs(240);
const SLOW_START: Duration = Duration::from_secs(900);
const FAULTS_LIMIT: Duration = Duration::from_secs(7200);
