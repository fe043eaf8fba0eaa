//! Servers that die, a NATS that goes away, and servers that lose and find each other.

use std::{net::SocketAddr, time::Duration};

use base::PeerId;
use protocol::signal::{ClientMessage, RefusalCode, ServerMessage};
use tokio::time::sleep;

use crate::{
    TestServer,
    client::*,
    cluster::{join, open, refused},
    http,
    nats::{self, Cable, LEASE, NatsServer},
    pebble::free_ports,
    program::Program,
    soon,
};

#[tokio::test]
async fn a_killed_server_costs_its_phones_a_reconnect_and_not_the_room() {
    let Some(nats) = NatsServer::start(&[]).await else { return };
    let first = nats.join(0, |_| {}).await;
    let lease = LEASE.as_secs_f64().to_string();
    let url = nats.url();
    let mut second = Program::start(&["--nats", &url, "--nats-lease-secs", &lease]).await;
    first.counts("servers", 1).await;
    let mut anna = Client::open(first.address, ANNA).await;
    let mut ben = Client::join(second.address, BEN, &[ANNA]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });
    second.child.kill().unwrap();
    assert_eq!(ben.hear_close().await, None);
    // Whoever comes back before the others know is refused as by a server that has not noticed, and comes again.
    let (mut ben, others) = comes_back(&first, BEN).await;
    assert_eq!(others, [ANNA]);
    assert_eq!(anna.hear().await, ServerMessage::PeerLeft { peer: BEN });
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });
    ben.say(&ClientMessage::Send { to: ANNA, sealed: "A".into() }).await;
    assert_eq!(anna.hear().await, ServerMessage::From { from: BEN, sealed: "A".into() });
    let third = nats.join(1, |_| {}).await;
    let _cleo = Client::join(third.address, CLEO, &[ANNA, BEN]).await;
}

/// Its sockets are open and its process is there, and yet it is gone for the others.
#[tokio::test]
async fn a_server_that_stands_still_is_gone_after_its_lease() {
    let Some(nats) = NatsServer::start(&[]).await else { return };
    let (first, second) = nats.two().await;
    let mut anna = Client::open(first.address, ANNA).await;
    let _ben = Client::join(second.address, BEN, &[ANNA]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });
    second.running.abort();
    assert_eq!(anna.hear().await, ServerMessage::PeerLeft { peer: BEN });
    first.counts("servers", 0).await;
}

#[tokio::test]
async fn without_nats_rooms_go_on_and_with_it_they_are_one_again() {
    let Some(mut nats) = NatsServer::start(&[]).await else { return };
    let (first, second) = nats.two().await;
    let mut anna = Client::open(first.address, ANNA).await;
    let mut ben = Client::join(second.address, BEN, &[ANNA]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });
    nats.kill();
    assert_eq!(anna.hear().await, ServerMessage::PeerLeft { peer: BEN });
    assert_eq!(ben.hear().await, ServerMessage::PeerLeft { peer: ANNA });
    // Each goes on by itself.
    let mut cleo = Client::join(first.address, CLEO, &[ANNA]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: CLEO });
    cleo.say(&ClientMessage::Send { to: ANNA, sealed: "A".into() }).await;
    assert_eq!(anna.hear().await, ServerMessage::From { from: CLEO, sealed: "A".into() });
    nats.start_again().await;
    one_again(&[(&first, ANNA), (&first, CLEO)], &[(&second, BEN)], [anna, cleo, ben]).await;
}

#[tokio::test]
async fn a_short_loss_of_nats_is_noticed_by_nobody() {
    let Some(mut nats) = NatsServer::start(&[]).await else { return };
    let long = |config: &mut signaling_server::Config| {
        config.nats.as_mut().unwrap().lease = Duration::from_secs(15);
    };
    let first = nats.join(0, long).await;
    let second = nats.join(1, long).await;
    first.counts("servers", 1).await;
    let mut anna = Client::open(first.address, ANNA).await;
    let ben = Client::join(second.address, BEN, &[ANNA]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: BEN });
    let mut cleo = Client::join(second.address, CLEO, &[ANNA, BEN]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: CLEO });
    nats.kill();
    second.counts("nats", 0).await;
    // What nobody could be told is asked for afterwards.
    drop(ben);
    assert_eq!(cleo.hear().await, ServerMessage::PeerLeft { peer: BEN });
    nats.start_again().await;
    for server in [&first, &second] {
        server.counts("nats", 1).await;
    }
    assert_eq!(anna.hear().await, ServerMessage::PeerLeft { peer: BEN });
    anna.say(&ClientMessage::Send { to: CLEO, sealed: "A".into() }).await;
    assert_eq!(cleo.hear().await, ServerMessage::From { from: ANNA, sealed: "A".into() });
}

