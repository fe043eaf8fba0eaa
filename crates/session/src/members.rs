//! Who is in the room: links, introductions, departures.

use base::{Identity, PeerId};
use protocol::peer::{
    Away, AwayReason, Failure, FailureCode, Frame, Hello, Leave, LinkLost, MAX_PEERS,
    PROTOCOL_VERSION, Phase, clip,
};

use crate::{
    Event, LinkState, Meeting, Output, Room, facts::Facts, frames::Verdict, links::LinkPace,
};

/// Another phone.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) hello: Option<Hello>,
    /// Between whom the link is.
    pub(crate) meeting: Meeting,
    pub(crate) link: LinkState,
    /// Since when it has been there without being in.
    pub(crate) waiting_since_secs: f64,
    /// A person is being asked there whether we may come in.
    pub(crate) is_asked: bool,
    /// Its link was lost and is back.
    pub(crate) is_back: bool,
    /// When it was lost.
    pub(crate) lost_at_secs: f64,
    /// It said that it leaves.
    pub(crate) has_left: bool,
    /// Why it had better have nothing to do, as it says.
    pub(crate) away: Option<AwayReason>,
    /// It did not answer in the middle of a request. It may yet.
    pub(crate) is_silent: bool,
    /// When the first ping went out that it has not answered.
    pub(crate) unanswered_since_secs: Option<f64>,
    pub(crate) heard_at_secs: f64,
    /// When its link began to be given another way, if nothing has been heard since.
    pub(crate) restarted_at_secs: Option<f64>,
    pub(crate) pinged_at_secs: f64,
    /// How our link does while answers run.
    pub(crate) pace: LinkPace,
}

impl Member {
    /// Whether it says that it is the coordinator.
    pub(crate) fn claims(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.coordinator)
    }
}

impl Room {
    pub(crate) fn link_up(&mut self, peer: PeerId, meeting: Meeting) {
        self.farewells.remove(&peer);
        let known = self.members.contains_key(&peer);
        let was_in = |member: &Member| matches!(member.link, LinkState::Open | LinkState::Lost);
        let is_back = self.members.get(&peer).is_some_and(was_in);
        if peer == self.config.me || !known && !self.make_room(meeting.other) {
            self.outputs.push_back(Output::Disconnect { peer });
            return self.note(format!("{peer} found no place: the room is full"));
        }
        if known {
            self.lose(peer);
        }
        let now = self.now_secs;
        let member = Member {
            hello: None,
            meeting,
            link: LinkState::Connecting,
            waiting_since_secs: now,
            is_asked: false,
            is_back,
            lost_at_secs: now,
            has_left: false,
            away: None,
            is_silent: false,
            unanswered_since_secs: None,
            heard_at_secs: now,
            restarted_at_secs: None,
            pinged_at_secs: now,
            pace: LinkPace::default(),
        };
        self.members.insert(peer, member);
        let hello = self.hello();
        self.transmit(peer, hello);
        self.view_changes.mark();
    }

    /// Whether one more fits: a stranger that is not in makes room for one who may be, and someone lost for anybody.
    fn make_room(&mut self, identity: Identity) -> bool {
        if self.members.len() + 1 < MAX_PEERS {
            return true;
        }
        if let Some(stranger) = self.last_stranger().filter(|_| self.is_known(identity)) {
            self.turn_from(stranger);
            return true;
        }
        let lost = self.members.iter().find(|(_, member)| member.link == LinkState::Lost);
        let Some((&lost, _)) = lost else { return false };
        self.forget(lost);
        true
    }

    fn last_stranger(&self) -> Option<PeerId> {
        let is_stranger = |member: &Member| {
            matches!(member.link, LinkState::Connecting | LinkState::Waiting)
                && !self.is_known(member.meeting.other)
        };
        let strangers = self.members.iter().filter(|(_, member)| is_stranger(member));
        strangers.map(|(&peer, _)| peer).next_back()
    }

    fn hello(&self) -> Hello {
        let config = &self.config;
        Hello {
            version: PROTOCOL_VERSION,
            coordinator: config.coordinator,
            name: clip(&config.name, Hello::MAX_NAME_CHARS),
            device: clip(&config.device, Hello::MAX_DEVICE_CHARS),
            pledge: config.pledge,
        }
    }

    pub(crate) fn take_hello(&mut self, peer: PeerId, hello: Hello) -> Verdict {
        let now = self.now_secs;
        let member = self.members.get_mut(&peer).ok_or("no such peer")?;
        if member.hello.is_some() {
            return Err("it has introduced itself before");
        }
        let claims = hello.coordinator;
        member.hello = Some(hello);
        member.link = LinkState::Waiting;
        member.heard_at_secs = now;
        member.waiting_since_secs = now;
        self.view_changes.mark();
        match (claims, self.config.coordinator) {
            (true, true) => return Err("the room has a coordinator already"),
            (true, false) => return self.ask_to_come_in(peer),
            (false, true) => {}
            (false, false) => self.tell_apart(peer),
        }
        Ok(())
    }

