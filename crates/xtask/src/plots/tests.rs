//! Files are written and have what a reader looks for.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{draw_memory, draw_room};

#[test]
fn ratios_are_drawn_beside_what_is_known_of_them() {
    let folder = folder("ratios");
    let [ratios, _] = draw_room(&folder, &room()).unwrap();
    let svg = fs::read_to_string(ratios).unwrap();
    has_all(&svg, &["times as fast", "round", "median 2.10", "goal 2.7", "paper 1.73 to 2.65"]);
    has_all(
        &svg,
        &["median 1.30", "goal 1.5", "ideal 1.67", "paper 1.29 to 1.32", "nothing gained"],
    );
    // The rounds of four ratios, and the legends.
    assert_eq!(svg.matches("<circle").count(), 2 + 2 + 2 + 1 + 4);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn tokens_are_drawn_around_the_slow_down() {
    let folder = folder("tokens");
    let [_, tokens] = draw_room(&folder, &room()).unwrap();
    let svg = fs::read_to_string(tokens).unwrap();
    has_all(
        &svg,
        &["ms a token", "tokens from the slow-down on", "a phone slows down", "cuts move"],
    );
    has_all(&svg, &["left alone", "round 1: 0.90 s left alone, 0.70 s where cuts move"]);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_result_of_another_shape_says_what_it_lacks() {
    let folder = folder("shapes");
    let without = |path: &str, key: &str| {
        let mut result = room();
        result.pointer_mut(path).unwrap().as_object_mut().unwrap().remove(key);
        format!("{:#}", draw_room(&folder, &result).unwrap_err())
    };
    assert!(without("", "balance_ratios").contains("no `balance_ratios`"));
    assert!(without("/balance/0", "token_secs").contains("no `token_secs`"));
    let mut result = room();
    result["balance"] = json!([]);
    assert!(draw_room(&folder, &result).is_err());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn memory_is_drawn_with_what_happened() {
    let folder = folder("memory");
    let story = folder.join("memory.json");
    fs::write(&story, memory().to_string()).unwrap();
    let svg = fs::read_to_string(draw_memory(&story).unwrap()).unwrap();
    has_all(&svg, &["3 answers &amp; more", "one &lt;1&gt;", "another", "minutes", "MB"]);
    has_all(&svg, &["joined", "frozen", "engine&apos;s wasm"]);
    fs::write(&story, "{}").unwrap();
    assert!(draw_memory(&story).is_err());
    fs::remove_dir_all(folder).unwrap();
}

/// As `e2e/src/bench/room-result.ts` writes it; the figures of a hop and the like are left out.
fn room() -> Value {
    json!({
        "throughput_ratio": 2.1, "throughput_ratios": [2.0, 2.2],
        "balance_ratio": 1.3, "balance_ratios": [1.25, 1.35],
        "assignment_ratio": 1.7, "assignment_ratios": [1.6, 1.8],
        "residual_delay_ratio": 1.4, "residual_delay_ratios": [1.4, null],
        "balance": [
            { "round": 1, "balances": true, "secs": 0.7, "token_secs": [-0.1, 0.1, 0.4, 0.7], "switch_secs": [0.3] },
            { "round": 1, "balances": false, "secs": 0.9, "token_secs": [-0.1, 0.1, 0.5, 0.9], "switch_secs": [] },
        ],
    })
}

/// As `e2e/src/soak/busy-room.ts` writes it.
fn memory() -> Value {
    let sample = |at_secs: u32, phone: &str, is_header: bool| {
        json!({
            "at_secs": at_secs, "phone": phone, "is_header": is_header,
            "total": 3e8, "renderers": 2e8, "gpu": 1e8, "page_heap": 1e7, "wasm": 2e7,
        })
    };
    json!({
        "title": "3 answers & more",
        "samples": [sample(5, "one <1>", true), sample(6, "another", false), sample(60, "one <1>", true)],
        "marks": [{ "at_secs": 10, "name": "joined" }, { "at_secs": 40, "name": "frozen" }],
    })
}

fn has_all(svg: &str, words: &[&str]) {
    assert!(svg.trim_end().ends_with("</svg>"), "{svg}");
    assert!(!svg.contains("NaN"));
    for word in words {
        assert!(svg.contains(word), "no {word} in {svg}");
    }
}

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("xtask-plots-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}
