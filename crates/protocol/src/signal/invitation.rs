//! The secret that makes someone a member of a room.

use core::fmt;

use base::{Identity, PeerId, RoomId};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::{
    LinkEnd, OPENING_BYTES, Opener, Pass, Pictures, Sealer, SignalError, TicketKey,
    pass::PASS_MAX_CHARS, pictures, proof,
};

/// A room's secret. It lives in the part of a link after `#`, which browsers
/// keep to themselves. Cleared from memory on drop; `Debug` shows the room alone.
#[derive(Clone)]
pub struct Invitation {
    secret: Zeroizing<[u8; SECRET_BYTES]>,
}

impl Invitation {
    /// A new room's invitation.
    ///
    /// # Errors
    /// [`SignalError::NoRandomness`] if the system has none.
    pub fn random() -> Result<Self, SignalError> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        getrandom::fill(secret.as_mut_slice()).map_err(|_| SignalError::NoRandomness)?;
        Ok(Self { secret })
    }

    /// The invitation with a given secret.
    pub fn from_secret(secret: [u8; SECRET_BYTES]) -> Self {
        Self { secret: Zeroizing::new(secret) }
    }

    /// Reads the part of a link after `#`, which may stand first: the secret, and behind it what those bring who are
    /// not known to the phone that started the room.
    ///
    /// # Errors
    /// [`SignalError::BadInvitation`] unless they are base64url, without padding, of 32 and of 16 or twice 16 bytes.
    pub fn from_fragment(fragment: &str) -> Result<(Self, Option<Pass>), SignalError> {
        let text = fragment.strip_prefix('#').unwrap_or(fragment);
        let (secret, pass) =
            text.split_at_checked(SECRET_CHARS).ok_or(SignalError::BadInvitation)?;
        let pass = (!pass.is_empty()).then(|| pass.parse()).transpose()?;
        Ok((Self { secret: read_secret(secret)? }, pass))
    }

    /// The part of the link after `#`, without it: 43 characters, 22 more with a ticket, and 22 more with its host.
    pub fn to_fragment(&self, pass: Option<&Pass>) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(SECRET_CHARS + PASS_MAX_CHARS));
        URL_SAFE_NO_PAD.encode_string(self.secret.as_slice(), &mut text);
        if let Some(pass) = pass {
            text.push_str(&pass.to_string());
        }
        text
    }

    /// What makes tickets of this room; see [`TicketKey::new`].
    pub fn ticket_key(&self, key: [u8; 32], opening: [u8; OPENING_BYTES]) -> TicketKey {
        TicketKey::new(key, self.room(), opening)
    }

    /// The room's public name, which tells nothing about the secret (HKDF, RFC 5869).
    pub fn room(&self) -> RoomId {
        RoomId(self.derive(b"lingualinked/1 room id"))
    }

    /// Seals what peer `from` says. Make one per peer id and keep it while the
    /// page lives: a second one would repeat the first one's numbers.
    pub fn sealer(&self, from: PeerId) -> Sealer {
        let mut key = self.signaling_key();
        let sealer = Sealer::new(&key, self.room(), from);
        key.zeroize();
        sealer
    }

    /// Opens what others sealed for peer `to`. Make one per peer id and keep it
    /// while the page lives: a second one would accept what the first has seen.
    pub fn opener(&self, to: PeerId) -> Opener {
        let mut key = self.signaling_key();
        let opener = Opener::new(&key, self.room(), to);
        key.zeroize();
        opener
    }

    /// What the end `from` of a data channel shows the end `to`: that it was invited, and that the two see each other's
    /// certificates and nobody else's.
    pub fn prove_link(&self, from: &LinkEnd, to: &LinkEnd) -> Vec<u8> {
        proof::prove(&self.link_key(), self.room(), from, to)
    }

    /// Whether `shown` is what `from`, which was invited, shows `to`.
    ///
    /// # Errors
    /// [`SignalError::NotInvited`].
    pub fn check_link(
        &self,
        from: &LinkEnd,
        to: &LinkEnd,
        shown: &[u8],
    ) -> Result<(), SignalError> {
        proof::check(&self.link_key(), self.room(), from, to, shown)
    }

    /// What two phones of this room show, so that a person sees that they have met each other.
    pub fn pictures(&self, one: Identity, other: Identity) -> Pictures {
        Pictures::from_bits(self.derive(&pictures::info(one, other)))
    }

    fn link_key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.derive(b"lingualinked/1 link key"))
    }

    fn signaling_key(&self) -> [u8; 32] {
        self.derive(b"lingualinked/1 signaling key")
    }

    fn derive<const BYTES: usize>(&self, info: &[u8]) -> [u8; BYTES] {
        let mut derived = [0; BYTES];
        Hkdf::<Sha256>::new(None, self.secret.as_slice())
            .expand(info, &mut derived)
            .expect("no more than 32 bytes are less than HKDF's limit of 255 hashes");
        derived
    }
}

