//! Credentials with an end, in the form that coturn knows as its REST API: the user's name is `END:ROOM`, with the end in
//! seconds since 1970, and the password is the base64 of the name's HMAC-SHA1. So whoever has the key can check a password
//! without having kept it, and a TURN server elsewhere only needs the same key.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use zeroize::Zeroizing;

/// The key of all passwords.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// What a phone shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credentials {
    /// `END:ROOM`.
    pub username: String,
    /// Its HMAC-SHA1 in base64.
    pub password: String,
}

impl Secret {
    /// The key with these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// A new key of 32 bytes.
    ///
    /// # Errors
    /// Where the system has no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new(vec![0; 32]);
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Credentials of a room, good until `ends_unix_secs`. The room's name here is a word without a colon.
    pub fn credentials(&self, room: &str, ends_unix_secs: u64) -> Credentials {
        let username = format!("{ends_unix_secs}:{room}");
        let password = self.password(&username);
        Credentials { username, password }
    }

    pub(crate) fn password(&self, username: &str) -> String {
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(username.as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    }
}

/// Keys are in no log.
impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret")
    }
}

/// The end and the room that a user's name says.
pub(crate) fn parts(username: &str) -> Option<(u64, &str)> {
    if username.len() > USERNAME_MAX_BYTES {
        return None;
    }
    let (end, room) = username.split_once(':')?;
    Some((end.parse().ok()?, room))
}

const USERNAME_MAX_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// As `printf %s NAME | openssl dgst -sha1 -hmac north -binary | base64` has it.
    #[test]
    fn passwords_are_those_of_the_rest_api() {
        let credentials = Secret::new(b"north").credentials("room", 1_700_000_000);
        assert_eq!(credentials.username, "1700000000:room");
        assert_eq!(credentials.password, "e/x2uYeiePljXgbo+75KisVoGj0=");
    }

    #[test]
    fn keys_differ_and_are_not_shown() {
        let [one, other] = [(); 2].map(|()| Secret::random().unwrap());
        assert_ne!(one.credentials("room", 1), other.credentials("room", 1));
        assert_eq!(format!("{one:?}"), "Secret");
    }

    #[test]
    fn names_are_read() {
        assert_eq!(parts("17:room"), Some((17, "room")));
        let long = format!("17:{}", "r".repeat(100));
        for name in ["", "17", ":room", "-1:room", "x:room", "99999999999999999999:room", &long] {
            assert_eq!(parts(name), None, "{name}");
        }
    }
}
