//! Identifiers of peers, rooms and requests.

use core::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// One tab on one device. Chosen at random by the tab itself; printed and
/// written in JSON as eight hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u32);

/// The room that a set of peers shares, derived from the invitation's secret;
/// thirty-two hexadecimal digits in JSON. The server knows a room by this alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(pub [u8; 16]);

/// A phone that is known again: the SHA-256 of the certificate that its browser keeps for its links. Who shows a
/// certificate has its private key, which no page can read. Sixty-four hexadecimal digits in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(pub [u8; 32]);

/// One prompt and its completion, numbered by the header.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub u32);

/// Text that is not an identifier of the expected kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseIdError {
    /// How many hexadecimal digits the identifier must have.
    pub expected_digits: usize,
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

impl FromStr for PeerId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        parse_hex(text).map(u32::from_be_bytes).map(Self)
    }
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoomId({self})")
    }
}

impl FromStr for RoomId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        parse_hex(text).map(Self)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({self})")
    }
}

impl FromStr for Identity {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        parse_hex(text).map(Self)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} hexadecimal digits", self.expected_digits)
    }
}

impl core::error::Error for ParseIdError {}

/// JSON form of an id whose text form is `Display` and `FromStr`.
macro_rules! serde_as_text {
    ($id:ty) => {
        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    };
}

serde_as_text!(PeerId);
serde_as_text!(RoomId);
serde_as_text!(Identity);

fn parse_hex<const BYTES: usize>(text: &str) -> Result<[u8; BYTES], ParseIdError> {
    let wrong = ParseIdError { expected_digits: 2 * BYTES };
    let digits = text.as_bytes();
    if digits.len() != 2 * BYTES {
        return Err(wrong);
    }
    let mut bytes = [0; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0]).ok_or(wrong)? << 4 | nibble(pair[1]).ok_or(wrong)?;
    }
    Ok(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_their_text_form() {
        let peer = PeerId(0x00ab_cdef);
        assert_eq!(peer.to_string(), "00abcdef");
        assert_eq!("00abcdef".parse(), Ok(peer));
        let room = RoomId(*b"0123456789abcdef");
        assert_eq!(room.to_string().parse(), Ok(room));
        let identity = Identity(*b"0123456789abcdef0123456789abcdef");
        assert_eq!(identity.to_string().parse(), Ok(identity));
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "00abcde", "00abcdef0", "00abcdeg", "+0abcdef", "é0abcde"] {
            assert_eq!(text.parse::<PeerId>(), Err(ParseIdError { expected_digits: 8 }), "{text}");
        }
    }
}
