//! Phones that are remembered come in without asking and hear how they find the rooms to come; others bring an invitation
//! that is still good, or stay outside.

use std::collections::BTreeSet;

use base::{Identity, PeerId};
use protocol::peer::{Admission, Frame, Hello, PROTOCOL_VERSION, Pledge, Refusal, RoomSecret};
use protocol::signal::{HostMark, Pictures};
use session::{Command, DoorConfig, Event, Input, Meeting, Output, Room, RoomConfig, RoomLimits};

const HOST: PeerId = PeerId(1);
const GUEST: PeerId = PeerId(2);
const SECRET: RoomSecret = RoomSecret([3; 32]);
const NEXT: RoomSecret = RoomSecret([4; 32]);

fn identity(peer: PeerId) -> Identity {
    Identity([peer.0 as u8; 32])
}

fn room(me: PeerId, door: DoorConfig) -> Room {
    let (name, device) = (format!("phone {}", me.0), "d".to_owned());
    let (pledge, limits) = (Pledge::Bytes(36), RoomLimits::default());
    Room::new(RoomConfig { me, coordinator: me == HOST, name, device, pledge, door, limits })
}

fn give(room: &mut Room, input: Input) -> Vec<Output> {
    room.handle(0.0, input);
    std::iter::from_fn(|| room.poll()).collect()
}

fn hear(room: &mut Room, peer: PeerId, frame: impl Into<Frame>) -> Vec<Output> {
    give(room, Input::Frame { peer, frame: frame.into() })
}

/// A link to another phone that has introduced itself.
fn meet(room: &mut Room, me: PeerId, other: PeerId, claims: bool) -> Vec<Output> {
    let pictures = Pictures::from_bits([0; 3]);
    let meeting = Meeting { own: identity(me), other: identity(other), pictures };
    give(room, Input::LinkUp { peer: other, meeting });
    let hello = Hello {
        version: PROTOCOL_VERSION,
        coordinator: claims,
        name: format!("phone {}", other.0),
        device: "d".into(),
        pledge: Pledge::Bytes(1),
    };
    hear(room, other, hello)
}

/// What is said about coming in.
fn said(outputs: &[Output]) -> Vec<&Admission> {
    outputs.iter().filter_map(admission).collect()
}

fn admission(output: &Output) -> Option<&Admission> {
    match output {
        Output::Transmit { frame: Frame::Admission(admission), .. } => Some(admission),
        _ => None,
    }
}

fn knock(room: &mut Room, ticket: &[u8]) -> Vec<Output> {
    meet(room, HOST, GUEST, false);
    hear(room, GUEST, Admission::Ask { ticket: ticket.to_vec() })
}

/// The coordinator's room, where the guest is trusted or not.
fn host(is_trusted: bool) -> Room {
    let trusted = is_trusted.then(|| identity(GUEST)).into_iter().collect();
    room(HOST, DoorConfig { trusted, next_secret: Some(SECRET), ..DoorConfig::default() })
}

#[test]
fn who_is_remembered_needs_no_invitation_and_hears_the_next_secret() {
    let mut host = host(true);
    give(&mut host, Input::Command(Command::Lock(true)));
    let heard = knock(&mut host, &[]);
    let expected =
        [&Admission::In { members: vec![identity(GUEST)] }, &Admission::Remembered(SECRET)];
    assert_eq!(said(&heard), expected);
    let heard = give(&mut host, Input::Command(Command::NextSecret(NEXT)));
    assert_eq!(said(&heard), [&Admission::Remembered(NEXT)]);
}

#[test]
fn who_is_let_in_once_hears_it_when_it_is_remembered_and_not_before() {
    let mut host = host(false);
    let asked = knock(&mut host, &[7]);
    let check = Output::CheckTicket { peer: GUEST, ticket: vec![7] };
    assert!(asked.contains(&check), "{asked:?}");
    give(&mut host, Input::TicketChecked { peer: GUEST, is_good: true });
    let heard = give(&mut host, Input::Command(Command::LetIn(GUEST)));
    assert_eq!(said(&heard), [&Admission::In { members: vec![identity(GUEST)] }]);
    assert!(said(&give(&mut host, Input::Command(Command::NextSecret(NEXT)))).is_empty());
    let trust = Command::Trust(BTreeSet::from([identity(GUEST)]));
    let heard = give(&mut host, Input::Command(trust.clone()));
    assert_eq!(said(&heard), [&Admission::Remembered(NEXT)]);
    assert!(said(&give(&mut host, Input::Command(trust))).is_empty(), "it was told");
}

#[test]
fn who_brings_no_good_invitation_is_refused() {
    for ticket in [&[][..], &[7; 16][..]] {
        let mut host = host(false);
        knock(&mut host, ticket);
        let heard = give(&mut host, Input::TicketChecked { peer: GUEST, is_good: false });
        assert_eq!(said(&heard), [&Admission::Out(Refusal::Expired)]);
        let heard = give(&mut host, Input::Command(Command::LetIn(GUEST)));
        assert!(said(&heard).is_empty(), "it does not ask any more: {heard:?}");
    }
}

