//! The binary relay and its counter, which proves that phones do not use it.

use protocol::signal::{ClientMessage, RefusalCode, ServerMessage};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::{TestServer, client::*};

#[tokio::test]
async fn the_counter_rises_by_exactly_the_payload() {
    let server = TestServer::start().await;
    let (mut anna, mut ben) = pair(&server).await;
    assert_eq!(server.stats().await["relayed_bytes"], json!(0));
    let mut sum = 0;
    for length in [0, 1, 1000, 256 << 10] {
        let payload = vec![7; length];
        anna.send(binary(&BEN.0.to_be_bytes(), &payload)).await;
        let delivered = ben.next().await.unwrap();
        assert_eq!(delivered, binary(&ANNA.0.to_be_bytes(), &payload));
        sum += length;
        assert_eq!(server.stats().await["relayed_bytes"], json!(sum));
    }
}

#[tokio::test]
async fn signaling_is_counted_apart() {
    let server = TestServer::start().await;
    let (mut anna, mut ben) = pair(&server).await;
    let before = server.stats().await["signaling_bytes"].as_u64().unwrap();
    let message = ClientMessage::Send { to: BEN, sealed: "A".repeat(5000) };
    anna.say(&message).await;
    assert!(matches!(ben.hear().await, ServerMessage::From { .. }));
    let stats = server.stats().await;
    assert_eq!(stats["signaling_bytes"], json!(before + message.to_json().len() as u64));
    assert_eq!(stats["relayed_bytes"], json!(0));
}

#[tokio::test]
async fn what_is_not_delivered_is_not_counted() {
    let server = TestServer::start().await;
    let (mut anna, _ben) = pair(&server).await;
    anna.send(binary(&CLEO.0.to_be_bytes(), &[1, 2, 3])).await;
    assert_eq!(anna.hear_refusal().await, RefusalCode::PeerUnknown);
    anna.send(binary(&BEN.0.to_be_bytes(), &vec![0; (256 << 10) + 1])).await;
    assert_eq!(anna.hear_refusal().await, RefusalCode::TooLarge);
    assert_eq!(server.stats().await["relayed_bytes"], json!(0));
    server.counts(r#"refusals_total{code="too_large"}"#, 1).await;
}

/// Less than usual, and more.
#[tokio::test]
async fn a_payload_may_be_as_long_as_said_and_no_longer() {
    for limit in [1_000, 400_000] {
        let server =
            TestServer::start_with(|config| config.limits.relay_message_bytes = limit).await;
        let (mut anna, mut ben) = pair(&server).await;
        anna.send(binary(&BEN.0.to_be_bytes(), &vec![7; limit])).await;
        let delivered = ben.next().await.unwrap();
        assert_eq!(delivered, binary(&ANNA.0.to_be_bytes(), &vec![7; limit]));
        anna.send(binary(&BEN.0.to_be_bytes(), &vec![7; limit + 1])).await;
        assert_eq!(anna.hear_refusal().await, RefusalCode::TooLarge);
        assert_eq!(anna.hear_close().await, Some(1008));
        assert_eq!(ben.hear().await, ServerMessage::PeerLeft { peer: ANNA });
        assert_eq!(server.stats().await["relayed_bytes"], json!(limit));
        server.counts(r#"refusals_total{code="too_large"}"#, 1).await;
    }
}

#[tokio::test]
async fn a_message_without_receiver_is_refused() {
    let server = TestServer::start().await;
    let (mut anna, _ben) = pair(&server).await;
    anna.send(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(anna.hear_refusal().await, RefusalCode::BadMessage);
    assert_eq!(anna.hear_close().await, Some(1008));
}

async fn pair(server: &TestServer) -> (Client, Client) {
    let mut anna = Client::open(server.address, ANNA).await;
    let ben = Client::join(server.address, BEN, &[ANNA]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });
    (anna, ben)
}

fn binary(peer: &[u8; 4], payload: &[u8]) -> Message {
    Message::binary([peer, payload].concat())
}
