//! SPAKE2 between the two phones of a code, and what they do with the key.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use rand_core::{CryptoRng, RngCore};
use sha2::Sha256;
use spake2::{Ed25519Group, Identity, Password, Spake2};
use zeroize::Zeroizing;

use super::ShortCode;
use crate::signal::{
    CODE_INVITATION_MAX_BYTES, CODE_MESSAGE_MAX_CHARS, SignalError, check_size,
    seal::{NONCE_BYTES, TAG_BYTES},
};

/// Which of the two a phone is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Newcomer,
    Offering,
}

/// A phone's half of an exchange. It is good for one.
pub(super) struct Exchange(Spake2<Ed25519Group>);

impl Exchange {
    /// With the message for the other phone.
    pub(super) fn start(role: Role, code: &ShortCode) -> Result<(Self, String), SignalError> {
        let password = Password::new(code.password.as_bytes());
        let newcomer = identity("newcomer", code.place);
        let offering = identity("offering", code.place);
        let random = Drawn::new()?;
        let (exchange, message) = match role {
            Role::Newcomer => Spake2::start_a_with_rng(&password, &newcomer, &offering, random),
            Role::Offering => Spake2::start_b_with_rng(&password, &newcomer, &offering, random),
        };
        Ok((Self(exchange), URL_SAFE_NO_PAD.encode(message)))
    }

    /// The keys, which the other phone has too if it knows the password.
    pub(super) fn finish(self, message: &str) -> Result<Keys, SignalError> {
        let shared = self.0.finish(&decoded(message)?).map_err(|wrong| malformed(&wrong))?;
        let derived = Hkdf::<Sha256>::new(None, &Zeroizing::new(shared));
        let derive = |info: &[u8]| {
            let mut key = Zeroizing::new([0; 32]);
            derived.expand(info, key.as_mut_slice()).expect("HKDF's limit is 255 hashes");
            key
        };
        Ok(Keys {
            newcomer: derive(b"lingualinked/1 code, the newcomer has the key"),
            offering: derive(b"lingualinked/1 code, who offers has the key"),
            invitation: derive(b"lingualinked/1 code, the invitation"),
        })
    }
}

fn identity(role: &str, place: u16) -> Identity {
    Identity::new(format!("lingualinked/1 code {place:04} {role}").as_bytes())
}

/// What two phones have in common that know the same password, and had the same exchange.
pub(super) struct Keys {
    newcomer: Zeroizing<[u8; 32]>,
    offering: Zeroizing<[u8; 32]>,
    invitation: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// What the newcomer shows.
    pub(super) fn confirmation(&self) -> String {
        URL_SAFE_NO_PAD.encode(mac(&self.newcomer).finalize().into_bytes())
    }

    /// Whether that is what a newcomer with the same password shows.
    pub(super) fn check(&self, shown: &str) -> Result<(), SignalError> {
        let shown = decoded(shown).map_err(|_| SignalError::WrongCode)?;
        mac(&self.newcomer).verify_slice(&shown).map_err(|_| SignalError::WrongCode)
    }

    /// The other confirmation, and the invitation behind it.
    pub(super) fn seal(&self, invitation: &str) -> Result<String, SignalError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| SignalError::NoRandomness)?;
        let payload = Payload { msg: invitation.as_bytes(), aad: LABEL };
        let ciphertext = XChaCha20Poly1305::new((&*self.invitation).into())
            .encrypt(&XNonce::from(nonce), payload)
            .expect("an invitation is shorter than the cipher's limit of 256 GiB");
        let shown = mac(&self.offering).finalize().into_bytes();
        Ok(URL_SAFE_NO_PAD.encode([&shown[..], &nonce[..], &ciphertext].concat()))
    }

    /// The invitation, from somebody who knows the password.
    pub(super) fn open(&self, message: &str) -> Result<Zeroizing<String>, SignalError> {
        let bytes = decoded(message)?;
        let plain = self.open_bytes(&bytes).ok_or(SignalError::WrongCode)?;
        check_size("an invitation", plain.len(), CODE_INVITATION_MAX_BYTES)?;
        let text = str::from_utf8(&plain).map_err(|wrong| malformed(&wrong))?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    fn open_bytes(&self, bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (shown, rest) = bytes.split_first_chunk::<MAC_BYTES>()?;
        mac(&self.offering).verify_slice(shown).ok()?;
        let (nonce, msg) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let cipher = XChaCha20Poly1305::new((&*self.invitation).into());
        let opened = cipher.decrypt(&XNonce::from(*nonce), Payload { msg, aad: LABEL });
        opened.ok().map(Zeroizing::new)
    }
}

/// The key is of one exchange and one end of it, so there is nothing more to say than that one has it.
fn mac(key: &[u8; 32]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(LABEL);
    mac
}

fn decoded(message: &str) -> Result<Vec<u8>, SignalError> {
    check_size("a message about a code", message.len(), CODE_MESSAGE_MAX_CHARS)?;
    URL_SAFE_NO_PAD.decode(message).map_err(|wrong| malformed(&wrong))
}

fn malformed(reason: &impl ToString) -> SignalError {
    SignalError::Malformed { what: "a message about a code", reason: reason.to_string() }
}

/// Random bytes that are there already, so that the library need not be told of a system without.
struct Drawn {
    bytes: Zeroizing<[u8; SCALAR_RANDOM_BYTES]>,
    used: usize,
}

impl Drawn {
    fn new() -> Result<Self, SignalError> {
        let mut bytes = Zeroizing::new([0; SCALAR_RANDOM_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| SignalError::NoRandomness)?;
        Ok(Self { bytes, used: 0 })
    }
}

impl RngCore for Drawn {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, into: &mut [u8]) {
        let fresh = &self.bytes[self.used..][..into.len()];
        into.copy_from_slice(fresh);
        self.used += into.len();
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(into);
        Ok(())
    }
}

impl CryptoRng for Drawn {}

const LABEL: &[u8] = b"lingualinked/1 code";
const MAC_BYTES: usize = 32;
/// What the library draws for its secret number, once.
const SCALAR_RANDOM_BYTES: usize = 64;
/// The longest message: a confirmation and a sealed invitation.
pub(in crate::signal) const SEALED_MAX_BYTES: usize =
    MAC_BYTES + NONCE_BYTES + CODE_INVITATION_MAX_BYTES + TAG_BYTES;
