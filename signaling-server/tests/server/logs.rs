//! What the program logs, and what it does not.

use protocol::signal::{Candidate, ClientMessage, Invitation, SignalBody};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::{client::*, http, program::Program};

#[tokio::test]
async fn events_are_lines_of_json_without_secrets() {
    let turn = r#"{"urls":["turn:t.test"],"username":"u","credential":"PASSWORD"}"#;
    let args = ["--log", "debug", "--log-format", "json", "--ice-server", turn];
    let program = Program::start(&args).await;
    let invitation = Invitation::random().unwrap();
    let (room, address) = (invitation.room(), program.address);
    let mut anna = Client::connect(address).await;
    anna.say(&ClientMessage::Open { room, peer: ANNA }).await;
    anna.hear().await;
    let body = SignalBody::Candidate(Candidate { candidate: "c".into(), mid: None, line: None });
    let sealed = invitation.sealer(ANNA).seal(ANNA, &body).unwrap();
    anna.say(&ClientMessage::Send { to: ANNA, sealed: sealed.clone() }).await;
    anna.hear().await;
    anna.send(Message::text("NONSENSE")).await;
    anna.hear_close().await;
    http::get(address, "/path?query=QUERY", &[("x-header", "HEADER")]).await;
    program.signal("-TERM");

    let log = program.ended().await;
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    for event in ["listening", "room opened", "socket ended", "room ended", "draining", "stopped"] {
        assert!(events.contains(&event), "{event}: {log}");
    }
    let ended = lines.iter().find(|line| line["message"] == "socket ended").unwrap();
    assert_eq!((&ended["reason"], &ended["code"]), (&"refused".into(), &"bad_message".into()));
    assert_eq!(ended["room"].as_str().map(str::len), Some(8));
    let secret = invitation.to_fragment(None);
    let room = room.to_string();
    let secrets = [&secret, &room[..8], &sealed, "PASSWORD", "NONSENSE", "QUERY", "HEADER"];
    for secret in secrets {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[tokio::test]
async fn a_level_is_kept_to() {
    let program = Program::start(&["--log", "warn"]).await;
    let _anna = Client::open(program.address, ANNA).await;
    drop(_anna);
    program.signal("-TERM");
    assert_eq!(program.ended().await, "");
}
