use proptest::prelude::*;

use super::*;
use crate::signal::{Candidate, Description, DescriptionKind, Invitation};

const ANNA: PeerId = PeerId(0xa);
const BEN: PeerId = PeerId(0xb);
const CLEO: PeerId = PeerId(0xc);

#[test]
fn every_flipped_bit_is_refused() {
    let (mut sealer, mut opener) = anna_to_ben();
    let sealed = sealer.seal(BEN, &candidate("a candidate")).unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut altered = bytes.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let refused = opener.open(ANNA, &URL_SAFE_NO_PAD.encode(altered));
        assert_eq!(refused, Err(SignalError::NotAuthentic { from: ANNA }), "bit {bit}");
    }
    assert_eq!(opener.open(ANNA, &sealed), Ok(candidate("a candidate")));
}

/// Also where base64 has spare bits that decode to the same bytes.
#[test]
fn every_altered_character_is_refused() {
    let (mut sealer, mut opener) = anna_to_ben();
    for length in 0..3 {
        let sealed = sealer.seal(BEN, &candidate(&"x".repeat(length))).unwrap();
        for (index, bit) in (0..sealed.len()).flat_map(|index| (0..7).map(move |bit| (index, bit)))
        {
            let mut altered = sealed.clone().into_bytes();
            altered[index] ^= 1 << bit;
            let altered = String::from_utf8(altered).unwrap();
            let refused = opener.open(ANNA, &altered);
            assert_eq!(refused, Err(SignalError::NotAuthentic { from: ANNA }), "{altered}");
        }
    }
}

#[test]
fn every_shortened_text_is_refused() {
    let (mut sealer, mut opener) = anna_to_ben();
    let sealed = sealer.seal(BEN, &candidate("c")).unwrap();
    for end in 0..sealed.len() {
        let refused = opener.open(ANNA, &sealed[..end]);
        assert_eq!(refused, Err(SignalError::NotAuthentic { from: ANNA }), "{end} characters");
    }
}

#[test]
fn another_sender_receiver_or_room_is_refused() {
    let (mut sealer, mut ben) = anna_to_ben();
    let sealed = sealer.seal(BEN, &candidate("c")).unwrap();
    assert_eq!(ben.open(CLEO, &sealed), Err(SignalError::NotAuthentic { from: CLEO }));
    let mut cleo = invitation().opener(CLEO);
    assert_eq!(cleo.open(ANNA, &sealed), Err(SignalError::NotAuthentic { from: ANNA }));
    let mut anna = invitation().opener(ANNA);
    assert_eq!(anna.open(BEN, &sealed), Err(SignalError::NotAuthentic { from: BEN }));
    let mut elsewhere = Invitation::from_secret([4; 32]).opener(BEN);
    assert_eq!(elsewhere.open(ANNA, &sealed), Err(SignalError::NotAuthentic { from: ANNA }));
}

#[test]
fn repeated_and_late_messages_are_refused() {
    let (mut sealer, mut opener) = anna_to_ben();
    let texts = ["1", "2", "3"].map(|text| sealer.seal(BEN, &candidate(text)).unwrap());
    assert_eq!(opener.open(ANNA, &texts[1]), Ok(candidate("2")));
    for (text, seq) in [(&texts[0], 1), (&texts[1], 2)] {
        let refused = opener.open(ANNA, text);
        assert_eq!(refused, Err(SignalError::Replayed { from: ANNA, seq, last_seq: 2 }));
    }
    assert_eq!(opener.open(ANNA, &texts[2]), Ok(candidate("3")));
}

#[test]
fn senders_are_numbered_apart_and_receivers_together() {
    let (mut anna, mut ben) = anna_to_ben();
    let to_cleo = anna.seal(CLEO, &candidate("1")).unwrap();
    let to_ben = anna.seal(BEN, &candidate("2")).unwrap();
    let from_cleo = invitation().sealer(CLEO).seal(BEN, &candidate("3")).unwrap();
    assert_eq!(ben.open(ANNA, &to_ben), Ok(candidate("2")));
    assert_eq!(ben.open(CLEO, &from_cleo), Ok(candidate("3")));
    assert_eq!(invitation().opener(CLEO).open(ANNA, &to_cleo), Ok(candidate("1")));
}

