//! What a socket at rest costs: many phones wait in rooms, and few talk.

#![cfg(target_os = "linux")]

use std::net::{IpAddr, SocketAddr};

use base::{PeerId, RoomId};
use protocol::signal::ClientMessage;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};
use tokio_tungstenite::tungstenite::Message;

use crate::{client::*, metrics, program::Program, soon};

/// 12,000 sockets of 40 KiB are 492 MB.
const BYTES_PER_SOCKET_MAX: u64 = 20 << 10;

#[tokio::test]
async fn two_thousand_sockets_at_rest_take_little() {
    let bytes = bytes_per_socket(2_000).await;
    assert!(bytes < BYTES_PER_SOCKET_MAX, "{bytes} bytes per socket");
}

/// As many as a public server is to bear.
#[tokio::test]
#[ignore = "takes 12,000 open files of two processes"]
async fn twelve_thousand_sockets_stay_within_500_mb() {
    let bytes = bytes_per_socket(12_000).await;
    println!("{bytes} bytes per socket");
    assert!(bytes * 12_000 < 500_000_000, "{bytes} bytes per socket");
}

/// Twenty who read nothing, twenty who send them 10 MB each and then a frame that never ends: 200 MB pass, and little of it
/// stays.
#[tokio::test]
async fn what_a_client_can_make_the_server_keep_is_bounded() {
    let program = Program::start(&["--log=warn", "--max-messages-burst=1000"]).await;
    let before = peak_bytes(program.child.id());
    let message = [&BEN.0.to_be_bytes()[..], &[1; 256 << 10]].concat();
    let mut open = Vec::new();
    for number in 0..20 {
        let room = RoomId([number; 16]);
        let mut anna = Client::connect(program.address).await;
        anna.say(&ClientMessage::Open { room, peer: ANNA }).await;
        anna.hear().await;
        let mut ben = Client::connect(program.address).await;
        ben.say(&ClientMessage::Join { room, peer: BEN }).await;
        ben.hear().await;
        for _ in 0..40 {
            anna.send(Message::binary(message.clone())).await;
        }
        let endless = [&[0x82, 0xff, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0][..], &message].concat();
        anna.stream().write_all(&endless[..200 << 10]).await.unwrap();
        open.push((anna, ben));
    }
    let slow = "signaling_sockets_ended_total{reason=\"slow\"}";
    assert!(metrics::read(program.address, slow).await > 0, "nobody was slow");
    let kept = peak_bytes(program.child.id()) - before;
    assert!(kept < 40 * 3_000_000, "{kept} bytes");
}

/// The most memory that a process has taken.
fn peak_bytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

async fn bytes_per_socket(sockets: u32) -> u64 {
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    setrlimit(Resource::Nofile, files).unwrap();
    let count = sockets.to_string();
    let args = ["--log=warn", "--max-connects-burst=100000", "--idle-timeout-secs=600"];
    let sizes = ["--max-rooms", "--max-connections", "--max-connections-per-address"];
    let sizes = sizes.iter().flat_map(|size| [*size, "100000"]);
    let program = Program::start(&args.into_iter().chain(sizes).collect::<Vec<_>>()).await;
    let name = "process_resident_memory_bytes";
    let before = metrics::read(program.address, name).await;
    let mut open = Vec::new();
    for number in 0..sockets {
        open.push(enter(program.address, number).await);
    }
    let after = metrics::read(program.address, name).await;
    let sockets_open = metrics::read(program.address, "signaling_sockets").await;
    assert_eq!(sockets_open.to_string(), count);
    (after - before) / u64::from(sockets)
}

/// Two in each room. Without a client's buffers, so that thousands fit into a test.
async fn enter(server: SocketAddr, number: u32) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let from = IpAddr::from([127, 0, 1, (number % 8) as u8]);
    socket.bind(SocketAddr::new(from, 0)).unwrap();
    let mut stream = soon(socket.connect(server)).await.unwrap();
    stream.write_all(UPGRADE).await.unwrap();
    until(&mut stream, b"\r\n\r\n").await;
    let room = RoomId(u128::from(number / 2).to_be_bytes());
    let peer = PeerId(number);
    let message = match number % 2 {
        0 => ClientMessage::Open { room, peer },
        _ => ClientMessage::Join { room, peer },
    };
    let text = message.to_json();
    let frame = [&[0x81, 0x80 | text.len() as u8, 0, 0, 0, 0], text.as_bytes()].concat();
    stream.write_all(&frame).await.unwrap();
    until(&mut stream, b"entered").await;
    stream
}

async fn until(stream: &mut TcpStream, end: &[u8]) {
    let mut read = Vec::new();
    while !read.windows(end.len()).any(|part| part == end) {
        assert_ne!(soon(stream.read_buf(&mut read)).await.unwrap(), 0, "the server hung up");
    }
}

const UPGRADE: &[u8] =
    b"GET /signal HTTP/1.1\r\nhost: room\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
