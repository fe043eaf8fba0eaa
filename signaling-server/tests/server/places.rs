//! Who gets a connection: so many at once of one address and in all, and so many per second. To Linux, all of 127/8 is
//! this machine.
#![cfg(target_os = "linux")]

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use base::PeerId;
use protocol::signal::ClientMessage;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::sleep,
};
use tokio_tungstenite::{MaybeTlsStream, client_async};

use crate::{TestServer, client::*, soon};

#[tokio::test]
async fn connections_per_address_are_bounded() {
    let server = TestServer::start_with(|config| config.limits.connections_per_address = 3).await;
    let mut open = Vec::new();
    let url = format!("ws://{}/signal", server.address);
    for peer in 0..3 {
        let stream = connected(server.address, "127.0.0.2").await;
        let (socket, _) = client_async(&url, MaybeTlsStream::Plain(stream)).await.unwrap();
        let mut client = Client(socket);
        let room = base::RoomId([peer; 16]);
        client.say(&ClientMessage::Open { room, peer: PeerId(peer.into()) }).await;
        assert_eq!(client.hear().await, entered(&[]));
        open.push(client);
    }
    assert_eq!(first_byte(server.address, "127.0.0.2").await, None);
    server.counts(r#"connections_turned_away_total{reason="address_full"}"#, 1).await;
    open.pop().unwrap().0.close(None).await.unwrap();
    comes_back(&server, "127.0.0.2").await;
}

#[tokio::test]
async fn connections_in_all_are_bounded() {
    let server = TestServer::start_with(|config| config.limits.connections = 3).await;
    let mut open = Vec::new();
    for from in ["127.0.0.2", "127.0.0.3", "127.0.0.4"] {
        open.push(connected(server.address, from).await);
    }
    assert_eq!(first_byte(server.address, "127.0.0.5").await, None);
    drop(open.pop());
    comes_back(&server, "127.0.0.5").await;
    let turned_away = r#"connections_turned_away_total{reason="server_full"}"#;
    drop(open);
    assert!(server.metric(turned_away).await >= 1);
}

#[tokio::test]
async fn connections_of_an_address_per_second_are_bounded() {
    let server = TestServer::start_with(|config| {
        config.limits.connects_per_sec = 2;
        config.limits.connects_burst = 5;
    })
    .await;
    let mut answered = 0;
    for _ in 0..30 {
        answered += usize::from(first_byte(server.address, "127.0.0.2").await.is_some());
    }
    assert!((5..30).contains(&answered), "{answered}");
    let turned_away = r#"connections_turned_away_total{reason="address_too_fast"}"#;
    assert_eq!(server.metric(turned_away).await, 30 - answered as u64);
    assert!(first_byte(server.address, "127.0.0.3").await.is_some(), "others are not held up");
    comes_back(&server, "127.0.0.2").await;
}

/// Waits for a connection that is answered.
async fn comes_back(server: &TestServer, from: &str) {
    soon(async {
        while first_byte(server.address, from).await.is_none() {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

/// The beginning of an answer, where there is one.
async fn first_byte(server: SocketAddr, from: &str) -> Option<u8> {
    let mut stream = connected(server, from).await;
    let asked =
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: room\r\nconnection: close\r\n\r\n");
    asked.await.ok()?;
    soon(stream.read_u8()).await.ok()
}

async fn connected(server: SocketAddr, from: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.parse::<IpAddr>().unwrap(), 0)).unwrap();
    soon(socket.connect(server)).await.unwrap()
}
