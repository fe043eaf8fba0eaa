//! `cargo xtask test`: every check and every test, then a table of what came out.
//!
//! A failed step does not stop the later ones; a tool that is not there is a skipped step with its reason.

mod browsers;

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::children::Group;
use crate::progress::{note, step};
use crate::project::{Project, on_path};
use crate::setup::{self, Need};
use crate::{build, fuzz};

#[derive(clap::Args)]
pub struct Args {
    /// Leave out the wasm build, the page and the browser tests.
    #[arg(long)]
    fast: bool,
}

pub fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    let rows: Vec<Row> = STEPS
        .iter()
        .map(|step| if args.fast && step.slow { left_out(step) } else { run_step(project, step) })
        .collect();
    print_table(&rows);
    let failed = rows.iter().any(|row| matches!(row.outcome, Outcome::Failed(_)));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

struct Step {
    name: &'static str,
    /// Whether `--fast` leaves it out.
    slow: bool,
    check: fn(&Project) -> Result<Outcome>,
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    /// With a reason for what it left out.
    Partly(String),
    Failed(String),
    Skipped(String),
}

struct Row {
    name: &'static str,
    secs: f64,
    outcome: Outcome,
}

fn run_step(project: &Project, step: &Step) -> Row {
    let start = Instant::now();
    let outcome =
        (step.check)(project).unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
    if let Outcome::Skipped(reason) = &outcome {
        note(&format!("{} skipped: {reason}", step.name));
    }
    Row { name: step.name, secs: start.elapsed().as_secs_f64(), outcome }
}

fn left_out(step: &Step) -> Row {
    Row { name: step.name, secs: 0.0, outcome: Outcome::Skipped("--fast".into()) }
}

fn format(project: &Project) -> Result<Outcome> {
    setup::ensure(project, &[Need::Components])?;
    let mut command = project.cargo();
    command.args(["fmt", "--all", "--check"]);
    passed(step(project, "cargo fmt", command))
}

fn tidy(project: &Project) -> Result<Outcome> {
    let mut command = project.cargo();
    command.args(["test", "--package", "xtask", "--test", "tidy"]);
    passed(step(project, "tidy", command))
}

fn lint(project: &Project) -> Result<Outcome> {
    setup::ensure(project, &[Need::Components, Need::Cxx])?;
    let mut command = project.cargo();
    command.args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]);
    passed(step(project, "cargo clippy", command))
}

fn rust_tests(project: &Project) -> Result<Outcome> {
    setup::ensure(project, &[Need::Vulkan])?;
    let missing: Vec<_> = [
        (Need::Certificates, "authorities of certificates"),
        (Need::Nats, "several servers"),
        (Need::Coturn, "TURN servers elsewhere"),
    ]
    .into_iter()
    .filter_map(|(need, what)| Some((need, what, setup::ensure(project, &[need]).err()?)))
    .collect();
    let mut command = project.cargo();
    command.args(["test", "--workspace"]);
    if let Some(driver) = setup::software_driver(project) {
        command.env("VK_DRIVER_FILES", driver);
    }
    // Their tests leave themselves out where they are missing, and must not do so unseen.
    for (need, variable) in [
        (Need::Certificates, "LINGUALINKED_CERTIFICATES"),
        (Need::Nats, "LINGUALINKED_NATS"),
        (Need::Coturn, "LINGUALINKED_COTURN"),
    ] {
        if !missing.iter().any(|(other, ..)| *other == need) {
            command.env(variable, "required");
        }
    }
    step(project, "cargo test", command)?;
    let skipped: Vec<_> =
        missing.iter().map(|(_, what, error)| format!("{what} ({error:#})")).collect();
    Ok(match skipped.is_empty() {
        true => Outcome::Passed,
        false => Outcome::Partly(skipped.join(", ")),
    })
}

fn fuzzing(project: &Project) -> Result<Outcome> {
    passed(fuzz::run_all_crowded(project, FUZZ_SECS))
}

fn dependencies(project: &Project) -> Result<Outcome> {
    if on_path("cargo-deny").is_none() {
        return Ok(missing("cargo-deny", "deny"));
    }
    let mut command = project.cargo();
    command.args(["deny", "--workspace", "check", "bans", "licenses", "sources"]);
    passed(step(project, "cargo deny", command))
}

