//! What the two ends of a data channel show each other before anything else: that they know the room's secret, and that
//! nobody is between them.
//!
//! `"lingualinked/1 link proof" || room[16] || from[4] || from's certificate[32] || to[4] || to's certificate[32]`, with
//! HMAC-SHA256 under a key of its own. A certificate is the SHA-256 of what DTLS has seen of it, as in RFC 8122; each end
//! counts its own and the one it was shown. Whoever sits between two phones shows each another certificate than its own.

use base::{PeerId, RoomId};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::SignalError;

/// An end of a data channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkEnd {
    /// Whose it is.
    pub peer: PeerId,
    /// SHA-256 of its DTLS certificate.
    pub certificate: [u8; 32],
}

/// Length of a proof.
pub const LINK_PROOF_BYTES: usize = 32;

/// What `from` sends to `to`.
pub(super) fn prove(key: &[u8; 32], room: RoomId, from: &LinkEnd, to: &LinkEnd) -> Vec<u8> {
    mac(key, room, from, to).finalize().into_bytes().to_vec()
}

/// Whether `proof` is what `from` sends to `to`; in the same time wherever it differs.
pub(super) fn check(
    key: &[u8; 32],
    room: RoomId,
    from: &LinkEnd,
    to: &LinkEnd,
    proof: &[u8],
) -> Result<(), SignalError> {
    let verified = mac(key, room, from, to).verify_slice(proof);
    verified.map_err(|_| SignalError::NotInvited { peer: from.peer })
}

fn mac(key: &[u8; 32], room: RoomId, from: &LinkEnd, to: &LinkEnd) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(b"lingualinked/1 link proof");
    mac.update(&room.0);
    for end in [from, to] {
        mac.update(&end.peer.0.to_be_bytes());
        mac.update(&end.certificate);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::super::Invitation;
    use super::*;

    const ANN: LinkEnd = LinkEnd { peer: PeerId(1), certificate: [0xaa; 32] };
    const BEN: LinkEnd = LinkEnd { peer: PeerId(2), certificate: [0xbb; 32] };

    fn invitation() -> Invitation {
        Invitation::from_secret([7; 32])
    }

    #[test]
    fn both_ends_prove_that_they_were_invited() {
        for (from, to) in [(&ANN, &BEN), (&BEN, &ANN)] {
            let proof = invitation().prove_link(from, to);
            assert_eq!(proof.len(), LINK_PROOF_BYTES);
            assert_eq!(invitation().check_link(from, to, &proof), Ok(()));
        }
    }

    /// Each sees the certificate of the one between them, who has no key and can only pass proofs on.
    #[test]
    fn nobody_can_be_between_them() {
        let mallory = [0xcc; 32];
        let (as_ben, as_ann) =
            (LinkEnd { certificate: mallory, ..BEN }, LinkEnd { certificate: mallory, ..ANN });
        let proof = invitation().prove_link(&ANN, &as_ben);
        let refused = Err(SignalError::NotInvited { peer: ANN.peer });
        assert_eq!(invitation().check_link(&as_ann, &BEN, &proof), refused);
        assert_eq!(invitation().check_link(&ANN, &BEN, &proof), refused);
    }

    #[test]
    fn a_proof_is_good_for_one_direction_one_room_and_two_phones() {
        let proof = invitation().prove_link(&ANN, &BEN);
        assert!(invitation().check_link(&BEN, &ANN, &proof).is_err(), "it is sent back");
        let elsewhere = Invitation::from_secret([8; 32]);
        assert!(elsewhere.check_link(&ANN, &BEN, &proof).is_err());
        let other = LinkEnd { peer: PeerId(3), ..ANN };
        assert!(invitation().check_link(&other, &BEN, &proof).is_err());
        for odd in [&[][..], &proof[..31], &[&proof[..], &[0]].concat()] {
            assert!(invitation().check_link(&ANN, &BEN, odd).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn every_bit_counts() {
        let proof = invitation().prove_link(&ANN, &BEN);
        for bit in 0..8 * LINK_PROOF_BYTES {
            let mut altered = proof.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(invitation().check_link(&ANN, &BEN, &altered).is_err(), "{bit}");
        }
    }
}
