//! Open links that are given another way (an ICE restart), because one of the two phones has come into another network.
//! The link's certificates, its proof and its channel stay, and with them the answers under way.
//!
//! Of two phones the one with the smaller id offers, so that offers do not cross; the other asks it. What is said may be
//! lost with the socket to the server, which dies with the old network and does not tell: whatever has no effect is said
//! again, over another socket where nothing was heard over this one. A link that is connected is no such effect for who
//! has offered: a browser that has moved says so as soon as the other end answers its checks, but only what it offers
//! tells the other end where to send.

use std::collections::BTreeMap;

use base::PeerId;
use platform::{Timer, now_secs};
use protocol::signal::{DescriptionKind, Restart, RestartNumbers, SignalBody};
use session::{Input, RESTART_SECS};

use crate::{
    driver::{Driver, with},
    messages::RtcCommand,
    world::World,
};

/// All links' restarts.
#[derive(Debug, Default)]
pub(crate) struct Restarts {
    links: BTreeMap<PeerId, LinkRestarts>,
}

/// One link's. They outlive it, as their numbers must.
#[derive(Debug, Default)]
struct LinkRestarts {
    numbers: RestartNumbers,
    /// What the page last said of the connection.
    is_connected: bool,
    under_way: Option<UnderWay>,
}

/// A restart that has had no effect yet.
#[derive(Debug)]
struct UnderWay {
    /// How often it was offered, or asked for.
    attempts: u32,
    said_at_secs: f64,
    again: Option<Timer>,
    _end: Timer,
}

impl Restarts {
    /// Those of the link to `peer`. Of phones that were loaded anew and have other ids now, some are remembered.
    fn of(&mut self, peer: PeerId) -> &mut LinkRestarts {
        if self.links.len() >= REMEMBERED_MAX && !self.links.contains_key(&peer) {
            self.links.retain(|_, link| link.under_way.is_some());
        }
        self.links.entry(peer).or_default()
    }
}

/// What tells that a link wants another way.
impl<W: World> Driver<W> {
    /// The browser says that this phone has come into another network: its links and its socket are those of the old one.
    pub(crate) fn on_network_change(&mut self) {
        self.renew_socket();
        let peers: Vec<PeerId> = self.links.keys().copied().collect();
        for peer in peers {
            self.restart(peer);
        }
    }

    /// What the page says of a connection.
    pub(crate) fn on_link_state(&mut self, peer: PeerId, state: &str) {
        self.restarts.of(peer).is_connected = state == "connected";
        let is_waited_for = matches!(state, "disconnected" | "failed") && self.restart(peer);
        match state {
            "failed" | "closed" if !is_waited_for => self.drop_link(peer),
            "connected" if !self.restarts.of(peer).numbers.awaits_answer() => {
                self.restart_ended(peer);
            }
            _ => {}
        }
    }

    /// Begins a restart, if none is under way. Whether one is: whose socket to the server has ended is gone, not elsewhere.
    fn restart(&mut self, peer: PeerId) -> bool {
        if !self.is_proven(peer) || self.introductions.is_absent(peer) {
            return false;
        }
        if self.restart_began(peer) {
            self.say_restart(peer);
        }
        true
    }

    /// Whether there is a link whose other end has shown that it was invited.
    fn is_proven(&self, peer: PeerId) -> bool {
        self.links.contains_key(&peer) && !self.opening.contains_key(&peer)
    }

    /// Whether that is news. The room waits for the link meanwhile.
    fn restart_began(&mut self, peer: PeerId) -> bool {
        let this = self.this.clone();
        let link = self.restarts.of(peer);
        if link.under_way.is_some() {
            return false;
        }
        let end = move || with(&this, |driver| driver.restart_is_late(peer));
        let end = Timer::after(RESTART_SECS, end);
        let said_at_secs = f64::NEG_INFINITY;
        link.under_way = Some(UnderWay { attempts: 0, said_at_secs, again: None, _end: end });
        self.input(Input::LinkRestarts { peer });
        true
    }

    /// The link works, or there is none.
    pub(crate) fn restart_ended(&mut self, peer: PeerId) {
        if let Some(link) = self.restarts.links.get_mut(&peer) {
            link.under_way = None;
        }
    }

