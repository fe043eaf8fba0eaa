//! `cargo xtask soak`: what takes too long for `cargo xtask test`.

use std::process::ExitCode;

use anyhow::Result;

use crate::fuzz;
use crate::project::Project;

pub fn run(project: &Project) -> Result<ExitCode> {
    fuzz::run_all(project, FUZZ_SECS)?;
    Ok(ExitCode::SUCCESS)
}

/// Of every decoder.
const FUZZ_SECS: u64 = 600;
