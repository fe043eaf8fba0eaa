//! How a server comes into NATS, and what it says when it does not.

use std::process::Command;

use signaling_server::{Config, Error, Nats};
use tokio::net::TcpListener;

use crate::{
    nats::{Certificates, NatsServer, join},
    pebble::free_ports,
    soon, write_files,
};

#[tokio::test]
async fn user_and_password() {
    let Some(nats) = NatsServer::start(&["--user", "rooms", "--pass", "p@ss"]).await else {
        return;
    };
    let url = |user: &str| format!("nats://{user}127.0.0.1:{}", nats.port);
    join(&url("rooms:p%40ss@"), 0, |_| {}).await.counts("nats", 1).await;
    for user in ["", "rooms:secret-word@", "rooms@"] {
        let said = start_fails(Nats::new(url(user))).await;
        assert!(said.contains("127.0.0.1") && !said.contains("secret-word"), "{said}");
    }
}

#[tokio::test]
async fn a_token() {
    let Some(nats) = NatsServer::start(&["--auth", "a-token"]).await else { return };
    let url = |token: &str| format!("nats://{token}@127.0.0.1:{}", nats.port);
    join(&url("a-token"), 0, |_| {}).await.counts("nats", 1).await;
    start_fails(Nats::new(url("another-token"))).await;
}

#[tokio::test]
async fn tls_with_a_certificate_that_is_checked() {
    let made = Certificates::make();
    let [own, key] = ["own.pem", "key.pem"].map(|name| made.path(name).display().to_string());
    let args = ["--tls", "--tlscert", &own, "--tlskey", &key];
    let Some(nats) = NatsServer::start(&args).await else { return };
    let url = format!("tls://localhost:{}", nats.port);
    let trust = |config: &mut Config| {
        config.nats.as_mut().unwrap().root = Some(made.path("root.pem"));
    };
    join(&url, 0, trust).await.counts("nats", 1).await;
    start_fails(Nats::new(&url)).await;
    let other = Certificates::make();
    start_fails(Nats { root: Some(other.path("root.pem")), ..Nats::new(&url) }).await;
    // Where a certificate is to be checked, one that shows none is not talked to.
    let Some(plain) = NatsServer::start(&[]).await else { return };
    start_fails(Nats { root: Some(made.path("root.pem")), ..Nats::new(plain.url()) }).await;
}

#[tokio::test]
async fn without_nats_it_does_not_start_and_says_why() {
    let [port] = free_ports();
    let said = start_fails(Nats::new(format!("nats://u:word@127.0.0.1:{port}"))).await;
    assert!(said.contains("--nats") && said.contains(&port.to_string()), "{said}");
    let credentials = Some("no/such/file.creds".into());
    let said = start_fails(Nats { credentials, ..Nats::new("nats://127.0.0.1") }).await;
    assert!(said.contains("no/such/file.creds"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    write_files(&folder);
    let run = Command::new(env!("CARGO_BIN_EXE_signaling-server"))
        .args(["--listen", "127.0.0.1:0", "--nats", &format!("nats://u:word@127.0.0.1:{port}")])
        .args(["--log", "debug"])
        .arg("--app")
        .arg(folder.path().join("app"))
        .output()
        .unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(!run.status.success() && said.contains("no way to NATS"), "{said}");
    assert!(!said.contains("word@"), "{said}");
}

/// What the server says then.
async fn start_fails(nats: Nats) -> String {
    let folder = tempfile::tempdir().unwrap();
    write_files(&folder);
    let mut config = Config::new(folder.path().join("app"));
    config.nats = Some(nats);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ended = soon(signaling_server::run(listener, config, std::future::pending())).await;
    let error = ended.unwrap_err();
    assert!(matches!(error, Error::Nats { .. }), "{error}");
    error.to_string()
}
