//! TURN, as phones of a room and strangers use it.

use std::{net::SocketAddr, time::Duration};

use protocol::signal::{ClientMessage, IceServer, RefusalCode, ServerMessage};
use serde_json::json;
use signaling_server::{Config, Limits, Secret, Turn};
use tokio::{net::UdpSocket, time::timeout};

use crate::{TestServer, client::*, http, program::Program, soon, turn_phone::*};

fn with_turn(config: &mut Config) {
    config.turn = Some(Turn { listen: SocketAddr::from(([127, 0, 0, 1], 0)), public: None });
}

async fn server() -> TestServer {
    TestServer::start_with(with_turn).await
}

/// Opens the room; with what its phones find TURN.
async fn open(server: &TestServer) -> (Client, IceServer) {
    let mut client = Client::connect(server.address).await;
    client.say(&ClientMessage::Open { room: ROOM, peer: ANNA }).await;
    let ServerMessage::Entered { ice_servers, .. } = client.hear().await else { panic!() };
    let [turn] = <[IceServer; 1]>::try_from(ice_servers).unwrap();
    (client, turn)
}

#[tokio::test]
async fn phones_of_a_room_talk_through_it_and_their_bytes_are_counted() {
    let server = server().await;
    let (_anna, turn) = open(&server).await;
    let [mut one, mut other] =
        [TurnPhone::allocate(&turn).await.unwrap(), TurnPhone::allocate(&turn).await.unwrap()];
    assert_eq!(server.metric("turn_allocations").await, 2);
    assert!(one.permit(other.relayed).await && other.permit(one.relayed).await);
    one.send(other.relayed, &[7; 1000]).await;
    assert_eq!(other.hear().await, (one.relayed, vec![7; 1000]));
    assert!(other.bind_channel(one.relayed).await);
    other.send(one.relayed, b"by a channel").await;
    assert_eq!(one.hear().await, (other.relayed, b"by a channel".to_vec()));
    one.send(other.relayed, b"to a channel").await;
    assert_eq!(other.hear().await, (one.relayed, b"to a channel".to_vec()));

    server.counts("turn_bytes_total", 1024).await;
    let stats = server.stats().await;
    assert_eq!((&stats["turn_bytes"], &stats["relayed_bytes"]), (&json!(1024), &json!(0)));
    server.counts("turn_allocated_total", 2).await;
    one.send(other.relayed, &[0, 1, 0, 0]).await;
    other.hear().await;
    server.counts("turn_check_bytes_total", 4).await;
    server.counts("turn_bytes_total", 1024).await;
    one.leave().await;
    server.counts("turn_allocations", 1).await;
}

/// STUN, for whoever asks.
#[tokio::test]
async fn phones_are_told_where_they_are() {
    let server = server().await;
    let (_anna, turn) = open(&server).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mapped = soon(async {
        loop {
            if let Some(mapped) = mapped_address(&socket, address(&turn)).await {
                return mapped;
            }
        }
    })
    .await;
    assert_eq!(mapped, socket.local_addr().unwrap());
}

