//! Which crate may know which, and what every manifest says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{packages, report, root};

/// Crates without input or output.
const PURE: &[&str] = &["base", "gguf", "graph", "plan", "protocol", "session", "text", "turn"];

/// Crates that may only be used by tests.
const FOR_TESTS: &[&str] = &["testkit"];

/// The table in ARCHITECTURE.md says what each crate may use, besides what those may use themselves.
#[test]
fn crates_use_only_those_below_them() {
    let packages = packages();
    let names: BTreeSet<&str> = packages.iter().map(name).collect();
    let table = table();
    let arrows: BTreeMap<&str, Vec<&str>> = packages
        .iter()
        .filter_map(|package| Some((name(package), words(table.get(&folder(package))?))))
        .collect();
    let mut complaints = Vec::new();
    for package in &packages {
        let user = name(package);
        let Some(listed) = arrows.get(user) else {
            complaints.push(format!("{}: has no row in ARCHITECTURE.md", folder(package)));
            continue;
        };
        let used: Vec<&str> = dependencies(package, "normal").collect();
        for word in listed.iter().filter(|word| !names.contains(*word) && !used.contains(word)) {
            complaints.push(format!("{user}: ARCHITECTURE.md lists {word}, which it does not use"));
        }
        let allowed = reachable(&arrows, user);
        for used in used.into_iter().filter(|used| names.contains(used)) {
            if FOR_TESTS.contains(&used) || !allowed.contains(used) {
                complaints.push(format!("{user} must not use {used}"));
            }
        }
    }
    report(&complaints);
}

#[test]
fn the_table_lists_crates_that_exist() {
    let folders: BTreeSet<String> = packages().iter().map(folder).collect();
    let complaints: Vec<String> = table()
        .into_keys()
        .filter(|listed| !folders.contains(listed) && !root().join(listed).is_dir())
        .map(|listed| format!("ARCHITECTURE.md lists {listed}, which is not there"))
        .collect();
    report(&complaints);
}

/// ARCHITECTURE.md's rows: by folder, what stands in the last column.
fn table() -> BTreeMap<String, String> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the map of the code");
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.strip_suffix(" |")?.split(" | ");
        let folder = cells.next()?.strip_suffix('`')?.to_owned();
        Some((folder, cells.last()?.to_owned()))
    };
    text.lines().filter_map(row).collect()
}

fn words(cell: &str) -> Vec<&str> {
    cell.split(", ").filter(|word| *word != "nothing").collect()
}

#[test]
fn the_nouns_need_nothing_but_serde() {
    let packages = packages();
    let base = packages.iter().find(|package| name(package) == "base");
    let base = base.expect("the workspace has a crate base");
    let used: Vec<&str> = dependencies(base, "normal").collect();
    assert_eq!(used, ["serde"]);
}

/// The pure crates stay so: no runtime, no device, no browser.
#[test]
fn pure_crates_do_no_input_or_output() {
    let impure =
        ["burn-wgpu", "cubecl", "js-sys", "reqwest", "tokio", "wasm-bindgen", "web-sys", "wgpu"];
    let mut complaints = Vec::new();
    for package in &packages() {
        if !PURE.contains(&name(package)) {
            continue;
        }
        let used: Vec<&str> = dependencies(package, "normal").collect();
        for library in impure.iter().filter(|library| used.contains(library)) {
            complaints.push(format!("{} must not use {library}", name(package)));
        }
    }
    report(&complaints);
}

#[test]
fn manifests_are_complete() {
    let mut complaints = Vec::new();
    for package in &packages() {
        let user = name(package);
        let path = package["manifest_path"].as_str().expect("a package has a manifest");
        let text = fs::read_to_string(path).expect("cargo read it too");
        if package["description"].as_str().is_none_or(str::is_empty) {
            complaints.push(format!("{user}: Cargo.toml has no description"));
        }
        if package["publish"].as_array().is_none_or(|registries| !registries.is_empty()) {
            complaints.push(format!("{user}: Cargo.toml lacks publish.workspace = true"));
        }
        if package["license"].as_str() != Some("Apache-2.0 OR MIT") {
            complaints.push(format!("{user}: Cargo.toml lacks license.workspace = true"));
        }
        if !text.contains("[lints]\nworkspace = true") {
            complaints.push(format!("{user}: Cargo.toml lacks [lints] workspace = true"));
        }
    }
    report(&complaints);
}

/// Versions stand in one place, the workspace's manifest.
#[test]
fn dependencies_come_from_the_workspace() {
    let shared = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace's manifest");
    let mut complaints = Vec::new();
    for package in &packages() {
        let path = package["manifest_path"].as_str().expect("a package has a manifest");
        let text = fs::read_to_string(path).expect("cargo read it too");
        for line in text.lines().filter(|line| is_own_version(line)) {
            complaints.push(format!("{}: `{line}` belongs into the workspace", name(package)));
        }
        for used in package["dependencies"].as_array().into_iter().flatten() {
            let used = used["rename"].as_str().or(used["name"].as_str()).unwrap_or_default();
            if !shared.contains(&format!("\n{used} = ")) {
                complaints.push(format!("{}: {used} is not in the workspace", name(package)));
            }
        }
    }
    report(&complaints);
}

fn is_own_version(line: &str) -> bool {
    let Some((key, value)) = line.split_once('=') else { return false };
    let is_word = key.trim().chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    is_word && !key.contains("version") && value.contains("version = ")
}

/// Where the package is, from the workspace's root.
fn folder(package: &Value) -> String {
    let manifest = Path::new(package["manifest_path"].as_str().expect("a package has a manifest"));
    let folder = manifest.parent().expect("a manifest is in a folder");
    folder.strip_prefix(root()).expect("a member is in the workspace").display().to_string()
}

fn name(package: &Value) -> &str {
    package["name"].as_str().expect("a package has a name")
}

fn dependencies<'a>(package: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a str> {
    package["dependencies"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(move |used| used["kind"].as_str().unwrap_or("normal") == kind)
        .filter_map(|used| used["name"].as_str())
}

fn reachable<'a>(arrows: &BTreeMap<&'a str, Vec<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut waiting = arrows[from].clone();
    while let Some(next) = waiting.pop() {
        if found.insert(next) {
            waiting.extend(arrows.get(next).into_iter().flatten());
        }
    }
    found
}
