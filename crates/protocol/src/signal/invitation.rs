//! The secret that makes someone a member of a room.

use core::fmt;

use base::{PeerId, RoomId};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::{LinkEnd, Opener, Sealer, SignalError, proof};

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

    /// Reads the part of a link after `#`; the `#` itself may stand first.
    ///
    /// # Errors
    /// [`SignalError::BadInvitation`] unless it is base64url, without padding, of 32 bytes.
    pub fn from_fragment(fragment: &str) -> Result<Self, SignalError> {
        let text = fragment.strip_prefix('#').unwrap_or(fragment);
        if text.len() != FRAGMENT_CHARS {
            return Err(SignalError::BadInvitation);
        }
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        match URL_SAFE_NO_PAD.decode_slice(text, secret.as_mut_slice()) {
            Ok(SECRET_BYTES) => Ok(Self { secret }),
            _ => Err(SignalError::BadInvitation),
        }
    }

    /// The part of the link after `#`, without it: 43 characters.
    pub fn to_fragment(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.secret.as_slice()))
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
            .expect("16 and 32 bytes are less than HKDF's limit of 255 hashes");
        derived
    }
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation").field("room", &self.room()).finish_non_exhaustive()
    }
}

const SECRET_BYTES: usize = 32;
const FRAGMENT_CHARS: usize = 43;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        assert!(!shown.contains(invitation.to_fragment().as_str()), "{shown}");
        assert!(!shown.contains("99, 111, 114") && !shown.contains("correct"), "{shown}");
    }

    #[test]
    fn other_fragments_are_refused() {
        let good = Invitation::from_secret([0xff; 32]).to_fragment();
        let long = format!("{}A", good.as_str());
        let padded = format!("{}=", good.as_str());
        let trailing_bits = format!("{}9", &good[..42]);
        let plain_alphabet = good.replace('_', "/");
        for text in ["", "#", &good[..42], &long, &padded, &trailing_bits, &plain_alphabet] {
            let refused = Invitation::from_fragment(text);
            assert_eq!(refused.err(), Some(SignalError::BadInvitation), "{text}");
        }
    }

    proptest! {
        #[test]
        fn fragments_round_trip(secret: [u8; 32], hash: bool) {
            let invitation = Invitation::from_secret(secret);
            let fragment = format!("{}{}", if hash { "#" } else { "" }, *invitation.to_fragment());
            let again = Invitation::from_fragment(&fragment).unwrap();
            prop_assert_eq!(*again.secret, secret);
            prop_assert_eq!(again.room(), invitation.room());
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,60}") {
            let _ = Invitation::from_fragment(&text);
        }
    }

    /// By another implementation of HKDF (Python's hmac, RFC 5869 by hand).
    const ROOM_OF_SEVENS: &str = "b4caffae1350ba60d4a7f8045b9e0b6e";
}
