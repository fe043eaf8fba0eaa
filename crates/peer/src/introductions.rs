//! How a phone and the others of its room get to know each other through the server, also after
//! the server or the way to it was gone for a while.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use base::PeerId;
use platform::{Timer, now_secs};
use protocol::signal::{
    ClientMessage, Invitation, PEERS_MAX, RefusalCode, Restart, ServerMessage, SignalBody,
};
use session::ErrorView;

use crate::{
    driver::{Driver, with},
    messages::{FromWorker, RtcCommand, error},
    signaling::{Seals, SignalEvent, Signaling},
    world::World,
};

/// How a socket enters the room.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Entrance {
    /// The room is new, or the server has forgotten it.
    Open,
    /// Somebody is in it.
    Join,
}

/// The socket to the server, and the way back to it.
#[derive(Debug)]
pub struct Introductions<S> {
    /// They outlive the sockets: a number that was used is not used again.
    seals: Rc<Seals>,
    socket: Option<Signaling<S>>,
    /// Whether the socket is in the room.
    is_entered: bool,
    /// Whether any socket ever was.
    was_entered: bool,
    failed_attempts: u32,
    /// How often the server said that a room is there, or is not, and it was the other way round.
    turns: u32,
    next_attempt: Option<Timer>,
    /// Until the socket is taken for dead, where it was asked for a sign of life.
    doubt: Option<Timer>,
    /// Sockets in a row that were taken for dead.
    silent_sockets: u32,
    /// Who else is in the room, as the server knows it.
    present: BTreeSet<PeerId>,
    /// Links that were lost or never came about.
    offers: BTreeMap<PeerId, Offers>,
}

/// A link's new beginnings.
#[derive(Debug, Default)]
struct Offers {
    /// How often it was offered again since it last held for a while.
    attempts: u32,
    opened_at_secs: Option<f64>,
    next: Option<Timer>,
}

impl<S> Introductions<S> {
    /// Nothing is connected yet.
    pub fn new(invitation: &Invitation, me: PeerId) -> Self {
        Self {
            seals: Rc::new(Seals::new(invitation, me)),
            socket: None,
            is_entered: false,
            was_entered: false,
            failed_attempts: 0,
            turns: 0,
            next_attempt: None,
            doubt: None,
            silent_sockets: 0,
            present: BTreeSet::new(),
            offers: BTreeMap::new(),
        }
    }

    /// No more than a room can have are remembered, whatever a server says.
    fn meet(&mut self, peer: PeerId) {
        if self.present.len() < PEERS_MAX {
            self.present.insert(peer);
        }
    }

    /// Nobody is to be met any more.
    pub fn end(&mut self) {
        (self.socket, self.next_attempt, self.doubt) = (None, None, None);
        self.is_entered = false;
        self.present.clear();
        self.offers.clear();
    }

    /// Whether there is a way to the others through the server.
    pub(crate) fn is_entered(&self) -> bool {
        self.is_entered
    }

    /// The server ends a socket that speaks before it is in the room.
    fn entered_socket(&self) -> Option<&Signaling<S>> {
        self.socket.as_ref().filter(|_| self.is_entered)
    }

    /// Whether the server says that a phone has no socket to it.
    pub(crate) fn is_absent(&self, peer: PeerId) -> bool {
        self.is_entered && !self.present.contains(&peer)
    }
}

impl<W: World> Driver<W> {
    /// Connects to the server in place of the socket there was.
    ///
    /// # Errors
    /// The server's address is not one of a WebSocket.
    pub(crate) fn connect(&mut self, entrance: Entrance) -> Result<(), ErrorView> {
        let this = self.this.clone();
        let listener = move |event| with(&this, |driver| driver.on_signal(event));
        let room = self.invitation.room();
        let hello = match entrance {
            Entrance::Open => ClientMessage::Open { room, peer: self.me },
            Entrance::Join => ClientMessage::Join { room, peer: self.me },
        };
        let seals = self.introductions.seals.clone();
        let connect = |listener| self.world.connect(&self.config.signal_url, listener);
        let socket = Signaling::connect(connect, &hello, seals, Rc::new(listener));
        (self.introductions.is_entered, self.introductions.doubt) = (false, None);
        self.introductions.socket = Some(socket.ok_or_else(unreachable_server)?);
        Ok(())
    }

