//! `lingualinked`: the project's planner on files, without phones.

mod plan;
mod report;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What phones would do, worked out on this computer.
#[derive(Parser)]
#[command(name = "lingualinked", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Assign a model's modules to devices.
    Plan(plan::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing is left to do where even this cannot be printed.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    match cli.command {
        Command::Plan(args) => plan::run(&args),
    }
}

/// The program was called wrongly (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;
