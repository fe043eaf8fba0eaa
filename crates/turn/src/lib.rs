//! TURN (RFC 8656) for phones that cannot reach each other: what comes in is passed on to another phone of the same room,
//! or answered. No socket and no clock: bytes and the time come in, bytes to send go out.
//!
//! Law: nothing leaves but to a phone that has an allocation here, with credentials of the same room. Relayed addresses
//! are names in the relay's own table and no sockets, so that nobody reaches the machine or its network through them.
//! And nobody makes us keep anything before they have shown credentials; then everything has a bound.

mod allocations;
mod answers;
mod bucket;
mod credentials;
mod nonces;
mod relay;
mod requests;

pub use allocations::Limits;
pub use credentials::{Credentials, Secret};
pub use relay::{Note, Outcome, Relay};

use std::time::Duration;

/// When something is heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// Since some beginning, and never backwards: for what lasts.
    pub elapsed: Duration,
    /// Since 1970: for what credentials say, and a clock that is set may jump.
    pub unix_secs: u64,
}
