use proptest::prelude::*;

use super::*;

const ROOM: RoomId = RoomId(*b"0123456789abcdef");
const FROM: ServerId = ServerId(0x0123_4567_89ab_cdef);
const MAX_BYTES: usize = 100_000;

fn notices() -> Vec<Notice> {
    let (room, peer) = (RoomKey::of(&ROOM), PeerId(0xab));
    let claim = Claim { ticket: 7, room, peer, opens: true };
    let state = News::State {
        changes: 3,
        part: 0,
        is_last: true,
        rooms: vec![(room, vec![peer])],
        codes: vec![0, 9999],
    };
    let answer =
        News::Answer { room, ticket: 7, changes: 3, left_secs: Some(60), rivals: vec![claim] };
    let sealed = Body::Sealed("A".repeat(SEALED_MAX_CHARS));
    let binary = Body::Binary(vec![1, 2, 3]);
    let all = [
        News::Hello { changes: 3, known: vec![(FROM, 1)] },
        News::Bye,
        News::Ask,
        state,
        News::Claim(claim),
        answer,
        News::Entered { changes: 4, room, peer },
        News::Left { changes: 5, room, peer },
        News::CodeShown { changes: 6, place: CODE_PLACES - 1 },
        News::CodeGone { changes: 7, place: 0 },
        News::Caller { place: 1, call: 2, says: CallerSays::Calls(longest_word()) },
        News::Caller { place: 1, call: 2, says: CallerSays::Confirms("AA".into()) },
        News::Caller { place: 1, call: 2, says: CallerSays::Leaves },
        News::Shower { call: 2, says: ShowerSays::Answers(longest_word()) },
        News::Shower { call: 2, says: ShowerSays::Ends(Some(longest_word())) },
        News::Shower { call: 2, says: ShowerSays::Ends(None) },
        News::Shower { call: 2, says: ShowerSays::IsGone },
        News::Shower { call: 2, says: ShowerSays::IsBusy },
        News::Passed { room, from: peer, to: PeerId(2), body: sealed },
        News::Passed { room, from: peer, to: PeerId(2), body: binary },
    ];
    all.into_iter().map(|news| Notice { from: FROM, news }).collect()
}

fn longest_word() -> String {
    "A".repeat(CODE_MESSAGE_MAX_CHARS)
}

#[test]
fn what_is_written_is_read() {
    for notice in notices() {
        let bytes = notice.encode();
        assert_eq!(Notice::decode(&bytes, MAX_BYTES), Ok(notice));
        assert_eq!(Notice::decode(&bytes, bytes.len() - 1), Err(ClusterError::TooLong));
    }
}

#[test]
fn another_version_and_what_is_cut_or_goes_on_are_refused() {
    for notice in notices() {
        let mut bytes = notice.encode();
        for end in 0..bytes.len().min(64) {
            assert_eq!(Notice::decode(&bytes[..end], MAX_BYTES), Err(ClusterError::Malformed));
        }
        bytes.push(0);
        assert_eq!(Notice::decode(&bytes, MAX_BYTES), Err(ClusterError::Malformed));
        bytes[0] = VERSION + 1;
        assert_eq!(Notice::decode(&bytes, MAX_BYTES), Err(ClusterError::OtherVersion));
    }
}

#[test]
fn lists_over_their_bounds_are_refused() {
    let (room, peer) = (RoomKey::of(&ROOM), PeerId(1));
    let state = |rooms| News::State { changes: 0, part: 0, is_last: true, rooms, codes: vec![] };
    let codes = |codes| News::State { changes: 0, part: 0, is_last: true, rooms: vec![], codes };
    let long = || longest_word() + "A";
    let claim = Claim { ticket: 7, room, peer, opens: false };
    let too_long = [
        News::Hello { changes: 0, known: vec![(FROM, 1); SERVERS_MAX + 1] },
        state(vec![(room, vec![]); ROOMS_PER_PART + 1]),
        state(vec![(room, vec![peer; PEERS_MAX + 1])]),
        codes(vec![CODE_PLACES]),
        codes(vec![0; usize::from(CODE_PLACES) + 1]),
        News::CodeShown { changes: 0, place: CODE_PLACES },
        News::CodeGone { changes: 0, place: CODE_PLACES },
        News::Caller { place: CODE_PLACES, call: 0, says: CallerSays::Leaves },
        News::Caller { place: 0, call: 0, says: CallerSays::Calls(long()) },
        News::Caller { place: 0, call: 0, says: CallerSays::Confirms(long()) },
        News::Shower { call: 0, says: ShowerSays::Answers(long()) },
        News::Shower { call: 0, says: ShowerSays::Ends(Some(long())) },
        News::Answer {
            room,
            ticket: 0,
            changes: 0,
            left_secs: None,
            rivals: vec![claim; RIVALS_MAX + 1],
        },
        News::Passed {
            room,
            from: peer,
            to: peer,
            body: Body::Sealed("A".repeat(SEALED_MAX_CHARS + 1)),
        },
    ];
    for news in too_long {
        let bytes = Notice { from: FROM, news }.encode();
        assert_eq!(Notice::decode(&bytes, usize::MAX), Err(ClusterError::Malformed));
    }
}

/// Servers of one version must agree on it.
#[test]
fn a_rooms_key_is_a_digest_of_its_name() {
    let key = RoomKey::of(&ROOM);
    assert_ne!(key.0, ROOM.0);
    let hex: String = key.0.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "7c9ecb6ccf28739ff28383bf92fd6b94");
}

proptest! {
    #[test]
    fn any_bytes_are_survived(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Notice::decode(&bytes, MAX_BYTES);
        if let Some(first) = bytes.first_mut() {
            *first = VERSION;
        }
        if let Ok(notice) = Notice::decode(&bytes, MAX_BYTES) {
            prop_assert_eq!(Notice::decode(&notice.encode(), MAX_BYTES), Ok(notice));
        }
    }
}