#[test]
fn where_nobody_is_asked_about_the_invitation_has_to_be_good_all_the_same() {
    for is_good in [false, true] {
        let mut host = room(HOST, DoorConfig { admits_all: true, ..DoorConfig::default() });
        let asked = knock(&mut host, &[7]);
        assert!(said(&asked).is_empty(), "{asked:?}");
        let heard = give(&mut host, Input::TicketChecked { peer: GUEST, is_good });
        let members = vec![identity(GUEST)];
        let expected =
            if is_good { Admission::In { members } } else { Admission::Out(Refusal::Expired) };
        assert_eq!(said(&heard), [&expected]);
    }
}

#[test]
fn who_is_taken_off_the_list_is_out_at_once_and_has_to_ask_again() {
    let mut host = host(true);
    knock(&mut host, &[]);
    let heard = give(&mut host, Input::Command(Command::Remove(identity(GUEST))));
    assert!(said(&heard).contains(&&Admission::Out(Refusal::Removed)), "{heard:?}");
    assert!(said(&give(&mut host, Input::Command(Command::NextSecret(NEXT)))).is_empty());
    let asked = knock(&mut host, &[]);
    assert!(asked.contains(&Output::CheckTicket { peer: GUEST, ticket: vec![] }), "{asked:?}");
}

/// The guest's room, which comes back to the host.
fn guest() -> Room {
    let ticket = vec![7; 16];
    let coordinator = Some(identity(HOST));
    room(GUEST, DoorConfig { coordinator, ticket, ..DoorConfig::default() })
}

#[test]
fn a_phone_that_comes_back_keeps_the_next_secret_of_the_one_that_let_it_in() {
    let mut guest = guest();
    let asked = meet(&mut guest, GUEST, HOST, true);
    assert_eq!(said(&asked), [&Admission::Ask { ticket: vec![7; 16] }]);
    let early = hear(&mut guest, HOST, Admission::Remembered(SECRET));
    assert!(remembered(&early).is_empty(), "it is not in yet");
    hear(&mut guest, HOST, Admission::In { members: vec![identity(GUEST)] });
    let heard = hear(&mut guest, HOST, Admission::Remembered(SECRET));
    assert_eq!(remembered(&heard), [(identity(HOST), "phone 1", SECRET)]);
    assert!(!format!("{heard:?}").contains("3, 3"), "secrets are in no log: {heard:?}");
}

#[test]
fn another_phone_is_not_followed_in_its_place() {
    let (mut guest, other) = (guest(), PeerId(9));
    let heard = meet(&mut guest, GUEST, other, true);
    assert!(said(&heard).is_empty(), "{heard:?}");
    assert!(heard.contains(&Output::Disconnect { peer: other }), "{heard:?}");
    let heard = hear(&mut guest, other, Admission::In { members: vec![identity(GUEST)] });
    assert!(remembered(&heard).is_empty());
    assert_eq!(guest.view().coordinator, "");
    meet(&mut guest, GUEST, HOST, true);
    hear(&mut guest, HOST, Admission::In { members: vec![identity(GUEST)] });
    assert_eq!(guest.view().coordinator, HOST.to_string());
}

#[test]
fn a_newcomer_asks_nobody_but_the_phone_that_its_invitation_names() {
    let (host, ticket) = (Some(HostMark::of(identity(HOST))), vec![7; 16]);
    let door = DoorConfig { host, ticket: ticket.clone(), ..DoorConfig::default() };
    let (mut guest, other) = (room(GUEST, door), PeerId(9));
    let heard = meet(&mut guest, GUEST, other, true);
    assert!(said(&heard).is_empty(), "the ticket is not its business: {heard:?}");
    assert!(heard.contains(&Output::Disconnect { peer: other }), "{heard:?}");
    hear(&mut guest, other, Admission::In { members: vec![] });
    assert_eq!(guest.view().coordinator, "");
    let asked = meet(&mut guest, GUEST, HOST, true);
    assert_eq!(said(&asked), [&Admission::Ask { ticket }]);
    hear(&mut guest, HOST, Admission::In { members: vec![identity(GUEST)] });
    assert_eq!(guest.view().coordinator, HOST.to_string());
}

#[test]
fn a_member_gives_no_secret() {
    let (mut guest, member) = (guest(), PeerId(9));
    meet(&mut guest, GUEST, HOST, true);
    let members = vec![identity(GUEST), identity(member)];
    hear(&mut guest, HOST, Admission::In { members });
    meet(&mut guest, GUEST, member, false);
    let heard = hear(&mut guest, member, Admission::Remembered(SECRET));
    assert!(remembered(&heard).is_empty());
}

fn remembered(outputs: &[Output]) -> Vec<(Identity, &str, RoomSecret)> {
    outputs.iter().filter_map(remembered_by).collect()
}

fn remembered_by(output: &Output) -> Option<(Identity, &str, RoomSecret)> {
    match output {
        Output::Event(Event::Remembered { identity, name, secret, .. }) => {
            Some((*identity, name.as_str(), *secret))
        }
        _ => None,
    }
}
