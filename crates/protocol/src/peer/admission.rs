//! Who may come into a room: asked at the coordinator, and told by it.

use core::fmt;

use base::Identity;
use serde::{Deserialize, Serialize};

use super::{DecodeError, MAX_ADMITTED, MAX_TICKET_BYTES, bounds, frame::Control};

/// What a phone that wants to come in and the coordinator say to each other. On a link to a phone that is not in,
/// there is nothing else, but introductions and signs of life.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Admission {
    /// To the coordinator, once on a link: let me in.
    Ask {
        /// Something that the invitation has brought, at most 32 bytes.
        ticket: Vec<u8>,
    },
    /// From the coordinator: a person is being asked.
    Wait,
    /// From the coordinator, and again whenever it changes: you are in, and so is every phone with one of these
    /// identities. Links to others are heard no more.
    In {
        /// At most [`MAX_ADMITTED`], without the coordinator's own.
        members: Vec<Identity>,
    },
    /// From the coordinator: you are not in, or not any more.
    Out(Refusal),
    /// From the coordinator to a phone that is in, and again whenever it changes: you come in without asking from now
    /// on, and this is the secret of the rooms to come.
    Remembered(RoomSecret),
}

/// The secret of a room, as its invitation has it. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomSecret(pub [u8; 32]);

impl fmt::Debug for RoomSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomSecret")
    }
}

/// Why a phone is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Refusal {
    /// A person said no.
    TurnedAway,
    /// Nobody else may come in.
    Locked,
    /// No person said anything in time.
    Unanswered,
    /// Too many ask already.
    Crowded,
    /// The ticket is no longer good.
    Expired,
    /// It was in, and a person has taken it out.
    Removed,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::TurnedAway,
        Self::Locked,
        Self::Unanswered,
        Self::Crowded,
        Self::Expired,
        Self::Removed,
    ];

    /// The reason as the page knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TurnedAway => "turned_away",
            Self::Locked => "locked",
            Self::Unanswered => "unanswered",
            Self::Crowded => "crowded",
            Self::Expired => "expired",
            Self::Removed => "removed",
        }
    }
}

impl Control for Admission {
    fn check(&self) -> Result<(), DecodeError> {
        match self {
            Self::Ask { ticket } => bounds::list("ticket", ticket, MAX_TICKET_BYTES),
            Self::In { members } => bounds::list("members", members, MAX_ADMITTED),
            Self::Wait | Self::Out(_) | Self::Remembered(_) => Ok(()),
        }
    }
}