    /// Both ends look for another way. Where the browser has not missed the old one, it does not tell when there is one
    /// either; and if there is none, it will.
    fn restart_agreed(&mut self, peer: PeerId) {
        if self.restarts.of(peer).is_connected {
            self.restart_ended(peer);
        }
    }

    /// A link that was not gone after all stays.
    fn restart_is_late(&mut self, peer: PeerId) {
        self.restart_ended(peer);
        if !self.restarts.of(peer).is_connected {
            self.remark(format!("no other way to {peer} was found"));
            self.drop_link(peer);
        }
    }
}

/// What the two phones say.
impl<W: World> Driver<W> {
    /// Offers another way, or asks for one, as soon as there is a way to the server; and again later.
    fn say_restart(&mut self, peer: PeerId) {
        let (this, is_ours) = (self.this.clone(), self.me < peer);
        let Some(link) = self.restarts.links.get_mut(&peer) else { return };
        let Some(under_way) = &mut link.under_way else { return };
        let secs = FIRST_WAIT_SECS * f64::from(1 << under_way.attempts.min(2));
        let again = move || with(&this, |driver| driver.say_restart(peer));
        under_way.again = Some(Timer::after(secs, again));
        under_way.attempts += 1;
        if !self.introductions.is_entered() {
            return;
        }
        under_way.said_at_secs = now_secs();
        if !is_ours {
            let number = link.numbers.answered();
            self.say(peer, &SignalBody::Restart(Restart::Ask { number }));
        } else if let Some(number) = link.numbers.next_offer(now_secs()) {
            self.rtc(RtcCommand::Restart { peer, number });
        }
        self.doubt_socket();
    }

    /// There is a way to these phones now: what they have not heard is said again.
    pub(crate) fn resume_restarts(&mut self, peers: &[PeerId]) {
        for &peer in peers {
            let Some(link) = self.restarts.links.get(&peer) else { continue };
            match (&link.under_way, link.is_connected) {
                (Some(_), _) => self.say_restart(peer),
                (None, true) => {}
                (None, false) => {
                    self.restart(peer);
                }
            }
        }
    }

    /// What the other end says.
    pub(crate) fn on_restart(&mut self, peer: PeerId, restart: Restart) {
        if !self.is_proven(peer) {
            // It still hopes for a link that we have given up; what we say to ourselves is for the socket's sake.
            if peer != self.me {
                self.offer_in_place(peer);
            }
            return;
        }
        match restart {
            Restart::Ask { number } if self.me < peer => self.on_restart_ask(peer, number),
            Restart::Offer { number, sdp } if peer < self.me => {
                let link = self.restarts.of(peer);
                if link.numbers.takes_offer(number, now_secs()) {
                    self.restart_began(peer);
                    self.rtc(RtcCommand::AnswerRestart { peer, number, sdp });
                    self.restart_agreed(peer);
                }
            }
            Restart::Answer { number, sdp } => {
                let link = self.restarts.of(peer);
                if link.numbers.takes_answer(number) {
                    self.rtc(RtcCommand::AcceptRestart { peer, number, sdp });
                    self.restart_agreed(peer);
                }
            }
            // Out of turn.
            Restart::Ask { .. } | Restart::Offer { .. } => {}
        }
    }

    fn on_restart_ask(&mut self, peer: PeerId, number: u32) {
        let link = self.restarts.of(peer);
        let is_said = |under_way: &UnderWay| now_secs() - under_way.said_at_secs < CROSSING_SECS;
        if !link.numbers.takes_ask(number) || link.under_way.as_ref().is_some_and(is_said) {
            return;
        }
        self.restart_began(peer);
        self.say_restart(peer);
    }

    /// What the page has made for the other end.
    pub(crate) fn on_restart_description(
        &mut self,
        peer: PeerId,
        number: u32,
        kind: DescriptionKind,
        sdp: String,
    ) {
        let restart = match kind {
            DescriptionKind::Offer => Restart::Offer { number, sdp },
            DescriptionKind::Answer => Restart::Answer { number, sdp },
        };
        self.say(peer, &SignalBody::Restart(restart));
    }
}

/// Links whose restarts are remembered; a room has far fewer at once.
const REMEMBERED_MAX: usize = 1024;
/// Until something is said again; twice as long the second time, and four times from then on.
const FIRST_WAIT_SECS: f64 = 2.0;
/// An ask that comes so soon after an offer has crossed it.
const CROSSING_SECS: f64 = 0.5;
