//! Sealed bodies: XChaCha20-Poly1305 over numbered JSON.
//!
//! `base64url(nonce[24] || ciphertext || tag[16])`; the associated data is
//! `room[16] || from[4] || to[4]`, the plaintext `{"seq":n,"body":..}`.

use core::fmt;
use std::collections::BTreeMap;

use base::{PeerId, RoomId};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use serde::{Deserialize, Serialize};

use super::{
    BODY_MAX_BYTES, SEALED_MAX_CHARS, SignalBody, SignalError, check_size,
    message::{parse, write},
};

/// Seals what one peer says to the others of its room.
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    room: RoomId,
    from: PeerId,
    last_seq: u64,
}

impl Sealer {
    pub(super) fn new(key: &[u8; 32], room: RoomId, from: PeerId) -> Self {
        Self { cipher: XChaCha20Poly1305::new(key.into()), room, from, last_seq: 0 }
    }

    /// The text that [`super::ClientMessage::Send`] carries.
    ///
    /// # Errors
    /// [`SignalError::TooLarge`] over [`BODY_MAX_BYTES`], [`SignalError::NoRandomness`].
    pub fn seal(&mut self, to: PeerId, body: &SignalBody) -> Result<String, SignalError> {
        let seq = self.last_seq + 1;
        let plain = write(&Numbered { seq, body });
        check_size("a signaling body", plain.len(), BODY_MAX_BYTES)?;
        let sealed = self.seal_bytes(to, plain.as_bytes())?;
        self.last_seq = seq;
        Ok(sealed)
    }

    fn seal_bytes(&self, to: PeerId, plain: &[u8]) -> Result<String, SignalError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| SignalError::NoRandomness)?;
        let aad = associated_data(self.room, self.from, to);
        let payload = Payload { msg: plain, aad: &aad };
        let ciphertext = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("a body is shorter than the cipher's limit of 256 GiB");
        Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &ciphertext].concat()))
    }
}

/// Opens what the others of a room seal for one peer.
pub struct Opener {
    cipher: XChaCha20Poly1305,
    room: RoomId,
    to: PeerId,
    /// The newest number of every sender; at most [`SENDERS_MAX`].
    last_seqs: BTreeMap<PeerId, u64>,
}

impl Opener {
    pub(super) fn new(key: &[u8; 32], room: RoomId, to: PeerId) -> Self {
        let cipher = XChaCha20Poly1305::new(key.into());
        Self { cipher, room, to, last_seqs: BTreeMap::new() }
    }

    /// What `from` sealed for this peer. A refused message changes nothing.
    ///
    /// # Errors
    /// [`SignalError::TooLarge`], [`SignalError::NotAuthentic`], [`SignalError::Replayed`],
    /// [`SignalError::Malformed`] if the sender speaks another version,
    /// [`SignalError::TooManySenders`].
    pub fn open(&mut self, from: PeerId, sealed: &str) -> Result<SignalBody, SignalError> {
        check_size("a sealed body", sealed.len(), SEALED_MAX_CHARS)?;
        let plain = self.open_bytes(from, sealed).ok_or(SignalError::NotAuthentic { from })?;
        let text = str::from_utf8(&plain).map_err(|error| SignalError::Malformed {
            what: "a signaling body",
            reason: error.to_string(),
        })?;
        let Numbered { seq, body } = parse("a signaling body", text, BODY_MAX_BYTES)?;
        self.advance(from, seq)?;
        Ok(body)
    }

    fn open_bytes(&self, from: PeerId, sealed: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, msg) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let aad = associated_data(self.room, from, self.to);
        self.cipher.decrypt(&XNonce::from(*nonce), Payload { msg, aad: &aad }).ok()
    }

    fn advance(&mut self, from: PeerId, seq: u64) -> Result<(), SignalError> {
        let last_seq = self.last_seqs.get(&from).copied().unwrap_or(0);
        if seq <= last_seq {
            return Err(SignalError::Replayed { from, seq, last_seq });
        }
        if last_seq == 0 && self.last_seqs.len() >= SENDERS_MAX {
            return Err(SignalError::TooManySenders { limit: SENDERS_MAX });
        }
        self.last_seqs.insert(from, seq);
        Ok(())
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { room, from, last_seq, .. } = self;
        f.debug_struct("Sealer")
            .field("room", room)
            .field("from", from)
            .field("last_seq", last_seq)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { room, to, last_seqs, .. } = self;
        f.debug_struct("Opener")
            .field("room", room)
            .field("to", to)
            .field("last_seqs", last_seqs)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbered<B> {
    /// 1, 2, .. per sender, over all receivers.
    seq: u64,
    body: B,
}

fn associated_data(room: RoomId, from: PeerId, to: PeerId) -> [u8; 24] {
    let mut data = [0; 24];
    data[..16].copy_from_slice(&room.0);
    data[16..20].copy_from_slice(&from.0.to_be_bytes());
    data[20..].copy_from_slice(&to.0.to_be_bytes());
    data
}

pub(super) const NONCE_BYTES: usize = 24;
pub(super) const TAG_BYTES: usize = 16;

/// Most senders remembered; a room whose peers come and go that often is reopened.
const SENDERS_MAX: usize = 4096;

#[cfg(test)]
mod tests;
