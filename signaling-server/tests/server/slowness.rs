//! Clients that take their time: with a request, with a frame, with what they are sent.

use std::{fs::File, time::Duration};

use base::PeerId;
use protocol::signal::ServerMessage;
use serde_json::json;
use signaling_server::{Config, Limits};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep},
};
use tokio_tungstenite::tungstenite::Message;

use crate::{TestServer, client::*, short_idle, soon};

#[tokio::test]
async fn a_socket_that_enters_no_room_is_closed() {
    let server = TestServer::start_with(short_handshake).await;
    let mut stranger = Client::connect(server.address).await;
    assert_eq!(stranger.hear_close().await, Some(1008));
    server.counts(r#"sockets_ended_total{reason="silent"}"#, 1).await;
}

#[tokio::test]
async fn a_request_that_never_ends_is_given_up() {
    let server = TestServer::start_with(short_handshake).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.unwrap();
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
    server.counts(r#"connections_cut_total{reason="request"}"#, 1).await;
}

/// Bytes that come in time, one by one, make no request that does.
#[tokio::test]
async fn a_request_a_byte_at_a_time_is_given_up() {
    let server = TestServer::start_with(short_handshake).await;
    let started = Instant::now();
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(TcpStream::connect(server.address).await.unwrap());
    }
    let request = [b"GET / HTTP/1.1\r\nhost: room\r\nx: ".to_vec(), vec![b'a'; 10_000]].concat();
    for byte in request {
        let mut ended = 0;
        for stream in &mut streams {
            ended += usize::from(stream.write_all(&[byte]).await.is_err());
        }
        if ended == streams.len() {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "they are listened to for ever");
        sleep(Duration::from_millis(20)).await;
    }
    server.counts(r#"connections_cut_total{reason="request"}"#, 20).await;
    server.is_well().await;
}

/// A body is not waited for: nothing here takes one.
#[tokio::test]
async fn a_body_that_never_comes_is_not_waited_for() {
    let server = TestServer::start_with(short_handshake).await;
    for target in ["/", "/healthz", "/signal", "/models/tiny.gguf"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("POST {target} HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nx");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = soon(stream.read_to_end(&mut answer)).await;
        assert!(answer.starts_with(b"HTTP/1.1 4"), "{target}");
    }
    server.is_well().await;
}

/// Pings come in between, and a client in the midst of a frame cannot answer them.
#[tokio::test]
async fn a_frame_a_byte_at_a_time_is_silence() {
    let server = TestServer::start_with(short_idle).await;
    let mut anna = Client::open(server.address, ANNA).await;
    let mut ben = Client::join(server.address, BEN, &[ANNA]).await;
    let stream = anna.stream();
    stream.write_all(&[0x81, 0xfe, 0x10, 0x00, 0, 0, 0, 0]).await.unwrap();
    let started = Instant::now();
    let left = async {
        assert_eq!(ben.hear().await, ServerMessage::PeerLeft { peer: ANNA });
    };
    let trickle = async {
        while stream.write_all(b"a").await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = left => {}
        () = trickle => {}
    }
    assert!(started.elapsed() < Duration::from_secs(10));
    server.counts(r#"sockets_ended_total{reason="silent"}"#, 1).await;
    server.is_well().await;
}

#[tokio::test]
async fn a_slow_client_is_dropped_and_the_others_go_on() {
    let server = TestServer::start_with(|config| config.limits.messages_burst = 10_000).await;
    let mut anna = Client::open(server.address, ANNA).await;
    let slow = Client::join(server.address, BEN, &[ANNA]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });
    let message = [&BEN.0.to_be_bytes()[..], &[0; 256 << 10]].concat();
    let mut sent = 0;
    while server.stats().await["peers"] == json!(2) {
        anna.send(Message::binary(message.clone())).await;
        sent += 1;
        assert!(sent < 2000, "nothing bounds what waits for a slow client");
    }
    assert_eq!(anna.hear().await, ServerMessage::PeerLeft { peer: BEN });
    assert!(sent > 8, "the queue holds some: {sent}");
    Client::join(server.address, CLEO, &[ANNA]).await;
    server.counts(r#"sockets_ended_total{reason="slow"}"#, 1).await;
    drop(slow);
}

/// Of small messages their number is what counts, and their bytes where any number may wait.
#[tokio::test]
async fn what_waits_for_a_slow_client_is_bounded_in_number_and_in_bytes() {
    let number: fn(&mut Limits, usize) = |limits, most| limits.queue_messages = most;
    let bytes: fn(&mut Limits, usize) = |limits, most| limits.queue_bytes = most * SMALL_BYTES;
    for bound in [number, bytes] {
        let few = taken_before_the_end(|limits| bound(limits, 2 * TOGETHER)).await;
        let many = taken_before_the_end(|limits| bound(limits, 4_000)).await;
        // Before any wait here the network holds some, each time somewhat more or less.
        assert!(many > few + 2_000, "{few} and {many}");
    }
}

/// How many small messages a client that does not read is sent until it is dropped. One that reads gets as many, and stays.
async fn taken_before_the_end(bound: impl FnOnce(&mut Limits)) -> usize {
    let server = TestServer::start_with(|config| {
        config.limits.messages_burst = 1_000_000;
        (config.limits.queue_messages, config.limits.queue_bytes) = (1 << 20, 1 << 30);
        bound(&mut config.limits);
    })
    .await;
    let mut anna = Client::open(server.address, ANNA).await;
    anna.stream().set_nodelay(true).unwrap();
    let _slow = Client::join(server.address, BEN, &[ANNA]).await;
    let mut cleo = Client::join(server.address, CLEO, &[ANNA, BEN]).await;
    let message = |to: PeerId| [&to.0.to_be_bytes()[..], &[0; SMALL_BYTES - 4]].concat();
    let (mut sent, mut heard, mut is_dropped) = (0, 0, false);
    while !is_dropped {
        for to in [BEN, CLEO].repeat(TOGETHER) {
            anna.send(Message::binary(message(to))).await;
        }
        sent += TOGETHER;
        assert!(sent < 100_000, "nothing bounds what waits for a slow client");
        while heard < sent {
            match cleo.next().await.expect("who reads stays") {
                Message::Binary(_) => heard += 1,
                _ => is_dropped = true,
            }
        }
    }
    server.counts(r#"sockets_ended_total{reason="slow"}"#, 1).await;
    sent
}

/// As much may wait as likes to: it is dropped because it takes none of it.
#[tokio::test]
async fn a_socket_that_takes_nothing_is_given_up() {
    let server = TestServer::start_with(|config| {
        config.limits.write_timeout = Duration::from_millis(500);
        (config.limits.queue_messages, config.limits.queue_bytes) = (1 << 20, 1 << 30);
    })
    .await;
    let mut anna = Client::open(server.address, ANNA).await;
    let slow = Client::join(server.address, BEN, &[ANNA]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });
    let message = [&BEN.0.to_be_bytes()[..], &[0; 256 << 10]].concat();
    // More than the network holds.
    for _ in 0..100 {
        anna.send(Message::binary(message.clone())).await;
    }
    // Sooner than by the usual patience; without this, each ping would be waited for anew.
    assert_eq!(soon(anna.hear()).await, ServerMessage::PeerLeft { peer: BEN });
    server.counts(r#"sockets_ended_total{reason="slow"}"#, 1).await;
    drop(slow);
    server.is_well().await;
}

#[tokio::test]
async fn a_download_that_is_not_taken_is_given_up() {
    let server = TestServer::start_with(|config| {
        config.limits.write_timeout = Duration::from_millis(500);
    })
    .await;
    let big = File::create(server.folder.path().join("models/big.gguf")).unwrap();
    big.set_len(1 << 30).unwrap();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /models/big.gguf HTTP/1.1\r\nhost: room\r\n\r\n").await.unwrap();
    server.counts(r#"connections_cut_total{reason="write"}"#, 1).await;
    server.is_well().await;
}

#[tokio::test]
async fn a_connection_ends_after_its_life() {
    let life = Duration::from_millis(500);
    let server = TestServer::start_with(|config| config.limits.connection_life = life).await;
    let mut anna = Client::open(server.address, ANNA).await;
    assert_eq!(anna.hear_close().await, Some(1001));
    server.counts(r#"sockets_ended_total{reason="old"}"#, 1).await;

    let mut unused = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(soon(unused.read(&mut [0])).await.unwrap(), 0);
    server.counts(r#"connections_cut_total{reason="life"}"#, 1).await;
    assert_eq!(server.metric("sockets").await, 0);
}

fn short_handshake(config: &mut Config) {
    config.limits.handshake_timeout = Duration::from_secs(1);
}

/// A message whose number counts before its bytes do.
const SMALL_BYTES: usize = 1_000;
/// How many are sent before it is looked whether they came: fewer than may wait, so that whoever reads is not overrun.
const TOGETHER: usize = 4;
