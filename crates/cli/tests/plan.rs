//! The program as people call it.

use std::io::Write as _;
use std::process::{Command, Output};

use serde_json::{Value, json};

fn instance() -> Value {
    json!({
        "objective": "latency",
        "modules": [
            {"name": "embed", "flops": 1.0, "weights_bytes": 10.0},
            {"name": "attn.0", "flops": 20.0, "weights_bytes": 10.0},
            {"name": "mlp.0", "flops": 20.0, "weights_bytes": 10.0},
            {"name": "head", "flops": 5.0, "weights_bytes": 20.0}
        ],
        "sequential_bytes": [4, 4, 4],
        "residual": [],
        "tied": [],
        "devices": [
            {"id": "a", "flops_per_sec": 10.0, "memory_bytes": 30.0},
            {"id": "b", "flops_per_sec": 20.0, "memory_bytes": 50.0}
        ],
        "rtt_secs": [[0, 0.2], [0.2, 0]],
        "bytes_per_sec": [[0, 100], [100, 0]],
        "token_bytes": 4,
        "token_to": 0
    })
}

fn plan(text: &str, more: &[&str]) -> Output {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("it takes text");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lingualinked"));
    command.arg("plan").arg("--input").arg(file.path()).args(more);
    command.output().expect("the program runs")
}

fn last_line(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
}

#[test]
fn the_last_line_is_the_answer() {
    let output = plan(&instance().to_string(), &["--json"]);
    assert_eq!(output.status.code(), Some(0));
    let answer = last_line(&output);
    let stages = json!([
        {"device": "a", "start": 0, "end": 1},
        {"device": "b", "start": 1, "end": 4}
    ]);
    assert_eq!(answer["stages"], stages);
    // 0.1 s of `a`, 45 / 20 of `b`, and 4 bytes each way at 0.1 s and 0.04 s.
    let secs = answer["objective_secs"].as_f64().expect("a number");
    assert!((secs - (0.1 + 2.25 + 2.0 * 0.14)).abs() < 1e-12, "{secs}");
    assert_eq!(answer["lower_bound_secs"], answer["objective_secs"]);
    let copies = json!([
        {"device": "b", "start": 0, "end": 1},
        {"device": "a", "start": 1, "end": 3}
    ]);
    assert_eq!(answer["overlap"], copies);
    assert!(answer["solve_secs"].as_f64().is_some_and(|secs| secs > 0.0));
}

