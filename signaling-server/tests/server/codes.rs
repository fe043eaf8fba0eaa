//! Short codes: one phone shows one, another's person types it, and the server knows no more of it than its place.

use std::time::Duration;

use base::RoomId;
use protocol::signal::{
    CODE_TRIES, ClientMessage, Offer, Redemption, RefusalCode, ServerMessage, ShortCode,
};
use serde_json::json;
use tokio::time::sleep;

use crate::{TestServer, client::*};

#[tokio::test]
async fn a_code_brings_the_invitation_and_only_the_two_hear_of_it() {
    let server = TestServer::start().await;
    let (mut anna, mut offer) = showing(&server, 1).await;
    let mut ben = Client::join(server.address, BEN, &[ANNA]).await;
    anna.hear().await;
    let mut cleo = Client::connect(server.address).await;

    brings_the_invitation(&mut cleo, &mut anna, &mut offer).await;
    server.counts(r#"redeems_total{outcome="right"}"#, 1).await;

    // Who is in the room has heard nothing of it, and who has the code joins by the same socket.
    ben.say(&ClientMessage::Send { to: BEN, sealed: "AA".into() }).await;
    assert_eq!(ben.hear().await, ServerMessage::From { from: BEN, sealed: "AA".into() });
    cleo.say(&ClientMessage::Join { room: ROOM, peer: CLEO }).await;
    assert_eq!(cleo.hear().await, entered(&[ANNA, BEN]));
}

#[tokio::test]
async fn a_wrong_code_is_told_so_and_locks_its_address_out_in_the_end() {
    let server = TestServer::start_with(|config| {
        config.limits.redeem_failures = 2;
        config.limits.redeem_lockout = Duration::from_secs(4);
    })
    .await;
    let (mut anna, mut offer) = showing(&server, 1).await;
    let mut eve = Client::connect(server.address).await;
    for left in [CODE_TRIES - 1, CODE_TRIES - 2] {
        let wrong = other_password(offer.code());
        let call = call_with(&wrong, &mut eve, &mut anna, &mut offer).await.1;
        let ServerMessage::CallConfirmed { message, .. } = anna.hear().await else { panic!() };
        assert!(offer.confirmed(call, &message).is_err());
        assert_eq!(offer.tries_left(), left);
        anna.say(&ClientMessage::EndCall { call, message: None }).await;
        assert_eq!(eve.hear().await, ServerMessage::CallEnded { message: None });
    }
    server.counts(r#"redeems_total{outcome="wrong"}"#, 2).await;
    assert_eq!(redeem(&mut eve, offer.code().place()).await, RefusalCode::LockedOut);
    server.counts(r#"refusals_total{code="locked_out"}"#, 1).await;
    sleep(Duration::from_secs(4)).await;
    rings(&mut eve, &mut anna, offer.code().place()).await;
}

/// A wrong confirmation counts, too, where the guesser does not wait to hear that it is wrong.
#[tokio::test]
async fn who_guesses_and_hangs_up_has_guessed() {
    let server = TestServer::start_with(|config| config.limits.redeem_failures = 1).await;
    let (mut anna, mut offer) = showing(&server, 1).await;
    let mut eve = Client::connect(server.address).await;
    let wrong = other_password(offer.code());
    let call = call_with(&wrong, &mut eve, &mut anna, &mut offer).await.1;
    drop(eve);
    assert!(matches!(anna.hear().await, ServerMessage::CallConfirmed { .. }));
    assert_eq!(anna.hear().await, ServerMessage::CallLeft { call });
    server.counts(r#"redeems_total{outcome="broken_off"}"#, 1).await;
    let mut again = Client::connect(server.address).await;
    assert_eq!(redeem(&mut again, offer.code().place()).await, RefusalCode::LockedOut);
    anna.say(&ClientMessage::EndCall { call, message: None }).await;
    server.is_well().await;
}

#[tokio::test]
async fn looking_for_codes_locks_out() {
    let server = TestServer::start_with(|config| config.limits.redeem_failures = 5).await;
    let (_anna, offer) = showing(&server, 1).await;
    let places = (0..10_000).filter(|place| *place != offer.code().place());
    let mut eve = Client::connect(server.address).await;
    for place in places.clone().take(5) {
        assert_eq!(redeem(&mut eve, place).await, RefusalCode::CodeGone);
    }
    for place in places.take(3) {
        assert_eq!(redeem(&mut eve, place).await, RefusalCode::LockedOut);
    }
    assert_eq!(redeem(&mut eve, offer.code().place()).await, RefusalCode::LockedOut);
    server.counts(r#"refusals_total{code="code_gone"}"#, 5).await;
    server.is_well().await;
}

#[tokio::test]
async fn tries_per_minute_are_bounded() {
    let server = TestServer::start_with(|config| {
        config.limits.redeems_per_minute = 1;
        config.limits.redeems_burst = 3;
        config.limits.redeem_failures = 100;
    })
    .await;
    let (mut anna, offer) = showing(&server, 1).await;
    for _ in 0..3 {
        let mut phone = Client::connect(server.address).await;
        rings(&mut phone, &mut anna, offer.code().place()).await;
        drop(phone);
        assert!(matches!(anna.hear().await, ServerMessage::CallLeft { .. }));
    }
    for _ in 0..2 {
        let mut phone = Client::connect(server.address).await;
        assert_eq!(redeem(&mut phone, offer.code().place()).await, RefusalCode::LockedOut);
    }
    server.counts(r#"refusals_total{code="locked_out"}"#, 2).await;
}

#[tokio::test]
async fn codes_are_bounded_for_an_address_and_in_all() {
    let limits: [fn(&mut signaling_server::Limits); 2] =
        [|limits| limits.codes_per_address = 2, |limits| limits.codes = 2];
    for limit in limits {
        let server = TestServer::start_with(|config| limit(&mut config.limits)).await;
        let (anna, _) = showing(&server, 1).await;
        let (mut ben, offer) = showing(&server, 2).await;
        assert_eq!(server.metric("codes").await, 2);
        let mut cleo = in_room(&server, 3).await;
        cleo.say(&ClientMessage::OfferCode {}).await;
        assert_eq!(cleo.hear_refusal().await, RefusalCode::CodesFull);
        server.counts(r#"refusals_total{code="codes_full"}"#, 1).await;
        // Another code of the same phone takes the place of its first.
        ben.say(&ClientMessage::OfferCode {}).await;
        assert!(matches!(ben.hear().await, ServerMessage::CodeOffered { .. }));
        let mut dora = Client::connect(server.address).await;
        assert_eq!(redeem(&mut dora, offer.code().place()).await, RefusalCode::CodeGone);
        // A phone that leaves gives its place back.
        drop(anna);
        server.counts("codes", 1).await;
        cleo.say(&ClientMessage::OfferCode {}).await;
        assert!(matches!(cleo.hear().await, ServerMessage::CodeOffered { .. }));
        server.counts("codes_offered_total", 4).await;
    }
}

#[tokio::test]
async fn a_code_lives_for_its_time() {
    let server = TestServer::start_with(|config| {
        config.limits.code_life = Duration::from_secs(3);
        config.limits.codes = 1;
    })
    .await;
    let (anna, offer) = showing(&server, 1).await;
    let mut cleo = Client::connect(server.address).await;
    sleep(Duration::from_millis(3100)).await;
    assert_eq!(redeem(&mut cleo, offer.code().place()).await, RefusalCode::CodeGone);
    server.counts("codes", 0).await;
    // Its place is another's, and the first phone has nothing to do with that one.
    let (mut ben, offer) = showing(&server, 2).await;
    drop(anna);
    server.counts("sockets", 2).await;
    rings(&mut cleo, &mut ben, offer.code().place()).await;
}

#[tokio::test]
async fn one_calls_at_a_time_and_who_says_nothing_is_given_up() {
    let server = TestServer::start_with(|config| {
        config.limits.handshake_timeout = Duration::from_secs(2);
    })
    .await;
    let (mut anna, mut offer) = showing(&server, 1).await;
    let mut slow = Client::connect(server.address).await;
    let (_, number) = call(&mut slow, &mut anna, &mut offer).await;
    assert!(matches!(anna.hear().await, ServerMessage::CallConfirmed { .. }));
    let mut cleo = Client::connect(server.address).await;
    assert_eq!(redeem(&mut cleo, offer.code().place()).await, RefusalCode::CodeBusy);
    server.counts(r#"refusals_total{code="code_busy"}"#, 1).await;
    assert_eq!(anna.hear().await, ServerMessage::CallLeft { call: number });
    assert_eq!(slow.hear_close().await, Some(1008));
    let mut cleo = Client::connect(server.address).await;
    // What Anna says to the first is no word to the second.
    anna.say(&ClientMessage::EndCall { call: number, message: Some("AA".into()) }).await;
    anna.say(&ClientMessage::AnswerCall { call: number, message: "AA".into() }).await;
    call(&mut cleo, &mut anna, &mut offer).await;
}

/// Otherwise it would keep the code busy for as long as it likes.
#[tokio::test]
async fn who_enters_a_room_calls_no_more() {
    let server = TestServer::start().await;
    let (mut anna, offer) = showing(&server, 1).await;
    let mut eve = Client::connect(server.address).await;
    rings(&mut eve, &mut anna, offer.code().place()).await;
    eve.say(&ClientMessage::Open { room: RoomId([7; 16]), peer: BEN }).await;
    assert_eq!(eve.hear().await, entered(&[]));
    assert!(matches!(anna.hear().await, ServerMessage::CallLeft { .. }));
    let mut cleo = Client::connect(server.address).await;
    rings(&mut cleo, &mut anna, offer.code().place()).await;
}

#[tokio::test]
async fn a_withdrawn_code_ends_its_call() {
    let server = TestServer::start().await;
    let (mut anna, mut offer) = showing(&server, 1).await;
    let mut cleo = Client::connect(server.address).await;
    let (_, call) = call(&mut cleo, &mut anna, &mut offer).await;
    anna.say(&ClientMessage::WithdrawCode {}).await;
    assert_eq!(cleo.hear_refusal().await, RefusalCode::CodeGone);
    // On their way when it was withdrawn.
    anna.say(&ClientMessage::EndCall { call, message: None }).await;
    cleo.say(&ClientMessage::ConfirmCall { message: "AA".into() }).await;
    assert_eq!(redeem(&mut cleo, offer.code().place()).await, RefusalCode::CodeGone);
    server.is_well().await;
}

/// Each message of a call is passed on once.
#[tokio::test]
async fn a_call_is_two_words_of_each() {
    let server = TestServer::start().await;
    let (mut anna, mut offer) = showing(&server, 1).await;
    let mut cleo = Client::connect(server.address).await;
    let (_, call) = call(&mut cleo, &mut anna, &mut offer).await;
    for _ in 0..5 {
        anna.say(&ClientMessage::AnswerCall { call, message: "AA".into() }).await;
        cleo.say(&ClientMessage::ConfirmCall { message: "AA".into() }).await;
    }
    assert!(matches!(anna.hear().await, ServerMessage::CallConfirmed { .. }));
    anna.say(&ClientMessage::EndCall { call, message: None }).await;
    assert_eq!(cleo.hear().await, ServerMessage::CallEnded { message: None });
    anna.say(&ClientMessage::EndCall { call, message: None }).await;
    anna.say(&ClientMessage::Send { to: ANNA, sealed: "AA".into() }).await;
    assert_eq!(anna.hear().await, ServerMessage::From { from: ANNA, sealed: "AA".into() });
}

#[tokio::test]
async fn what_is_not_to_be_said_now_is_refused() {
    let server = TestServer::start().await;
    let message = || "AA".to_owned();
    for odd in [
        ClientMessage::OfferCode {},
        ClientMessage::WithdrawCode {},
        ClientMessage::AnswerCall { call: 1, message: message() },
        ClientMessage::EndCall { call: 1, message: None },
        ClientMessage::ConfirmCall { message: message() },
    ] {
        let mut stranger = Client::connect(server.address).await;
        stranger.say(&odd).await;
        assert_eq!(stranger.hear_refusal().await, RefusalCode::BadMessage, "{odd:?}");
        assert_eq!(stranger.hear_close().await, Some(1008), "{odd:?}");
    }
    let redeem = ClientMessage::Redeem { place: 1, message: message() };
    for odd in [redeem, ClientMessage::ConfirmCall { message: message() }] {
        let mut anna = in_room(&server, 9).await;
        anna.say(&odd).await;
        assert_eq!(anna.hear_refusal().await, RefusalCode::BadMessage, "{odd:?}");
        assert_eq!(anna.hear_close().await, Some(1008), "{odd:?}");
        server.counts("rooms", 0).await;
    }
    assert_eq!(server.stats().await["rooms"], json!(0));
}

/// A phone that opened the room of this number and shows a code in it.
pub async fn showing(server: &TestServer, room: u8) -> (Client, Offer) {
    let mut phone = in_room(server, room).await;
    phone.say(&ClientMessage::OfferCode {}).await;
    let ServerMessage::CodeOffered { place, life_secs } = phone.hear().await else { panic!() };
    assert!((1..=300).contains(&life_secs));
    let code = ShortCode::random(place).unwrap();
    (phone, Offer::new(code, "secret".to_owned().into()).unwrap())
}

/// In the room of this number; the first is the usual one.
pub async fn in_room(server: &TestServer, number: u8) -> Client {
    let room = if number == 1 { ROOM } else { RoomId([number; 16]) };
    let mut phone = Client::connect(server.address).await;
    phone.say(&ClientMessage::Open { room, peer: ANNA }).await;
    assert_eq!(phone.hear().await, entered(&[]));
    phone
}

/// Somebody who knows the code gets what it brings.
pub async fn brings_the_invitation(newcomer: &mut Client, shower: &mut Client, offer: &mut Offer) {
    let (waiting, call) = call(newcomer, shower, offer).await;
    let ServerMessage::CallConfirmed { message, .. } = shower.hear().await else { panic!() };
    let sealed = offer.confirmed(call, &message).unwrap();
    shower.say(&ClientMessage::EndCall { call, message: Some(sealed) }).await;
    let ServerMessage::CallEnded { message: Some(sealed) } = newcomer.hear().await else {
        panic!()
    };
    assert_eq!(waiting.open(&sealed).unwrap().as_str(), "secret");
}

/// Somebody who knows the code calls, is answered, and shows that it knows it.
pub async fn call(
    newcomer: &mut Client,
    shower: &mut Client,
    offer: &mut Offer,
) -> (protocol::signal::Awaiting, u32) {
    let code = offer.code().clone();
    call_with(&code, newcomer, shower, offer).await
}

pub async fn call_with(
    code: &ShortCode,
    newcomer: &mut Client,
    shower: &mut Client,
    offer: &mut Offer,
) -> (protocol::signal::Awaiting, u32) {
    let (redemption, message) = Redemption::start(code).unwrap();
    newcomer.say(&ClientMessage::Redeem { place: code.place(), message }).await;
    let ServerMessage::Called { call, message } = shower.hear().await else { panic!() };
    let message = offer.called(call, &message).unwrap();
    shower.say(&ClientMessage::AnswerCall { call, message }).await;
    let ServerMessage::CallAnswered { message } = newcomer.hear().await else { panic!() };
    let (waiting, message) = redemption.answered(&message).unwrap();
    newcomer.say(&ClientMessage::ConfirmCall { message }).await;
    (waiting, call)
}

/// Why nobody is called.
pub async fn redeem(phone: &mut Client, place: u16) -> RefusalCode {
    phone.say(&ClientMessage::Redeem { place, message: "AA".into() }).await;
    phone.hear_refusal().await
}

/// The phone that shows the code is called.
pub async fn rings(phone: &mut Client, shower: &mut Client, place: u16) {
    phone.say(&ClientMessage::Redeem { place, message: "AA".into() }).await;
    assert!(matches!(shower.hear().await, ServerMessage::Called { .. }));
}

/// The same place with a password that is wrong in one digit.
pub fn other_password(code: &ShortCode) -> ShortCode {
    let mut text = code.to_string();
    let last = if text.pop() == Some('0') { '1' } else { '0' };
    text.push(last);
    ShortCode::parse(&text).unwrap()
}