/// As while its accounts are read anew: a client that is refused once gives up, and the server does not.
#[tokio::test]
async fn a_nats_that_refuses_for_a_while_is_come_back_to() {
    let Some(mut nats) = NatsServer::start(&["--auth", "a-token"]).await else { return };
    let server = nats::join(&format!("nats://a-token@127.0.0.1:{}", nats.port), 0, |_| {}).await;
    server.counts("nats", 1).await;
    nats.kill();
    server.counts("nats", 0).await;
    let [monitor] = free_ports();
    let monitor_port = monitor.to_string();
    let others = ["--auth", "another-token", "--http_port", &monitor_port];
    nats.start_again_with(&others).await;
    soon(async {
        while !has_refused_one(monitor).await {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    nats.kill();
    nats.start_again_with(&["--auth", "a-token"]).await;
    server.counts("nats", 1).await;
}

/// What NATS says itself of the connections that it has closed.
async fn has_refused_one(monitor: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], monitor));
    let closed = http::get(address, "/connz?state=closed", &[]).await.body;
    String::from_utf8_lossy(&closed).contains("Authentication Failure")
}

/// One of three servers has no way to the others for a while, and somebody opens its room there again.
#[tokio::test]
async fn servers_that_find_each_other_bring_the_room_together() {
    let Some(nats) = NatsServer::start(&[]).await else { return };
    let cable = Cable::to(&nats).await;
    let first = nats.join(0, |_| {}).await;
    let second = nats::join(&cable.url, 1, |_| {}).await;
    let mut anna = Client::open(first.address, ANNA).await;
    cable.cut();
    second.counts("servers", 0).await;
    first.counts("servers", 0).await;
    let ben = Client::open(second.address, BEN).await;
    let mut cleo = Client::join(first.address, CLEO, &[ANNA]).await;
    assert_eq!(anna.hear().await, ServerMessage::PeerEntered { peer: CLEO });
    cable.mend();
    cleo.say(&ClientMessage::Send { to: ANNA, sealed: "A".into() }).await;
    assert_eq!(anna.hear().await, ServerMessage::From { from: CLEO, sealed: "A".into() });
    one_again(&[(&first, ANNA), (&first, CLEO)], &[(&second, BEN)], [anna, cleo, ben]).await;
}

#[tokio::test]
async fn a_room_whose_phones_were_all_at_the_killed_server_is_opened_again() {
    let Some(nats) = NatsServer::start(&[]).await else { return };
    let (first, second) = nats.two().await;
    let _anna = Client::open(second.address, ANNA).await;
    second.running.abort();
    assert_eq!(refused(&first, open(ANNA)).await, RefusalCode::RoomExists);
    first.counts("servers", 0).await;
    assert_eq!(refused(&first, join(ANNA)).await, RefusalCode::RoomGone);
    Client::open(first.address, ANNA).await;
}

type At<'a> = (&'a TestServer, PeerId);

/// Phones of one of the two servers are sent away, and of no other; when they are back everybody is told of everybody.
async fn one_again(here: &[At<'_>], there: &[At<'_>], phones: [Client; 3]) {
    let [anna, cleo, ben] = phones;
    let near = tokio::spawn(closed(vec![anna, cleo]));
    let far = tokio::spawn(closed(vec![ben]));
    let (sent_away, kept) = soon(async {
        tokio::select! {
            codes = near => { assert_eq!(codes.unwrap(), [Some(1001); 2]); (here, there) }
            codes = far => { assert_eq!(codes.unwrap(), [Some(1001)]); (there, here) }
        }
    })
    .await;
    let mut known: Vec<_> = kept.iter().map(|(_, peer)| *peer).collect();
    let mut back = Vec::new();
    for (server, peer) in sent_away {
        let (client, mut others) = comes_back(server, *peer).await;
        others.sort_unstable();
        known.sort_unstable();
        assert_eq!(others, known);
        known.push(*peer);
        back.push(client);
    }
}

async fn closed(phones: Vec<Client>) -> Vec<Option<u16>> {
    let mut codes = Vec::new();
    for mut phone in phones {
        let mut code = None;
        while let Some(message) = futures_util::StreamExt::next(&mut phone.0).await {
            match message {
                Ok(tokio_tungstenite::tungstenite::Message::Close(frame)) => {
                    code = frame.map(|frame| frame.code.into());
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        codes.push(code);
    }
    codes
}

/// As a page does it: again and again, until the server has it. Who else is there then.
async fn comes_back(server: &TestServer, peer: PeerId) -> (Client, Vec<PeerId>) {
    soon(async {
        loop {
            let mut client = Client::connect(server.address).await;
            client.say(&join(peer)).await;
            match client.hear().await {
                ServerMessage::Entered { peers, .. } => return (client, peers),
                ServerMessage::Refused { code: RefusalCode::PeerTaken, .. } => {
                    sleep(Duration::from_millis(100)).await;
                }
                other => panic!("{other:?}"),
            }
        }
    })
    .await
}
