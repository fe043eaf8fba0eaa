//! Phones that have the secret and do not introduce themselves: nobody sees them, and they take no place for long.

mod common;

use base::PeerId;
use protocol::peer::{Admission, Frame, Hello, MAX_PEERS, PROTOCOL_VERSION, Pledge};
use session::{Input, LinkState, Output, Room};

const ME: PeerId = PeerId(0);
const GUEST: PeerId = PeerId(1);

fn give(room: &mut Room, input: Input) -> Vec<Output> {
    room.handle(0.0, input);
    std::iter::from_fn(|| room.poll()).collect()
}

/// The guest was let in.
fn with_guest() -> Room {
    let mut room = common::room(ME, true, true);
    come_in(&mut room);
    give(&mut room, Input::TicketChecked { peer: GUEST, is_good: true });
    assert_eq!(others(&room), [(GUEST, LinkState::Open)]);
    room
}

fn come_in(room: &mut Room) {
    give(room, common::link_up(GUEST));
    let (name, device) = ("g".to_owned(), "d".to_owned());
    let (version, pledge) = (PROTOCOL_VERSION, Pledge::Bytes(36));
    let hello = Hello { version, coordinator: false, name, device, pledge };
    for frame in [Frame::from(hello), Admission::Ask { ticket: Vec::new() }.into()] {
        give(room, Input::Frame { peer: GUEST, frame });
    }
}

fn others(room: &Room) -> Vec<(PeerId, LinkState)> {
    let peers = room.view().peers;
    peers.iter().filter(|peer| !peer.me).map(|peer| (peer.id, peer.link)).collect()
}

#[test]
fn who_says_nothing_is_seen_nowhere() {
    let mut room = with_guest();
    let stranger = PeerId(2);
    give(&mut room, common::link_up(stranger));
    assert_eq!(others(&room), [(GUEST, LinkState::Open)]);
    give(&mut room, Input::LinkDown { peer: stranger });
    assert_eq!(others(&room), [(GUEST, LinkState::Open)], "it is not missed either");
}

#[test]
fn who_says_nothing_makes_room_for_one_that_was_in() {
    let mut room = with_guest();
    give(&mut room, Input::LinkDown { peer: GUEST });
    let strangers = 2..MAX_PEERS as u32;
    strangers.clone().for_each(|stranger| drop(give(&mut room, common::link_up(PeerId(stranger)))));
    assert_eq!(others(&room), [(GUEST, LinkState::Lost)], "there was room for all");
    // The guest, with another number as after its page was loaded anew.
    let (peer, back) = (PeerId(MAX_PEERS as u32), common::link_up(GUEST));
    let Input::LinkUp { meeting, .. } = back else { unreachable!("it is a link") };
    let heard = give(&mut room, Input::LinkUp { peer, meeting });
    let last = PeerId(strangers.end - 1);
    assert!(heard.contains(&Output::Disconnect { peer: last }), "{heard:?}");
    assert_eq!(others(&room), [(GUEST, LinkState::Lost)], "it is not forgotten for strangers");
}
