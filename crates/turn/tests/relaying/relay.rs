//! What the relay does for phones of a room, and for nobody else.

use std::{net::SocketAddr, time::Duration};

use turn::{Credentials, Note, Secret};
use turn_types::stun::message::TransactionId;

use crate::phone::*;

#[test]
fn two_phones_of_a_room_talk_through_it() {
    let mut world = World::new();
    let anna = world.settled("room", 1);
    let mut ben = world.settled("room", 2);
    assert_ne!(anna.relayed(), ben.relayed());
    let (to, bytes) = world.passed(&anna, &send(ben.relayed(), b"hello")).unwrap();
    assert_eq!((to, indicated(&bytes)), (ben.client, (anna.relayed(), b"hello".to_vec())));

    assert_eq!(world.ask(&mut ben, &Request::bind(0x4001, anna.relayed())), 0);
    let (to, bytes) = world.passed(&anna, &send(ben.relayed(), b"again")).unwrap();
    assert_eq!((to, bytes), (ben.client, on_channel(0x4001, b"again")));
    let (to, bytes) = world.passed(&ben, &on_channel(0x4001, b"yes")).unwrap();
    assert_eq!((to, indicated(&bytes)), (anna.client, (ben.relayed(), b"yes".to_vec())));
    let check = world.hear(&ben, &on_channel(0x4001, &[0, 1, 0, 0]));
    assert_eq!((check.note, check.send.map(|(to, _)| to)), (Note::Checked(4), Some(anna.client)));
    // A datagram of nothing is one.
    assert_eq!(world.passed(&ben, &on_channel(0x4001, b"")).unwrap().0, anna.client);
}

/// STUN, for phones with and without an allocation.
#[test]
fn whoever_asks_where_it_is_is_told() {
    let mut world = World::new();
    let anna = world.settled("room", 1);
    let mut stranger = world.phone("room", 2);
    stranger.client = "[2001:db8::7]:4711".parse().unwrap();
    for phone in [anna, stranger] {
        let outcome = world.hear(&phone, &binding());
        let (to, bytes) = outcome.send.unwrap();
        assert_eq!(
            (to, mapped(&bytes), outcome.note),
            (phone.client, phone.client, Note::Answered)
        );
    }
    assert_eq!(world.relay.allocations(), 1);
}

#[test]
fn credentials_are_those_of_this_key_and_not_too_old() {
    let mut world = World::new();
    let good = world.secret.credentials("room", world.now.unix_secs + 600);
    let with = |username: &str, password: &str| {
        let (username, password) = (username.to_owned(), password.to_owned());
        Credentials { username, password }
    };
    let cases = [
        ("another key", Secret::new(b"other").credentials("room", world.now.unix_secs + 600)),
        ("too old", world.secret.credentials("room", world.now.unix_secs)),
        ("a later end", with(&good.username.replacen('1', "2", 1), &good.password)),
        ("made up", with("9999999:9", "secret")),
        ("no such form", with("anna", "secret")),
    ];
    for (port, (what, credentials)) in (1..).zip(cases) {
        let mut phone = Phone::new(SocketAddr::from(([10, 0, 0, 1], port)), credentials);
        assert_eq!(world.ask(&mut phone, &Request::allocate()), 401);
        assert_eq!(world.ask(&mut phone, &Request::allocate()), 401, "{what}");
        assert!(!world.relay.knows(phone.client), "{what}");
    }
    world.settled("room", 100);
}

/// As where they were stolen: what was allocated in time may go on, and nothing new begins.
#[test]
fn old_credentials_renew_and_begin_nothing() {
    let mut world = World::new();
    let mut anna = world.settled("room", 1);
    let mut late = world.phone("room", 2);
    world.pass(500);
    assert_eq!(world.ask(&mut anna, &Request::refresh(1000)), 0);
    world.pass(200);
    assert_eq!(world.ask(&mut anna, &Request::refresh(1000)), 0);
    assert_eq!(world.ask(&mut late, &Request::allocate()), 401);
    assert_eq!(world.ask(&mut late, &Request::allocate()), 401, "too late");
    let mut other = world.phone("other", 1);
    other.nonce = anna.nonce.clone();
    assert_eq!(world.ask(&mut other, &Request::refresh(0)), 441, "another's allocation");
    assert!(world.relay.knows(anna.client));
}

#[test]
fn nonces_are_for_their_client_and_for_an_hour() {
    let mut world = World::with(|limits| limits.life = Duration::from_secs(100_000));
    let mut anna = world.settled("room", 1);
    let mut ben = world.phone("room", 2);
    ben.nonce = anna.nonce.clone();
    assert_eq!(world.ask(&mut ben, &Request::allocate()), 438);
    assert_eq!(world.ask(&mut ben, &Request::allocate()), 0, "with the nonce that came along");
    assert_eq!(world.ask(&mut anna, &Request::refresh(3600)), 0);
    world.pass(3599);
    assert_eq!(world.ask(&mut anna, &Request::refresh(3600)), 0);
    world.pass(3599);
    assert_eq!(world.ask(&mut anna, &Request::refresh(3600)), 438);
    assert_eq!(world.ask(&mut anna, &Request::refresh(3600)), 0);
}