    /// Seals something for a peer and gives it to the server, if there is a way to it.
    pub(crate) fn say(&mut self, peer: PeerId, body: &SignalBody) {
        let said = self.introductions.entered_socket().map(|socket| socket.send(peer, body));
        if let Some(Err(failed)) = said {
            self.fail(error("internal", failed.to_string()));
        }
    }

    /// Says something to the server itself, if there is a way to it.
    pub(crate) fn tell_server(&self, message: &ClientMessage) {
        if let Some(socket) = self.introductions.entered_socket() {
            socket.tell(message);
        }
    }

    fn on_signal(&mut self, event: SignalEvent) {
        // Whatever it was that came, or ended.
        if self.introductions.doubt.take().is_some() {
            self.introductions.silent_sockets = 0;
        }
        let Some(event) = self.hear_of_code(event) else { return };
        match event {
            SignalEvent::Server(ServerMessage::Entered { peers, ice_servers }) => {
                self.on_entered(&peers);
                self.rtc(RtcCommand::Config { ice_servers });
                // An offer that is still on its way may have gone to a server that is no more.
                let is_linked = |peer: &PeerId| {
                    self.links.contains_key(peer) && !self.opening.contains_key(peer)
                };
                let strangers = peers.iter().filter(|peer| !is_linked(peer));
                strangers.for_each(|&peer| self.rtc(RtcCommand::Offer { peer }));
                self.resume_restarts(&peers);
            }
            SignalEvent::Server(ServerMessage::IceServers { ice_servers }) => {
                self.rtc(RtcCommand::Config { ice_servers });
            }
            SignalEvent::Server(ServerMessage::PeerEntered { peer }) => {
                self.introductions.meet(peer);
                self.expect_offer(peer);
                self.resume_restarts(&[peer]);
            }
            SignalEvent::Server(ServerMessage::PeerLeft { peer }) => {
                self.introductions.present.remove(&peer);
                self.introductions.offers.remove(&peer);
            }
            SignalEvent::Server(ServerMessage::Refused { code, message }) => {
                self.on_refused(code, message);
            }
            SignalEvent::Server(_) | SignalEvent::Dropped => {}
            SignalEvent::Body { from, body } => self.on_body(from, body),
            SignalEvent::Closed => self.on_signaling_closed(),
        }
    }

    fn on_entered(&mut self, peers: &[PeerId]) {
        self.emit.send(&FromWorker::Server { is_there: true });
        let introductions = &mut self.introductions;
        introductions.present.clear();
        peers.iter().for_each(|&peer| introductions.meet(peer));
        let Introductions { present, offers, .. } = introductions;
        offers.retain(|peer, _| present.contains(peer));
        introductions.is_entered = true;
        introductions.was_entered = true;
        introductions.failed_attempts = 0;
        introductions.turns = 0;
        self.ask_for_place();
    }

    fn on_refused(&mut self, code: RefusalCode, message: String) {
        // The peer has just left; its link is about to close, or never opened.
        if code == RefusalCode::PeerUnknown {
            return;
        }
        self.introductions.socket = None;
        let Introductions { is_entered, was_entered, failed_attempts, .. } = self.introductions;
        if !is_entered
            && self.is_coordinator()
            && let Some(entrance) = self.other_entrance(code)
        {
            return self.enter_again(entrance);
        }
        if !was_entered && code == RefusalCode::RoomGone && self.may_wait() {
            return self.try_again_later();
        }
        if was_entered || self.is_coordinator() && failed_attempts > 0 {
            // The room goes on; a refusal costs no more than the socket.
            self.remark(format!("the server closed the way to it: {message}"));
            return self.try_again_later();
        }
        let code = match code {
            RefusalCode::RoomFull | RefusalCode::ServerFull => "room_full",
            RefusalCode::RoomGone => "room_gone",
            _ => "internal",
        };
        self.fail(error(code, message));
    }

