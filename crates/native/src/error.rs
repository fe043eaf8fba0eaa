//! What keeps a program from being in a room.

use std::path::PathBuf;

/// What went wrong, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NativeError {
    /// What was given is no invitation.
    #[error(
        "that is no invitation to a room: give the whole link that the first phone shows, with what follows the `#`"
    )]
    NoInvitation,
    /// A file of ours cannot be read or written.
    #[error("`{}` cannot be used: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// What was given with `--trust` is not what the server is known by.
    #[error("{0}")]
    Trust(String),
    /// A certificate for links cannot be made.
    #[error("a certificate for the links cannot be made: {0}")]
    Certificate(String),
    /// The system gives no thread, or no runtime for one.
    #[error("this computer cannot run it: {0}")]
    System(#[from] std::io::Error),
    /// The room cannot be entered, or is no more.
    #[error("{message}")]
    Room {
        /// As the page calls it.
        code: &'static str,
        /// For a person.
        message: String,
    },
}

impl NativeError {
    /// Of a file of ours.
    pub(crate) fn file(path: impl Into<PathBuf>, reason: impl ToString) -> Self {
        Self::File { path: path.into(), reason: reason.to_string() }
    }
}
