//! `lingualinked`: the project's planner, what it is asked of models, and whole rooms in virtual time, on files and
//! without phones; and this computer as one of them.

mod disk;
mod input;
mod inspect;
#[cfg(feature = "join")]
mod join;
mod plan;
mod report;
mod simulate;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// What phones would do, worked out on this computer, and what they do, with it among them.
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
    /// Show what a model is made of: its modules, what they cost and what they send each other.
    Inspect(inspect::Args),
    /// Let a room of phones answer in virtual time, with whatever happens to them.
    Simulate(simulate::Args),
    /// Join a room with this computer's GPU, until Ctrl-C.
    #[cfg(feature = "join")]
    Join(join::Args),
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
        Command::Plan(args) => code_of(plan::run(&args)),
        Command::Inspect(args) => inspect::run(&args),
        Command::Simulate(args) => code_of(simulate::run(&args)),
        #[cfg(feature = "join")]
        Command::Join(args) => code_of(join::run(&args)),
    }
}

/// Tells of an error, if it is one.
fn code_of(done: Result<ExitCode>) -> ExitCode {
    done.unwrap_or_else(|error| {
        // What a file, a server or another phone said may be in it.
        eprintln!("{}", format!("{error:#}").replace(char::is_control, " "));
        ExitCode::from(INVALID)
    })
}

/// The input cannot be read or means nothing.
const INVALID: u8 = 1;
/// The program was called wrongly (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;