/// The hole of open relays: the machine itself, its other ports, its network.
#[test]
fn nothing_goes_elsewhere() {
    let mut world = World::new();
    let mut anna = world.settled("room", 1);
    for elsewhere in [
        "127.0.0.1:8080",
        "0.0.0.0:53",
        "10.0.0.1:1",
        "192.168.1.1:80",
        "169.254.169.254:80",
        "224.0.0.251:5353",
        "255.255.255.255:9",
        "8.8.8.8:53",
        "[::1]:8080",
        "[::ffff:127.0.0.1]:80",
        "[fe80::1]:80",
        "[ff02::fb]:5353",
    ] {
        let peer: SocketAddr = elsewhere.parse().unwrap();
        assert_eq!(world.ask(&mut anna, &Request::permit(peer)), 403, "{peer}");
        assert_eq!(world.ask(&mut anna, &Request::bind(0x4000, peer)), 403, "{peer}");
        assert_eq!(world.hear(&anna, &send(peer, b"x")).note, Note::Dropped("elsewhere"), "{peer}");
    }
    for port in [0, 22, 3478, 8080, 49_151, 60_000, u16::MAX] {
        let own = SocketAddr::new(RELAY, port);
        assert_eq!(world.hear(&anna, &send(own, b"x")).note, Note::Dropped("nobody"), "{own}");
    }
}

#[test]
fn nothing_crosses_from_room_to_room() {
    let mut world = World::new();
    let anna = world.settled("room", 1);
    let mut eve = world.settled("other", 2);
    assert_eq!(world.passed(&eve, &send(anna.relayed(), b"x")), None);
    assert_eq!(world.ask(&mut eve, &Request::bind(0x4000, anna.relayed())), 0);
    assert_eq!(world.passed(&eve, &on_channel(0x4000, b"x")), None);
    assert_eq!(world.passed(&anna, &send(eve.relayed(), b"x")), None);
}

#[test]
fn permission_is_asked_of_both_and_ends() {
    let mut world = World::new();
    let anna = world.settled("room", 1);
    let mut ben = world.phone("room", 2);
    assert_eq!(world.ask(&mut ben, &Request::allocate()), 401);
    assert_eq!(world.ask(&mut ben, &Request::allocate()), 0);
    assert_eq!(world.hear(&anna, &send(ben.relayed(), b"x")).note, Note::Dropped("no_permission"));
    assert_eq!(world.hear(&ben, &send(anna.relayed(), b"x")).note, Note::Dropped("no_permission"));
    assert_eq!(world.ask(&mut ben, &Request::permit(anna.relayed())), 0);
    assert!(world.passed(&anna, &send(ben.relayed(), b"x")).is_some());
    world.pass(300);
    assert_eq!(world.hear(&anna, &send(ben.relayed(), b"x")).note, Note::Dropped("no_permission"));
}

#[test]
fn a_lost_answer_is_given_again_and_a_second_allocation_is_not() {
    let mut world = World::new();
    let mut anna = world.settled("room", 1);
    let relayed = anna.relayed();
    assert_eq!(world.ask(&mut anna, &Request::allocate()), 437);
    world.ask(&mut anna, &Request::refresh(0));
    let again = Request { id: Some(TransactionId::from(7)), ..Request::allocate() };
    assert_eq!(world.ask(&mut anna, &again), 0);
    assert_ne!(anna.relayed(), relayed, "a port that was given up is not soon another's");
    let relayed = anna.relayed();
    assert_eq!(world.ask(&mut anna, &again), 0);
    assert_eq!((anna.relayed(), world.relay.allocations()), (relayed, 1));
}

#[test]
fn odd_requests_are_refused() {
    let mut world = World::new();
    let mut anna = world.settled("room", 1);
    let mut ben = world.phone("room", 2);
    assert_eq!(world.ask(&mut ben, &Request::allocate()), 401);
    for (request, expected) in [
        (Request { transport: Some(6), ..Request::allocate() }, 442),
        (Request { transport: None, ..Request::allocate() }, 400),
        (Request { peer: None, ..Request::permit(RELAY_PEER) }, 400),
        (Request::permit(RELAY_PEER), 437),
        (Request::refresh(600), 437),
    ] {
        assert_eq!(world.ask(&mut ben, &request), expected);
    }
    for number in [0x3fff, 0x8000, 0xffff] {
        assert_eq!(world.ask(&mut anna, &Request::bind(number, RELAY_PEER)), 400);
    }
    let dont_fragment = turn_types::attribute::DontFragment::new();
    let odd = Request { attributes: vec![&dont_fragment], ..Request::refresh(600) };
    assert_eq!(world.ask(&mut anna, &odd), 420);
    assert_eq!(world.ask(&mut anna, &Request::bind(0x4000, RELAY_PEER)), 0);
    assert_eq!(world.ask(&mut anna, &Request::bind(0x4000, SocketAddr::new(RELAY, 9))), 400);
    assert_eq!(world.ask(&mut anna, &Request::bind(0x4001, RELAY_PEER)), 400, "it has one");
}

const RELAY_PEER: SocketAddr = SocketAddr::new(RELAY, 50_000);
