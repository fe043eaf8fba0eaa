//! What one can make the relay keep and send, and whatever else may come.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use proptest::prelude::*;
use turn::Note;

use crate::phone::*;

#[test]
fn strangers_leave_nothing() {
    let mut world = World::new();
    for port in 1..1000 {
        let mut phone = world.phone("room", port);
        phone.credentials.password.clear();
        assert_eq!(world.ask(&mut phone, &Request::allocate()), 401);
        assert_eq!(world.ask(&mut phone, &Request::allocate()), 401);
    }
    assert_eq!(world.relay.allocations(), 0);
}

#[test]
fn answers_to_strangers_are_short() {
    let mut world = World::new();
    let phone = world.phone("room", 1);
    let asked = phone.request(&Request::allocate());
    let answered = world.hear(&phone, &asked).send.unwrap().1;
    assert!(answered.len() <= 140, "{} bytes to {}", answered.len(), asked.len());
}

#[test]
fn allocations_are_bounded_by_room_address_and_in_all() {
    let mut world = World::with(|limits| {
        (limits.per_room, limits.per_address, limits.allocations) = (2, 3, 4);
    });
    let mut ask = |room: &str, address: u8, port: u16| {
        let mut phone = world.phone(room, port);
        phone.client.set_ip(IpAddr::from([10, 0, 0, address]));
        assert_eq!(world.ask(&mut phone, &Request::allocate()), 401);
        (world.ask(&mut phone, &Request::allocate()), phone)
    };
    let mut first = ask("room", 1, 1);
    assert_eq!((first.0, ask("room", 1, 2).0), (0, 0));
    assert_eq!(ask("room", 2, 1).0, 486, "the room's");
    assert_eq!(ask("other", 1, 3).0, 0);
    assert_eq!(ask("third", 1, 4).0, 486, "the address's");
    assert_eq!(ask("third", 2, 1).0, 0);
    assert_eq!(ask("fourth", 3, 1).0, 508, "all");
    assert_eq!(world.ask(&mut first.1, &Request::refresh(0)), 0);
    assert_eq!(world.relay.allocations(), 3, "a place comes back");
    world.pass(601);
    world.relay.tidy(world.now);
    assert_eq!(world.relay.allocations(), 0, "and so do all, in time");
    world.settled("room", 9);
}

#[test]
fn an_allocation_sends_so_many_bytes_a_second() {
    let mut world = World::with(|limits| limits.bytes_per_sec = 3000);
    let (anna, ben) = (world.settled("room", 1), world.settled("room", 2));
    world.pass(1);
    let message = send(ben.relayed(), &[7; 1000]);
    let passed = (0..10).filter(|_| world.passed(&anna, &message).is_some()).count();
    assert_eq!(passed, 2, "each is 1,036 bytes");
    assert_eq!(world.hear(&anna, &message).note, Note::Dropped("too_fast"));
    assert!(world.passed(&ben, &send(anna.relayed(), b"x")).is_some(), "others are not held up");
    world.pass(1);
    assert!(world.passed(&anna, &message).is_some());
}

/// Those of 20 bytes that are asked, or that pass on a single one.
#[test]
fn an_allocation_sends_so_many_datagrams_a_second() {
    let mut world = World::with(|limits| limits.bytes_per_sec = 10_000);
    let (anna, ben) = (world.settled("room", 1), world.settled("room", 2));
    world.pass(1);
    let asked = binding();
    assert_eq!(asked.len(), 20);
    let answered = (0..100).filter(|_| world.hear(&anna, &asked).note == Note::Answered).count();
    assert_eq!(answered, 4, "each counts as 2,048 bytes");
    let message = send(anna.relayed(), b"x");
    let passed = (0..100).filter(|_| world.passed(&ben, &message).is_some()).count();
    assert_eq!(passed, 39, "each counts as 256 bytes");
    world.pass(1);
    assert_eq!(world.hear(&anna, &asked).note, Note::Answered);
}

#[test]
fn an_allocation_lasts_as_long_as_it_may() {
    let mut world = World::with(|limits| limits.life = Duration::from_secs(1000));
    let mut anna = world.settled("room", 1);
    let ben = world.settled("room", 2);
    world.pass(590);
    assert_eq!(world.ask(&mut anna, &Request::refresh(3600)), 0);
    world.pass(20);
    world.relay.tidy(world.now);
    assert!(!world.relay.knows(ben.client) && world.relay.knows(anna.client));
    world.pass(389);
    assert_eq!(world.ask(&mut anna, &Request::refresh(3600)), 0, "for a second more");
    world.pass(1);
    assert_eq!(world.ask(&mut anna, &Request::refresh(3600)), 401, "nothing is left to renew");
}

#[test]
fn channels_are_bounded_and_end() {
    let mut world = World::new();
    let mut anna = world.settled("room", 1);
    for at in 0..64 {
        let peer = SocketAddr::new(RELAY, 50_000 + at);
        assert_eq!(world.ask(&mut anna, &Request::bind(0x4000 + at, peer)), 0, "{at}");
    }
    let one_more = Request::bind(0x5000, SocketAddr::new(RELAY, 60_000));
    assert_eq!(world.ask(&mut anna, &one_more), 508);
    assert_eq!(world.ask(&mut anna, &Request::refresh(3600)), 0);
    world.pass(600);
    assert_eq!(world.hear(&anna, &on_channel(0x4000, b"x")).note, Note::Dropped("no_channel"));
    assert_eq!(world.ask(&mut anna, &one_more), 0);
}

#[test]
fn a_closed_relay_goes_on_and_begins_nothing() {
    let mut world = World::new();
    let (anna, ben) = (world.settled("room", 1), world.settled("room", 2));
    world.relay.close();
    assert!(world.passed(&anna, &send(ben.relayed(), b"x")).is_some());
    let mut cleo = world.phone("room", 3);
    assert_eq!(world.ask(&mut cleo, &Request::allocate()), 401);
    assert_eq!(world.ask(&mut cleo, &Request::allocate()), 508);
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut world = World::new();
        let anna = world.settled("room", 1);
        let stranger = world.phone("room", 2);
        world.hear(&anna, &bytes);
        world.hear(&stranger, &bytes);
        prop_assert_eq!(world.relay.allocations(), 1);
    }

    #[test]
    fn near_requests_are_survived_and_forge_nothing(place in 0..200_usize, byte: u8, cut in 0..250_usize) {
        let mut world = World::new();
        let anna = world.settled("room", 1);
        let good = anna.request(&Request::refresh(0));
        let mut bytes = good.clone();
        let at = place % bytes.len();
        bytes[at] = byte;
        bytes.truncate(cut);
        world.hear(&anna, &bytes);
        prop_assert_eq!(world.relay.knows(anna.client), bytes != good);
    }
}
