//! Nonces that need not be kept: each says when it was made, and a code over that and the address that it was made for.

use std::net::SocketAddr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

pub(crate) struct Nonces(Zeroizing<[u8; 32]>);

impl Nonces {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key)?;
        Ok(Self(key))
    }

    pub(crate) fn make(&self, client: SocketAddr, now_secs: u64) -> String {
        let code = self.mac(client, now_secs).finalize().into_bytes();
        let code: String = code[..CODE_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{now_secs:x}-{code}")
    }

    pub(crate) fn is_fresh(&self, nonce: &str, client: SocketAddr, now_secs: u64) -> bool {
        let made_secs = nonce.split_once('-').map(|(made, _)| u64::from_str_radix(made, 16));
        let Some(Ok(made_secs)) = made_secs else { return false };
        let is_young = now_secs.checked_sub(made_secs).is_some_and(|age| age <= LIFE_SECS);
        is_young && self.make(client, made_secs) == nonce
    }

    fn mac(&self, client: SocketAddr, made_secs: u64) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.0).expect("HMAC takes any key");
        mac.update(&made_secs.to_be_bytes());
        mac.update(client.to_string().as_bytes());
        mac
    }
}

const CODE_BYTES: usize = 12;
/// As RFC 8656 has it (section 5): at least as often a nonce changes.
const LIFE_SECS: u64 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_its_client_for_an_hour() {
        let nonces = Nonces::new().unwrap();
        let [anna, ben] = [1, 2].map(|port| SocketAddr::from(([10, 0, 0, 1], port)));
        let nonce = nonces.make(anna, 5000);
        assert!(nonces.is_fresh(&nonce, anna, 5000) && nonces.is_fresh(&nonce, anna, 8600));
        assert!(!nonces.is_fresh(&nonce, anna, 8601), "too old");
        assert!(!nonces.is_fresh(&nonce, anna, 4999), "not made yet");
        assert!(!nonces.is_fresh(&nonce, ben, 5000), "another's");
        assert!(!Nonces::new().unwrap().is_fresh(&nonce, anna, 5000), "of another key");
        for odd in ["", "-", "1388", "1388-", "zz-00", &nonce.to_uppercase()] {
            assert!(!nonces.is_fresh(odd, anna, 5000), "{odd}");
        }
    }
}
