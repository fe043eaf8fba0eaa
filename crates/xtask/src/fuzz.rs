//! `cargo xtask fuzz`: random input for every decoder that faces a peer, a file or the network.
//!
//! Inputs that reach new code are kept below the target folder, and tried first the next time.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Result, anyhow};

use crate::progress::{step, step_within};
use crate::project::Project;
use crate::setup::{self, Need};

#[derive(clap::Args)]
pub struct Args {
    /// How long each target runs.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    secs: u64,
    /// Only this target.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TARGETS.iter().map(|target| target.name)))]
    target: Option<String>,
}

pub fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    let chosen = |target: &&Target| args.target.as_ref().is_none_or(|name| name == target.name);
    run_targets(project, TARGETS.iter().filter(chosen), args.secs, processors())?;
    Ok(ExitCode::SUCCESS)
}

/// Runs every target for so long, as many at once as the machine has processors.
pub fn run_all(project: &Project, secs: u64) -> Result<()> {
    run_targets(project, TARGETS.iter(), secs, processors())
}

/// As [`run_all`], with half as many again at once, so that it is over sooner. What is said of single
/// inputs allows for that.
pub fn run_all_crowded(project: &Project, secs: u64) -> Result<()> {
    run_targets(project, TARGETS.iter(), secs, processors() + processors() / 2)
}

struct Target {
    name: &'static str,
    /// Folders with inputs to begin with.
    seeds: &'static [&'static str],
    longest_bytes: usize,
}

const TARGETS: &[Target] = &[
    Target { name: "gguf", seeds: &["crates/testkit/golden"], longest_bytes: 1 << 20 },
    Target {
        name: "safetensors",
        seeds: &[
            "crates/testkit/golden/folders/llama-f32",
            "crates/testkit/golden/folders/gpt2-f16",
            "crates/testkit/golden/folders/flan-t5-f16",
        ],
        longest_bytes: 1 << 20,
    },
    Target {
        name: "settings",
        seeds: &[
            "crates/testkit/golden/folders/qwen3-f16",
            "crates/testkit/golden/folders/gemma3-q8_0",
            "crates/testkit/golden/folders/t5-f32",
        ],
        longest_bytes: 1 << 14,
    },
    Target { name: "frame", seeds: &[], longest_bytes: 1 << 14 },
    Target { name: "slices", seeds: &[], longest_bytes: 1 << 14 },
    Target { name: "cluster", seeds: &[], longest_bytes: 1 << 14 },
    Target { name: "signal", seeds: &[], longest_bytes: 1 << 14 },
    Target { name: "code", seeds: &[], longest_bytes: 1 << 13 },
    Target {
        name: "tokenizer",
        seeds: &["crates/testkit/golden/tokenizers"],
        longest_bytes: 1 << 16,
    },
    Target { name: "template", seeds: &[], longest_bytes: 1 << 12 },
    Target { name: "room", seeds: &[], longest_bytes: 1 << 14 },
    Target { name: "turn", seeds: &[], longest_bytes: 1 << 12 },
    Target { name: "picture", seeds: &[], longest_bytes: 1 << 14 },
];

/// Targets share nothing but the machine.
fn run_targets<'a>(
    project: &Project,
    targets: impl Iterator<Item = &'a Target>,
    secs: u64,
    at_once: usize,
) -> Result<()> {
    build(project)?;
    let targets: Vec<&Target> = targets.collect();
    for group in targets.chunks(at_once) {
        thread::scope(|scope| {
            let run = |&target| scope.spawn(move || run_target(project, target, secs));
            let running: Vec<_> = group.iter().map(run).collect();
            let ended = running.into_iter().map(|one| one.join().expect("a step does not panic"));
            ended.collect::<Result<Vec<()>>>()
        })?;
    }
    Ok(())
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn build(project: &Project) -> Result<()> {
    setup::ensure(project, &[Need::Cxx])?;
    let mut command = project.cargo();
    command.args(["build", "--package", "xtask", "--bin", "xtask-coverage"]);
    step(project, "build the compiler's wrapper", command)?;
    let mut command = project.cargo();
    // With the whole workspace, so that the libraries are those that the tests have compiled.
    command
        .args(["build", "--workspace"])
        .args(
            TARGETS.iter().flat_map(|target| ["--bin".to_owned(), format!("fuzz-{}", target.name)]),
        )
        .env("RUSTC_WORKSPACE_WRAPPER", project.target.join("debug/xtask-coverage"));
    step(project, "build the fuzz targets", command)
}

fn run_target(project: &Project, target: &Target, secs: u64) -> Result<()> {
    let name = target.name;
    let corpus = project.scratch(&format!("fuzz/{name}"))?;
    let failures = project.scratch("fuzz/failures")?;
    let program = project.target.join("debug").join(format!("fuzz-{name}"));
    let mut command = project.command(&program);
    command
        .arg(&corpus)
        .args(target.seeds.iter().map(|folder| project.path(folder)))
        .arg(format!("-max_total_time={secs}"))
        .arg(format!("-artifact_prefix={}/{name}-", failures.display()))
        // A decoder that needs more than this for one input hangs, or allocates without bound: inputs have
        // a megabyte at most, and one allocation is a small multiple of it.
        .args(["-timeout=10", "-rss_limit_mb=1024", "-malloc_limit_mb=48", "-print_final_stats=1"])
        .arg(format!("-max_len={}", target.longest_bytes));
    let limit = Duration::from_secs(secs + 120);
    let start = SystemTime::now();
    let ran = step_within(project, &format!("fuzz {name} for {secs} s"), command, limit);
    ran.map_err(|error| match newest_since(start, &failures, name) {
        Some(input) => anyhow!("{error:#}; `{} {input}` runs the input again", program.display()),
        None => error,
    })
}

/// The last input that a target failed on.
fn newest_since(start: SystemTime, folder: &Path, name: &str) -> Option<String> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let ours = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{name}-")))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .filter(|(modified, _)| *modified >= start);
    ours.max().map(|(_, path)| path.display().to_string())
}
