//! The figures, as Prometheus reads them.

use std::net::SocketAddr;

use protocol::signal::ClientMessage;
use tokio_tungstenite::tungstenite::Message;

use crate::{TestServer, client::*, http, http::Answer};

/// The number of a line of `/metrics`; 0 where there is no such line.
pub async fn read(address: SocketAddr, name: &str) -> u64 {
    let answer = http::get(address, "/metrics", &[]).await;
    assert_eq!(answer.status, 200);
    value(&answer, name)
}

/// The number of a line of an answer.
pub fn value(answer: &Answer, name: &str) -> u64 {
    let text = str::from_utf8(&answer.body).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |number| number.parse().unwrap())
}

#[tokio::test]
async fn the_figures_are_open_metrics() {
    let server = TestServer::start().await;
    let _anna = Client::open(server.address, ANNA).await;
    let answer = http::get(server.address, "/metrics", &[]).await;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((answer.status, answer.header("content-type")), (200, kind));
    assert_eq!(answer.header("cache-control"), "no-store");
    let text = str::from_utf8(&answer.body).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    for line in text.lines() {
        let mut words = line.split(' ');
        let is_about = words.next() == Some("#");
        let is_number = words.next_back().is_some_and(|word| word.parse::<u64>().is_ok());
        assert!(is_about || is_number, "{line}");
    }
}

#[tokio::test]
async fn gauges_follow_and_counters_rise() {
    let server = TestServer::start().await;
    let mut anna = Client::open(server.address, ANNA).await;
    let mut ben = Client::join(server.address, BEN, &[ANNA]).await;
    for (gauge, value) in [("rooms", 1), ("peers", 2), ("sockets", 2), ("draining", 0)] {
        assert_eq!(server.metric(gauge).await, value, "{gauge}");
    }
    assert!((3..10).contains(&server.metric("connections").await));
    let send = ClientMessage::Send { to: ANNA, sealed: "AA".into() };
    ben.say(&send).await;
    ben.send(Message::binary([&ANNA.0.to_be_bytes()[..], &[1, 2, 3]].concat())).await;
    anna.hear().await;
    anna.hear().await;
    anna.next().await;
    server.counts("relayed_bytes_total", 3).await;
    server.counts("rooms_opened_total", 1).await;
    server.counts(r#"messages_total{kind="text"}"#, 3).await;
    server.counts(r#"messages_total{kind="binary"}"#, 1).await;
    assert!(server.metric("signaling_bytes_total").await > 100);
    assert!(server.metric("connections_accepted_total").await > 3);
    assert!(server.metric(r#"answers_total{status="2xx"}"#).await > 3);
    assert_eq!(server.metric(r#"answers_total{status="1xx"}"#).await, 2);

    ben.0.close(None).await.unwrap();
    ben.hear_close().await;
    drop(anna);
    server.counts(r#"sockets_ended_total{reason="left"}"#, 2).await;
    for gauge in ["rooms", "peers", "sockets"] {
        server.counts(gauge, 0).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_is_told() {
    let server = TestServer::start().await;
    let bytes = read(server.address, "process_resident_memory_bytes").await;
    assert!((1 << 20..1 << 34).contains(&bytes), "{bytes}");
}
