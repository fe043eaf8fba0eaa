//! What files look like: their size, their words, their first lines.

use std::fs;
use std::path::{Path, PathBuf};

use super::{packages, report, repository_files, root};

/// The longest file of code, in lines, by extension.
const LONGEST: &[(&str, usize)] = &[("rs", 700), ("ts", 400), ("svelte", 400), ("py", 700)];
/// The longest that half of all Rust files may be.
const MEDIAN_RUST_LINES: usize = 150;
/// The largest file that is not a model or a picture, in bytes.
const LARGEST_BYTES: u64 = 1_000_000;
const MODEL_BYTES: u64 = 8_000_000;

#[test]
fn files_are_short() {
    let mut complaints = Vec::new();
    let mut rust = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        let limit = LONGEST.iter().find(|(extension, _)| has_extension(&path, extension));
        if let Some((_, limit)) = limit.filter(|(_, limit)| lines > *limit) {
            complaints.push(format!("{}: {lines} lines, at most {limit}", path.display()));
        }
        if has_extension(&path, "rs") {
            rust.push(lines);
        }
    }
    rust.sort_unstable();
    let median = rust[rust.len() / 2];
    if median > MEDIAN_RUST_LINES {
        complaints.push(format!("the median Rust file has {median} lines; split some"));
    }
    report(&complaints);
}

#[test]
fn no_large_files() {
    let mut complaints = Vec::new();
    for path in repository_files() {
        let bytes = fs::metadata(root().join(&path)).expect("it was just listed").len();
        let limit = if has_extension(&path, "gguf") { MODEL_BYTES } else { LARGEST_BYTES };
        if bytes > limit {
            complaints.push(format!("{}: {bytes} bytes, at most {limit}", path.display()));
        }
    }
    report(&complaints);
}

#[test]
fn crates_begin_with_what_they_are_for() {
    let mut complaints = Vec::new();
    for package in &packages() {
        for target in package["targets"].as_array().into_iter().flatten() {
            let kind = target["kind"][0].as_str().unwrap_or_default();
            if !["lib", "bin", "cdylib", "rlib"].contains(&kind) {
                continue;
            }
            let path = target["src_path"].as_str().expect("a target has a source");
            let text = fs::read_to_string(path).expect("cargo lists files that exist");
            if !text.starts_with("//!") {
                complaints.push(format!("{path}: must begin with a //! comment"));
            }
        }
    }
    report(&complaints);
}

/// The words are put together here so that this file does not contain them.
#[test]
fn nothing_is_left_for_later_or_tied_to_one_machine() {
    let words = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["XX", "X:"],
        ["unimplemented", "!("],
        ["todo", "!("],
        ["/ro", "ot/"],
        ["/wo", "rk/"],
        ["arti", "factory"],
    ]
    .map(|parts| parts.concat());
    let mut complaints = Vec::new();
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| has_word(line, word)) {
                complaints.push(format!("{}:{}: has `{word}`", path.display(), number + 1));
            }
        }
    }
    report(&complaints);
}

/// Every queue has a bound that its maker states.
#[test]
fn queues_are_bounded() {
    let calls = [["unbounded", "_channel"], ["mpsc::", "channel"], ["mpsc::", "unbounded"]]
        .map(|parts| parts.concat());
    let mut complaints = Vec::new();
    for (path, text) in sources().filter(|(path, _)| has_extension(path, "rs")) {
        for call in calls.iter().filter(|call| text.contains(*call)) {
            // The bounded constructor of some libraries has the same name, with a number in it.
            let is_unbounded = text
                .match_indices(call.as_str())
                .filter_map(|(at, _)| text[at..].split_once('('))
                .any(|(_, arguments)| arguments.starts_with(')'));
            if is_unbounded {
                complaints.push(format!("{}: {call}() has no bound", path.display()));
            }
        }
    }
    report(&complaints);
}

/// JavaScript's values stay at the edge.
#[test]
fn only_the_edge_knows_javascript() {
    let edge = [
        "crates/web",
        "crates/web-text",
        "crates/web-scan",
        "crates/transport",
        "crates/platform",
        "crates/xtask",
    ];
    let mut complaints = Vec::new();
    for (path, text) in sources().filter(|(path, _)| has_extension(path, "rs")) {
        if !edge.iter().any(|folder| path.starts_with(folder)) && text.contains("JsValue") {
            complaints.push(format!("{}: uses JsValue", path.display()));
        }
    }
    report(&complaints);
}

/// The files that people write, with their text.
fn sources() -> impl Iterator<Item = (PathBuf, String)> {
    let written =
        ["rs", "ts", "svelte", "js", "css", "html", "py", "md", "toml", "yml", "sh", "wgsl"];
    repository_files().into_iter().filter_map(move |path| {
        let is_written = written.iter().any(|extension| has_extension(&path, extension))
            || path == Path::new(".ci/run");
        let text = is_written.then(|| fs::read_to_string(root().join(&path)).ok()).flatten()?;
        Some((path, text))
    })
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

/// A path counts where it starts, so that `a/b` inside a longer path does not.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !word.starts_with('/')
            || before.is_none_or(|c| !(c.is_alphanumeric() || ".}_-".contains(c)))
    })
}

#[test]
fn paths_count_only_where_they_start() {
    let word = ["/wo", "rk/"].concat();
    assert!(has_word(&format!("in {word}x"), &word));
    assert!(has_word(&format!("\"{word}x\""), &word));
    assert!(!has_word(&format!("home{word}x"), &word));
}
