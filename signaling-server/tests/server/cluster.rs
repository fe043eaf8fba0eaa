//! Rooms with phones at several servers, which share them over the real NATS.

use base::{PeerId, RoomId};
use futures_util::future::join_all;
use protocol::signal::{ClientMessage, RefusalCode, ServerMessage};
use tokio_tungstenite::tungstenite::Message;

use crate::{TestServer, client::*, http, nats::NatsServer};

#[tokio::test]
async fn two_phones_pair_over_two_servers() {
    let Some(nats) = NatsServer::start(&[]).await else { return };
    let (first, second) = nats.two().await;
    let mut anna = Client::open(first.address, ANNA).await;
    let mut ben = Client::join(second.address, BEN, &[ANNA]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });
    // In their order, in both directions and in both kinds.
    for number in 0..60_u8 {
        let sealed = format!("sealed-{number}");
        ben.say(&ClientMessage::Send { to: ANNA, sealed: sealed.clone() }).await;
        anna.send(binary(BEN, &[number; 1000])).await;
        assert_eq!(ben.next().await.unwrap(), binary(ANNA, &[number; 1000]));
        assert_eq!(anna.hear().await, ServerMessage::From { from: BEN, sealed });
    }
    let longest = vec![7; 256 << 10];
    anna.send(binary(BEN, &longest)).await;
    assert_eq!(ben.next().await.unwrap(), binary(ANNA, &longest));
    let mut cleo = Client::join(second.address, CLEO, &[ANNA, BEN]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: CLEO });
    assert_eq!(ben.hear().await, ServerMessage::PeerEntered { peer: CLEO });
    anna.0.close(None).await.unwrap();
    for phone in [&mut ben, &mut cleo] {
        assert_eq!(phone.hear().await, ServerMessage::PeerLeft { peer: ANNA });
    }
}

#[tokio::test]
async fn many_messages_at_once_keep_their_order() {
    let Some(nats) = NatsServer::start(&[]).await else { return };
    let (first, second) = nats.two().await;
    let mut anna = Client::open(first.address, ANNA).await;
    let mut ben = Client::join(second.address, BEN, &[ANNA]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });
    for number in 0..50 {
        ben.say(&ClientMessage::Send { to: ANNA, sealed: number.to_string() }).await;
    }
    for number in 0..50 {
        let sealed = number.to_string();
        assert_eq!(anna.hear().await, ServerMessage::From { from: BEN, sealed });
    }
}

#[tokio::test]
async fn limits_hold_for_the_room_and_not_for_each_server() {
    let Some(nats) = NatsServer::start(&[]).await else { return };
    let first = nats.join(0, |config| config.limits.peers_per_room = 2).await;
    let second = nats.join(1, |config| config.limits.peers_per_room = 2).await;
    first.counts("servers", 1).await;
    assert_eq!(refused(&second, join(ANNA)).await, RefusalCode::RoomGone);
    let _anna = Client::open(first.address, ANNA).await;
    assert_eq!(refused(&second, open(BEN)).await, RefusalCode::RoomExists);
    assert_eq!(refused(&second, join(ANNA)).await, RefusalCode::PeerTaken);
    let mut ben = Client::join(second.address, BEN, &[ANNA]).await;
    for server in [&first, &second] {
        assert_eq!(refused(server, join(CLEO)).await, RefusalCode::RoomFull);
    }
    ben.say(&ClientMessage::Send { to: CLEO, sealed: "A".into() }).await;
    assert_eq!(ben.hear_refusal().await, RefusalCode::PeerUnknown);
}

/// The second server would let it last for hours.
#[tokio::test]
async fn a_room_ends_everywhere_when_it_ends_where_it_was_opened() {
    let Some(nats) = NatsServer::start(&[]).await else { return };
    let life = std::time::Duration::from_secs(3);
    let first = nats.join(0, |config| config.limits.room_life = life).await;
    let second = nats.join(1, |_| {}).await;
    first.counts("servers", 1).await;
    let mut anna = Client::open(first.address, ANNA).await;
    let mut ben = Client::join(second.address, BEN, &[ANNA]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });
    loop {
        match ben.hear().await {
            ServerMessage::PeerLeft { peer: ANNA } => {}
            ServerMessage::Refused { code, .. } => break assert_eq!(code, RefusalCode::RoomGone),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ben.hear_close().await, Some(1008));
}

#[tokio::test]
async fn of_two_who_open_a_room_at_once_one_does() {
    let Some(nats) = NatsServer::start(&[]).await else { return };
    let servers = nats.two().await;
    for number in 0..20 {
        let room = RoomId([number; 16]);
        let both = [(&servers.0, ANNA), (&servers.1, BEN)];
        let outcomes =
            both.map(|(server, peer)| at_once(server, ClientMessage::Open { room, peer }));
        let [anna, ben] = both_of(outcomes).await;
        check(&anna, &ben, RefusalCode::RoomExists);
    }
}

