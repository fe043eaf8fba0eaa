//! Clients that mean harm. None gets what it should not, and after each two phones still meet.

use std::net::SocketAddr;

use base::RoomId;
use protocol::signal::{ClientMessage, RefusalCode, ServerMessage};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::Message;

use crate::{TestServer, client::*, http, soon};

/// Frames that RFC 6455 forbids: bits that mean nothing, kinds that are none, long or divided control frames, a
/// continuation of nothing, text that is no UTF-8, frames without a mask.
#[tokio::test]
async fn what_is_no_websocket_ends_the_socket() {
    let server = TestServer::start().await;
    let long_ping = [&[0x89, 0xfe, 0x00, 0x7e, 0, 0, 0, 0][..], &[0; 126]].concat();
    let frames: [&[u8]; 7] = [
        &[0xf1, 0x80, 0, 0, 0, 0],
        &[0x83, 0x80, 0, 0, 0, 0],
        &long_ping,
        &[0x09, 0x80, 0, 0, 0, 0],
        &[0x80, 0x80, 0, 0, 0, 0],
        &[0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe],
        &[0x81, 0x02, b'{', b'}'],
    ];
    for (done, frame) in (1..).zip(frames) {
        let mut anna = Client::open(server.address, ANNA).await;
        anna.stream().write_all(frame).await.unwrap();
        anna.hear_close().await;
        server.counts(r#"sockets_ended_total{reason="broken"}"#, done).await;
    }
    server.is_well().await;
}

/// A message in very many parts is as long as they are together.
#[tokio::test]
async fn a_message_in_parts_is_bounded_too() {
    let server = TestServer::start().await;
    let mut anna = Client::open(server.address, ANNA).await;
    let stream = anna.stream();
    let mut part = vec![0x00, 0xfe, 0x10, 0x00, 0, 0, 0, 0];
    part.extend([b'a'; 4096]);
    let first = [&[0x01], &part[1..]].concat();
    let mut sent = 0;
    let mut next = &first;
    while sent < 16 << 20 && stream.write_all(next).await.is_ok() {
        sent += 4096;
        next = &part;
    }
    server.counts(r#"refusals_total{code="too_large"}"#, 1).await;
    server.is_well().await;
}

/// Whoever knows a room's name and a peer's id, but is in another room, reaches nobody.
#[tokio::test]
async fn nothing_crosses_from_room_to_room() {
    let server = TestServer::start().await;
    let mut anna = Client::open(server.address, ANNA).await;
    let mut ben = Client::join(server.address, BEN, &[ANNA]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });
    let mut eve = Client::connect(server.address).await;
    // Under the name of one who is in the other room.
    let other = RoomId([7; 16]);
    eve.say(&ClientMessage::Open { room: other, peer: BEN }).await;
    assert_eq!(eve.hear().await, entered(&[]));
    eve.say(&ClientMessage::Send { to: ANNA, sealed: "AA".into() }).await;
    assert_eq!(eve.hear_refusal().await, RefusalCode::PeerUnknown);
    eve.send(Message::binary([&ANNA.0.to_be_bytes()[..], b"injected"].concat())).await;
    assert_eq!(eve.hear_refusal().await, RefusalCode::PeerUnknown);
    eve.send(Message::text(r#"{"type":"from","from":"bbbbbbbb","sealed":"AA"}"#)).await;
    assert_eq!(eve.hear_refusal().await, RefusalCode::BadMessage);
    eve.hear_close().await;
    // The next that Anna hears is from her own room.
    ben.say(&ClientMessage::Send { to: ANNA, sealed: "BB".into() }).await;
    assert_eq!(anna.hear().await, ServerMessage::From { from: BEN, sealed: "BB".into() });
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let server = TestServer::start().await;
    // Over twice the limit: the last piece of a request may go over it by as much.
    let long = "a".repeat(300_000);
    let many: String = (0..5_000).map(|number| format!("x-{number}: 1\r\n")).collect();
    for request in [
        "\r\n\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        "\u{1}\u{2}\u{3}\u{4}\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n"),
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello"
            .to_owned(),
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n"
            .to_owned(),
    ] {
        let answer = raw(server.address, &request).await;
        let begin = String::from_utf8_lossy(&answer[..answer.len().min(12)]).into_owned();
        let is_refused =
            answer.is_empty() || begin.starts_with("HTTP/1.1 4") || begin == "HTTP/1.1 505";
        assert!(is_refused, "{begin}: {}", &request[..request.len().min(40)]);
    }
    server.is_well().await;
}

/// Very many ranges, and ranges of nothing, cost one short answer each; a model is never sent for them.
#[tokio::test]
async fn ranges_are_not_multiplied() {
    let server = TestServer::start().await;
    let many = format!("bytes={}", vec!["0-"; 10_000].join(","));
    let backwards: String = (0..5_000).map(|at| format!("{}-{at},", at + 1)).collect();
    for range in [&many, &format!("bytes={backwards}"), "bytes=,,,,", "bytes=0-0,-1"] {
        let model = http::get(server.address, "/models/tiny.gguf", &[("range", range)]).await;
        assert!(matches!(model.status, 416 | 431) && model.body.len() < 1_000, "{}", model.status);
        let app = http::get(server.address, "/index.html", &[("range", range)]).await;
        assert!(matches!(app.status, 200 | 416 | 431) && app.body.len() < 1_000, "{}", app.status);
    }
    // A hundred at once that are given up in the middle.
    let big = std::fs::File::create(server.folder.path().join("models/big.gguf")).unwrap();
    big.set_len(1 << 34).unwrap();
    for number in 0..100_u64 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let range = format!("bytes={}-", number << 20);
        let ask = format!("GET /models/big.gguf HTTP/1.1\r\nhost: a\r\nrange: {range}\r\n\r\n");
        stream.write_all(ask.as_bytes()).await.unwrap();
        soon(stream.read_u8()).await.unwrap();
    }
    server.is_well().await;
    server.counts("connections", 1).await;
}

/// A folder may hold anything; the list has only what can be asked for.
#[tokio::test]
async fn hostile_names_are_not_listed() {
    let server = TestServer::start_with(|config| {
        let folder = &config.model_dirs[0];
        for name in
            ["<script>.gguf", "a\nb.gguf", "a\"b.gguf", "..gguf", "\u{202e}fugg.gguf", " .gguf"]
        {
            std::fs::write(folder.join(name), b"1").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("nowhere", folder.join("dangling.gguf")).unwrap();
    })
    .await;
    let models = http::get(server.address, "/api/models", &[]).await.json();
    let tiny = json!([{ "name": "tiny.gguf", "bytes": 100_000, "url": "/models/tiny.gguf" }]);
    assert_eq!(models, tiny);
    for target in ["%3Cscript%3E.gguf", "a%0Ab.gguf", "dangling.gguf", "a%22b.gguf", "..gguf"] {
        let answer = http::get(server.address, &format!("/models/{target}"), &[]).await;
        assert_eq!(answer.status, 404, "{target}");
    }
    server.is_well().await;
}

/// All connections of an address say as much as they can, until each is refused.
#[tokio::test]
async fn a_flood_is_refused_and_others_go_on() {
    let server = TestServer::start().await;
    let mut anna = Client::open(server.address, ANNA).await;
    let mut floods = Vec::new();
    for number in 0..20 {
        let mut client = Client::connect(server.address).await;
        client.say(&ClientMessage::Open { room: RoomId([number; 16]), peer: BEN }).await;
        floods.push(tokio::spawn(async move {
            let message = Message::binary([&BEN.0.to_be_bytes()[..], &[0; 1000]].concat());
            use futures_util::SinkExt as _;
            while client.0.send(message.clone()).await.is_ok() {}
        }));
    }
    for flood in floods {
        soon(flood).await.unwrap();
    }
    anna.say(&ClientMessage::Send { to: ANNA, sealed: "AA".into() }).await;
    assert_eq!(anna.hear().await, ServerMessage::From { from: ANNA, sealed: "AA".into() });
    server.is_well().await;
}

/// Whatever comes back until the connection ends.
async fn raw(server: SocketAddr, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let _ = stream.write_all(request.as_bytes()).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    answer
}
