//! Links that are given another way, as where a phone has come into another network, are waited for.

mod common;

use base::PeerId;
use protocol::peer::Ping;
use session::{Input, Output, RESTART_SECS, Room, RoomLimits};

const PEER: PeerId = PeerId(1);

/// Whether the room ends the link when it gets `input`.
fn ends(room: &mut Room, now_secs: f64, input: Input) -> bool {
    room.handle(now_secs, input);
    let mut ends = false;
    while let Some(output) = room.poll() {
        ends |= matches!(output, Output::Disconnect { peer: PEER });
    }
    ends
}

fn linked() -> Room {
    let mut room = common::room(PeerId(0), true, true);
    assert!(!ends(&mut room, 0.0, common::link_up(PEER)));
    room
}

#[test]
fn a_link_that_is_restarted_is_not_lost_in_the_stated_time() {
    let silence_secs = RoomLimits::default().silence_secs;
    let mut other = linked();
    assert!(ends(&mut other, silence_secs, Input::Timeout), "silence is a loss");

    let mut room = linked();
    let began_secs = silence_secs - 1.0;
    assert!(!ends(&mut room, began_secs, Input::LinkRestarts { peer: PEER }));
    assert!(!ends(&mut room, silence_secs, Input::Timeout));
    assert!(!ends(&mut room, began_secs + RESTART_SECS - 0.1, Input::Timeout));
    assert!(ends(&mut room, began_secs + RESTART_SECS, Input::Timeout));
}

/// Otherwise a phone that is gone would be waited for as long as its link is restarted again and again.
#[test]
fn a_second_restart_without_a_word_gives_no_more_time() {
    let mut room = linked();
    for at_secs in [1.0, 5.0, RESTART_SECS] {
        assert!(!ends(&mut room, at_secs, Input::LinkRestarts { peer: PEER }));
    }
    assert!(ends(&mut room, 1.0 + RESTART_SECS, Input::Timeout));
}

#[test]
fn whoever_speaks_may_be_restarted_again() {
    let mut room = linked();
    assert!(!ends(&mut room, 1.0, Input::LinkRestarts { peer: PEER }));
    let ping = Input::Frame { peer: PEER, frame: Ping { nonce: 1, through_device: false }.into() };
    assert!(!ends(&mut room, 2.0, Input::Frame { peer: PEER, frame: hello() }));
    assert!(!ends(&mut room, 2.0, ping));
    let silence_secs = RoomLimits::default().silence_secs;
    assert!(!ends(&mut room, 16.0, Input::LinkRestarts { peer: PEER }));
    assert!(!ends(&mut room, 2.0 + silence_secs, Input::Timeout));
    assert!(ends(&mut room, 16.0 + RESTART_SECS, Input::Timeout));
}

fn hello() -> protocol::peer::Frame {
    protocol::peer::Hello {
        version: protocol::peer::PROTOCOL_VERSION,
        coordinator: false,
        name: "n".into(),
        device: "d".into(),
        pledge: protocol::peer::Pledge::Bytes(1),
    }
    .into()
}
