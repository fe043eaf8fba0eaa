//! How a phone and another get to know each other, as a played world tells it.

#![allow(clippy::unwrap_used, reason = "where a test unwraps, it fails")]

mod common;

use std::time::Duration;

use base::PeerId;
use common::{Channel, Play};
use peer::messages::{RtcEvent, ToWorker};
use protocol::signal::{LinkEnd, Restart, ServerMessage, SignalBody};
use tokio::{task::LocalSet, time::advance};
use transport::LinkEvent;

/// Greater than this phone's number, and smaller: one of two has to begin.
const OTHERS: [PeerId; 2] = [PeerId(u32::MAX), PeerId(0)];
const OURS: [u8; 32] = [0xaa; 32];
const THEIRS: [u8; 32] = [0xbb; 32];
const NOBODYS: [u8; 32] = [0xcc; 32];

/// Asks for another way; or the server for a sign of life, where a phone says it to itself.
const ASK: SignalBody = SignalBody::Restart(Restart::Ask { number: 0 });

/// In a thread's own time, which passes when told to.
fn play(story: impl AsyncFnOnce(Play)) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async { story(Play::join()).await });
}

async fn pass(secs: u64) {
    for _ in 0..secs {
        advance(Duration::from_secs(1)).await;
        // What rings now gets its turn.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
}

/// A link as far as its proofs: it is open, and the page has seen the certificates.
fn secured(play: &Play, peer: PeerId) -> Channel {
    let channel = play.channel(peer);
    channel.happens(LinkEvent::Open);
    play.page(RtcEvent::Secured { peer, own: OURS, theirs: THEIRS });
    channel
}

/// What the end `from` shows the end `to`.
fn proof(play: &Play, from: (PeerId, [u8; 32]), to: (PeerId, [u8; 32])) -> Vec<u8> {
    let [from, to] = [from, to].map(|(peer, certificate)| LinkEnd { peer, certificate });
    play.invitation.prove_link(&from, &to)
}

/// A link that works, to a phone that the server knows.
fn linked(play: &Play, peer: PeerId) -> Channel {
    play.server(ServerMessage::PeerEntered { peer });
    let channel = secured(play, peer);
    channel.happens(LinkEvent::Frame(proof(play, (peer, THEIRS), (play.me, OURS))));
    channel
}

fn becomes(play: &Play, peer: PeerId, state: &str) {
    play.page(RtcEvent::State { peer, state: state.to_owned() });
}

#[test]
fn both_ends_show_what_certificates_they_see() {
    play(async |play| {
        let (other, me) = (OTHERS[0], play.me);
        let channel = secured(&play, other);
        assert_eq!(channel.sent(), [proof(&play, (me, OURS), (other, THEIRS))]);
        channel.happens(LinkEvent::Frame(proof(&play, (other, THEIRS), (me, OURS))));
        assert_ne!(channel.sent(), Vec::<Vec<u8>>::new(), "it introduces itself");
        assert_eq!(play.commands(other), Vec::<&str>::new());
    });
}

#[test]
fn who_is_between_two_phones_hears_nothing() {
    play(async |play| {
        let (other, me) = (OTHERS[0], play.me);
        for shown in [
            // The other end has seen another certificate than ours, and we another than its own.
            proof(&play, (other, THEIRS), (me, NOBODYS)),
            proof(&play, (other, NOBODYS), (me, OURS)),
            // Ours comes back.
            proof(&play, (me, OURS), (other, THEIRS)),
            vec![0; 32],
            Vec::new(),
        ] {
            play.server(ServerMessage::PeerEntered { peer: other });
            let channel = secured(&play, other);
            channel.sent();
            channel.happens(LinkEvent::Frame(shown.clone()));
            assert_eq!(play.commands(other), ["close"], "{shown:?}");
            assert_eq!(channel.sent(), Vec::<Vec<u8>>::new(), "{shown:?}");
            pass(60).await;
            assert_eq!(play.commands(other), Vec::<&str>::new(), "it is not offered again");
        }
    });
}

/// A proof may come before the page has told of the certificates.
#[test]
fn a_proof_waits_for_the_certificates() {
    play(async |play| {
        let (other, me) = (OTHERS[0], play.me);
        let channel = play.channel(other);
        channel.happens(LinkEvent::Open);
        channel.happens(LinkEvent::Frame(proof(&play, (other, THEIRS), (me, OURS))));
        assert_eq!(channel.sent(), Vec::<Vec<u8>>::new());
        play.page(RtcEvent::Secured { peer: other, own: OURS, theirs: THEIRS });
        assert!(channel.sent().len() > 1, "the proof, and a greeting");
    });
}

#[test]
fn a_link_on_its_way_has_its_time() {
    play(async |play| {
        let channel = play.channel(OTHERS[0]);
        channel.happens(LinkEvent::Open);
        pass(29).await;
        assert_eq!(play.commands(OTHERS[0]), Vec::<&str>::new());
        pass(2).await;
        assert_eq!(play.commands(OTHERS[0]), ["close"]);
    });
}

/// Usually who enters offers; but servers that had lost each other let in two who do not know of each other.
#[test]
fn who_has_entered_and_offers_nothing_is_offered_a_link() {
    for (other, secs) in OTHERS.into_iter().zip([20, 30]) {
        play(async |play| {
            play.server(ServerMessage::PeerEntered { peer: other });
            pass(secs - 1).await;
            assert_eq!(play.commands(other), Vec::<&str>::new());
            pass(2).await;
            assert_eq!(play.commands(other), ["offer"]);
            pass(60).await;
            assert_eq!(play.commands(other), Vec::<&str>::new(), "once");
        });
    }
}

#[test]
fn who_offers_or_leaves_is_offered_nothing() {
    play(async |play| {
        let [gone, offers] = OTHERS;
        play.server(ServerMessage::PeerEntered { peer: gone });
        linked(&play, offers);
        play.server(ServerMessage::PeerLeft { peer: gone });
        pass(60).await;
        assert_eq!(OTHERS.map(|peer| play.commands(peer).contains(&"offer")), [false, false]);
    });
}

#[test]
fn who_hopes_for_a_link_that_was_given_up_is_offered_a_new_one() {
    play(async |play| {
        play.says(OTHERS[0], &ASK);
        assert_eq!(play.commands(OTHERS[0]), ["offer"]);
        // It says the same to itself, to see whether the server hears.
        play.says(play.me, &ASK);
        assert_eq!(play.commands(play.me), Vec::<&str>::new());
    });
}

/// A phone that has moved is connected as soon as its checks are answered; the other end cannot send before it was offered
/// the other way.
#[test]
fn a_restart_is_offered_until_it_is_answered_though_the_link_is_connected() {
    play(async |play| {
        let other = OTHERS[0];
        linked(&play, other);
        becomes(&play, other, "disconnected");
        assert_eq!(play.commands(other), ["restart"]);
        play.says(play.me, &ASK);
        becomes(&play, other, "connected");
        pass(3).await;
        assert_eq!(play.commands(other), ["restart"], "again");
        let answer = Restart::Answer { number: 2, sdp: "v=0".into() };
        play.says(other, &SignalBody::Restart(answer));
        assert_eq!(play.commands(other), ["acceptRestart"]);
        pass(60).await;
        assert_eq!(play.commands(other), Vec::<&str>::new());
    });
}

#[test]
fn who_waits_for_an_offer_asks_until_the_link_is_connected() {
    play(async |play| {
        let other = OTHERS[1];
        linked(&play, other);
        becomes(&play, other, "disconnected");
        play.says(play.me, &ASK);
        pass(3).await;
        assert_eq!(play.messages_to(other), 2);
        becomes(&play, other, "connected");
        pass(60).await;
        assert_eq!(play.messages_to(other), 0);
    });
}

/// A browser is not told that the network is gone by which its socket went.
#[test]
fn a_socket_that_gives_no_sign_when_a_link_is_lost_is_replaced() {
    for (gives_sign, sockets) in [(false, 2), (true, 1)] {
        play(async |play| {
            linked(&play, OTHERS[0]).happens(LinkEvent::Closed);
            if gives_sign {
                play.says(play.me, &ASK);
            }
            pass(3).await;
            assert_eq!(play.sockets(), sockets);
        });
    }
}

/// The page has a button for it while a socket takes another's place.
#[test]
fn a_code_is_asked_for_as_soon_as_there_is_a_way() {
    play(async |play| {
        play.closes();
        play.wants(ToWorker::OfferCode { invitation: "A".repeat(43) });
        assert_eq!(play.asks_for_places(), 0);
        pass(2).await;
        assert_eq!(play.sockets(), 2);
        play.enters();
        assert_eq!(play.asks_for_places(), 1);
        play.server(ServerMessage::CodeOffered { place: 7, life_secs: 300 });
        assert_eq!(play.codes(), ["asked for", "shown"]);
    });
}

/// The server withdraws it with the socket.
#[test]
fn a_code_ends_with_its_socket_however_that_ends() {
    for is_closed in [true, false] {
        play(async |play| {
            play.wants(ToWorker::OfferCode { invitation: "A".repeat(43) });
            play.server(ServerMessage::CodeOffered { place: 7, life_secs: 300 });
            play.codes();
            match is_closed {
                true => play.closes(),
                false => play.wants(ToWorker::Network),
            }
            assert_eq!(play.codes(), ["lost"]);
        });
    }
}

/// A page that comes to the front again may have missed that its network went.
#[test]
fn who_is_back_makes_sure_of_the_socket() {
    play(async |play| {
        play.wants(ToWorker::Away { why: None });
        pass(3).await;
        assert_eq!(play.sockets(), 2);
    });
}

#[test]
fn a_slow_server_is_waited_for_ever_longer() {
    play(async |play| {
        let back = || play.wants(ToWorker::Away { why: None });
        back();
        pass(3).await;
        assert_eq!(play.sockets(), 2);
        play.enters();
        back();
        pass(3).await;
        assert_eq!(play.sockets(), 2, "twice as long");
        play.says(play.me, &ASK);
        pass(60).await;
        assert_eq!(play.sockets(), 2);
        back();
        pass(3).await;
        assert_eq!(play.sockets(), 3, "it had given a sign");
    });
}
