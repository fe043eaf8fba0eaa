//! The log: what happened to rooms and sockets, on the standard error. Rooms are named by a digest; what clients say and
//! what invites them is not in it.

use std::io::{BufWriter, stderr};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};

/// How events are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Logs from now on. Where the standard error takes nothing, lines are lost, and nobody waits.
pub fn start(level: LevelFilter, format: LogFormat) -> WorkerGuard {
    let queue = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_MAX);
    // Lines that wait together are written together, and none waits for the next.
    let (writer, guard) = queue.finish(BufWriter::new(stderr()));
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(writer);
    match format {
        LogFormat::Text => log.with_ansi(false).with_target(false).init(),
        LogFormat::Json => log.json().flatten_event(true).with_target(false).init(),
    }
    guard
}

const LINES_MAX: usize = 4096;
