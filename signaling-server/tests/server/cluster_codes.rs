//! Short codes that are shown at one server and typed at another, over the real NATS.

use protocol::signal::{ClientMessage, RefusalCode, ServerMessage};

use crate::{
    TestServer,
    client::*,
    codes::{brings_the_invitation, call_with, other_password, redeem, rings, showing},
    nats::NatsServer,
};

#[tokio::test]
async fn a_code_is_typed_at_another_server() {
    let Some(nats) = NatsServer::start(&[]).await else { return };
    let (first, second) = nats.two().await;
    let (mut anna, mut offer) = showing(&first, 1).await;
    let _ben = told(&mut anna, &second).await;
    let mut cleo = Client::connect(second.address).await;
    brings_the_invitation(&mut cleo, &mut anna, &mut offer).await;
    // Counted once, where it was typed.
    second.counts(r#"redeems_total{outcome="right"}"#, 1).await;
    assert_eq!(first.metric(r#"redeems_total{outcome="right"}"#).await, 0);
    cleo.say(&ClientMessage::Join { room: ROOM, peer: CLEO }).await;
    assert_eq!(cleo.hear().await, entered(&[ANNA, BEN]));
}

/// It hears of the codes that were there before it.
#[tokio::test]
async fn a_server_that_comes_later_knows_them() {
    let Some(nats) = NatsServer::start(&[]).await else { return };
    let first = nats.join(0, |_| {}).await;
    let (mut anna, offer) = showing(&first, 1).await;
    let second = nats.join(1, |_| {}).await;
    let _ben = told(&mut anna, &second).await;
    let mut cleo = Client::connect(second.address).await;
    rings(&mut cleo, &mut anna, offer.code().place()).await;
    drop(first);
    second.counts("servers", 0).await;
    let mut dora = Client::connect(second.address).await;
    assert_eq!(redeem(&mut dora, offer.code().place()).await, RefusalCode::CodeGone);
}

#[tokio::test]
async fn a_wrong_code_locks_its_address_out_where_it_was_typed() {
    let Some(nats) = NatsServer::start(&[]).await else { return };
    let first = nats.join(0, |_| {}).await;
    let second = nats.join(1, |config| config.limits.redeem_failures = 1).await;
    first.counts("servers", 1).await;
    let (mut anna, mut offer) = showing(&first, 1).await;
    let _ben = told(&mut anna, &second).await;
    let mut eve = Client::connect(second.address).await;
    let wrong = other_password(offer.code());
    let call = call_with(&wrong, &mut eve, &mut anna, &mut offer).await.1;
    let ServerMessage::CallConfirmed { message, .. } = anna.hear().await else { panic!() };
    assert!(offer.confirmed(call, &message).is_err());
    anna.say(&ClientMessage::EndCall { call, message: None }).await;
    assert_eq!(eve.hear().await, ServerMessage::CallEnded { message: None });
    second.counts(r#"redeems_total{outcome="wrong"}"#, 1).await;
    assert_eq!(redeem(&mut eve, offer.code().place()).await, RefusalCode::LockedOut);
    let mut here = Client::connect(first.address).await;
    rings(&mut here, &mut anna, offer.code().place()).await;
}

#[tokio::test]
async fn one_calls_at_a_time_wherever_they_are_and_may_hang_up() {
    let Some(nats) = NatsServer::start(&[]).await else { return };
    let (first, second) = nats.two().await;
    let (mut anna, offer) = showing(&first, 1).await;
    let place = offer.code().place();
    let mut ben = told(&mut anna, &second).await;
    let mut cleo = Client::connect(second.address).await;
    rings(&mut cleo, &mut anna, place).await;
    for server in [&first, &second] {
        let mut dora = Client::connect(server.address).await;
        assert_eq!(redeem(&mut dora, place).await, RefusalCode::CodeBusy);
    }
    drop(cleo);
    assert!(matches!(anna.hear().await, ServerMessage::CallLeft { .. }));
    let mut dora = Client::connect(second.address).await;
    rings(&mut dora, &mut anna, place).await;
    anna.say(&ClientMessage::WithdrawCode {}).await;
    assert_eq!(dora.hear_refusal().await, RefusalCode::CodeGone);
    tell(&mut anna, &mut ben).await;
    assert_eq!(redeem(&mut dora, place).await, RefusalCode::CodeGone);
    second.is_well().await;
}

/// Another phone of the room at a server that has heard by then of what was shown or withdrawn before.
async fn told(anna: &mut Client, server: &TestServer) -> Client {
    let mut ben = Client::join(server.address, BEN, &[ANNA]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });
    tell(anna, &mut ben).await;
    ben
}

async fn tell(anna: &mut Client, ben: &mut Client) {
    anna.say(&ClientMessage::Send { to: BEN, sealed: "AA".into() }).await;
    assert_eq!(ben.hear().await, ServerMessage::From { from: ANNA, sealed: "AA".into() });
}
