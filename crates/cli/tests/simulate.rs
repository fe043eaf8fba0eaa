//! The program as people call it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

fn scenario() -> Value {
    json!({
        "jitter": 0.1,
        "model": {
            "name": "small", "context_tokens": 64,
            "sizes": {
                "architecture": "bloom", "layers": 3, "hidden": 64, "heads": 2, "vocab": 500,
                "weight_bytes": 1
            }
        },
        "phones": [
            {"id": "Ada", "flops_per_sec": 1e7, "memory_bytes": 4e5},
            {"id": "Ben", "flops_per_sec": 2e7, "memory_bytes": 4e5}
        ],
        "link": {"rtt_secs": 0.01, "bytes_per_sec": 1e6},
        "requests": [{"at_secs": 0, "from": "Ben", "prompt_tokens": 5, "tokens": 10}]
    })
}

/// In a folder with the file `scenario.json`.
fn simulate(folder: &Path, scenario: &str, more: &[&str]) -> Output {
    fs::write(folder.join("scenario.json"), scenario).expect("it takes text");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lingualinked"));
    command.current_dir(folder).args(["simulate", "--scenario", "scenario.json"]).args(more);
    command.output().expect("the program runs")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn last_line(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
}

#[test]
fn the_last_line_is_the_report_and_the_table_is_for_people() {
    let folder = folder();
    let output = simulate(folder.path(), &scenario().to_string(), &["--json"]);
    assert_eq!(output.status.code(), Some(0));
    let report = last_line(&output);
    assert_eq!(report["requests"][0]["tokens"], json!(10));
    assert_eq!(report["requests"][0]["finish"], json!("length"));
    assert_eq!(report["requests"][0]["undisturbed"], json!(true));
    assert_eq!(report["tokens"], json!(10));
    assert!(report["token_secs"]["p95"].as_f64() >= report["token_secs"]["median"].as_f64());
    assert!(report["plans"][0]["reason"].as_str().is_some_and(|reason| reason.ends_with('.')));
    let said = String::from_utf8_lossy(&output.stderr);
    for part in ["the room is ready after", "Ben asks request 1", "plan 1 at", "10 tokens, "] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let without = simulate(folder.path(), &scenario().to_string(), &[]);
    assert!(without.stdout.is_empty());
    assert_eq!(without.stderr, output.stderr);
}

#[test]
fn a_seed_gives_the_same_bytes_and_another_seed_others() {
    let folder = folder();
    let bytes = |seed: &str| {
        let more = ["--json", "--svg", "line.svg", "--seed", seed];
        let output = simulate(folder.path(), &scenario().to_string(), &more);
        (output.stdout, fs::read_to_string(folder.path().join("line.svg")).expect("a drawing"))
    };
    let first = bytes("7");
    assert_eq!(first, bytes("7"));
    assert!(first.1.starts_with("<svg "), "{}", first.1);
    let other = bytes("8");
    assert!(first.0 != other.0 && first.1 != other.1);
}

#[test]
fn a_call_may_ask_for_equal_parts_and_slots() {
    let folder = folder();
    let more = ["--json", "--assignment", "equal", "--slots", "2"];
    let report = last_line(&simulate(folder.path(), &scenario().to_string(), &more));
    let ends = [0, 1].map(|stage| report["plans"][0]["stages"][stage]["end"].clone());
    assert_eq!(ends, [json!(4), json!(8)]);
    assert_eq!(report["model"]["slots"], json!(2));
}

#[test]
fn invalid_scenarios_are_named_by_their_place() {
    let cases: [(&str, &str, Value); 9] = [
        ("/phones/1/flops_per_sec", "phones[1].flops_per_sec: ", json!(0)),
        ("/phones/1/flops_per_sec", "phones[1].flops_per_sec: ", json!("fast")),
        ("/phones/1", "phones[1].flops_per_sec: ", json!({"id": "Ben", "memory_bytes": 1})),
        ("/phones/1/id", "phones[1].id: ", json!("Ada")),
        ("/model/sizes/architecture", "model.sizes.architecture: ", json!("rnn")),
        ("/model/sizes/layers", "model.sizes.layers: ", json!(0)),
        ("/requests/0/from", "requests[0].from: ", json!("Zoe")),
        ("/link", "link.rtt_secs: ", json!({"bytes_per_sec": 1e6})),
        ("/jitter", "jitter: ", json!(2)),
    ];
    for (pointer, beginning, value) in cases {
        let mut input = scenario();
        *input.pointer_mut(pointer).expect("it is there") = value;
        assert_refused(&input.to_string(), beginning);
    }
    let text = scenario().to_string();
    assert_refused(&text.replace("\"jitter\"", "\"jittre\""), "jittre: ");
    assert_refused(&text.replace("\"link\"", "\"events\""), "events: ");
    for text in ["", "{", "[]", "null", &format!("{text} {text}")] {
        assert_refused(text, "");
    }
}

/// One sentence on the error output that begins so, and nothing else.
fn assert_refused(text: &str, beginning: &str) {
    let folder = folder();
    let output = simulate(folder.path(), text, &["--json", "--svg", "line.svg"]);
    let problem = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{beginning}: {problem}");
    assert!(problem.starts_with(beginning), "{beginning}: {problem}");
    assert_eq!(problem.trim_end().lines().count(), 1, "{problem}");
    assert!(output.stdout.is_empty() && !folder.path().join("line.svg").exists(), "{beginning}");
}

#[test]
fn a_room_that_cannot_hold_the_model_has_a_status_of_its_own() {
    let mut input = scenario();
    input["phones"][1]["memory_bytes"] = json!(10);
    input["phones"][0]["memory_bytes"] = json!(10);
    let output = simulate(folder().path(), &input.to_string(), &["--json"]);
    assert_eq!(output.status.code(), Some(2));
    let why = last_line(&output)["not_ready"].clone();
    assert!(why.as_str().is_some_and(|why| why.starts_with("Ada has to run one part")), "{why}");
}

#[test]
fn wrong_calls_have_a_status_of_their_own() {
    let program = || Command::new(env!("CARGO_BIN_EXE_lingualinked"));
    let wrong = [&["simulate"][..], &["simulate", "--scenario", "x", "--slots", "many"]];
    for args in wrong {
        let output = program().args(args).output().expect("it runs");
        assert_eq!(output.status.code(), Some(64), "{args:?}");
    }
    let output = program().args(["simulate", "--scenario", "nonesuch"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
}
