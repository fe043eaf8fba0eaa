//! The browser tests as steps: phones that are Chromium, and phones that are phones.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Outcome;
use crate::build::{self, Profile};
use crate::e2e;
use crate::progress::{note, step_within};
use crate::project::Project;
use crate::setup::{self, Need};

/// The parts that the tests are made of, and rooms of Chromium phones.
pub fn chromium(project: &Project) -> Result<Outcome> {
    playwright(project, "playwright", &["--project=parts", "--project=rooms"])
}

/// The same rooms, with Android phones in the first seats.
pub fn android(project: &Project) -> Result<Outcome> {
    playwright(project, "playwright on Android", &["--project=android"])
}

fn playwright(project: &Project, label: &str, projects: &[&str]) -> Result<Outcome> {
    e2e::ensure(project)?;
    // Without them their tests skip themselves and say so, as they do without a phone.
    for (need, name) in [(Need::Adb, "adb"), (Need::Nats, "nats-server")] {
        if let Err(error) = setup::ensure(project, &[need]) {
            note(&format!("no {name}: {error:#}"));
        }
    }
    // The tests of the server have built it.
    let server = build::server(project, Profile::Dev)?;
    let skips = project.scratch("e2e")?.join("skips.json");
    let mut command = e2e::playwright(project, &server)?;
    command.args(projects).env(SKIPS, &skips);
    step_within(project, label, command, LIMIT)?;
    let text = fs::read_to_string(&skips)
        .with_context(|| format!("the tests did not write {}", skips.display()))?;
    outcome(&text)
}

/// What `e2e/src/skip-reporter.ts` wrote of a run in which nothing failed.
fn outcome(skips: &str) -> Result<Outcome> {
    let skips: Value = serde_json::from_str(skips).context("what was skipped is no JSON")?;
    let ran = skips["ran"].as_u64().context("nobody counted the tests")?;
    let reasons: Vec<String> =
        skips["skipped"].as_array().into_iter().flatten().map(words).collect();
    Ok(match (ran, reasons.is_empty()) {
        (_, true) => Outcome::Passed,
        (0, false) => Outcome::Skipped(reasons.join("; ")),
        (_, false) => Outcome::Partly(reasons.join("; ")),
    })
}

fn words(skip: &Value) -> String {
    let reason = skip["reason"].as_str().unwrap_or("no reason given");
    format!("{reason} ({} tests)", skip["count"])
}

/// Where the tests say what they skipped.
const SKIPS: &str = "LINGUALINKED_SKIPS";
const LIMIT: Duration = Duration::from_secs(2700);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_skipped_is_not_passed() {
        let skipped = r#"[{"project":"android","reason":"no phone","count":3}]"#;
        let of = |ran: u32, skipped: &str| {
            outcome(&format!(r#"{{"ran":{ran},"skipped":{skipped}}}"#)).unwrap()
        };
        assert_eq!(of(4, "[]"), Outcome::Passed);
        assert_eq!(of(0, skipped), Outcome::Skipped("no phone (3 tests)".into()));
        assert_eq!(of(4, skipped), Outcome::Partly("no phone (3 tests)".into()));
        assert!(outcome("{}").is_err());
    }
}
