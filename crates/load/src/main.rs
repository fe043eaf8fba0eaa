//! The driver of `cargo xtask bench server`. Options come as one JSON object by standard input; standard output has a
//! table, and the figures as its last line.

use std::{io, process::ExitCode, time::Instant};

use load::{Error, Options, run};

/// One thread: the other processors are the server's.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match drive().await {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(complaint)) => failed(&complaint),
        Err(error) => failed(&error.to_string()),
    }
}

/// What is wrong with the figures.
async fn drive() -> Result<Option<String>, Error> {
    let options: Options = serde_json::from_reader(io::stdin()).map_err(Error::Options)?;
    let started = Instant::now();
    let tell = |line: &str| eprintln!("[{:6.1} s] {line}", started.elapsed().as_secs_f64());
    let figures = run(&options, tell).await?;
    print!("{figures}");
    println!("{}", figures.to_json());
    Ok(figures.complaint())
}

fn failed(message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::FAILURE
}
