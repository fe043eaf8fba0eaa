//! HTTPS and secure WebSockets with the certificate the server made, and what plain HTTP gets on that port.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use protocol::signal::{ClientMessage, ServerMessage};
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer};
use signaling_server::{Identity, Local};
use time::OffsetDateTime;
use tokio::{net::TcpStream, time::sleep};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{client_async, tungstenite::Message};

use crate::{TestServer, client::*, http, metrics, program::Program, soon};

#[tokio::test]
async fn a_client_that_trusts_the_authority_is_served() {
    let (server, identity) = start().await;
    for name in ["localhost", "127.0.0.1"] {
        let mut stream = connect(&server, &identity, name).await.unwrap();
        let chain = stream.get_ref().1.peer_certificates().unwrap().to_vec();
        assert_eq!(chain, [identity.certificate().unwrap(), identity.authority().unwrap()]);
        let answer = http::ask_on(&mut stream, "GET", "/healthz", &[]).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"ok\n"[..]));
        // Who does not know the authority has to be able to go on past the warning.
        assert_eq!(answer.header("strict-transport-security"), "");
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
async fn another_name_and_another_authority_are_not_trusted() {
    let (server, identity) = start().await;
    assert!(connect(&server, &identity, "elsewhere").await.is_err());
    let other = tempfile::tempdir().unwrap();
    let other = Identity::local(Local::new(other.path())).unwrap();
    assert!(connect(&server, &other, "localhost").await.is_err());
}

/// The certificate ends in 29 days; the next connection after the server noticed gets another. An open one goes on.
#[tokio::test]
async fn the_certificate_is_renewed_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let late_days = Arc::new(AtomicI64::new(397 - 29));
    let late = late_days.clone();
    let clock =
        move || OffsetDateTime::now_utc() - time::Duration::days(late.load(Ordering::SeqCst));
    let local = Local { clock: Arc::new(clock), ..Local::new(folder.path()) };
    let identity = Identity::local(local).unwrap();
    let server = start_as(&identity, Duration::from_secs(10)).await;
    let mut early = connect(&server, &identity, "localhost").await.unwrap();
    let first = identity.certificate();
    late_days.store(0, Ordering::SeqCst);
    soon(async {
        while identity.certificate() == first {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let next = connect(&server, &identity, "localhost").await.unwrap();
    let shown = next.get_ref().1.peer_certificates().unwrap()[0].clone();
    assert_eq!(Some(shown), identity.certificate());
    assert_eq!(http::ask_on(&mut early, "GET", "/healthz", &[]).await.status, 200);
}

#[tokio::test]
async fn programs_that_speak_plain_http_are_sent_to_https() {
    let (server, _) = start().await;
    for target in ["/room?x=1", "/", "/healthz", "/signal", "/models/tiny.gguf"] {
        let answer = http::get(server.address, target, &[]).await;
        let there = format!("https://room{target}");
        assert_eq!((answer.status, answer.header("location")), (307, there.as_str()));
    }
}

#[tokio::test]
async fn people_who_forget_https_get_a_page_that_explains() {
    let (server, identity) = start().await;
    for target in ["/", "/room"] {
        let answer = http::get(server.address, target, &[("accept", "text/html")]).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, "text/html; charset=utf-8")
        );
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
        let page = String::from_utf8(answer.body).unwrap();
        // The host that was asked for is no name of this machine.
        assert!(page.contains(&format!("href=\"https://{}/\"", server.address)), "{page}");
        let print = identity.authority_fingerprint().unwrap().replace(':', ":<wbr>");
        assert!(page.contains(&print) && !page.contains("{{") && !page.contains("<script"));
    }
    let style = http::get(server.address, "/lingualinked.css", &[]).await;
    assert_eq!((style.status, style.header("content-type")), (200, "text/css; charset=utf-8"));
}

/// Which host a page links to is not for others to say.
#[tokio::test]
async fn the_page_links_to_this_machine_alone() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (server, _) = start().await;
    for (host, linked) in [
        ("localhost:1234", "localhost:1234".to_owned()),
        ("LOCALHOST", "localhost".to_owned()),
        ("evil.example", server.address.to_string()),
        ("a@localhost", server.address.to_string()),
        ("localhost:1\"><b>", server.address.to_string()),
        ("<script>", server.address.to_string()),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let ask = format!("GET / HTTP/1.1\r\nhost: {host}\r\naccept: text/html\r\n\r\n");
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon(stream.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.contains(&format!("href=\"https://{linked}/\"")), "{host}: {answer}");
        assert!(!answer.contains("evil") && !answer.contains("<script"), "{host}");
    }
}

/// The authority's certificate, whose key no request brings out.
#[tokio::test]
async fn the_certificate_can_be_downloaded_and_nothing_else() {
    let (server, identity) = start().await;
    let answer = http::get(server.address, "/lingualinked.crt", &[]).await;
    assert_eq!(answer.header("content-type"), "application/x-x509-ca-cert");
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"lingualinked.crt\"");
    assert_eq!(Some(CertificateDer::from(answer.body)), identity.authority());
    for target in
        ["/authority-key.pem", "/key.pem", "/tls/key.pem", "/..%2ftls%2fkey.pem", "/api/stats"]
    {
        for accept in ["text/html", "*/*"] {
            let answer = http::get(server.address, target, &[("accept", accept)]).await;
            let body = String::from_utf8(answer.body).unwrap();
            assert!(matches!(answer.status, 200 | 307) && !body.contains("PRIVATE"), "{target}");
        }
    }
}

#[test]
fn the_program_does_not_start_with_a_key_that_others_may_read() {
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join("tls");
    Identity::local(Local::new(&folder)).unwrap();
    let key = folder.join("authority-key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let error = Program::fails(&["--tls", "--state", state.path().to_str().unwrap()]);
    assert!(error.contains(key.to_str().unwrap()) && error.contains("chmod 600"), "{error}");
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
    let local = Local { names: Arc::new(move || names.to_vec()), ..Local::new(folder.path()) };
    let identity = Identity::local(local).unwrap();
    (start_as(&identity, handshake_timeout).await, identity)
}

async fn start_as(identity: &Identity, handshake_timeout: Duration) -> TestServer {
    let used = identity.clone();
    TestServer::start_with(|config| {
        config.identity = Some(used);
        config.limits.handshake_timeout = handshake_timeout;
    })
    .await
}

async fn connect(
    server: &TestServer,
    trusted: &Identity,
    name: &'static str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let authority = trusted.authority().unwrap();
    connect_trusting(server.address, authority, name, &[]).await
}

/// A client that trusts one authority and offers `protocols`.
pub async fn connect_trusting(
    server: std::net::SocketAddr,
    authority: CertificateDer<'static>,
    name: &'static str,
    protocols: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let stream = TcpStream::connect(server).await.unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    soon(connector.connect(name.try_into().unwrap(), stream)).await
}