    pub(crate) fn follow(&mut self, coordinator: PeerId) {
        self.coordinator = Some(coordinator);
        self.phase = Phase::Gathering;
        self.failure = None;
        if let Some(why) = self.own_away {
            self.transmit(coordinator, Away { why: Some(why) });
        }
        self.resume_asks(coordinator);
    }

    pub(crate) fn link_down(&mut self, peer: PeerId) {
        self.farewells.remove(&peer);
        self.lose(peer);
    }

    /// A link is gone, or its peer says nothing more.
    pub(crate) fn lose(&mut self, peer: PeerId) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        match member.link {
            LinkState::Lost => return,
            LinkState::Connecting | LinkState::Waiting => return self.lose_outside(peer),
            LinkState::Open => {}
        }
        member.link = LinkState::Lost;
        member.lost_at_secs = self.now_secs;
        self.view_changes.mark();
        self.status_changes.mark();
        self.prober.forget(peer);
        self.forget_exercise(peer);
        self.links.retain(|&(from, to), _| from != peer && to != peer);
        self.link_drifts.retain(|&(from, to), _| from != peer && to != peer);
        if self.coordinator == Some(peer) {
            self.coordinator_lost(peer);
        } else if self.config.coordinator {
            self.member_lost(peer);
        } else if let Some(coordinator) = self.coordinator {
            self.transmit(coordinator, LinkLost { peer });
        }
    }

    /// It was never in, and nobody waits for it.
    fn lose_outside(&mut self, peer: PeerId) {
        self.door.forget(peer);
        self.forget(peer);
        self.view_changes.mark();
    }

    /// Tells when no link to the coordinator comes about; one may still come later.
    pub(crate) fn check_connecting(&mut self) {
        if self.coordinator.is_some() || self.failure.is_some() || self.waits_at_door() {
            self.waiting_since_secs = None;
            return;
        }
        self.waiting_since_secs.get_or_insert(self.now_secs);
        if self.connecting_deadline().is_some_and(|at| self.now_secs >= at) {
            let failure = self.coordinator_gone();
            self.fail_own_asks(&failure);
            self.failure = Some(failure);
            self.view_changes.mark();
        }
    }

    pub(crate) fn connecting_deadline(&self) -> Option<f64> {
        let since_secs = self.waiting_since_secs.filter(|_| self.failure.is_none())?;
        Some(since_secs + self.config.limits.connect_secs)
    }

    fn coordinator_lost(&mut self, peer: PeerId) {
        let name = self.name_of(peer);
        self.lost_coordinator = Some(name);
        self.failure = None;
        // Unless it said so, it may be back in a moment.
        if self.members.get(&peer).is_some_and(|member| member.has_left) {
            let failure = self.coordinator_gone();
            self.fail_own_asks(&failure);
            self.failure = Some(failure);
        }
        self.coordinator = None;
        self.phase = Phase::Connecting;
        // Whoever starts the room again counts its plans anew.
        (self.plan, self.epoch) = (None, 0);
        self.drop_stage();
        self.meet_anew();
    }

    /// Why there is none: it was here, or it never was.
    pub(crate) fn coordinator_gone(&self) -> Failure {
        match &self.lost_coordinator {
            Some(name) => {
                let message = format!(
                    "{name} started the room and is gone, so the room is over. Ask for a new \
                     invitation."
                );
                Failure::new(FailureCode::PhoneLeft, message)
            }
            None => {
                let message = "No connection to the phone that started the room came about. \
                               Are both in the same network?";
                Failure::new(FailureCode::Unreachable, message)
            }
        }
    }

    /// What others that say they are the coordinator have told us so far was refused, so they are to begin again.
    fn meet_anew(&mut self) {
        let claimants: Vec<PeerId> = self.claimants().collect();
        for peer in claimants {
            self.outputs.push_back(Output::Disconnect { peer });
            self.lose(peer);
        }
    }

    /// Whether another phone says that it is the coordinator, too.
    pub(crate) fn is_contested(&self, peer: PeerId) -> bool {
        self.coordinator == Some(peer) && self.claimants().any(|other| other != peer)
    }

    fn claimants(&self) -> impl Iterator<Item = PeerId> {
        let claims = |member: &Member| {
            matches!(member.link, LinkState::Open | LinkState::Waiting) && member.claims()
        };
        self.members.iter().filter(move |(_, member)| claims(member)).map(|(&peer, _)| peer)
    }

    fn member_lost(&mut self, peer: PeerId) {
        self.interrupt_answers(peer);
        if self.is_restocking(peer) {
            self.end_restock();
        }
        if self.is_staged(peer) {
            let failure = self.phone_left(peer);
            self.go_on_without(failure);
        } else if self.failure.is_some()
            && self.broken_link.is_some_and(|(a, b)| a == peer || b == peer)
        {
            // The other end of its link noticed first, and the room stands still for it.
            self.failure = Some(self.phone_left(peer));
        }
    }

    /// A member's link to another is gone: matters where the plan sends something over it.
    pub(crate) fn take_link_lost(&mut self, from: PeerId, to: PeerId) -> Verdict {
        for (one, other) in [(from, to), (to, from)] {
            self.links.remove(&(one, other));
            self.link_drifts.remove(&(one, other));
        }
        if self.is_open(to) && self.sends_to(from, to) {
            self.broken_link = Some((from, to));
            let (from, to) = (self.name_of(from), self.name_of(to));
            let message = format!(
                "{from} and {to} lost their connection. Bring them closer together and begin again."
            );
            self.go_on_without(Failure::new(FailureCode::PhoneLeft, message));
        }
        Ok(())
    }

    fn phone_left(&self, peer: PeerId) -> Failure {
        let message = format!(
            "{} left the room. Let it join again, or go on without it, and begin again.",
            self.name_of(peer)
        );
        Failure::new(FailureCode::PhoneLeft, message)
    }

    /// Drops those lost, at a new beginning; not those whose answers wait until their links are back.
    pub(crate) fn forget_lost(&mut self) {
        let lost = self.members.iter().filter(|(_, member)| member.link == LinkState::Lost);
        let lost = lost.filter(|&(&peer, member)| !self.may_resume(peer, member));
        let lost: Vec<PeerId> = lost.map(|(peer, _)| *peer).collect();
        lost.into_iter().for_each(|peer| self.forget(peer));
    }

    fn forget(&mut self, peer: PeerId) {
        self.give_asker_up(peer);
        self.members.remove(&peer);
        self.facts.remove(&peer);
        self.forget_left_out(peer);
    }

    pub(crate) fn leave(&mut self) {
        self.broadcast(&Frame::from(Leave {}));
        for peer in self.peers_waiting() {
            self.transmit(peer, Leave {});
        }
        self.outputs.push_back(Output::UnloadStage);
        self.has_left = true;
    }

    /// Whether we may exchange frames with `peer`.
    pub(crate) fn is_open(&self, peer: PeerId) -> bool {
        self.members.get(&peer).is_some_and(|member| member.link == LinkState::Open)
    }

    /// Everyone else that is here, by id.
    pub(crate) fn open_peers(&self) -> Vec<PeerId> {
        let open = self.members.iter().filter(|(_, member)| member.link == LinkState::Open);
        open.map(|(peer, _)| *peer).collect()
    }

    /// Everyone else that is linked and not in.
    fn peers_waiting(&self) -> Vec<PeerId> {
        let waiting = self.members.iter().filter(|(_, member)| member.link == LinkState::Waiting);
        waiting.map(|(peer, _)| *peer).collect()
    }

    /// What to call a phone in a sentence.
    pub(crate) fn name_of(&self, peer: PeerId) -> String {
        let name = if peer == self.config.me {
            self.config.name.as_str()
        } else {
            self.members
                .get(&peer)
                .and_then(|member| member.hello.as_ref())
                .map_or("", |hello| &hello.name)
        };
        if name.is_empty() { peer.to_string() } else { name.to_owned() }
    }

    pub(crate) fn nonce(&mut self) -> u32 {
        self.next_nonce = self.next_nonce.wrapping_add(1);
        self.next_nonce
    }

    pub(crate) fn transmit(&mut self, to: PeerId, frame: impl Into<Frame>) {
        let frame = frame.into();
        let bytes = frame.encoded_len();
        self.my_facts().counters.bytes_sent += bytes as u64;
        self.outputs.push_back(Output::Transmit { to, frame });
        self.time_sent(to, bytes);
    }

    pub(crate) fn broadcast(&mut self, frame: &Frame) {
        for peer in self.open_peers() {
            self.transmit(peer, frame.clone());
        }
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(crate) fn note(&mut self, message: impl Into<String>) {
        self.tell(Event::Note { message: message.into() });
    }

    /// What is known of ourselves.
    pub(crate) fn my_facts(&mut self) -> &mut Facts {
        let pledge = self.config.pledge;
        self.facts.entry(self.config.me).or_insert_with(|| Facts::new(pledge))
    }
}