/// Reads 32 secret bytes, base64url without padding.
///
/// # Errors
/// [`SignalError::BadInvitation`].
pub fn read_secret(text: &str) -> Result<Zeroizing<[u8; SECRET_BYTES]>, SignalError> {
    // Asked first, so that no long text is read.
    if text.len() != SECRET_CHARS {
        return Err(SignalError::BadInvitation);
    }
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    match URL_SAFE_NO_PAD.decode_slice(text, secret.as_mut_slice()) {
        Ok(SECRET_BYTES) => Ok(secret),
        _ => Err(SignalError::BadInvitation),
    }
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation").field("room", &self.room()).finish_non_exhaustive()
    }
}

const SECRET_BYTES: usize = 32;
const SECRET_CHARS: usize = 43;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{HostMark, TicketLife},
        *,
    };

    #[test]
    fn room_and_key_differ_and_stay_the_same_between_versions() {
        let invitation = Invitation::from_secret([7; 32]);
        assert_eq!(invitation.room().to_string(), ROOM_OF_SEVENS);
        assert_ne!(invitation.signaling_key()[..16], invitation.room().0);
        assert_ne!(invitation.signaling_key(), Invitation::from_secret([8; 32]).signaling_key());
    }

    #[test]
    fn random_invitations_differ() {
        let rooms = [(); 3].map(|()| Invitation::random().unwrap().room());
        assert!(rooms[0] != rooms[1] && rooms[1] != rooms[2] && rooms[0] != rooms[2]);
    }

    #[test]
    fn debug_shows_no_secret() {
        let invitation = Invitation::from_secret(*b"correct horse battery staple 32.");
        let shown = format!("{invitation:?} {:?}", invitation.sealer(PeerId(1)));
        assert!(shown.contains(&invitation.room().to_string()), "{shown}");
        assert!(!shown.contains(invitation.to_fragment(None).as_str()), "{shown}");
        assert!(!shown.contains("99, 111, 114") && !shown.contains("correct"), "{shown}");
    }

    #[test]
    fn other_fragments_are_refused() {
        let good = Invitation::from_secret([0xff; 32]).to_fragment(None);
        let long = format!("{}A", good.as_str());
        let ticketed = format!("{}{TICKET}", good.as_str());
        let (short, odd) = (&ticketed[..64], format!("{ticketed}A"));
        let hosted = format!("{ticketed}{TICKET}");
        let torn_host = format!("{}{}{TICKET}", good.as_str(), "é".repeat(11));
        let (cut, long_host) = (&hosted[..86], format!("{hosted}A"));
        let torn = format!("{}{}", &good[..42], "é".repeat(12));
        let padded = format!("{}=", good.as_str());
        let trailing_bits = format!("{}9", &good[..42]);
        let plain_alphabet = good.replace('_', "/");
        let bad =
            [&good[..42], &long, &padded, &trailing_bits, &plain_alphabet, short, &odd, &torn];
        let bad_hosts = [cut, &long_host, &torn_host];
        for text in ["", "#"].into_iter().chain(bad).chain(bad_hosts) {
            let refused = Invitation::from_fragment(text);
            assert_eq!(refused.err(), Some(SignalError::BadInvitation), "{text}");
        }
        assert!(Invitation::from_fragment(&ticketed).is_ok());
        assert!(Invitation::from_fragment(&hosted).is_ok());
    }

    proptest! {
        #[test]
        fn fragments_round_trip(
            secret: [u8; 32],
            hash: bool,
            expires: Option<u32>,
            host: Option<[u8; 32]>,
        ) {
            let invitation = Invitation::from_secret(secret);
            let key = invitation.ticket_key([3; 32], [4; OPENING_BYTES]);
            let host = host.map(|identity| HostMark::of(Identity(identity)));
            let pass = |at| Pass { host, ticket: key.issue(TicketLife::Until(at)) };
            let pass = expires.map(pass);
            let written = invitation.to_fragment(pass.as_ref());
            let fragment = format!("{}{}", if hash { "#" } else { "" }, *written);
            let (again, read) = Invitation::from_fragment(&fragment).unwrap();
            prop_assert_eq!(read, pass);
            prop_assert_eq!(*again.secret, secret);
            prop_assert_eq!(again.room(), invitation.room());
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,100}") {
            let _ = Invitation::from_fragment(&text);
        }
    }

    const TICKET: &str = "a0nUWAJour00N0MWme2N0w";

    /// By another implementation of HKDF (Python's hmac, RFC 5869 by hand).
    const ROOM_OF_SEVENS: &str = "b4caffae1350ba60d4a7f8045b9e0b6e";
}
