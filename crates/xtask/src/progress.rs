//! One line per step: what is being done, for how long, and how it ended.
//!
//! A child's output goes to a log file. It is shown in verbose mode, and its end also when the child fails.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, PipeReader, Write};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::children::Group;
use crate::project::Project;

/// Runs a child as one step of at most an hour. Fails with the end of its output and the place of all of it.
pub fn step(project: &Project, label: &str, command: Command) -> Result<()> {
    step_within(project, label, command, LONGEST)
}

/// [`step`] with a limit of its own.
pub fn step_within(
    project: &Project,
    label: &str,
    mut command: Command,
    limit: Duration,
) -> Result<()> {
    let log = log_path(project, label)?;
    let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let name = command.get_program().to_string_lossy().into_owned();
    let start = Instant::now();
    let group =
        Group::start(&mut command).with_context(|| format!("{label}: cannot start {name}"))?;
    // The command holds the pipe's writing end; the reader ends when all of those are closed.
    drop(command);
    let tail = Arc::new(Mutex::new(Tail::default()));
    let copier = copy_output(reader, File::create(&log)?, Arc::clone(&tail), project.verbose);
    let status = wait(group, label, &tail, start, limit, project.verbose)?;
    finish(copier);
    if status.success() {
        done(label, start);
        return Ok(());
    }
    line(&format!("✗ {label} ({:.1} s)", start.elapsed().as_secs_f64()));
    if !project.verbose {
        for text in &lock(&tail).lines {
            eprintln!("    {text}");
        }
    }
    bail!("{label} failed ({status}); all of its output is in {}", log.display());
}

/// Says that a step ended well.
pub fn done(label: &str, start: Instant) {
    line(&format!("✓ {label} ({:.1} s)", start.elapsed().as_secs_f64()));
}

/// Says something in passing.
pub fn note(text: &str) {
    line(&format!("· {text}"));
}

/// The last lines of a child's output.
#[derive(Default)]
struct Tail {
    lines: VecDeque<String>,
}

impl Tail {
    fn push(&mut self, text: &str) {
        if self.lines.len() == TAIL_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(text.to_owned());
    }
}

fn copy_output(
    reader: PipeReader,
    mut log: File,
    tail: Arc<Mutex<Tail>>,
    verbose: bool,
) -> JoinHandle<()> {
    thread::spawn(move || {
        for bytes in BufReader::new(reader).split(b'\n') {
            let Ok(bytes) = bytes else { return };
            let text = String::from_utf8_lossy(&bytes);
            // A full disk must not hide the child's own outcome.
            let _ = writeln!(log, "{text}");
            if verbose {
                eprintln!("    {text}");
            }
            lock(&tail).push(&text);
        }
    })
}

fn wait(
    mut group: Group,
    label: &str,
    tail: &Mutex<Tail>,
    start: Instant,
    limit: Duration,
    verbose: bool,
) -> Result<ExitStatus> {
    let live = std::io::stderr().is_terminal() && !verbose;
    let pause = if live { Duration::from_secs(1) } else { Duration::from_secs(30) };
    let mut next = start + if live { Duration::from_millis(300) } else { pause };
    loop {
        if let Some(status) = group.child.try_wait()? {
            return Ok(status);
        }
        let now = Instant::now();
        if now.duration_since(start) > limit {
            group.end()?;
            bail!("{label} was stopped after {} s", limit.as_secs());
        }
        if now >= next {
            beat(label, now.duration_since(start), tail, live);
            next = now + pause;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn beat(label: &str, elapsed: Duration, tail: &Mutex<Tail>, live: bool) {
    let last = lock(tail).lines.back().cloned().unwrap_or_default();
    let text: String = last.trim().chars().take(60).collect();
    let text = format!("… {label} ({} s) {text}", elapsed.as_secs());
    if live {
        eprint!("\r\x1b[2K{text}");
    } else {
        eprintln!("{text}");
    }
}

/// A grandchild that stays (a daemon) keeps the pipe open, so the end is awaited for a moment only.
fn finish(copier: JoinHandle<()>) {
    let end = Instant::now() + Duration::from_secs(2);
    while !copier.is_finished() && Instant::now() < end {
        thread::sleep(Duration::from_millis(10));
    }
}

fn line(text: &str) {
    let clear = if std::io::stderr().is_terminal() { "\r\x1b[2K" } else { "" };
    eprintln!("{clear}{text}");
}

fn lock(tail: &Mutex<Tail>) -> std::sync::MutexGuard<'_, Tail> {
    tail.lock().unwrap_or_else(PoisonError::into_inner)
}

fn log_path(project: &Project, label: &str) -> Result<PathBuf> {
    let name: String =
        label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    Ok(project.scratch("logs")?.join(format!("{name}.log")))
}

const TAIL_LINES: usize = 80;
const LONGEST: Duration = Duration::from_secs(3600);
