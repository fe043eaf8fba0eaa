//! Scenario files of anybody: a sentence with the place, never a panic, and never a long computation.

use std::time::Instant;

use proptest::prelude::*;
use serde_json::{Value, json};
use sim::scenario::{Scenario, SimulateError, simulate};

/// A scenario with everything in it, and quick.
fn whole() -> Value {
    json!({
        "about": "everything", "seed": 1, "jitter": 0.1, "further_row_cost": 0.5,
        "assignment": "best", "ring_may_close": true, "balances": true,
        "model": {
            "name": "small", "context_tokens": 64, "slots": 2,
            "sizes": {
                "architecture": "bloom", "layers": 3, "hidden": 64, "heads": 2, "vocab": 500,
                "weight_bytes": 1
            }
        },
        "phones": [
            {"id": "Ada", "flops_per_sec": 1e7, "memory_bytes": 6e5},
            {"id": "Ben", "flops_per_sec": 1e7, "overhead_secs": 0.001, "memory_bytes": 6e5},
            {"id": "Cleo", "flops_per_sec": 1e7, "memory_bytes": 6e5, "fetch_bytes_per_sec": 1e6}
        ],
        "link": {"rtt_secs": 0.01, "bytes_per_sec": 1e6},
        "links": [{"from": "Ada", "to": "Ben", "rtt_secs": 0.02, "bytes_per_sec": 1e5}],
        "requests": [
            {"at_secs": 0, "from": "Ada", "prompt_tokens": 5, "tokens": 10},
            {"at_secs": 1, "from": "Ben", "prompt_tokens": 3, "tokens": 10}
        ],
        "events": [
            {"at_secs": 1, "speed": {"phone": "Ben", "flops_per_sec": 5e6}},
            {"at_secs": 1, "link": {"from": "Ben", "to": "Ada", "rtt_secs": 0.1, "bytes_per_sec": 1e4}},
            {"at_secs": 2, "join": "Cleo"},
            {"at_secs": 3, "cut": ["Ada", "Ben"]},
            {"at_secs": 4, "begin": "equal"},
            {"at_secs": 9, "freeze": "Ben"},
            {"at_secs": 9.5, "thaw": "Ben"},
            {"at_secs": 9.6, "hide": "Cleo"},
            {"at_secs": 9.9, "show": "Cleo"},
            {"at_secs": 10, "kill": "Ben"},
            {"at_secs": 11, "join": "Ben"},
            {"at_secs": 12, "leave": "Cleo"}
        ]
    })
}

fn of_modules() -> Value {
    let mut scenario = whole();
    scenario["model"] = json!({
        "name": "by hand", "context_tokens": 64,
        "profiles": {
            "modules": [
                {"name": "embed", "flops": 1e4, "weights_bytes": 1e4},
                {"name": "attn.0", "flops": 1e5, "weights_bytes": 1e5, "kv_bytes": 1e3},
                {"name": "mlp.0", "flops": 1e5, "weights_bytes": 1e5},
                {"name": "head", "flops": 1e4, "weights_bytes": 1e4}
            ],
            "sequential_bytes": [64, 64, 64],
            "residual": [{"from": 0, "to": [2], "bytes": 8}],
            "tied": [[0, 3, 1e4]]
        }
    });
    scenario
}

fn read(value: &Value) -> Result<Scenario, serde_json::Error> {
    serde_json::from_value(value.clone())
}

