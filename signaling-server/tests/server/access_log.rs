//! What is noted about every answer, and what is not.

use std::{fs, path::PathBuf, time::Duration};

use protocol::signal::{ClientMessage, ServerMessage};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::sleep,
};

use crate::{TestServer, client::*, http};

#[tokio::test]
async fn a_line_per_answer() {
    let (server, log) = start().await;
    let address = server.address;
    let range = [("range", "bytes=100-299")];
    http::get(address, "/models/tiny.gguf?peer=000000ab", &range).await;
    http::get(address, "/models/tiny.gguf", &[("range", "bytes=100000-")]).await;
    http::ask(address, "HEAD", "/models/tiny.gguf", &[]).await;
    http::get(address, "/none", &[]).await;
    let lines = lines(&log, 4).await;
    let expected = [
        ("GET", "/models/tiny.gguf?peer=000000ab", json!("bytes=100-299"), 206, 200),
        ("GET", "/models/tiny.gguf", json!("bytes=100000-"), 416, 0),
        ("HEAD", "/models/tiny.gguf", Value::Null, 200, 0),
        ("GET", "/none", Value::Null, 404, 0),
    ];
    for (line, (method, uri, range, status, bytes)) in lines.iter().zip(expected) {
        let time = line["time"].as_str().unwrap();
        assert!(time.len() >= 20 && time.ends_with('Z'), "{time}");
        let expected = json!({
            "time": time, "method": method, "uri": uri, "range": range,
            "status": status, "bytes": bytes,
        });
        assert_eq!(line, &expected);
    }
}

#[tokio::test]
async fn a_download_given_up_counts_what_was_sent() {
    let (server, log) = start().await;
    let big = fs::File::create(server.folder.path().join("models/big.gguf")).unwrap();
    big.set_len(1 << 30).unwrap();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /models/big.gguf HTTP/1.1\r\nhost: room\r\n\r\n").await.unwrap();
    stream.read_exact(&mut [0; 100_000]).await.unwrap();
    drop(stream);
    let bytes = lines(&log, 1).await[0]["bytes"].as_u64().unwrap();
    assert!((90_000..1 << 29).contains(&bytes), "{bytes}");
}

#[tokio::test]
async fn nothing_that_a_socket_carries() {
    let (server, log) = start().await;
    let mut anna = Client::open(server.address, ANNA).await;
    anna.say(&ClientMessage::Send { to: ANNA, sealed: "SEALED".into() }).await;
    assert!(matches!(anna.hear().await, ServerMessage::From { .. }));
    let lines = lines(&log, 1).await;
    assert_eq!((&lines[0]["uri"], &lines[0]["status"]), (&json!("/signal"), &json!(101)));
    let text = fs::read_to_string(&log).unwrap();
    assert!(!text.contains("SEALED") && !text.contains(&ROOM.to_string()), "{text}");
}

async fn start() -> (TestServer, PathBuf) {
    let mut log = PathBuf::new();
    let server = TestServer::start_with(|config| {
        log = config.app_dir.with_file_name("access.jsonl");
        config.access_log = Some(log.clone());
    })
    .await;
    (server, log)
}

/// A line is written when its answer is over, which may be after the client has it.
async fn lines(log: &PathBuf, count: usize) -> Vec<Value> {
    for _ in 0..200 {
        let text = fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        if lines.len() >= count {
            assert_eq!(lines.len(), count, "{text}");
            return lines;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("fewer than {count} lines");
}