/// Nobody without the room's own; nobody with those of a server before this one; nobody too late.
#[tokio::test]
async fn other_credentials_are_refused() {
    let server = server().await;
    let (_anna, turn) = open(&server).await;
    let (username, credential) = (turn.username.clone().unwrap(), turn.credential.clone().unwrap());
    let ends_secs: u64 = username.split_once(':').unwrap().0.parse().unwrap();
    let later = username.replacen(&ends_secs.to_string(), &(ends_secs + 1).to_string(), 1);
    let forged = Secret::random().unwrap().credentials("room", ends_secs);
    for (username, credential) in [
        ("anna", "secret"),
        (username.as_str(), "secret"),
        (later.as_str(), credential.as_str()),
        (forged.username.as_str(), forged.password.as_str()),
    ] {
        let other = IceServer {
            username: Some(username.to_owned()),
            credential: Some(credential.to_owned()),
            ..turn.clone()
        };
        assert!(TurnPhone::allocate(&other).await.is_none(), "{username}");
    }
    assert!(server.metric(r#"turn_refusals_total{reason="credentials"}"#).await >= 4);
    assert_eq!(server.metric("turn_allocations").await, 0);
    assert!(TurnPhone::allocate(&turn).await.is_some());
}

#[tokio::test]
async fn credentials_end_and_newer_ones_come_before() {
    let server = TestServer::start_with(|config| {
        with_turn(config);
        config.limits.turn_life = Duration::from_secs(6);
        config.limits.ping_interval = Duration::from_millis(100);
    })
    .await;
    let (mut anna, old) = open(&server).await;
    let ServerMessage::IceServers { ice_servers } = anna.hear().await else { panic!() };
    let [newer] = <[IceServer; 1]>::try_from(ice_servers).unwrap();
    assert_ne!(newer.username, old.username);
    assert!(TurnPhone::allocate(&newer).await.is_some());
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(TurnPhone::allocate(&old).await.is_none());
    assert!(server.metric(r#"turn_refusals_total{reason="expired"}"#).await >= 1);
}

#[tokio::test]
async fn only_who_enters_a_room_gets_credentials() {
    let server = server().await;
    let mut eve = Client::connect(server.address).await;
    eve.say(&ClientMessage::Join { room: ROOM, peer: BEN }).await;
    assert_eq!(eve.hear_refusal().await, RefusalCode::RoomGone);
    let (_anna, turn) = open(&server).await;
    let mut other = Client::connect(server.address).await;
    other.say(&ClientMessage::Open { room: base::RoomId([7; 16]), peer: BEN }).await;
    let ServerMessage::Entered { ice_servers, .. } = other.hear().await else { panic!() };
    assert_ne!(ice_servers[0].credential, turn.credential, "rooms have credentials of their own");
}

/// The hole of open relays: a service of this machine, or of its network, that the relay is asked to talk to.
#[tokio::test]
async fn nothing_is_relayed_to_anybody_but_phones() {
    let server = server().await;
    let (_anna, turn) = open(&server).await;
    let service = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let service_address = service.local_addr().unwrap();
    for elsewhere in ["127.0.0.2:53", "10.0.0.1:80", "224.0.0.251:5353", "8.8.8.8:53"] {
        let mut phone = TurnPhone::allocate(&turn).await.unwrap();
        assert!(!phone.permit(elsewhere.parse().unwrap()).await, "{elsewhere}");
    }
    let mut phone = TurnPhone::allocate(&turn).await.unwrap();
    // The relay's own address stands for its phones, and for nothing that listens there.
    assert!(phone.permit(service_address).await);
    phone.send(service_address, b"a request").await;
    phone.send(server.address, b"GET / HTTP/1.1").await;
    server.counts(r#"turn_dropped_total{reason="nobody"}"#, 2).await;
    assert!(timeout(Duration::from_millis(200), service.recv_from(&mut [0; 100])).await.is_err());
    assert!(server.metric(r#"turn_refusals_total{reason="elsewhere"}"#).await >= 4);
    server.is_well().await;
}

#[tokio::test]
async fn allocations_are_bounded() {
    type Bound = (fn(&mut Limits), &'static str);
    let bounds: [Bound; 3] = [
        (|limits| limits.turn_allocations_per_room = 1, "quota"),
        (|limits| limits.turn_allocations_per_address = 1, "quota"),
        (|limits| limits.turn_allocations = 1, "full"),
    ];
    for (bound, reason) in bounds {
        let server = TestServer::start_with(|config| {
            with_turn(config);
            bound(&mut config.limits);
        })
        .await;
        let (_anna, turn) = open(&server).await;
        let first = TurnPhone::allocate(&turn).await.unwrap();
        assert!(TurnPhone::allocate(&turn).await.is_none());
        let refusals = format!(r#"turn_refusals_total{{reason="{reason}"}}"#);
        // Some codes are asked about again.
        soon(async { while server.metric(&refusals).await < 1 {} }).await;
        first.leave().await;
        assert!(TurnPhone::allocate(&turn).await.is_some(), "a place comes back");
    }
}

#[tokio::test]
async fn what_a_phone_sends_is_bounded() {
    let server = TestServer::start_with(|config| {
        with_turn(config);
        config.limits.turn_bytes_per_sec = 10_000;
    })
    .await;
    let (_anna, turn) = open(&server).await;
    let mut one = TurnPhone::allocate(&turn).await.unwrap();
    let mut other = TurnPhone::allocate(&turn).await.unwrap();
    assert!(one.permit(other.relayed).await && other.permit(one.relayed).await);
    for _ in 0..100 {
        one.send(other.relayed, &[7; 1000]).await;
    }
    assert_eq!(other.hear().await.1.len(), 1000);
    soon(async { while server.metric(r#"turn_dropped_total{reason="too_fast"}"#).await < 50 {} })
        .await;
}

/// Datagrams whose senders nobody knows are answered at a rate.
#[tokio::test]
async fn a_flood_of_strangers_is_not_answered() {
    let server = TestServer::start_with(|config| {
        with_turn(config);
        config.limits.turn_requests_per_sec = 5;
    })
    .await;
    let (_anna, turn) = open(&server).await;
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for _ in 0..200 {
        stranger.send_to(b"what is this?", address(&turn)).await.unwrap();
    }
    soon(async { while server.metric(r#"turn_dropped_total{reason="flood"}"#).await < 100 {} })
        .await;
    let read = server.metric(r#"turn_dropped_total{reason="malformed"}"#).await;
    assert!((20..100).contains(&read), "{read}");
    server.is_well().await;
}

#[tokio::test]
async fn while_the_server_drains_phones_go_on_and_none_begin() {
    let mut server = TestServer::start_with(|config| {
        with_turn(config);
        config.limits.drain_timeout = Duration::from_secs(5);
    })
    .await;
    let (mut anna, turn) = open(&server).await;
    let mut one = TurnPhone::allocate(&turn).await.unwrap();
    let mut other = TurnPhone::allocate(&turn).await.unwrap();
    assert!(one.permit(other.relayed).await && other.permit(one.relayed).await);
    server.stop();
    let url = server.address;
    soon(async { while http::get(url, "/healthz", &[]).await.status == 200 {} }).await;
    one.send(other.relayed, b"still here").await;
    assert_eq!(other.hear().await.1, b"still here");
    assert!(TurnPhone::allocate(&turn).await.is_none());
    assert_eq!(anna.hear_close().await, Some(1001));
    server.stopped().await;
    one.send(other.relayed, b"gone").await;
    let heard = timeout(Duration::from_millis(200), other.hear()).await;
    assert!(heard.is_err(), "{heard:?}");
}

#[tokio::test]
async fn phones_are_told_the_public_address() {
    let public = [203, 0, 113, 7].into();
    let server = TestServer::start_with(|config| {
        with_turn(config);
        config.turn.as_mut().unwrap().public = Some(public);
    })
    .await;
    let (_anna, turn) = open(&server).await;
    assert_eq!(address(&turn).ip(), public);
}

/// coturn's `use-auth-secret`: with `printf %s NAME | openssl dgst -sha1 -hmac north -binary | base64`.
#[tokio::test]
async fn servers_elsewhere_get_credentials_with_an_end() {
    let lasting = IceServer {
        urls: vec!["turn:old.test".into()],
        username: Some("u".into()),
        credential: Some("c".into()),
    };
    let named = |url: &str| IceServer { urls: vec![url.into()], username: None, credential: None };
    let configured = vec![named("stun:a.test"), named("turns:b.test:443"), lasting.clone()];
    let server = TestServer::start_with(|config| {
        config.ice_servers = configured;
        config.turn_secret = Some(Secret::new(b"north"));
    })
    .await;
    let mut anna = Client::connect(server.address).await;
    anna.say(&ClientMessage::Open { room: ROOM, peer: ANNA }).await;
    let ServerMessage::Entered { ice_servers, .. } = anna.hear().await else { panic!() };
    assert_eq!((&ice_servers[0], &ice_servers[2]), (&named("stun:a.test"), &lasting));
    let username = ice_servers[1].username.as_deref().unwrap();
    let (ends_secs, room) = username.split_once(':').unwrap();
    let ours = Secret::new(b"north").credentials(room, ends_secs.parse().unwrap());
    assert_eq!(ice_servers[1].credential, Some(ours.password));
}

/// Rooms of several servers: the TURN of one is named by the other, with the same secret.
#[tokio::test]
async fn phones_of_two_servers_talk_through_the_turn_of_one() {
    let secret = Secret::new(b"north");
    let first = TestServer::start_with(|config| {
        with_turn(config);
        config.turn_secret = Some(secret.clone());
    })
    .await;
    let (_anna, turn) = open(&first).await;
    let named = IceServer { username: None, credential: None, ..turn.clone() };
    let second = TestServer::start_with(|config| {
        config.ice_servers = vec![named];
        config.turn_secret = Some(secret);
    })
    .await;
    let (_ben, same) = open(&second).await;
    assert_eq!(same.urls, turn.urls);
    let mut one = TurnPhone::allocate(&turn).await.unwrap();
    let mut other = TurnPhone::allocate(&same).await.unwrap();
    assert!(one.permit(other.relayed).await && other.permit(one.relayed).await);
    one.send(other.relayed, b"hello").await;
    assert_eq!(other.hear().await, (one.relayed, b"hello".to_vec()));
}

#[tokio::test]
async fn the_program_says_what_is_wrong_with_turn() {
    let taken = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (args, said) in [
        (["--turn", address.as_str()], "--turn"),
        (["--ice-server", "turn:coturn.test"], "--turn-secret"),
        (["--turn-secret", "no/such/file"], "no/such/file"),
        (["--turn-public", "203.0.113.7"], "--turn"),
    ] {
        let error = Program::fails(&args);
        assert!(error.contains(said), "{args:?}: {error}");
    }
    let error = Program::fails(&["--nats", "nats://127.0.0.1:1", "--turn", "127.0.0.1:0"]);
    assert!(error.contains("--turn-secret"), "{error}");
    let error = Program::fails(&["--turn", "127.0.0.1:0", "--turn-life-secs", "39"]);
    assert!(error.contains("--turn-life-secs"), "{error}");
}
