//! The real coturn (Debian's package `coturn`), to which the server's credentials lead.

use std::{
    fs,
    io::ErrorKind,
    net::SocketAddr,
    process::{Child, Command},
    time::{SystemTime, UNIX_EPOCH},
};

use protocol::signal::{ClientMessage, IceServer, ServerMessage};
use signaling_server::Secret;
use tempfile::TempDir;
use tokio::net::UdpSocket;

use crate::{
    client::*,
    leave_out,
    pebble::{free_ports, quiet},
    program::Program,
    soon,
    turn_phone::*,
};

/// It ends when this is dropped.
struct Coturn {
    child: Child,
    url: String,
    /// With `secret` in it, as `--turn-secret` wants it.
    folder: TempDir,
}

impl Coturn {
    /// Nothing where it is not installed, unless somebody has just seen to that.
    async fn start() -> Option<Self> {
        let [port] = free_ports();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), SECRET).unwrap();
        let child = match command(port, &folder).spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                leave_out("turnserver (coturn)", "LINGUALINKED_COTURN");
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let coturn = Self { child, url: format!("turn:127.0.0.1:{port}?transport=udp"), folder };
        coturn.answers(SocketAddr::from(([127, 0, 0, 1], port))).await;
        Some(coturn)
    }

    async fn answers(&self, address: SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        soon(async { while mapped_address(&socket, address).await.is_none() {} }).await;
    }

    /// What a phone is told that opens a room at our program, which knows this coturn and its secret.
    async fn told(&self) -> (Program, IceServer) {
        let secret = self.folder.path().join("secret");
        let secret = secret.to_str().unwrap();
        let program = Program::start(&["--turn-secret", secret, "--ice-server", &self.url]).await;
        let mut anna = Client::connect(program.address).await;
        anna.say(&ClientMessage::Open { room: ROOM, peer: ANNA }).await;
        let ServerMessage::Entered { ice_servers, .. } = anna.hear().await else { panic!() };
        let [told] = <[IceServer; 1]>::try_from(ice_servers).unwrap();
        (program, told)
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn phones_talk_through_a_coturn_with_the_credentials_that_they_are_told() {
    let Some(coturn) = Coturn::start().await else { return };
    let (_program, told) = coturn.told().await;
    assert_eq!(told.urls, [coturn.url.as_str()]);
    let mut one = TurnPhone::allocate(&told).await.expect("the credentials are good");
    let mut other = TurnPhone::allocate(&told).await.expect("the credentials are good");
    assert!(one.permit(other.relayed).await && other.permit(one.relayed).await);
    one.send(other.relayed, b"hello").await;
    assert_eq!(other.hear().await, (one.relayed, b"hello".to_vec()));
}

/// So it is the secret that lets phones in, and the end counts.
#[tokio::test]
async fn coturn_refuses_others_and_old_ones() {
    let Some(coturn) = Coturn::start().await else { return };
    let (_program, told) = coturn.told().await;
    let room = told.username.as_deref().unwrap().split_once(':').unwrap().1;
    let now_secs = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let with = |secret: &str, ends_secs| {
        let made = Secret::new(secret.as_bytes()).credentials(room, ends_secs);
        let (username, credential) = (Some(made.username), Some(made.password));
        IceServer { username, credential, ..told.clone() }
    };
    assert!(TurnPhone::allocate(&with("south", now_secs + 60)).await.is_none(), "another secret");
    assert!(TurnPhone::allocate(&with(SECRET, now_secs - 60)).await.is_none(), "too old");
    assert!(TurnPhone::allocate(&with(SECRET, now_secs + 60)).await.is_some());
}

/// On this machine alone, with no file of the system's, and for phones that are on this machine as well.
fn command(port: u16, folder: &TempDir) -> Command {
    let mut command = quiet("turnserver");
    command
        .args(["-n", "--no-cli", "--no-tls", "--no-dtls", "--log-file=stdout"])
        .args(["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--allow-loopback-peers"])
        .args(["--realm=room.test", "--use-auth-secret"])
        .arg(format!("--listening-port={port}"))
        .arg(format!("--static-auth-secret={SECRET}"))
        .arg(format!("--pidfile={}", folder.path().join("pid").display()))
        .arg(format!("--userdb={}", folder.path().join("users").display()));
    command
}

const SECRET: &str = "north";
