//! The project's commands: `cargo xtask setup | build | demo | serve | test | fuzz | soak | e2e | bench`.
//!
//! Its one law: every command first makes sure that what it needs is there, and where it cannot, it says in one
//! sentence what is missing and what to do about it.

mod bench;
mod build;
mod children;
mod demo;
mod driver;
mod e2e;
mod files;
mod fuzz;
mod plots;
mod progress;
mod project;
mod serve;
mod setup;
mod soak;
mod test;
mod usb;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::project::Project;

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "The project's commands.", version)]
struct Cli {
    /// Show everything that the tools print.
    #[arg(long, short, global = true)]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what is missing. Safe to repeat.
    Setup(setup::Args),
    /// Build the page and the server.
    Build(build::Args),
    /// Answer one prompt on several phones, each a browser of its own.
    Demo(demo::Args),
    /// Serve the page to real phones.
    Serve(serve::Args),
    /// Run every check and every test.
    Test(test::Args),
    /// Give random input to every decoder.
    Fuzz(fuzz::Args),
    /// Run what takes too long for `test`: long fuzzing, and rooms in which phones are lost again and again.
    Soak(soak::Args),
    /// Run the browser tests.
    E2e(e2e::Args),
    /// Measure the engine beside others.
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    let project = Project::find(cli.verbose)?;
    match cli.command {
        Command::Setup(args) => setup::run(&project, &args),
        Command::Build(args) => build::run(&project, &args),
        Command::Demo(args) => demo::run(&project, &args),
        Command::Serve(args) => serve::run(&project, &args),
        Command::Test(args) => test::run(&project, &args),
        Command::Fuzz(args) => fuzz::run(&project, &args),
        Command::Soak(args) => soak::run(&project, &args),
        Command::E2e(args) => e2e::run(&project, &args),
        Command::Bench(args) => bench::run(&project, &args),
    }
}
