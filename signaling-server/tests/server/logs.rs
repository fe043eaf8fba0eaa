//! What the program logs, and what it does not.

use std::{fs, net::SocketAddr};

use protocol::signal::{
    Candidate, ClientMessage, IceServer, Invitation, Offer, Redemption, RefusalCode, ServerMessage,
    ShortCode, SignalBody,
};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::{client::*, http, program::Program, turn_phone::TurnPhone};

#[tokio::test]
async fn events_are_lines_of_json_without_secrets() {
    let turn = r#"{"urls":["turn:t.test"],"username":"u","credential":"PASSWORD"}"#;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, "STATIC-SECRET").unwrap();
    let mut args = vec!["--log", "debug", "--log-format", "json", "--ice-server", turn];
    args.extend(["--turn", "127.0.0.1:0", "--turn-secret", file.to_str().unwrap()]);
    let program = Program::start(&args).await;
    let invitation = Invitation::random().unwrap();
    let (room, address) = (invitation.room(), program.address);
    let mut anna = Client::connect(address).await;
    anna.say(&ClientMessage::Open { room, peer: ANNA }).await;
    let ServerMessage::Entered { ice_servers, .. } = anna.hear().await else { panic!() };
    let mut secrets = with_turn(&ice_servers[1]).await;
    let (place, words) = with_a_code(address, &mut anna).await;
    secrets.extend(words);
    let body = SignalBody::Candidate(Candidate { candidate: "c".into(), mid: None, line: None });
    let sealed = invitation.sealer(ANNA).seal(ANNA, &body).unwrap();
    anna.say(&ClientMessage::Send { to: ANNA, sealed: sealed.clone() }).await;
    anna.hear().await;
    anna.send(Message::text("NONSENSE")).await;
    anna.hear_close().await;
    http::get(address, "/path?query=QUERY", &[("x-header", "HEADER")]).await;
    program.signal("-TERM");

    let log = program.ended().await;
    let lines = lines(&log);
    let events: Vec<&str> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    for event in [
        "listening",
        "relaying",
        "room opened",
        "socket ended",
        "room ended",
        "draining",
        "stopped",
    ] {
        assert!(events.contains(&event), "{event}: {log}");
    }
    let ended = lines.iter().find(|line| line["code"] == "bad_message").unwrap();
    assert_eq!((&ended["message"], &ended["reason"]), (&"socket ended".into(), &"refused".into()));
    assert_eq!(ended["room"].as_str().map(str::len), Some(8));
    let mut values = lines.iter().flat_map(|line| line.as_object().unwrap().values());
    let in_words = place.to_string();
    assert!(!values.any(|value| *value == place || *value == in_words), "{place}: {log}");
    secrets.extend([
        invitation.to_fragment(None).to_string(),
        room.to_string()[..8].to_owned(),
        sealed,
    ]);
    let said = ["PASSWORD", "STATIC-SECRET", "NONSENSE", "QUERY", "HEADER"];
    secrets.extend(said.map(str::to_owned));
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret}: {log}");
    }
}

/// A phone makes an allocation, and another shows a wrong password. What they show.
async fn with_turn(told: &IceServer) -> Vec<String> {
    let forged = IceServer { credential: Some("FORGED".into()), ..told.clone() };
    assert!(TurnPhone::allocate(&forged).await.is_none());
    assert!(TurnPhone::allocate(told).await.is_some());
    let (username, credential) = (told.username.clone(), told.credential.clone());
    vec![username.unwrap(), credential.unwrap(), "FORGED".to_owned()]
}

/// Anna shows a code, somebody types it, and then one that nobody shows. The code's place, and every word of the two.
async fn with_a_code(address: SocketAddr, anna: &mut Client) -> (u16, Vec<String>) {
    let place = loop {
        anna.say(&ClientMessage::OfferCode {}).await;
        let ServerMessage::CodeOffered { place, .. } = anna.hear().await else { panic!() };
        // Small numbers may stand in a log for what there is few of.
        if place >= 100 {
            break place;
        }
    };
    let code = ShortCode::random(place).unwrap();
    let mut offer = Offer::new(code, "BROUGHT".to_owned().into()).unwrap();
    let mut cleo = Client::connect(address).await;
    let (redemption, called) = Redemption::start(offer.code()).unwrap();
    cleo.say(&ClientMessage::Redeem { place, message: called.clone() }).await;
    let ServerMessage::Called { call, message } = anna.hear().await else { panic!() };
    let answer = offer.called(call, &message).unwrap();
    anna.say(&ClientMessage::AnswerCall { call, message: answer.clone() }).await;
    let ServerMessage::CallAnswered { message } = cleo.hear().await else { panic!() };
    let (_, confirmed) = redemption.answered(&message).unwrap();
    cleo.say(&ClientMessage::ConfirmCall { message: confirmed.clone() }).await;
    let ServerMessage::CallConfirmed { message, .. } = anna.hear().await else { panic!() };
    let brought = offer.confirmed(call, &message).unwrap();
    anna.say(&ClientMessage::EndCall { call, message: Some(brought.clone()) }).await;
    assert!(matches!(cleo.hear().await, ServerMessage::CallEnded { message: Some(_) }));
    let nowhere = ClientMessage::Redeem { place: place - 1, message: "GUESSED".into() };
    cleo.say(&nowhere).await;
    assert_eq!(cleo.hear_refusal().await, RefusalCode::CodeGone);
    (place, vec![called, answer, confirmed, brought, "GUESSED".to_owned()])
}

fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_level_is_kept_to() {
    let program = Program::start(&["--log", "warn"]).await;
    let _anna = Client::open(program.address, ANNA).await;
    drop(_anna);
    program.signal("-TERM");
    assert_eq!(program.ended().await, "");
}
