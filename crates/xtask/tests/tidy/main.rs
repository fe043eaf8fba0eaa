//! Rules of the repository that no compiler checks.

mod arrows;
mod text;
mod threats;

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// The workspace's root. Asked when the test runs: clones may share a target folder, and so this program.
fn root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the crate is");
    let manifest = PathBuf::from(manifest);
    manifest.ancestors().nth(2).expect("the crate is at crates/xtask").to_path_buf()
}

/// The workspace's packages as cargo describes them.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs, since it started this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    match metadata["packages"].take() {
        Value::Array(packages) => packages,
        other => panic!("packages is not a list: {other}"),
    }
}

/// Every file that is, or would be, in the repository, as a path from its root.
fn repository_files() -> Vec<PathBuf> {
    let output = Command::new("git")
        // A clone may belong to another user than the one who tests it.
        .args(["-c", "safe.directory=*"])
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(root())
        .output()
        .expect("git is there, since the repository is");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("file names are Unicode");
    text.split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .filter(|path| root().join(path).is_file())
        .collect()
}

/// Fails with every complaint at once.
fn report(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
