//! Until when an invitation is good: a time, and a proof of it that only the phone that gave it out can make.
//!
//! `expires[4] || tag[12]`, the time as seconds since 1970, big-endian. The tag is the beginning of HMAC-SHA256, under a key
//! that never leaves that phone, of `"lingualinked/1 ticket" || room[16] || opening[32] || expires[4]`. Where the
//! time is 0 the invitation is good for one opening of the room, whose number is counted; else those 32 bytes are 0.

use core::{fmt, str::FromStr};

use base::RoomId;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::SignalError;

/// What stands at the end of a link: until when those may ask to come in who are not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket {
    expires: u32,
    tag: [u8; TAG_BYTES],
}

/// How long an invitation is good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TicketLife {
    /// Until this second since 1970.
    Until(u32),
    /// As long as the room is open, also where the page that opened it is loaded anew.
    Opening,
}

/// Makes tickets of a room, and tells its own from others. `Debug` shows the room alone.
#[derive(Clone)]
pub struct TicketKey {
    key: Zeroizing<[u8; 32]>,
    room: RoomId,
    opening: [u8; OPENING_BYTES],
}

impl TicketKey {
    /// The key for a room's tickets. `opening` tells this time that the room is open from others.
    pub fn new(key: [u8; 32], room: RoomId, opening: [u8; OPENING_BYTES]) -> Self {
        Self { key: Zeroizing::new(key), room, opening }
    }

    /// A ticket that is good so long.
    pub fn issue(&self, life: TicketLife) -> Ticket {
        let expires = match life {
            // Second 0 has a meaning of its own, and is over either way.
            TicketLife::Until(secs) => secs.max(1),
            TicketLife::Opening => 0,
        };
        let tag = self.mac(expires).finalize().into_bytes();
        let tag = tag.first_chunk().expect("a hash is longer than its beginning");
        Ticket { expires, tag: *tag }
    }

    /// Whether a ticket is one of these, and still good at `now` (seconds since 1970); in the same time wherever its
    /// tag differs.
    ///
    /// # Errors
    /// [`SignalError::Expired`], whatever is wrong with it: nobody is told how near a forged one comes.
    pub fn check(&self, ticket: &Ticket, now: u64) -> Result<(), SignalError> {
        let is_ours = self.mac(ticket.expires).verify_truncated_left(&ticket.tag).is_ok();
        let is_over = ticket.expires != 0 && now >= u64::from(ticket.expires);
        if is_ours && !is_over { Ok(()) } else { Err(SignalError::Expired) }
    }

    fn mac(&self, expires: u32) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_slice())
            .expect("HMAC takes keys of any length");
        mac.update(b"lingualinked/1 ticket");
        mac.update(&self.room.0);
        mac.update(if expires == 0 { &self.opening } else { &[0; OPENING_BYTES] });
        mac.update(&expires.to_be_bytes());
        mac
    }
}

impl Ticket {
    /// As it travels to the phone that gave it out.
    pub fn to_bytes(self) -> [u8; TICKET_BYTES] {
        let mut bytes = [0; TICKET_BYTES];
        bytes[..4].copy_from_slice(&self.expires.to_be_bytes());
        bytes[4..].copy_from_slice(&self.tag);
        bytes
    }

    fn from_bytes([a, b, c, d, tag @ ..]: [u8; TICKET_BYTES]) -> Self {
        Self { expires: u32::from_be_bytes([a, b, c, d]), tag }
    }
}

impl TryFrom<&[u8]> for Ticket {
    type Error = SignalError;

    fn try_from(bytes: &[u8]) -> Result<Self, SignalError> {
        let bytes = bytes.try_into().map_err(|_| SignalError::Expired)?;
        Ok(Self::from_bytes(bytes))
    }
}

/// 22 characters of base64url.
impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.to_bytes()))
    }
}

impl FromStr for Ticket {
    type Err = SignalError;

    fn from_str(text: &str) -> Result<Self, SignalError> {
        // Asked first, so that no long text is read.
        if text.len() != TICKET_CHARS {
            return Err(SignalError::BadInvitation);
        }
        let mut bytes = [0; TICKET_BYTES];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(TICKET_BYTES) => Ok(Self::from_bytes(bytes)),
            _ => Err(SignalError::BadInvitation),
        }
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketKey").field("room", &self.room).finish_non_exhaustive()
    }
}

