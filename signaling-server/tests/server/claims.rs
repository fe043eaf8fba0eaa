//! A phone that has come into another network wants its place for another socket, while the old one says nothing.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use protocol::signal::{ClientMessage, RefusalCode, ServerMessage};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::{TestServer, client::*};

/// For holders that do not answer.
async fn impatient() -> TestServer {
    let patience = Duration::from_millis(500);
    TestServer::start_with(|config| config.limits.claim_timeout = patience).await
}

/// For holders that are to keep their places, however busy the machine is.
async fn patient() -> TestServer {
    let patience = Duration::from_secs(5);
    TestServer::start_with(|config| config.limits.claim_timeout = patience).await
}

/// Says that it is `peer`, in a room that somebody is in.
async fn claim(server: &TestServer, peer: base::PeerId) -> Client {
    let mut client = Client::connect(server.address).await;
    client.say(&ClientMessage::Join { room: ROOM, peer }).await;
    client
}

/// Nobody reads from the old socket, so nobody answers its pings: as where the way to the phone has gone.
#[tokio::test]
async fn a_place_whose_holder_does_not_answer_goes_to_the_same_peers_next_socket() {
    let server = impatient().await;
    let _old = Client::open(server.address, ANNA).await;
    let mut ben = Client::join(server.address, BEN, &[ANNA]).await;
    let mut new = claim(&server, ANNA).await;
    assert_eq!(new.hear().await, entered(&[BEN]));
    assert_eq!(ben.hear().await, ServerMessage::PeerLeft { peer: ANNA });
    assert_eq!(ben.hear().await, ServerMessage::PeerEntered { peer: ANNA });
    ben.say(&ClientMessage::Send { to: ANNA, sealed: "AA".into() }).await;
    assert_eq!(new.hear().await, ServerMessage::From { from: BEN, sealed: "AA".into() });
    server.counts(r#"sockets_ended_total{reason="replaced"}"#, 1).await;
    assert_eq!(server.stats().await["peers"], json!(2));
}

#[tokio::test]
async fn a_place_whose_holder_answers_stays_its_own() {
    let server = patient().await;
    let mut anna = Client::open(server.address, ANNA).await;
    let mut other = claim(&server, ANNA).await;
    tokio::select! {
        code = other.hear_refusal() => assert_eq!(code, RefusalCode::PeerTaken),
        other = anna.next() => panic!("{other:?}"),
    }
    assert_eq!(other.hear_close().await, Some(1008));
    server.counts(r#"refusals_total{code="peer_taken"}"#, 1).await;
    Client::join(server.address, BEN, &[ANNA]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });
}

/// Every answer is a message of the holder's, and too many would end it.
#[tokio::test]
async fn a_holder_is_not_asked_again_and_again() {
    let server = patient().await;
    let mut anna = Client::open(server.address, ANNA).await;
    let mut claimants = Vec::new();
    for _ in 0..20 {
        claimants.push(claim(&server, ANNA).await);
    }
    let mut pings = 0;
    let hear = async {
        while let Some(Ok(message)) = anna.0.next().await {
            pings += usize::from(matches!(message, Message::Ping(_)));
        }
    };
    let refused = async {
        for claimant in &mut claimants {
            assert_eq!(claimant.hear_refusal().await, RefusalCode::PeerTaken);
        }
    };
    tokio::select! {
        () = hear => panic!("the holder's socket has ended"),
        () = refused => {}
    }
    assert!((1..=4).contains(&pings), "{pings}");
}

#[tokio::test]
async fn a_phone_alone_in_its_room_keeps_the_room() {
    let server = impatient().await;
    let _old = Client::open(server.address, ANNA).await;
    let mut new = claim(&server, ANNA).await;
    assert_eq!(new.hear().await, entered(&[]));
    Client::join(server.address, BEN, &[ANNA]).await;
}

#[tokio::test]
async fn a_place_that_is_left_meanwhile_is_taken_at_once() {
    let server =
        TestServer::start_with(|config| config.limits.claim_timeout = Duration::from_secs(600))
            .await;
    let mut old = Client::open(server.address, ANNA).await;
    let mut ben = Client::join(server.address, BEN, &[ANNA]).await;
    let mut new = claim(&server, ANNA).await;
    old.0.close(None).await.unwrap();
    assert_eq!(new.hear().await, entered(&[BEN]));
    assert_eq!(ben.hear().await, ServerMessage::PeerLeft { peer: ANNA });
}

/// One of those who wait gets the place, and the others wait for that one.
#[tokio::test]
async fn of_several_that_wait_one_gets_the_place() {
    let server = impatient().await;
    let _old = Client::open(server.address, ANNA).await;
    let _ben = Client::join(server.address, BEN, &[ANNA]).await;
    let (mut one, mut other) = (claim(&server, ANNA).await, claim(&server, ANNA).await);
    tokio::select! {
        heard = one.hear() => assert_eq!(heard, entered(&[BEN])),
        heard = other.hear() => assert_eq!(heard, entered(&[BEN])),
    }
    assert_eq!(server.stats().await["peers"], json!(2));
}

#[tokio::test]
async fn a_socket_that_waits_has_no_place_yet() {
    let server = patient().await;
    let mut anna = Client::open(server.address, ANNA).await;
    for message in [
        ClientMessage::Send { to: ANNA, sealed: "AA".into() },
        ClientMessage::Join { room: ROOM, peer: BEN },
    ] {
        let mut waiting = claim(&server, ANNA).await;
        waiting.say(&message).await;
        assert_eq!(waiting.hear_refusal().await, RefusalCode::BadMessage);
        assert_eq!(waiting.hear_close().await, Some(1008));
        anna.0.send(Message::Ping(Vec::new().into())).await.unwrap();
    }
    server.counts(r#"refusals_total{code="bad_message"}"#, 2).await;
}
