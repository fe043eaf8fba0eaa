//! `xtask-coverage RUSTC ARGS..`: the compiler, told to count what code runs.
//!
//! Cargo calls it for the workspace's own crates while fuzz targets are built (`RUSTC_WORKSPACE_WRAPPER`). So only our
//! code guides the fuzzer, and the libraries are those that the tests have compiled already. The flags are
//! cargo-fuzz's; a released compiler takes them.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let Some(compiler) = args.next() else {
        eprintln!("usage: xtask-coverage RUSTC ARGS..");
        return ExitCode::FAILURE;
    };
    let status = Command::new(&compiler).args(args).args(FLAGS).status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: cannot start {}: {error}", compiler.display());
            ExitCode::FAILURE
        }
    }
}

const FLAGS: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions=on",
    "-Coverflow-checks=on",
];
