//! Strangers: who has another secret than the room's, knows the room's name alone, or guesses.

use std::time::Duration;

use base::{PeerId, RoomId};
use futures_util::SinkExt as _;
use protocol::signal::{
    Candidate, ClientMessage, Invitation, RefusalCode, ServerMessage, SignalBody, SignalError,
};
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::Message;

use crate::{TestServer, client::*, few_messages};

const EVE: PeerId = PeerId(0xeeee_eeee);

/// A secret that is wrong in one bit is another room's.
#[tokio::test]
async fn a_wrong_secret_finds_nobody() {
    let server = TestServer::start().await;
    let room = Invitation::from_secret([7; 32]).room();
    let mut anna = enter(&server, &ClientMessage::Open { room, peer: ANNA }, &[]).await;
    let mut eve = Client::connect(server.address).await;
    for byte in 0..32 {
        let mut secret = [7; 32];
        secret[byte] ^= 1;
        let room = Invitation::from_secret(secret).room();
        eve.say(&ClientMessage::Join { room, peer: EVE }).await;
        assert_eq!(eve.hear_refusal().await, RefusalCode::RoomGone, "{byte}");
    }
    is_undisturbed(&mut anna).await;
}

/// Whoever knows a room's name, as the server does, may sit in it, but understands nobody and is not believed.
#[tokio::test]
async fn a_rooms_name_is_not_its_secret() {
    let server = TestServer::start().await;
    let (invitation, other) = (Invitation::from_secret([7; 32]), Invitation::from_secret([8; 32]));
    let room = invitation.room();
    let mut anna = enter(&server, &ClientMessage::Open { room, peer: ANNA }, &[]).await;
    let mut eve = enter(&server, &ClientMessage::Join { room, peer: EVE }, &[ANNA]).await;
    let mut ben = enter(&server, &ClientMessage::Join { room, peer: BEN }, &[ANNA, EVE]).await;
    for peer in [EVE, BEN] {
        assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer });
    }
    assert_eq!(eve.hear().await, ServerMessage::PeerEntered { peer: BEN });

    let (mut sealer, mut opener) = (invitation.sealer(BEN), invitation.opener(ANNA));
    let to_eve = sealer.seal(EVE, &body()).unwrap();
    let (from, heard) = pass(&mut ben, to_eve, EVE, &mut eve).await;
    assert!(other.opener(EVE).open(from, &heard).is_err());
    // What Ben said to her, and something of her own.
    for sealed in [heard, other.sealer(EVE).seal(ANNA, &body()).unwrap()] {
        let (from, heard) = pass(&mut eve, sealed, ANNA, &mut anna).await;
        assert_eq!(opener.open(from, &heard), Err(SignalError::NotAuthentic { from: EVE }));
    }
    let to_anna = sealer.seal(ANNA, &body()).unwrap();
    let (from, heard) = pass(&mut ben, to_anna, ANNA, &mut anna).await;
    assert_eq!(opener.open(from, &heard), Ok(body()));
}

/// As many as a client may say messages. Then it has to come anew, which its address may do only so often.
#[tokio::test]
async fn guesses_are_refused_and_then_not_heard() {
    let server = TestServer::start_with(few_messages).await;
    let mut anna = Client::open(server.address, ANNA).await;
    let started = Instant::now();
    let mut eve = Client::connect(server.address).await;
    for number in 0..100 {
        eve.say(&guess(number)).await;
    }
    let mut refused = 0;
    let last = loop {
        match eve.hear_refusal().await {
            RefusalCode::RoomGone => refused += 1,
            other => break other,
        }
    };
    assert_eq!(last, RefusalCode::TooFast);
    let gained = started.elapsed().as_secs();
    assert!((10..=10 + gained).contains(&refused), "{refused} in {gained} s");
    assert_eq!(eve.hear_close().await, Some(1008));
    server.counts(r#"refusals_total{code="room_gone"}"#, refused).await;
    server.counts(r#"refusals_total{code="too_fast"}"#, 1).await;
    is_undisturbed(&mut anna).await;
}

/// Who is in no room in time has to go, however much it says.
#[tokio::test]
async fn guesses_win_no_time() {
    let server = TestServer::start_with(|config| {
        config.limits.handshake_timeout = Duration::from_secs(1);
    })
    .await;
    let mut eve = Client::connect(server.address).await;
    let started = Instant::now();
    let mut guesses = 0;
    while eve.0.send(Message::text(guess(guesses).to_json())).await.is_ok()
        && let Some(Message::Text(_)) = eve.next().await
    {
        assert!(started.elapsed() < Duration::from_secs(10), "it may guess for ever");
        guesses += 1;
        sleep(Duration::from_millis(50)).await;
    }
    assert!(guesses > 1, "it was not heard at all");
    server.counts(r#"sockets_ended_total{reason="silent"}"#, 1).await;
}

/// A client that says `hello` and reads who is in the room.
async fn enter(server: &TestServer, hello: &ClientMessage, others: &[PeerId]) -> Client {
    let mut client = Client::connect(server.address).await;
    client.say(hello).await;
    assert_eq!(client.hear().await, entered(others));
    client
}

/// Says something sealed to `to`, which is `receiver`'s id. What arrives there, and from whom.
async fn pass(
    sender: &mut Client,
    sealed: String,
    to: PeerId,
    receiver: &mut Client,
) -> (PeerId, String) {
    sender.say(&ClientMessage::Send { to, sealed }).await;
    match receiver.hear().await {
        ServerMessage::From { from, sealed } => (from, sealed),
        other => panic!("{other:?}"),
    }
}

/// The next that Anna hears is what she says to herself.
async fn is_undisturbed(anna: &mut Client) {
    anna.say(&ClientMessage::Send { to: ANNA, sealed: "AA".into() }).await;
    assert_eq!(anna.hear().await, ServerMessage::From { from: ANNA, sealed: "AA".into() });
}

fn guess(number: u128) -> ClientMessage {
    ClientMessage::Join { room: RoomId(number.to_be_bytes()), peer: EVE }
}

fn body() -> SignalBody {
    SignalBody::Candidate(Candidate { candidate: "c".into(), mid: None, line: None })
}