#[test]
fn long_bodies_are_refused_before_they_are_sealed() {
    let (mut sealer, mut opener) = anna_to_ben();
    let around = write(&Numbered { seq: 1, body: candidate("") }).len();
    let longest = candidate(&"x".repeat(BODY_MAX_BYTES - around));
    let sealed = sealer.seal(BEN, &longest).unwrap();
    assert_eq!(sealed.len(), SEALED_MAX_CHARS);
    assert_eq!(opener.open(ANNA, &sealed), Ok(longest));

    let long = candidate(&"x".repeat(BODY_MAX_BYTES + 1 - around));
    assert!(matches!(sealer.seal(BEN, &long), Err(SignalError::TooLarge { .. })));
    let long = "A".repeat(SEALED_MAX_CHARS + 1);
    assert!(matches!(opener.open(ANNA, &long), Err(SignalError::TooLarge { .. })));
}

#[test]
fn a_member_that_speaks_otherwise_is_refused() {
    let (sealer, mut opener) = anna_to_ben();
    let plains: [&[u8]; 4] = [
        b"{\"seq\":1}",
        b"{\"seq\":-1,\"body\":{\"type\":\"candidate\",\"candidate\":\"\"}}",
        b"{\"seq\":1,\"body\":{\"type\":\"candidate\",\"candidate\":\"\",\"x\":0}}",
        b"\xff",
    ];
    for plain in plains {
        let sealed = sealer.seal_bytes(BEN, plain).unwrap();
        let refused = opener.open(ANNA, &sealed);
        assert!(matches!(refused, Err(SignalError::Malformed { .. })), "{refused:?}");
    }
    let zero = br#"{"seq":0,"body":{"type":"candidate","candidate":""}}"#;
    let sealed = sealer.seal_bytes(BEN, zero).unwrap();
    let replayed = SignalError::Replayed { from: ANNA, seq: 0, last_seq: 0 };
    assert_eq!(opener.open(ANNA, &sealed), Err(replayed));
}

#[test]
fn remembered_senders_are_bounded() {
    let (_, mut opener) = anna_to_ben();
    for sender in 0..SENDERS_MAX as u32 {
        assert_eq!(opener.advance(PeerId(sender), 1), Ok(()));
    }
    let many = SignalError::TooManySenders { limit: SENDERS_MAX };
    assert_eq!(opener.advance(PeerId(u32::MAX), 1), Err(many));
    assert_eq!(opener.advance(PeerId(0), 2), Ok(()));
}

#[test]
fn the_same_body_never_looks_the_same() {
    let (sealer, _) = anna_to_ben();
    let texts = [(); 2].map(|()| sealer.seal_bytes(BEN, b"same").unwrap());
    assert_ne!(texts[0], texts[1]);
    assert_ne!(texts[0][..32], texts[1][..32], "nonces");
}

proptest! {
    #[test]
    fn bodies_round_trip(secret: [u8; 32], from: u32, to: u32, body in body()) {
        let invitation = Invitation::from_secret(secret);
        let sealed = invitation.sealer(PeerId(from)).seal(PeerId(to), &body).unwrap();
        prop_assert_eq!(invitation.opener(PeerId(to)).open(PeerId(from), &sealed), Ok(body));
    }

    #[test]
    fn any_text_is_refused(text in "\\PC{0,300}") {
        prop_assert!(anna_to_ben().1.open(ANNA, &text).is_err());
    }

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let text = URL_SAFE_NO_PAD.encode(bytes);
        prop_assert_eq!(anna_to_ben().1.open(ANNA, &text), Err(SignalError::NotAuthentic { from: ANNA }));
    }
}

fn anna_to_ben() -> (Sealer, Opener) {
    (invitation().sealer(ANNA), invitation().opener(BEN))
}

fn invitation() -> Invitation {
    Invitation::from_secret([3; 32])
}

fn candidate(text: &str) -> SignalBody {
    SignalBody::Candidate(Candidate { candidate: text.into(), mid: None, line: None })
}

fn body() -> impl Strategy<Value = SignalBody> {
    let kind = prop_oneof![Just(DescriptionKind::Offer), Just(DescriptionKind::Answer)];
    let description = (kind, ".{0,300}")
        .prop_map(|(kind, sdp)| SignalBody::Description(Description { kind, sdp }));
    let candidate = (".{0,100}", proptest::option::of(".{0,8}"), any::<Option<u16>>()).prop_map(
        |(candidate, mid, line)| SignalBody::Candidate(Candidate { candidate, mid, line }),
    );
    prop_oneof![description, candidate]
}
