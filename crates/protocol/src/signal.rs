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
//!
//! Where no camera is at hand the invitation travels by a [`ShortCode`]: one
//! phone shows it ([`Offer`]), another's person types it ([`Redemption`]).

mod code;
mod invitation;
mod message;
mod pass;
mod pictures;
mod proof;
mod restart;
mod seal;
mod ticket;

pub use code::{Awaiting, Offer, Redemption, ShortCode};
pub use invitation::{Invitation, read_secret};
pub use message::{
    Candidate, ClientMessage, Description, DescriptionKind, IceServer, RefusalCode, ServerMessage,
    SignalBody,
};
pub use pass::{HostMark, Pass};
pub use pictures::{Picture, Pictures};
pub use proof::{LINK_PROOF_BYTES, LinkEnd};
pub use restart::{RESTARTS_PER_MINUTE, Restart, RestartNumbers};
pub use seal::{Opener, Sealer};
pub use ticket::{OPENING_BYTES, TICKET_BYTES, Ticket, TicketKey, TicketLife};

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

/// Numbers that the server gives to codes are below this: four digits.
pub const CODE_PLACES: u16 = 10_000;

/// Wrong codes after which another has to be shown.
pub const CODE_TRIES: u32 = 3;

/// Longest part of a link after `#` that a code brings, in bytes.
pub const CODE_INVITATION_MAX_BYTES: usize = 1024;

/// Longest message of two phones about a code, in characters of base64url.
pub const CODE_MESSAGE_MAX_CHARS: usize = (code::SEALED_MAX_BYTES * 4).div_ceil(3);

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
    /// A ticket that is not good any more, or never was.
    #[error("This invitation has expired. Ask for a new one.")]
    Expired,
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
    /// Not the digits of a short code.
    #[error("a code has ten digits: the four and the six that the other phone shows")]
    BadCode,
    /// The phones do not know the same code.
    #[error("the code is not right")]
    WrongCode,
    /// Nobody waits for this: the call is over, or never was.
    #[error("nobody is being called by that number")]
    NoCall,
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