#[tokio::test]
async fn of_two_with_one_name_or_for_one_place_one_enters() {
    let Some(nats) = NatsServer::start(&[]).await else { return };
    let first = nats.join(0, |config| config.limits.peers_per_room = 2).await;
    let second = nats.join(1, |config| config.limits.peers_per_room = 2).await;
    first.counts("servers", 1).await;
    for number in 0..20 {
        let room = RoomId([number; 16]);
        let peers = if number < 10 { [BEN, BEN] } else { [BEN, CLEO] };
        let code = if number < 10 { RefusalCode::PeerTaken } else { RefusalCode::RoomFull };
        let (_anna, entered) = at_once(&first, ClientMessage::Open { room, peer: ANNA }).await;
        assert_eq!(entered, crate::client::entered(&[]));
        let both = [(&first, peers[0]), (&second, peers[1])];
        let outcomes =
            both.map(|(server, peer)| at_once(server, ClientMessage::Join { room, peer }));
        let [one, other] = both_of(outcomes).await;
        check(&one, &other, code);
    }
}

#[tokio::test]
async fn three_servers_share_a_room_and_a_new_one_learns_of_it() {
    let Some(nats) = NatsServer::start(&[]).await else { return };
    let (first, second) = nats.two().await;
    let mut anna = Client::open(first.address, ANNA).await;
    let mut ben = Client::join(second.address, BEN, &[ANNA]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });
    let third = nats.join(2, |_| {}).await;
    let _cleo = Client::join(third.address, CLEO, &[ANNA, BEN]).await;
    for phone in [&mut anna, &mut ben] {
        assert_eq!(phone.hear().await, ServerMessage::PeerEntered { peer: CLEO });
    }
    let rooms: Vec<_> = join_all([&first, &second, &third].map(|server| server.stats())).await;
    assert!(rooms.iter().all(|stats| stats["rooms"] == 1 && stats["peers"] == 1), "{rooms:?}");
}

#[tokio::test]
async fn the_state_of_nats_is_shown() {
    let alone = TestServer::start().await;
    assert_eq!(http::get(alone.address, "/healthz", &[]).await.body, b"ok\n");
    let Some(mut nats) = NatsServer::start(&[]).await else { return };
    let (first, _second) = nats.two().await;
    assert_eq!(http::get(first.address, "/healthz", &[]).await.body, b"ok\nnats: connected\n");
    assert_eq!((first.metric("nats").await, first.metric("servers").await), (1, 1));
    assert!(first.metric(r#"notices_total{kind="told"}"#).await > 0);
    assert!(first.metric(r#"notices_total{kind="heard"}"#).await > 0);
    nats.kill();
    first.counts("nats", 0).await;
    let health = http::get(first.address, "/healthz", &[]).await;
    assert_eq!((health.status, &health.body[..]), (200, &b"ok\nnats: lost\n"[..]));
    first.counts("servers", 0).await;
    first.is_well().await;
}

/// A server that stops says so, and nobody waits for its lease.
#[tokio::test]
async fn a_server_that_stops_takes_its_leave() {
    let Some(nats) = NatsServer::start(&[]).await else { return };
    let long = |config: &mut signaling_server::Config| {
        config.nats.as_mut().unwrap().lease = std::time::Duration::from_secs(60);
    };
    let first = nats.join(0, long).await;
    let mut second = nats.join(1, long).await;
    let mut anna = Client::open(first.address, ANNA).await;
    let mut ben = Client::join(second.address, BEN, &[ANNA]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });
    second.stop();
    assert_eq!(ben.hear_close().await, Some(1001));
    assert_eq!(anna.hear().await, ServerMessage::PeerLeft { peer: BEN });
    first.counts("servers", 0).await;
}

pub fn open(peer: PeerId) -> ClientMessage {
    ClientMessage::Open { room: ROOM, peer }
}

pub fn join(peer: PeerId) -> ClientMessage {
    ClientMessage::Join { room: ROOM, peer }
}

pub fn binary(peer: PeerId, payload: &[u8]) -> Message {
    Message::binary([&peer.0.to_be_bytes()[..], payload].concat())
}

pub async fn refused(server: &TestServer, hello: ClientMessage) -> RefusalCode {
    let mut client = Client::connect(server.address).await;
    client.say(&hello).await;
    client.hear_refusal().await
}

async fn at_once(server: &TestServer, hello: ClientMessage) -> (Client, ServerMessage) {
    let mut client = Client::connect(server.address).await;
    client.say(&hello).await;
    let answer = client.hear().await;
    (client, answer)
}

async fn both_of<T>(outcomes: [impl Future<Output = T>; 2]) -> [T; 2] {
    let [one, other] = outcomes;
    let (one, other) = tokio::join!(one, other);
    [one, other]
}

/// One entered, and the other was refused so.
fn check(one: &(Client, ServerMessage), other: &(Client, ServerMessage), expected: RefusalCode) {
    let is_in = |message: &ServerMessage| matches!(message, ServerMessage::Entered { .. });
    let refused = if is_in(&one.1) { &other.1 } else { &one.1 };
    assert_ne!(is_in(&one.1), is_in(&other.1), "{:?} {:?}", one.1, other.1);
    let ServerMessage::Refused { code, .. } = refused else { panic!("{refused:?}") };
    assert_eq!(*code, expected);
}
