//! What can go wrong with the server, a phone, or this computer.

use std::{io, path::PathBuf};

use protocol::signal::SignalError;
use tokio_tungstenite::tungstenite;

/// What can go wrong with the server, a phone, or this computer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What is to be measured.
    #[error("the options are not understood: {0}")]
    Options(serde_json::Error),
    /// Every socket is an open file.
    #[error(
        "{needed} files must be open at once and {allowed} may: raise the hard limit (`ulimit -Hn`)"
    )]
    Files {
        /// Sockets, and some more.
        needed: u64,
        /// The hard limit.
        allowed: u64,
    },
    /// The server's program.
    #[error("cannot start {} ({source})", .program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It began and ended.
    #[error("the server does not say where it listens: {log}")]
    Mute {
        /// What it logged instead.
        log: String,
    },
    /// A connection.
    #[error("the network: {0}")]
    Network(#[from] io::Error),
    /// A WebSocket.
    #[error("a socket: {0}")]
    Socket(#[from] tungstenite::Error),
    /// A message or a body.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// The server said something else than it should.
    #[error("{expected} was expected, and {heard} came")]
    Unexpected {
        /// What should have come.
        expected: &'static str,
        /// What came.
        heard: String,
    },
    /// Nothing came.
    #[error("{0} did not come in time")]
    Late(&'static str),
    /// The server is too slow for the schedule.
    #[error("a pairing was not begun, since {0} were under way")]
    Crowded(u32),
    /// A bug of this program.
    #[error("a phone's task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}
