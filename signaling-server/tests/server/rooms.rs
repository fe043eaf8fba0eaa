//! Entering, talking, leaving.

use std::time::Duration;

use base::PeerId;
use protocol::signal::{
    Candidate, ClientMessage, IceServer, Invitation, RefusalCode, ServerMessage, SignalBody,
};
use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

use crate::{TestServer, client::*};

#[tokio::test]
async fn two_peers_talk_sealed() {
    let server = TestServer::start().await;
    let mut anna = Client::open(server.address, ANNA).await;
    let mut ben = Client::join(server.address, BEN, &[ANNA]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });

    let invitation = Invitation::random().unwrap();
    let body = SignalBody::Candidate(Candidate { candidate: "c".into(), mid: None, line: Some(0) });
    let sealed = invitation.sealer(BEN).seal(ANNA, &body).unwrap();
    ben.say(&ClientMessage::Send { to: ANNA, sealed }).await;
    let ServerMessage::From { from, sealed } = anna.hear().await else { panic!() };
    assert_eq!(invitation.opener(ANNA).open(from, &sealed), Ok(body));
    assert_eq!(from, BEN);
}

#[tokio::test]
async fn three_peers_hear_of_each_other() {
    let server = TestServer::start().await;
    let mut anna = Client::open(server.address, ANNA).await;
    let mut ben = Client::join(server.address, BEN, &[ANNA]).await;
    let mut cleo = Client::join(server.address, CLEO, &[ANNA, BEN]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: CLEO });
    assert_eq!(ben.hear().await, ServerMessage::PeerEntered { peer: CLEO });

    let sealed = "c2VhbGVk".to_owned();
    cleo.say(&ClientMessage::Send { to: BEN, sealed: sealed.clone() }).await;
    assert_eq!(ben.hear().await, ServerMessage::From { from: CLEO, sealed });
    let stats = server.stats().await;
    assert_eq!((&stats["rooms"], &stats["peers"]), (&json!(1), &json!(3)));

    ben.0.close(None).await.unwrap();
    assert_eq!(anna.hear().await, ServerMessage::PeerLeft { peer: BEN });
    assert_eq!(cleo.hear().await, ServerMessage::PeerLeft { peer: BEN });
}

#[tokio::test]
async fn the_room_outlives_whoever_opened_it_but_not_everybody() {
    let server = TestServer::start().await;
    let anna = Client::open(server.address, ANNA).await;
    let mut ben = Client::join(server.address, BEN, &[ANNA]).await;
    drop(anna);
    assert_eq!(ben.hear().await, ServerMessage::PeerLeft { peer: ANNA });
    let mut cleo = Client::join(server.address, CLEO, &[BEN]).await;
    drop(ben);
    assert_eq!(cleo.hear().await, ServerMessage::PeerLeft { peer: BEN });
    cleo.0.close(None).await.unwrap();
    cleo.hear_close().await;

    let mut late = Client::connect(server.address).await;
    late.say(&ClientMessage::Join { room: ROOM, peer: ANNA }).await;
    assert_eq!(late.hear_refusal().await, RefusalCode::RoomGone);
    late.say(&ClientMessage::Open { room: ROOM, peer: ANNA }).await;
    assert_eq!(late.hear().await, entered(&[]), "a refused socket may try again");
}