const TAG_BYTES: usize = 12;
/// Length of a ticket.
pub const TICKET_BYTES: usize = 4 + TAG_BYTES;
pub(super) const TICKET_CHARS: usize = 22;
/// Length of what tells one opening of a room from others.
pub const OPENING_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOM: RoomId = RoomId([5; 16]);
    const NOW: u64 = 1_800_000_000;

    fn key() -> TicketKey {
        TicketKey::new([7; 32], ROOM, [9; OPENING_BYTES])
    }

    fn for_ten_minutes() -> Ticket {
        key().issue(TicketLife::Until(NOW as u32 + 600))
    }

    #[test]
    fn a_ticket_is_good_until_its_time() {
        for (later, is_good) in [(0, true), (599, true), (600, false), (u64::MAX - NOW, false)] {
            let checked = key().check(&for_ten_minutes(), NOW + later);
            assert_eq!(checked.is_ok(), is_good, "{later}: {checked:?}");
        }
        assert_eq!(key().check(&key().issue(TicketLife::Until(0)), NOW), Err(SignalError::Expired));
    }

    #[test]
    fn a_ticket_for_this_opening_is_good_for_no_other() {
        let ticket = key().issue(TicketLife::Opening);
        assert_eq!(key().check(&ticket, u64::MAX), Ok(()));
        let next = TicketKey::new([7; 32], ROOM, [10; OPENING_BYTES]);
        assert_eq!(next.check(&ticket, NOW), Err(SignalError::Expired));
        assert_eq!(next.check(&for_ten_minutes(), NOW), Ok(()), "one with a time is good for both");
    }

    #[test]
    fn a_ticket_of_another_key_or_room_is_refused() {
        let elsewhere = TicketKey::new([7; 32], RoomId([6; 16]), [9; OPENING_BYTES]);
        let rotated = TicketKey::new([8; 32], ROOM, [9; OPENING_BYTES]);
        for other in [elsewhere, rotated] {
            for ticket in [for_ten_minutes(), key().issue(TicketLife::Opening)] {
                assert_eq!(other.check(&ticket, NOW), Err(SignalError::Expired), "{other:?}");
            }
        }
    }

    /// A later time under the old tag among them, and the time that means this opening.
    #[test]
    fn every_flipped_bit_of_a_ticket_is_refused() {
        for good in [for_ten_minutes(), key().issue(TicketLife::Opening)] {
            for bit in 0..8 * TICKET_BYTES {
                let mut bytes = good.to_bytes();
                bytes[bit / 8] ^= 1 << (bit % 8);
                let altered = Ticket::from_bytes(bytes);
                assert_eq!(key().check(&altered, NOW), Err(SignalError::Expired), "{bit}");
            }
        }
        let always = Ticket { expires: 0, ..for_ten_minutes() };
        assert_eq!(key().check(&always, NOW), Err(SignalError::Expired));
    }

    #[test]
    fn a_ticket_stays_the_same_between_versions() {
        assert_eq!(for_ten_minutes().to_string(), TEN_MINUTES);
        assert_eq!(key().issue(TicketLife::Opening).to_string(), THIS_OPENING);
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!(
            "{:?}",
            TicketKey::new(*b"correct horse battery staple 32.", ROOM, [9; OPENING_BYTES])
        );
        assert!(shown.contains(&ROOM.to_string()) && !shown.contains("99, 111, 114"), "{shown}");
    }

    proptest! {
        #[test]
        fn tickets_are_written_and_read(expires: u32, tag: [u8; TAG_BYTES]) {
            let ticket = Ticket { expires, tag };
            let text = ticket.to_string();
            prop_assert_eq!(text.len(), TICKET_CHARS);
            prop_assert_eq!(text.parse(), Ok(ticket));
            prop_assert_eq!(Ticket::try_from(&ticket.to_bytes()[..]), Ok(ticket));
        }

        #[test]
        fn other_bytes_are_no_ticket(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(Ticket::try_from(&bytes[..]).is_ok(), bytes.len() == TICKET_BYTES);
        }

        #[test]
        fn any_text_is_a_ticket_or_refused(text in ".{0,40}") {
            let _ = text.parse::<Ticket>();
        }
    }

    /// By another implementation of HMAC (Python's).
    const TEN_MINUTES: &str = "a0nUWAJour00N0MWme2N0w";
    const THIS_OPENING: &str = "AAAAADq_jpZge1suNPhPUg";
}
