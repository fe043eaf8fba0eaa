//! The programs, in `e2e/` and `crates/load`, that drive phones for a command: options as JSON by their input, progress on
//! stderr, and the result as the last line of their output.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::children::Group;
use crate::progress::note;

/// Runs the driver and returns its exit status and the last line of its output. Earlier lines are printed.
///
/// # Errors
/// It cannot be started, or does not end within `limit`; `what` is its name in such words.
pub fn drive(
    mut command: Command,
    options: &Value,
    what: &str,
    limit: Duration,
) -> Result<(u8, String)> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let program = command.get_program().to_string_lossy().into_owned();
    let start = || format!("cannot start {program} for the {what}");
    let mut group = Group::start(&mut command).with_context(start)?;
    let mut stdin = group.child.stdin.take().context("the driver's input is a pipe")?;
    // A driver that ends without reading them says why itself.
    let _ = stdin.write_all(options.to_string().as_bytes());
    drop(stdin);
    let stdout = group.child.stdout.take().context("the driver's output is a pipe")?;
    let (sender, lines) = mpsc::sync_channel(16);
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let end = Instant::now() + limit;
    let mut last: Option<String> = None;
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if let Some(earlier) = last.replace(line) {
                    println!("{earlier}");
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                note(&format!("the {what} takes too long and is stopped"));
                group.end()?;
                bail!("the {what} was not done within {} s", limit.as_secs());
            }
        }
    }
    let status = group.child.wait()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok((code, last.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_last_line_is_the_result() {
        let options = Value::from(7);
        let script = "read options; echo progress; echo $options; exit 3";
        // The options have no line end, so the shell's `read` sees the end of its input.
        let (code, last) = drive(shell(script), &options, "test", Duration::from_secs(60)).unwrap();
        assert_eq!((code, last.as_str()), (3, "7"));
    }

    #[test]
    fn a_driver_that_never_ends_is_stopped() {
        let stopped = drive(shell("sleep 600"), &Value::Null, "test", Duration::from_millis(100));
        assert!(stopped.unwrap_err().to_string().starts_with("the test was not done"));
    }
}