/// As RFC 6455 wants it (section 5.5.1): a browser calls any other end an abnormal one.
#[tokio::test]
async fn a_goodbye_is_answered() {
    let server = TestServer::start().await;
    let mut anna = Client::open(server.address, ANNA).await;
    let frame = CloseFrame { code: CloseCode::Normal, reason: "done".into() };
    anna.0.close(Some(frame)).await.unwrap();
    assert_eq!(anna.hear_close().await, Some(1000));
    server.counts(r#"sockets_ended_total{reason="left"}"#, 1).await;
}

#[tokio::test]
async fn a_full_room_refuses() {
    let server = TestServer::start_with(|config| config.limits.peers_per_room = 2).await;
    let _anna = Client::open(server.address, ANNA).await;
    let _ben = Client::join(server.address, BEN, &[ANNA]).await;
    let mut cleo = Client::connect(server.address).await;
    cleo.say(&ClientMessage::Join { room: ROOM, peer: CLEO }).await;
    assert_eq!(cleo.hear_refusal().await, RefusalCode::RoomFull);
    server.counts(r#"refusals_total{code="room_full"}"#, 1).await;
}

#[tokio::test]
async fn an_open_room_a_taken_peer_and_a_full_server_refuse() {
    let server = TestServer::start_with(|config| {
        config.limits.rooms = 1;
        config.limits.claim_timeout = Duration::from_secs(5);
    })
    .await;
    let mut anna = Client::open(server.address, ANNA).await;
    let mut other = Client::connect(server.address).await;
    other.say(&ClientMessage::Open { room: ROOM, peer: BEN }).await;
    assert_eq!(other.hear_refusal().await, RefusalCode::RoomExists);
    other.say(&ClientMessage::Join { room: ROOM, peer: ANNA }).await;
    tokio::select! {
        code = other.hear_refusal() => assert_eq!(code, RefusalCode::PeerTaken),
        // It answers pings.
        other = anna.next() => panic!("{other:?}"),
    }
    let mut other = Client::connect(server.address).await;
    let room = base::RoomId([7; 16]);
    other.say(&ClientMessage::Open { room, peer: BEN }).await;
    assert_eq!(other.hear_refusal().await, RefusalCode::ServerFull);
    server.counts(r#"refusals_total{code="server_full"}"#, 1).await;

    let mut ben = Client::join(server.address, BEN, &[ANNA]).await;
    drop(anna);
    assert_eq!(ben.hear().await, ServerMessage::PeerLeft { peer: ANNA });
    Client::join(server.address, ANNA, &[BEN]).await;
}

#[tokio::test]
async fn an_unknown_receiver_is_refused_and_the_sender_stays() {
    let server = TestServer::start().await;
    let mut anna = Client::open(server.address, ANNA).await;
    anna.say(&ClientMessage::Send { to: PeerId(1), sealed: "AA".into() }).await;
    assert_eq!(anna.hear_refusal().await, RefusalCode::PeerUnknown);
    Client::join(server.address, BEN, &[ANNA]).await;
}

#[tokio::test]
async fn rooms_are_apart() {
    let server = TestServer::start().await;
    let mut anna = Client::open(server.address, ANNA).await;
    let mut ben = Client::connect(server.address).await;
    ben.say(&ClientMessage::Open { room: base::RoomId([7; 16]), peer: BEN }).await;
    assert_eq!(ben.hear().await, entered(&[]));
    ben.say(&ClientMessage::Send { to: ANNA, sealed: "AA".into() }).await;
    assert_eq!(ben.hear_refusal().await, RefusalCode::PeerUnknown);
    anna.say(&ClientMessage::Send { to: ANNA, sealed: "AA".into() }).await;
    assert_eq!(anna.hear().await, ServerMessage::From { from: ANNA, sealed: "AA".into() });
}

#[tokio::test]
async fn peers_learn_the_ice_servers() {
    let stun = IceServer { urls: vec!["stun:stun.test".into()], username: None, credential: None };
    let configured = vec![stun.clone()];
    let server = TestServer::start_with(|config| config.ice_servers = configured).await;
    let mut anna = Client::connect(server.address).await;
    anna.say(&ClientMessage::Open { room: ROOM, peer: ANNA }).await;
    let entered = ServerMessage::Entered { peers: vec![], ice_servers: vec![stun] };
    assert_eq!(anna.hear().await, entered);
}

#[tokio::test]
async fn a_room_ends_after_its_life() {
    let life = Duration::from_millis(300);
    let server = TestServer::start_with(|config| config.limits.room_life = life).await;
    let mut anna = Client::open(server.address, ANNA).await;
    assert_eq!(anna.hear_refusal().await, RefusalCode::RoomGone);
    assert_eq!(anna.hear_close().await, Some(1008));
    server.counts(r#"refusals_total{code="room_gone"}"#, 1).await;
}
