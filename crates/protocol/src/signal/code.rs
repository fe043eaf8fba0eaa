//! Pairing by a short code where no camera is at hand: one phone shows ten digits, another's person types them.
//!
//! The first four digits are the *place*, by which the server finds the phone that shows the code. The other six are a
//! password that the server never sees. From it the two phones make a key by SPAKE2 (RFC 9382; the group and the messages
//! are those of the library): whoever is between them, as the server is, can try one password with each exchange and learns
//! nothing else. The identities are the role, the place and a label of this protocol, so no message is good elsewhere.
//!
//! | who | says |
//! |---|---|
//! | newcomer | its SPAKE2 message |
//! | who offers | its own |
//! | newcomer | a MAC that shows that it has the key |
//! | who offers | nothing if that is wrong; else a MAC of its own and the invitation, sealed |
//!
//! So who tries a password shows it first, and who offers counts: after [`super::CODE_TRIES`] wrong ones the code is spent.

mod exchange;
mod offer;
mod redemption;

use core::fmt;

use zeroize::Zeroizing;

use super::{CODE_PLACES, SignalError};

pub(super) use exchange::SEALED_MAX_BYTES;
pub use offer::Offer;
pub use redemption::{Awaiting, Redemption};

/// What one phone shows and another's person types. `Debug` shows the place alone.
#[derive(Clone, PartialEq, Eq)]
pub struct ShortCode {
    place: u16,
    password: Zeroizing<String>,
}

impl ShortCode {
    /// A code with a new password, at a place of the server.
    ///
    /// # Errors
    /// [`SignalError::BadCode`] if the place has more than four digits, [`SignalError::NoRandomness`].
    pub fn random(place: u16) -> Result<Self, SignalError> {
        if place >= CODE_PLACES {
            return Err(SignalError::BadCode);
        }
        let password = Zeroizing::new(format!("{:06}", random_below(PASSWORDS)?));
        Ok(Self { place, password })
    }

    /// Reads what a person typed or pasted; spaces and dashes may be anywhere.
    ///
    /// # Errors
    /// [`SignalError::BadCode`] unless ten digits are left.
    pub fn parse(text: &str) -> Result<Self, SignalError> {
        if text.len() > TYPED_MAX_BYTES {
            return Err(SignalError::BadCode);
        }
        let is_separator = |c: &char| c.is_whitespace() || SEPARATORS.contains(c);
        let typed: Zeroizing<String> =
            Zeroizing::new(text.chars().filter(|c| !is_separator(c)).collect());
        let is_code = typed.len() == CODE_DIGITS && typed.bytes().all(|byte| byte.is_ascii_digit());
        if !is_code {
            return Err(SignalError::BadCode);
        }
        let (place, password) = typed.split_at(PLACE_DIGITS);
        let place = place.parse().map_err(|_| SignalError::BadCode)?;
        Ok(Self { place, password: Zeroizing::new(password.to_owned()) })
    }

    /// The server's number for it.
    pub fn place(&self) -> u16 {
        self.place
    }
}

/// In groups that can be read aloud: `4821 - 317 592`.
impl fmt::Display for ShortCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.password.split_at(PASSWORD_DIGITS / 2);
        write!(f, "{:04} - {first} {second}", self.place)
    }
}

impl fmt::Debug for ShortCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShortCode").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Each number below `limit` is as likely as the others: what is left over at the end of the 32-bit numbers is drawn again.
fn random_below(limit: u32) -> Result<u32, SignalError> {
    let fair = u32::MAX - u32::MAX % limit;
    loop {
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes).map_err(|_| SignalError::NoRandomness)?;
        let drawn = u32::from_be_bytes(bytes);
        if drawn < fair {
            return Ok(drawn % limit);
        }
    }
}

const PLACE_DIGITS: usize = 4;
const PASSWORD_DIGITS: usize = 6;
const CODE_DIGITS: usize = PLACE_DIGITS + PASSWORD_DIGITS;
const PASSWORDS: u32 = 10_u32.pow(PASSWORD_DIGITS as u32);
/// Ten digits, with room for what stands between them.
const TYPED_MAX_BYTES: usize = 64;
/// Hyphens and dashes, as phones put them in by themselves.
const SEPARATORS: [char; 7] =
    ['-', '\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2014}', '.'];

#[cfg(test)]
mod tests;
