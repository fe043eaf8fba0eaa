//! Signaling: how peers find each other through a server that they do not
//! trust. An [`Invitation`] travels from screen to camera and never to the
//! server; what peers tell each other on the way to a direct link is sealed
//! with a key that only the invited have.
//!
//! Law: whatever the server sends, drops, repeats, reorders or forges, a body
//! that [`Opener::open`] returns is what the named sender sealed for this peer
//! in this room, and newer than all it returned before from that sender. And
//! once a link is open, both ends prove to each other that they were invited
//! and that nobody is between them ([`Invitation::prove_link`]).

mod invitation;
mod message;
mod proof;
mod seal;

pub use invitation::Invitation;
pub use message::{
    Candidate, ClientMessage, Description, DescriptionKind, IceServer, RefusalCode, ServerMessage,
    SignalBody,
};
pub use proof::{LINK_PROOF_BYTES, LinkEnd};
pub use seal::{Opener, Sealer};

use base::PeerId;

/// Longest text message in either direction, in bytes.
pub const MESSAGE_MAX_BYTES: usize = 64 * 1024;

/// Longest body, as JSON before it is sealed, in bytes.
pub const BODY_MAX_BYTES: usize = 48_000;

/// Longest sealed body, in characters of base64url. Together with the message
/// around it, it stays under [`MESSAGE_MAX_BYTES`].
pub const SEALED_MAX_CHARS: usize =
    ((BODY_MAX_BYTES + seal::NONCE_BYTES + seal::TAG_BYTES) * 4).div_ceil(3);

/// Most peers of a room: what a session takes.
pub const PEERS_MAX: usize = crate::peer::MAX_PEERS;

/// Most ICE servers that a server may announce.
pub const ICE_SERVERS_MAX: usize = 16;

/// Why signaling was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// The part of the link after `#` is not an invitation.
    #[error(
        "the link's part after # is not an invitation: scan the code again or copy the whole link"
    )]
    BadInvitation,
    /// Not JSON of the expected form.
    #[error("{what} is not understood: {reason}")]
    Malformed {
        /// Which message.
        what: &'static str,
        /// What the JSON decoder objects to, and where.
        reason: String,
    },
    /// Longer than its bound.
    #[error("{what} has {size}, more than the {limit} that are allowed")]
    TooLarge {
        /// What is too long or too many.
        what: &'static str,
        /// Its size: bytes, characters or items.
        size: usize,
        /// The bound, in the same unit.
        limit: usize,
    },
    /// Not sealed by this sender for this peer in this room.
    #[error(
        "a message said to be from peer {from} is forged or was altered on its way; it is ignored"
    )]
    NotAuthentic {
        /// The sender that the server named.
        from: PeerId,
    },
    /// It does not know the room's secret, or somebody is between it and us.
    #[error(
        "{peer} could not show that it was invited, or somebody is between it and this phone; \
         the connection was ended"
    )]
    NotInvited {
        /// Whose end of the link it is said to be.
        peer: PeerId,
    },
    /// A message that was seen before, or that newer ones overtook.
    #[error(
        "message {seq} of peer {from} is repeated or late (the last was {last_seq}); it is ignored"
    )]
    Replayed {
        /// The sender.
        from: PeerId,
        /// The message's number.
        seq: u64,
        /// The newest number seen.
        last_seq: u64,
    },
    /// More senders than a room can have had.
    #[error("more than {limit} peers wrote in this room; open a new one")]
    TooManySenders {
        /// The bound.
        limit: usize,
    },
    /// The system gave no random bytes.
    #[error("this device gave no random bytes, so nothing can be sealed; reload the page")]
    NoRandomness,
}

/// Fails if `size` is over `limit`.
fn check_size(what: &'static str, size: usize, limit: usize) -> Result<(), SignalError> {
    if size > limit {
        return Err(SignalError::TooLarge { what, size, limit });
    }
    Ok(())
}