#[test]
fn people_get_words() {
    let output = plan(&instance().to_string(), &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    for part in ["modules 0..1", "modules 1..4", "copies  1..3", "a -> b: 140.000 ms for 4 bytes"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn invalid_inputs_are_named_by_their_place() {
    let cases: [(&str, &str, Value); 26] = [
        ("/devices/1/memory_bytes", "devices[1].memory_bytes", json!(-1.0)),
        ("/devices/1/memory_bytes", "devices[1].memory_bytes", json!("much")),
        ("/devices/1/memory_bytes", "devices[1].memory_bytes", json!(null)),
        ("/devices/1/id", "devices[1].id", json!("a")),
        ("/devices/1/flops_per_sec", "devices[1].flops_per_sec", json!(0)),
        ("/devices/1/flops_per_sec", "devices[1].flops_per_sec", json!(1e-308)),
        ("/devices", "devices", json!([])),
        ("/devices/1", "devices[1].id", json!({"flops_per_sec": 1.0, "memory_bytes": 1.0})),
        ("/modules", "modules", json!([])),
        ("/modules/2/flops", "modules[2].flops", json!(-1)),
        ("/modules/2/weights_bytes", "modules[2].weights_bytes", json!([1])),
        ("/sequential_bytes", "sequential_bytes", json!([1.0])),
        ("/sequential_bytes/1", "sequential_bytes[1]", json!(-4)),
        ("/objective", "objective", json!("speed")),
        ("/rtt_secs", "rtt_secs", json!([[0, 1]])),
        ("/rtt_secs/1", "rtt_secs[1]", json!([0.0])),
        ("/rtt_secs/1/0", "rtt_secs[1][0]", json!(-0.1)),
        ("/bytes_per_sec/1/0", "bytes_per_sec[1][0]", json!(null)),
        ("/bytes_per_sec/0/1", "bytes_per_sec[0][1]", json!(1e-320)),
        ("/token_to", "token_to", json!(4)),
        ("/token_to", "token_to", json!(0.5)),
        ("/residual", "residual[0].to[1]", json!([{"from": 0, "to": [3, 1.0], "bytes": 1}])),
        ("/residual", "residual[0].to[1]", json!([{"from": 0, "to": [3, 2.5], "bytes": 1}])),
        ("/residual", "residual[0].from", json!([{"from": -1, "to": [3], "bytes": 1}])),
        ("/residual", "residual[0].bytes", json!([{"from": 0, "to": [3]}])),
        ("/tied", "tied[0][1]", json!([[0, 4.0, 1]])),
    ];
    for (pointer, path, value) in cases {
        let mut input = instance();
        *input.pointer_mut(pointer).expect("it is there") = value;
        assert_refused(&input.to_string(), &format!("{path}: "));
    }
}

#[test]
fn texts_that_are_no_instance_are_named_too() {
    let text = instance().to_string();
    let without_devices = text.replace("\"devices\"", "\"phones\"");
    assert_refused(&without_devices, "devices: is missing");
    assert_refused(&text.replace("\"flops\":20.0", "\"flops\":1e400"), "modules[1].flops: ");
    assert_refused(&text.replace("\"token_bytes\":4", "\"token_bytes\":NaN"), "token_bytes: ");
    for text in ["", "{", "[]", "null", &format!("{text} {text}")] {
        assert_refused(text, "");
    }
}

/// One sentence on the error output that begins so, and nothing else.
fn assert_refused(text: &str, beginning: &str) {
    let output = plan(text, &["--json"]);
    let problem = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{beginning}: {problem}");
    assert!(problem.starts_with(beginning), "{beginning}: {problem}");
    assert_eq!(problem.trim_end().lines().count(), 1, "{problem}");
    assert!(output.stdout.is_empty(), "{beginning}");
}

#[test]
fn all_numbers_are_floats_and_diagonals_do_not_matter() {
    let mut input = instance();
    input["residual"] = json!([{"from": 0, "to": [2, 3], "bytes": 8}]);
    (input["tied"], input["token_to"]) = (json!([[0, 3, 5]]), json!(1));
    let expected = last_line(&plan(&input.to_string(), &["--json"]));
    input["residual"] = json!([{"from": 0.0, "to": [2e0, 3.0], "bytes": 8.0}]);
    (input["tied"], input["token_to"]) = (json!([[0.0, 3.0, 5.0]]), json!(1.0));
    (input["rtt_secs"][0][0], input["rtt_secs"][1][1]) = (json!(null), json!(-1));
    (input["bytes_per_sec"][0][0], input["bytes_per_sec"][1][1]) = (json!(1e300), json!(null));
    input["note"] = json!("unknown fields are ignored");
    let output = plan(&input.to_string(), &["--json"]);
    let answer = last_line(&output);
    assert_eq!(output.status.code(), Some(0));
    for field in ["objective_secs", "stages", "overlap"] {
        assert_eq!(answer[field], expected[field]);
    }
}

#[test]
fn one_module_needs_no_sequential_bytes() {
    let mut input = instance();
    input["modules"].as_array_mut().expect("a list").truncate(1);
    input["sequential_bytes"] = json!([]);
    let answer = last_line(&plan(&input.to_string(), &["--json"]));
    assert_eq!(answer["stages"], json!([{"device": "a", "start": 0, "end": 1}]));
    assert_eq!(answer["overlap"], json!([]));
}

#[test]
fn what_does_not_fit_says_what_is_missing() {
    let mut input = instance();
    input["devices"][0]["memory_bytes"] = json!(5.0);
    let output = plan(&input.to_string(), &["--json"]);
    assert_eq!(output.status.code(), Some(2));
    let one = &last_line(&output)["infeasible"][0];
    assert_eq!((&one["device"], &one["missing_bytes"]), (&json!("a"), &json!(5.0)));
    assert!(one["help"].as_str().is_some_and(|help| help.ends_with('.')));
}

#[test]
fn wrong_calls_have_a_status_of_their_own() {
    let program = || Command::new(env!("CARGO_BIN_EXE_lingualinked"));
    for args in [&["plan"][..], &["nonesuch"], &[]] {
        let output = program().args(args).output().expect("it runs");
        assert_eq!(output.status.code(), Some(64), "{args:?}");
    }
    let help = program().arg("--help").output().expect("it runs");
    assert_eq!(help.status.code(), Some(0));
}