/// Simulates whatever can be, and gives the complaint about the rest.
fn complaint(value: &Value) -> String {
    match read(value).map(|scenario| simulate(&scenario, &mut |_| {})) {
        Ok(Ok(run)) => {
            assert!(run.report.requests.iter().all(|request| request.undisturbed), "{value}");
            String::new()
        }
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_scenarios_themselves_are_sound() {
    for scenario in [whole(), of_modules()] {
        assert_eq!(complaint(&scenario), "");
    }
}

#[test]
fn values_out_of_bounds_are_named_by_their_place() {
    let cases: [(&str, Value, &str); 37] = [
        ("/jitter", json!(1), "jitter"),
        ("/further_row_cost", json!(-1), "further_row_cost"),
        ("/phones", json!([]), "phones"),
        ("/phones/2/flops_per_sec", json!(0), "phones[2].flops_per_sec"),
        ("/phones/2/memory_bytes", json!(-1), "phones[2].memory_bytes"),
        ("/phones/1/overhead_secs", json!(100), "phones[1].overhead_secs"),
        ("/phones/2/fetch_bytes_per_sec", json!(1e300), "phones[2].fetch_bytes_per_sec"),
        ("/phones/1/id", json!("Ada"), "phones[1].id"),
        ("/phones/1/id", json!(""), "phones[1].id"),
        ("/phones/1/id", json!("x".repeat(41)), "phones[1].id"),
        ("/link/rtt_secs", json!(-0.1), "link.rtt_secs"),
        ("/link/bytes_per_sec", json!(0), "link.bytes_per_sec"),
        ("/links/0/to", json!("Ada"), "links[0].to"),
        ("/links/0/to", json!("Zoe"), "links[0].to"),
        ("/requests", json!([]), "requests"),
        ("/requests/1/from", json!("Zoe"), "requests[1].from"),
        ("/requests/1/prompt_tokens", json!(0), "requests[1].prompt_tokens"),
        ("/requests/1/tokens", json!(0), "requests[1].tokens"),
        ("/requests/1/tokens", json!(63), "requests[1]"),
        ("/requests/1/at_secs", json!(1e9), "requests[1].at_secs"),
        ("/events/0/at_secs", json!(-1), "events[0].at_secs"),
        ("/events/0/speed/phone", json!("Zoe"), "events[0].speed.phone"),
        ("/events/0/speed/flops_per_sec", json!(1e99), "events[0].speed.flops_per_sec"),
        ("/events/1/link/rtt_secs", json!(11), "events[1].link.rtt_secs"),
        ("/events/3/cut", json!(["Ada", "Zoe"]), "events[3].cut[1]"),
        ("/events/2/join", json!("Ada"), "events[2].join"),
        ("/events/5/freeze", json!("\n"), "events[5].freeze"),
        ("/events/5", json!({"at_secs": 1}), "events[5]"),
        ("/events/5", json!({"at_secs": 1, "kill": "Ben", "join": "Ben"}), "events[5]"),
        ("/model/slots", json!(65), "model.slots"),
        ("/model/context_tokens", json!(0), "model.context_tokens"),
        ("/model/profiles", json!({"modules": [], "sequential_bytes": []}), "model"),
        ("/model/sizes/layers", json!(600), "model.sizes.layers"),
        ("/model/sizes/heads", json!(0), "model.sizes.heads"),
        ("/model/sizes/vocab", json!(0), "model.sizes.vocab"),
        ("/model/sizes/hidden", json!(65), "model.sizes"),
        ("/model/sizes/weight_bytes", json!(0), "model.sizes.weight_bytes"),
    ];
    for (pointer, value, path) in cases {
        let mut scenario = whole();
        scenario["model"]["profiles"] = json!(null);
        *scenario.pointer_mut(pointer).expect("it is there") = value;
        let complaint = complaint(&scenario);
        assert!(complaint.starts_with(&format!("{path}: ")), "{path}: {complaint}");
        assert!(!complaint.contains('\n'), "{complaint}");
    }
}

#[test]
fn modules_that_mean_nothing_are_named_by_their_place() {
    let cases: [(&str, Value, &str); 9] = [
        ("modules", json!([]), "modules"),
        ("sequential_bytes", json!([64, 64]), "sequential_bytes"),
        ("sequential_bytes", json!([64, 32, 64]), "sequential_bytes[1]"),
        ("sequential_bytes", json!([8, 8, 8]), "sequential_bytes[0]"),
        ("sequential_bytes", json!([1e9, 1e9, 1e9]), "sequential_bytes[0]"),
        ("residual", json!([{"from": 0, "to": [9], "bytes": 1}]), "residual[0]"),
        ("residual", json!([{"from": 0, "to": [1], "bytes": 1}]), "residual[0]"),
        ("tied", json!([[3, 3, 1]]), "tied[0]"),
        ("tied", json!([[0, 3, -1]]), "tied[0]"),
    ];
    for (field, value, path) in cases {
        let mut scenario = of_modules();
        scenario["model"]["profiles"][field] = value;
        let complaint = complaint(&scenario);
        assert!(complaint.starts_with(&format!("model.profiles.{path}: ")), "{path}: {complaint}");
    }
}

#[test]
fn more_work_than_a_simulation_should_do_is_refused() {
    let mut scenario = whole();
    scenario["model"]["context_tokens"] = json!(16384);
    scenario["model"]["sizes"]["layers"] = json!(500);
    let ask = json!({"at_secs": 0, "from": "Ada", "prompt_tokens": 1, "tokens": 10000});
    scenario["requests"] = json!([ask, ask, ask]);
    assert!(complaint(&scenario).starts_with("requests: have 30003 tokens in all"));
    scenario["requests"] = json!(vec![ask; 100]);
    assert!(complaint(&scenario).starts_with("requests: is 100"));
}

#[test]
fn a_room_that_cannot_hold_the_model_says_so() {
    let mut scenario = whole();
    for phone in 0..3 {
        scenario["phones"][phone]["memory_bytes"] = json!(1000);
    }
    let scenario = read(&scenario).expect("it is sound");
    let error = simulate(&scenario, &mut |_| {}).expect_err("nothing fits");
    assert!(matches!(&error, SimulateError::NotReady(why) if why.contains("lend")), "{error}");
}

/// Where a value may be put.
fn places(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                places(field, format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
    found.push(at);
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0.0..100.0).prop_map(Value::from),
        (0_u32..300).prop_map(Value::from),
        prop_oneof![Just("Ada"), Just("Ben"), Just("Cleo"), Just("equal"), Just("llama")]
            .prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z_]{1,8}", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_json_is_a_scenario_that_panics(value in anything()) {
        complaint(&value);
    }

    #[test]
    fn no_change_of_a_scenario_panics_or_takes_long(
        by_hand in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), anything()), 1..4),
    ) {
        let mut scenario = if by_hand { of_modules() } else { whole() };
        for (place, value) in changes {
            let mut all: Vec<String> = Vec::new();
            places(&scenario, String::new(), &mut all);
            if let Some(there) = scenario.pointer_mut(&all[place.index(all.len())]) {
                *there = value;
            }
        }
        let started = Instant::now();
        let complaint = complaint(&scenario);
        prop_assert!(started.elapsed().as_secs() < 20, "{scenario}");
        prop_assert!(!complaint.contains('\n'), "{complaint}");
    }
}
