//! The threat model names tests that are there.

use std::fs;

use super::{report, repository_files, root};

/// Each is named as `file: test`: by the end of a path, and the beginning of a name.
#[test]
fn the_tests_of_the_threat_model_are_there() {
    let text = fs::read_to_string(root().join("docs/threats.md")).expect("it is there");
    let quoted = text.split('`').skip(1).step_by(2);
    let named: Vec<(&str, &str)> = quoted.filter_map(|words| words.split_once(": ")).collect();
    assert!(named.len() > 50, "the names are not found: {named:?}");
    let files = repository_files();
    let is_there = |file: &str, test: &str| {
        let is_rust = file.ends_with(".rs");
        let begin = if is_rust { format!("fn {test}(") } else { format!("\"{test}") };
        files.iter().filter(|path| path.ends_with(file)).any(|path| {
            fs::read_to_string(root().join(path)).is_ok_and(|text| text.contains(&begin))
        })
    };
    let missing = named.iter().filter(|(file, test)| !is_there(file, test));
    let complaints: Vec<String> =
        missing.map(|(file, test)| format!("docs/threats.md: {file} has no `{test}`")).collect();
    report(&complaints);
}
