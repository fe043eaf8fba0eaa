//! The log: what happened to rooms and sockets, on the standard error. Rooms are named by a digest; what clients say and
//! what invites them is not in it.

use std::io::{BufWriter, stderr};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

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
        LogFormat::Text => log.with_ansi(false).with_target(false).finish().with(own(level)).init(),
        LogFormat::Json => {
            log.json().flatten_event(true).with_target(false).finish().with(own(level)).init();
        }
    }
    guard
}

/// All but what a library says of every odd datagram that strangers send, and what NATS's says, with the password in it.
fn own(level: LevelFilter) -> Targets {
    let libraries = ["stun_types", "async_nats"];
    Targets::new()
        .with_default(level)
        .with_targets(libraries.map(|library| (library, LevelFilter::OFF)))
}

const LINES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn what_has_secrets_in_it_is_left_out() {
        let own = own(LevelFilter::DEBUG);
        for (target, is_logged) in [
            ("signaling_server::cluster::link", true),
            ("async_nats::connector", false),
            ("stun_types::message", false),
        ] {
            assert_eq!(own.would_enable(target, &Level::DEBUG), is_logged, "{target}");
            assert_eq!(own.would_enable(target, &Level::ERROR), is_logged, "{target}");
        }
    }
}