    /// The server has forgotten the room, or somebody is in it who was there the last time: the coordinator comes in the
    /// other way.
    fn other_entrance(&mut self, code: RefusalCode) -> Option<Entrance> {
        let entrance = match code {
            RefusalCode::RoomGone => Entrance::Open,
            RefusalCode::RoomExists => Entrance::Join,
            _ => return None,
        };
        self.introductions.turns += 1;
        (self.introductions.turns <= MOST_TURNS).then_some(entrance)
    }

    /// Whether a person waits here until the room is open, and has not for too long.
    fn may_wait(&self) -> bool {
        self.config.waits && self.introductions.failed_attempts < MOST_WAITS
    }

    /// Links that are open go on without the server, and so does who starts a room and is alone in it; newcomers need
    /// it, so we go back to it.
    fn on_signaling_closed(&mut self) {
        if self.introductions.socket.take().is_none() {
            return;
        }
        if self.introductions.was_entered || self.is_coordinator() || self.may_wait() {
            self.try_again_later();
        } else {
            self.fail(unreachable_server());
        }
    }

    fn try_again_later(&mut self) {
        self.emit.send(&FromWorker::Server { is_there: false });
        let introductions = &mut self.introductions;
        let secs = FIRST_PAUSE_SECS * f64::from(1 << introductions.failed_attempts.min(16));
        introductions.failed_attempts += 1;
        introductions.turns = 0;
        introductions.is_entered = false;
        let this = self.this.clone();
        let ring = move || with(&this, |driver| driver.enter_again(Entrance::Join));
        introductions.next_attempt = Some(Timer::after(secs.min(LONGEST_PAUSE_SECS), ring));
        self.lose_code();
    }

    /// Another socket in place of one that may be dead without telling, as where this phone has changed its network. The
    /// server keeps our place meanwhile, until the old socket has left a ping unanswered.
    pub(crate) fn renew_socket(&mut self) {
        if self.introductions.was_entered {
            self.lose_code();
            (self.introductions.next_attempt, self.introductions.failed_attempts) = (None, 0);
            self.enter_again(Entrance::Join);
        }
    }

    /// Asks the socket for a sign of life, and takes it for dead where none comes; where the next gives none either, the server
    /// may be slow, and is waited for twice as long. A browser's socket has no pings: what we say to ourselves comes back from
    /// a server that hears us.
    pub(crate) fn doubt_socket(&mut self) {
        if !self.introductions.is_entered || self.introductions.doubt.is_some() {
            return;
        }
        let this = self.this.clone();
        let ring = move || with(&this, Self::replace_silent_socket);
        let secs = SIGN_SECS * f64::from(1 << self.introductions.silent_sockets.min(4));
        self.introductions.doubt = Some(Timer::after(secs, ring));
        self.say(self.me, &SignalBody::Restart(Restart::Ask { number: 0 }));
    }

    fn replace_silent_socket(&mut self) {
        self.introductions.silent_sockets += 1;
        self.renew_socket();
    }

    pub(crate) fn is_coordinator(&self) -> bool {
        self.config.starts
    }

    fn enter_again(&mut self, entrance: Entrance) {
        if let Err(failed) = self.connect(entrance) {
            self.fail(failed);
        }
    }
}

/// Links that break while both phones are there.
impl<W: World> Driver<W> {
    pub(crate) fn link_opened(&mut self, peer: PeerId) {
        let offers = self.introductions.offers.entry(peer).or_default();
        (offers.opened_at_secs, offers.next) = (Some(now_secs()), None);
    }

