//! Clients that say too much, too fast, nonsense, or nothing.

use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::signal::{ClientMessage, RefusalCode, ServerMessage};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::Message;

use crate::{TestServer, client::*, few_messages, http, program::Program, short_idle, soon};

#[tokio::test]
async fn a_long_message_is_refused() {
    let server = TestServer::start().await;
    let mut anna = Client::open(server.address, ANNA).await;
    anna.send(Message::text(" ".repeat((64 << 10) + 1))).await;
    assert_eq!(anna.hear_refusal().await, RefusalCode::TooLarge);
    assert_eq!(anna.hear_close().await, Some(1008));
    server.counts(r#"refusals_total{code="too_large"}"#, 1).await;
    server.counts(r#"sockets_ended_total{reason="refused"}"#, 1).await;
}

#[tokio::test]
async fn a_message_may_be_as_long_as_said_and_no_longer() {
    let server = TestServer::start_with(|config| config.limits.message_bytes = 1_000).await;
    let mut anna = Client::open(server.address, ANNA).await;
    let around = ClientMessage::Send { to: ANNA, sealed: String::new() }.to_json().len();
    let message = |bytes: usize| "A".repeat(bytes - around);
    anna.say(&ClientMessage::Send { to: ANNA, sealed: message(1_000) }).await;
    assert_eq!(anna.hear().await, ServerMessage::From { from: ANNA, sealed: message(1_000) });
    server.counts(r#"refusals_total{code="too_large"}"#, 0).await;
    anna.say(&ClientMessage::Send { to: ANNA, sealed: message(1_001) }).await;
    assert_eq!(anna.hear_refusal().await, RefusalCode::TooLarge);
    assert_eq!(anna.hear_close().await, Some(1008));
    server.counts(r#"refusals_total{code="too_large"}"#, 1).await;
    server.counts(r#"sockets_ended_total{reason="refused"}"#, 1).await;
}

/// The option would promise what neither server nor phones read.
#[test]
fn longer_messages_than_the_protocols_cannot_be_allowed() {
    let error = Program::fails(&["--max-message-bytes", "65537"]);
    assert!(error.contains("--max-message-bytes") && error.contains("65536"), "{error}");
}

/// Far over the limit nothing is read; the socket may break before the refusal is heard.
#[tokio::test]
async fn a_huge_message_ends_the_socket_at_once() {
    let server = TestServer::start().await;
    let mut anna = Client::open(server.address, ANNA).await;
    let mut ben = Client::join(server.address, BEN, &[ANNA]).await;
    let mut frame = vec![0x82, 0xff];
    frame.extend(u64::to_be_bytes(1 << 40));
    frame.extend([0; 4]);
    anna.stream().write_all(&frame).await.unwrap();
    assert_eq!(ben.hear().await, ServerMessage::PeerLeft { peer: ANNA });
    server.counts(r#"refusals_total{code="too_large"}"#, 1).await;
    server.is_well().await;
}

#[tokio::test]
async fn too_many_signaling_bytes_are_refused() {
    let server = TestServer::start_with(|config| {
        config.limits.signaling_bytes_per_connection = 10_000;
    })
    .await;
    let mut anna = Client::open(server.address, ANNA).await;
    let message = ClientMessage::Send { to: ANNA, sealed: "A".repeat(4_000) };
    for _ in 0..2 {
        anna.say(&message).await;
        assert!(matches!(anna.hear().await, ServerMessage::From { .. }));
    }
    anna.say(&message).await;
    assert_eq!(anna.hear_refusal().await, RefusalCode::TooLarge);
    assert_eq!(anna.hear_close().await, Some(1008));
    server.counts(r#"refusals_total{code="too_large"}"#, 1).await;
    server.counts(r#"sockets_ended_total{reason="refused"}"#, 1).await;
}

#[tokio::test]
async fn nonsense_is_refused() {
    let server = TestServer::start().await;
    let send = ClientMessage::Send { to: ANNA, sealed: "AA".into() }.to_json();
    for text in ["", "{}", "[[[[", "\u{0}", r#"{"type":"shout"}"#, &send] {
        let mut stranger = Client::connect(server.address).await;
        stranger.send(Message::text(text)).await;
        assert_eq!(stranger.hear_refusal().await, RefusalCode::BadMessage, "{text}");
        assert_eq!(stranger.hear_close().await, Some(1008), "{text}");
    }
    let mut anna = Client::open(server.address, ANNA).await;
    anna.say(&ClientMessage::Open { room: ROOM, peer: ANNA }).await;
    assert_eq!(anna.hear_refusal().await, RefusalCode::BadMessage, "entering twice");
    server.counts(r#"refusals_total{code="bad_message"}"#, 7).await;
}

#[tokio::test]
async fn too_fast_is_refused_after_the_burst() {
    let server = TestServer::start_with(few_messages).await;
    let started = Instant::now();
    let mut anna = Client::open(server.address, ANNA).await;
    let message = ClientMessage::Send { to: ANNA, sealed: "AA".into() };
    for _ in 0..100 {
        anna.say(&message).await;
    }
    let mut delivered = 0;
    let refused = loop {
        match anna.hear().await {
            ServerMessage::From { .. } => delivered += 1,
            ServerMessage::Refused { code, .. } => break code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused, RefusalCode::TooFast);
    let gained = started.elapsed().as_secs();
    assert!((9..=10 + gained).contains(&delivered), "{delivered} in {gained} s");
    assert_eq!(anna.hear_close().await, Some(1008));
    server.counts(r#"refusals_total{code="too_fast"}"#, 1).await;
}

/// Pings are messages as well.
#[tokio::test]
async fn a_flood_of_pings_is_refused() {
    let server = TestServer::start_with(few_messages).await;
    let mut anna = Client::open(server.address, ANNA).await;
    for _ in 0..100 {
        anna.send(Message::Ping(Bytes::new())).await;
    }
    let refused = loop {
        if let Message::Text(text) = anna.next().await.expect("it hears why it ends") {
            break ServerMessage::from_json(&text).unwrap();
        }
    };
    match refused {
        ServerMessage::Refused { code, .. } => assert_eq!(code, RefusalCode::TooFast),
        other => panic!("{other:?}"),
    }
    assert_eq!(anna.hear_close().await, Some(1008));
    server.counts(r#"refusals_total{code="too_fast"}"#, 1).await;
}

/// Parts of a message with nothing in them, as fast as they go: no message comes of them, so nothing is heard.
#[tokio::test]
async fn endless_parts_of_nothing_are_silence() {
    let server = TestServer::start_with(short_idle).await;
    let mut anna = Client::open(server.address, ANNA).await;
    let mut ben = Client::join(server.address, BEN, &[ANNA]).await;
    let stream = anna.stream();
    stream.write_all(&[0x01, 0x80, 0, 0, 0, 0]).await.unwrap();
    let parts = [0x00_u8, 0x80, 0, 0, 0, 0].repeat(10_000);
    let left = soon(async {
        assert_eq!(ben.hear().await, ServerMessage::PeerLeft { peer: ANNA });
    });
    let flood = async { while stream.write_all(&parts).await.is_ok() {} };
    tokio::select! {
        () = left => {}
        () = flood => {}
    }
    server.counts(r#"sockets_ended_total{reason="silent"}"#, 1).await;
    server.is_well().await;
}

/// A client that does not even answer pings, because it does not read.
#[tokio::test]
async fn a_silent_client_is_closed_and_a_living_one_is_not() {
    let server = TestServer::start_with(short_idle).await;
    let began = Instant::now();
    let mut anna = Client::open(server.address, ANNA).await;
    let mut ben = Client::join(server.address, BEN, &[ANNA]).await;
    // Reading answers the server's pings, so Ben lives; Anna does not read.
    assert_eq!(ben.hear().await, ServerMessage::PeerLeft { peer: ANNA });
    assert!(began.elapsed() > Duration::from_millis(1200), "{:?}", began.elapsed());
    assert_eq!(anna.hear_close().await, Some(1008));
    assert_eq!(server.stats().await["peers"], json!(1));
    server.counts(r#"sockets_ended_total{reason="silent"}"#, 1).await;
}

#[tokio::test]
async fn other_requests_to_the_socket_are_refused() {
    let server = TestServer::start().await;
    assert_eq!(http::get(server.address, "/signal", &[]).await.status, 400);
    assert_eq!(http::get(server.address, "/healthz", &[]).await.body, b"ok\n");
}
