//! What stands behind the secret in a link: whose room it is, and until when one may ask to come in.

use core::{fmt, str::FromStr};

use base::Identity;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{SignalError, Ticket, ticket::TICKET_CHARS};

/// What an invitation brings beside the secret, for those that are not known. Links of phones that could not say by what
/// they are known name no host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pass {
    /// The phone that started the room.
    pub host: Option<HostMark>,
    /// Until when it is good.
    pub ticket: Ticket,
}

/// The beginning of an identity: enough that nobody finds another key with it, and short in a code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostMark([u8; HOST_BYTES]);

impl HostMark {
    /// Of the phone with this identity.
    pub fn of(identity: Identity) -> Self {
        Self(*identity.0.first_chunk().expect("an identity is longer than its beginning"))
    }

    /// Whether a phone may be the one that is meant.
    pub fn is_of(self, identity: Identity) -> bool {
        Self::of(identity) == self
    }
}

/// The host stands first, so that a link that was cut off does not name nobody and bring a ticket all the same.
impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(HostMark(bytes)) = self.host {
            f.write_str(&URL_SAFE_NO_PAD.encode(bytes))?;
        }
        fmt::Display::fmt(&self.ticket, f)
    }
}

impl FromStr for Pass {
    type Err = SignalError;

    fn from_str(text: &str) -> Result<Self, SignalError> {
        let at = text.len().checked_sub(TICKET_CHARS).ok_or(SignalError::BadInvitation)?;
        let (host, ticket) = text.split_at_checked(at).ok_or(SignalError::BadInvitation)?;
        let host = (!host.is_empty()).then(|| read_host(host)).transpose()?;
        Ok(Self { host, ticket: ticket.parse()? })
    }
}

fn read_host(text: &str) -> Result<HostMark, SignalError> {
    // Asked first, so that no long text is read.
    if text.len() != HOST_CHARS {
        return Err(SignalError::BadInvitation);
    }
    let mut bytes = [0; HOST_BYTES];
    match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
        Ok(HOST_BYTES) => Ok(HostMark(bytes)),
        _ => Err(SignalError::BadInvitation),
    }
}

const HOST_BYTES: usize = 16;
const HOST_CHARS: usize = 22;
/// Longest text of a pass.
pub(super) const PASS_MAX_CHARS: usize = HOST_CHARS + TICKET_CHARS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_the_phone_that_it_names() {
        let mark = HostMark::of(Identity([7; 32]));
        assert!(mark.is_of(Identity([7; 32])));
        for other in 0..HOST_BYTES {
            let mut identity = Identity([7; 32]);
            identity.0[other] ^= 1;
            assert!(!mark.is_of(identity), "byte {other}");
        }
    }
}