fn advisories(project: &Project) -> Result<Outcome> {
    if on_path("cargo-deny").is_none() {
        return Ok(missing("cargo-deny", "deny"));
    }
    // Fetching is a step of its own, so that an unreachable database is told from a bad dependency.
    let mut fetch = project.cargo();
    fetch.args(["deny", "fetch", "db"]).stdin(Stdio::null());
    if !succeeds_within(fetch, Duration::from_secs(60))? {
        return Ok(Outcome::Skipped("the advisory database cannot be reached".into()));
    }
    let mut command = project.cargo();
    command.args(["deny", "--workspace", "check", "advisories"]);
    passed(step(project, "cargo deny advisories", command))
}

fn spelling(project: &Project) -> Result<Outcome> {
    if on_path("typos").is_none() {
        return Ok(missing("typos", "typos"));
    }
    passed(step(project, "typos", project.command("typos")))
}

fn wasm_and_page(project: &Project) -> Result<Outcome> {
    build::engine_and_checks(project)?;
    passed(build::app(project))
}

fn page_checks(project: &Project) -> Result<Outcome> {
    setup::ensure(project, &[Need::Web, Need::E2e])?;
    for folder in ["web", "e2e"] {
        for script in ["format:check", "check"] {
            let mut command = project.npm(folder);
            command.args(["run", script]);
            step(project, &format!("npm run {script} in {folder}"), command)?;
        }
    }
    Ok(Outcome::Passed)
}

fn page_tests(project: &Project) -> Result<Outcome> {
    setup::ensure(project, &[Need::Web])?;
    let mut command = project.npm("web");
    command.arg("test");
    passed(step(project, "npm test in web", command))
}

fn passed(result: Result<()>) -> Result<Outcome> {
    result.map(|()| Outcome::Passed)
}

fn missing(program: &str, need: &str) -> Outcome {
    Outcome::Skipped(format!(
        "{program} is not installed; `cargo xtask setup --only {need}` does it"
    ))
}

fn succeeds_within(mut command: Command, limit: Duration) -> Result<bool> {
    let mut group = Group::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    let end = Instant::now() + limit;
    while Instant::now() < end {
        if let Some(status) = group.child.try_wait()? {
            return Ok(status.success());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    group.end()?;
    Ok(false)
}

fn print_table(rows: &[Row]) {
    println!("\n{:<16}{:>9}  result", "step", "seconds");
    let mut counts = [0; 3];
    for row in rows {
        let (index, text) = match &row.outcome {
            Outcome::Passed => (0, "passed".to_owned()),
            Outcome::Partly(reason) => (0, format!("passed, but skipped: {reason}")),
            Outcome::Failed(reason) => (1, format!("FAILED: {reason}")),
            Outcome::Skipped(reason) => (2, format!("skipped: {reason}")),
        };
        counts[index] += 1;
        println!("{:<16}{:>9.1}  {text}", row.name, row.secs);
    }
    let [passed, failed, skipped] = counts;
    println!("\n{passed} passed, {failed} failed, {skipped} skipped");
}

/// Of every target; `cargo xtask soak` goes on for longer.
const FUZZ_SECS: u64 = 20;

/// Quick ones first, and the build before the tests that need it.
const STEPS: &[Step] = &[
    Step { name: "format", slow: false, check: format },
    Step { name: "tidy", slow: false, check: tidy },
    Step { name: "lint", slow: false, check: lint },
    Step { name: "rust tests", slow: false, check: rust_tests },
    Step { name: "fuzzing", slow: true, check: fuzzing },
    Step { name: "dependencies", slow: false, check: dependencies },
    Step { name: "advisories", slow: false, check: advisories },
    Step { name: "spelling", slow: false, check: spelling },
    Step { name: "wasm and page", slow: true, check: wasm_and_page },
    Step { name: "page checks", slow: true, check: page_checks },
    Step { name: "page tests", slow: true, check: page_tests },
    Step { name: "browser tests", slow: true, check: browsers::chromium },
    Step { name: "android tests", slow: true, check: browsers::android },
];
