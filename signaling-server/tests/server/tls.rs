//! HTTPS and secure WebSockets with the certificate the server made.

use std::{sync::Arc, time::Duration};

use protocol::signal::{ClientMessage, ServerMessage};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use signaling_server::Identity;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{client_async, tungstenite::Message};

use crate::{TestServer, client::*, http, metrics, soon};

#[tokio::test]
async fn a_client_that_trusts_the_certificate_is_served() {
    let (server, identity) = start().await;
    for name in ["localhost", "127.0.0.1"] {
        let mut stream = connect(&server, &identity, name).await.unwrap();
        let answer = http::ask_on(&mut stream, "GET", "/healthz", &[]).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"ok\n"[..]));
    }
}

#[tokio::test]
async fn sockets_are_secure_too() {
    use futures_util::{SinkExt as _, StreamExt as _};
    let (server, identity) = start().await;
    let stream = connect(&server, &identity, "localhost").await.unwrap();
    let (mut socket, _) = client_async("wss://localhost/signal", stream).await.unwrap();
    let open = ClientMessage::Open { room: ROOM, peer: ANNA };
    socket.send(Message::text(open.to_json())).await.unwrap();
    let answer = loop {
        match soon(socket.next()).await.unwrap().unwrap() {
            Message::Text(text) => break text,
            _ => continue,
        }
    };
    assert_eq!(ServerMessage::from_json(&answer), Ok(entered(&[])));
}

#[tokio::test]
async fn another_name_and_another_certificate_are_not_trusted() {
    let (server, identity) = start().await;
    assert!(connect(&server, &identity, "elsewhere").await.is_err());
    let other = tempfile::tempdir().unwrap();
    let other = Identity::load_or_make(other.path(), &["localhost".into()]).unwrap();
    assert!(connect(&server, &other, "localhost").await.is_err());
}

#[tokio::test]
async fn plain_http_is_sent_to_https() {
    let (server, _) = start().await;
    let answer = http::get(server.address, "/room?x=1", &[]).await;
    assert_eq!((answer.status, answer.header("location")), (307, "https://room/room?x=1"));
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_given_up() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (server, identity) = start_with(Duration::from_secs(1)).await;
    for first in [&[][..], &[22, 3, 1]] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(first).await.unwrap();
        let mut rest = Vec::new();
        let _ = soon(stream.read_to_end(&mut rest)).await;
    }
    let (name, mut cut) = ("signaling_connections_cut_total{reason=\"handshake\"}", 0);
    while cut < 2 {
        let mut stream = connect(&server, &identity, "localhost").await.unwrap();
        let answer = http::ask_on(&mut stream, "GET", "/metrics", &[]).await;
        cut = metrics::value(&answer, name);
    }
}

async fn start() -> (TestServer, Identity) {
    start_with(Duration::from_secs(10)).await
}

async fn start_with(handshake_timeout: Duration) -> (TestServer, Identity) {
    let folder = tempfile::tempdir().unwrap();
    let names = ["localhost", "127.0.0.1"].map(ToOwned::to_owned);
    let identity = Identity::load_or_make(folder.path(), &names).unwrap();
    let used = identity.clone();
    let server = TestServer::start_with(|config| {
        config.identity = Some(used);
        config.limits.handshake_timeout = handshake_timeout;
    })
    .await;
    (server, identity)
}

async fn connect(
    server: &TestServer,
    trusted: &Identity,
    name: &'static str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.certificate().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(server.address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    soon(connector.connect(name.try_into().unwrap(), stream)).await
}
