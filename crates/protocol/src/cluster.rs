//! What signaling servers tell each other over NATS, so that a room may have phones at several of them: who is in which
//! room, who wants to enter, which short codes are shown, and what phones send to phones at another server.
//!
//! Law: a notice is one version byte and postcard, at most as long as its reader says, with bounded lists; what is not
//! that is an error and never a panic. A room goes by a digest of its public name, so that whoever reads along cannot enter it.

use std::fmt;

use base::{PeerId, RoomId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::signal::{CODE_MESSAGE_MAX_CHARS, CODE_PLACES, PEERS_MAX, SEALED_MAX_CHARS};

/// Notices of other versions are not read.
pub const VERSION: u8 = 2;
/// Most servers that know each other.
pub const SERVERS_MAX: usize = 32;
/// Most rooms in one part of what a server tells of itself.
pub const ROOMS_PER_PART: usize = 256;
/// Most claims that one answer tells of.
pub const RIVALS_MAX: usize = 256;
/// What a notice has at most beside what a phone sends.
pub const NOTICE_OVERHEAD_BYTES: usize = 256;

/// A server, from its start to its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ServerId(pub u64);

/// A room among servers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct RoomKey([u8; 16]);

/// What one server tells another, or all.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// Who tells it.
    pub from: ServerId,
    /// What.
    pub news: News,
}

/// What there is to be told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum News {
    /// The sender is there; told again and again.
    Hello {
        /// How often its rooms have changed.
        changes: u64,
        /// The servers it knows, and how often it has met each.
        known: Vec<(ServerId, u32)>,
    },
    /// The sender ends.
    Bye,
    /// What is in your rooms?
    Ask,
    /// What is in the sender's rooms.
    State {
        /// As in [`News::Hello`].
        changes: u64,
        /// Which part, from 0.
        part: u32,
        /// Whether there is no other.
        is_last: bool,
        /// Rooms and who is in them at the sender.
        rooms: Vec<(RoomKey, Vec<PeerId>)>,
        /// In the last part, the places of short codes that are shown at the sender.
        codes: Vec<u16>,
    },
    /// Somebody wants to enter.
    Claim(Claim),
    /// What is to be known before somebody enters.
    Answer {
        /// The claim's.
        room: RoomKey,
        /// The claim's.
        ticket: u64,
        /// As in [`News::Hello`].
        changes: u64,
        /// For how long the room is still open, if it is at the sender.
        left_secs: Option<u32>,
        /// Who else wants to enter, at the sender.
        rivals: Vec<Claim>,
    },
    /// Somebody entered at the sender.
    Entered {
        /// As in [`News::Hello`], with this one.
        changes: u64,
        /// Where.
        room: RoomKey,
        /// Who.
        peer: PeerId,
    },
    /// Somebody left who had entered at the sender.
    Left {
        /// As in [`News::Hello`], with this one.
        changes: u64,
        /// Where.
        room: RoomKey,
        /// Who.
        peer: PeerId,
    },
    /// A short code is shown at the sender.
    CodeShown {
        /// As in [`News::Hello`], with this one.
        changes: u64,
        /// Where.
        place: u16,
    },
    /// It is not any more.
    CodeGone {
        /// As in [`News::Hello`], with this one.
        changes: u64,
        /// Where it was.
        place: u16,
    },
    /// From somebody at the sender who types the code that is shown at the receiver.
    Caller {
        /// The code's.
        place: u16,
        /// The sender's number for the call.
        call: u32,
        /// What is said.
        says: CallerSays,
    },
    /// To somebody at the receiver who types the code that is shown at the sender.
    Shower {
        /// The receiver's number for the call.
        call: u32,
        /// What is said.
        says: ShowerSays,
    },
    /// Something from a phone to a phone.
    Passed {
        /// Where both are.
        room: RoomKey,
        /// At the sender.
        from: PeerId,
        /// At the receiver.
        to: PeerId,
        /// What.
        body: Body,
    },
}