    /// Who enters offers. Where that does not come we do: an offer may be lost, and where servers share rooms and had lost
    /// each other, neither of two who entered meanwhile knows that it was to offer.
    fn expect_offer(&mut self, peer: PeerId) {
        if !self.introductions.present.contains(&peer) {
            return;
        }
        let this = self.this.clone();
        let ring = move || with(&this, |driver| driver.offer_unexpected(peer));
        // Not both at once.
        let secs = if self.me < peer { EXPECTED_SECS } else { 1.5 * EXPECTED_SECS };
        self.introductions.offers.entry(peer).or_default().next = Some(Timer::after(secs, ring));
    }

    /// A link is gone. A new one is offered after a pause, a few times: by one of the two where it
    /// had been open, by whoever misses it where it never was. The socket may have gone with it, as where this phone has
    /// changed its network and was not told.
    pub(crate) fn link_lost(&mut self, peer: PeerId) {
        self.doubt_socket();
        let is_ours = self.me < peer;
        let this = self.this.clone();
        let offers = self.introductions.offers.entry(peer).or_default();
        let held_secs = offers.opened_at_secs.take().map(|at| now_secs() - at);
        if held_secs.is_some_and(|secs| secs > STABLE_SECS) {
            offers.attempts = 0;
        }
        if offers.attempts >= MOST_OFFERS || held_secs.is_some() && !is_ours {
            return;
        }
        // Not both at once.
        let pause_secs = if is_ours { FIRST_PAUSE_SECS } else { 2.5 * FIRST_PAUSE_SECS };
        let secs = pause_secs * f64::from(1 << offers.attempts);
        offers.attempts += 1;
        let ring = move || with(&this, |driver| driver.offer_again(peer));
        offers.next = Some(Timer::after(secs, ring));
    }

    /// A new link to a phone that takes an old one for open, which we have not any more.
    pub(crate) fn offer_in_place(&mut self, peer: PeerId) {
        let offers = self.introductions.offers.entry(peer).or_default();
        if offers.attempts < MOST_OFFERS && !self.links.contains_key(&peer) {
            offers.attempts += 1;
            self.rtc(RtcCommand::Offer { peer });
        }
    }

    /// No new link to a phone that speaks otherwise.
    pub(crate) fn give_link_up(&mut self, peer: PeerId) {
        let offers = self.introductions.offers.entry(peer).or_default();
        (offers.attempts, offers.opened_at_secs, offers.next) = (MOST_OFFERS, None, None);
    }

    /// It may be nobody who can answer: so no more than twice.
    fn offer_unexpected(&mut self, peer: PeerId) {
        if !self.links.contains_key(&peer)
            && let Some(offers) = self.introductions.offers.get_mut(&peer)
        {
            offers.attempts = offers.attempts.max(MOST_OFFERS - 1);
            self.offer_again(peer);
        }
    }

    fn offer_again(&mut self, peer: PeerId) {
        let is_there = self.introductions.is_entered && self.introductions.present.contains(&peer);
        if is_there && !self.links.contains_key(&peer) {
            self.rtc(RtcCommand::Offer { peer });
        }
    }
}

fn unreachable_server() -> ErrorView {
    let message = "The server that introduces the phones cannot be reached. Check the network.";
    error("server_unreachable", message)
}

/// Pauses between attempts double from the one to the other.
const FIRST_PAUSE_SECS: f64 = 1.0;
const LONGEST_PAUSE_SECS: f64 = 30.0;
/// Usual servers answer sooner, also from far away; and it is less than until a restart is said again.
const SIGN_SECS: f64 = 1.5;
/// A server that turns a coordinator around more often is not honest.
const MOST_TURNS: u32 = 4;
/// With the longest pause between them, that is an hour.
const MOST_WAITS: u32 = 120;
/// Longer than an offer takes on slow phones, so that two do not cross.
const EXPECTED_SECS: f64 = 20.0;
/// A link that does not come about so often does not come about.
const MOST_OFFERS: u32 = 5;
/// A link that held for so long may be offered as often again.
const STABLE_SECS: f64 = 30.0;