/// The wish to enter a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Claim {
    /// Of two who cannot both enter, the lower one does.
    pub ticket: u64,
    /// Where.
    pub room: RoomKey,
    /// Who.
    pub peer: PeerId,
    /// Whether the room is to be new.
    pub opens: bool,
}

/// What whoever types a short code says, in this order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum CallerSays {
    /// The first word.
    Calls(String),
    /// That the code is known.
    Confirms(String),
    /// Nothing more.
    Leaves,
}

/// What the phone that shows a short code says to that.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ShowerSays {
    /// The answer to the first word.
    Answers(String),
    /// What the code brings; nothing where it was wrong.
    Ends(Option<String>),
    /// No code is shown there (any more).
    IsGone,
    /// Somebody else types it.
    IsBusy,
}

/// What a phone sends to another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Body {
    /// Signaling.
    Sealed(String),
    /// A binary message's payload.
    Binary(Vec<u8>),
}

/// Why a notice was not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// Longer than its reader takes.
    #[error("a notice is too long")]
    TooLong,
    /// Of a server of another version.
    #[error("a notice is of another version")]
    OtherVersion,
    /// Not a notice, or with lists over their bounds.
    #[error("a notice is malformed")]
    Malformed,
}

impl RoomKey {
    /// The room's name among servers.
    pub fn of(room: &RoomId) -> Self {
        let digest = Sha256::new().chain_update(b"lingualinked room key 1\0").chain_update(room.0);
        let mut key = [0; 16];
        key.copy_from_slice(&digest.finalize()[..16]);
        Self(key)
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Notice {
    /// Writes the notice.
    pub fn encode(&self) -> Vec<u8> {
        let head = vec![VERSION];
        postcard::to_extend(self, head).expect("derived notices always serialise to memory")
    }

    /// Reads a notice of at most `max_bytes`.
    ///
    /// # Errors
    /// [`ClusterError`] for everything that no server of this version sends.
    pub fn decode(bytes: &[u8], max_bytes: usize) -> Result<Self, ClusterError> {
        if bytes.len() > max_bytes {
            return Err(ClusterError::TooLong);
        }
        let (version, body) = bytes.split_first().ok_or(ClusterError::Malformed)?;
        if *version != VERSION {
            return Err(ClusterError::OtherVersion);
        }
        match postcard::take_from_bytes::<Self>(body) {
            Ok((notice, [])) if notice.news.is_bounded() => Ok(notice),
            _ => Err(ClusterError::Malformed),
        }
    }
}

impl News {
    fn is_bounded(&self) -> bool {
        match self {
            Self::Hello { known, .. } => known.len() <= SERVERS_MAX,
            Self::State { rooms, codes, .. } => {
                let is_room = |(_, peers): &(RoomKey, Vec<PeerId>)| peers.len() <= PEERS_MAX;
                rooms.len() <= ROOMS_PER_PART
                    && rooms.iter().all(is_room)
                    && codes.len() <= usize::from(CODE_PLACES)
                    && codes.iter().all(|place| *place < CODE_PLACES)
            }
            Self::CodeShown { place, .. } | Self::CodeGone { place, .. } => *place < CODE_PLACES,
            Self::Caller { place, says, .. } => *place < CODE_PLACES && says.is_bounded(),
            Self::Shower { says, .. } => says.is_bounded(),
            Self::Answer { rivals, .. } => rivals.len() <= RIVALS_MAX,
            Self::Passed { body: Body::Sealed(sealed), .. } => sealed.len() <= SEALED_MAX_CHARS,
            _ => true,
        }
    }
}

impl CallerSays {
    fn is_bounded(&self) -> bool {
        match self {
            Self::Calls(message) | Self::Confirms(message) => is_word(message),
            Self::Leaves => true,
        }
    }
}

impl ShowerSays {
    fn is_bounded(&self) -> bool {
        match self {
            Self::Answers(message) => is_word(message),
            Self::Ends(message) => message.as_deref().is_none_or(is_word),
            Self::IsGone | Self::IsBusy => true,
        }
    }
}

fn is_word(message: &str) -> bool {
    message.len() <= CODE_MESSAGE_MAX_CHARS
}

#[cfg(test)]
mod tests;
