//! Coming in: what the coordinator says to those that ask, and what they and the members make of it. On a link to a
//! phone that is not in, nothing is heard but introductions, this, and signs of life that nobody answers.

use std::collections::BTreeSet;

use base::{Identity, PeerId};
use protocol::peer::{
    Admission, Failure, FailureCode, MAX_PEERS, MAX_TICKET_BYTES, Phase, Refusal,
};

use crate::{
    Event, LinkState, Output, Room,
    door::{Checked, Knock},
    facts::Facts,
    frames::Verdict,
    members::Member,
};

/// The coordinator's part.
impl Room {
    fn take_knock(&mut self, peer: PeerId, ticket: Vec<u8>) -> Verdict {
        let member = self.members.get(&peer).ok_or("no such peer")?;
        if member.link != LinkState::Waiting || self.door.is_asking(peer) {
            return Err("it has asked before");
        }
        let until_secs = self.now_secs + self.config.limits.ask_secs;
        match self.door.knock(peer, &member.meeting, until_secs) {
            Knock::In => self.admit(peer),
            Knock::Check => self.outputs.push_back(Output::CheckTicket { peer, ticket }),
            Knock::Out(refusal) => self.dismiss(peer, refusal),
        }
        Ok(())
    }

    pub(crate) fn ticket_checked(&mut self, peer: PeerId, is_good: bool) {
        match self.door.ticket_checked(peer, is_good) {
            Some(Checked::In) => self.admit(peer),
            Some(Checked::Shown) => {
                self.transmit(peer, Admission::Wait);
                self.view_changes.mark();
            }
            Some(Checked::Expired) => self.dismiss(peer, Refusal::Expired),
            None => {}
        }
    }

    pub(crate) fn let_in(&mut self, peer: PeerId) {
        if self.is_shown(peer) {
            self.admit(peer);
        }
    }

    pub(crate) fn turn_away(&mut self, peer: PeerId) {
        if self.is_shown(peer) {
            self.dismiss(peer, Refusal::TurnedAway);
        }
    }

    /// It may have gone while a person thought about it.
    fn is_shown(&mut self, peer: PeerId) -> bool {
        let is_shown = self.door.shown().any(|asker| asker == peer);
        if !is_shown {
            self.note(format!("{peer} does not ask to come in."));
        }
        is_shown
    }

    pub(crate) fn trust(&mut self, trusted: BTreeSet<Identity>) {
        let before = self.trusted_here();
        let known = self.door.trust(trusted);
        let since = self.trusted_here().into_iter().filter(|peer| !before.contains(peer));
        since.for_each(|peer| self.tell_remembered(peer));
        known.into_iter().for_each(|peer| self.admit(peer));
        self.view_changes.mark();
    }

    pub(crate) fn lock(&mut self, is_locked: bool) {
        let askers = self.door.lock(is_locked);
        askers.into_iter().for_each(|peer| self.dismiss(peer, Refusal::Locked));
        self.view_changes.mark();
    }

    /// A member has to go, and to ask if it comes back.
    pub(crate) fn remove(&mut self, identity: Identity) {
        self.door.remove(identity);
        let is_meant =
            |member: &Member| member.meeting.other == identity && member.link != LinkState::Lost;
        let here = self.members.iter().filter(|(_, member)| is_meant(member));
        let here: Vec<PeerId> = here.map(|(&peer, _)| peer).collect();
        self.tell_members();
        here.into_iter().for_each(|peer| self.dismiss(peer, Refusal::Removed));
        self.view_changes.mark();
    }

    fn admit(&mut self, peer: PeerId) {
        let Some(member) = self.members.get(&peer) else { return };
        let identity = member.meeting.other;
        let here: BTreeSet<Identity> =
            self.open_peers().iter().map(|peer| self.members[peer].meeting.other).collect();
        self.door.forget(peer);
        if self.door.admit(identity, |known| here.contains(&known)) {
            self.tell_members();
        }
        self.tell_who_is_in(peer);
        self.come_in(peer);
        self.tell_remembered(peer);
    }

    fn tell_members(&mut self) {
        self.open_peers().into_iter().for_each(|peer| self.tell_who_is_in(peer));
    }

    fn tell_who_is_in(&mut self, peer: PeerId) {
        let members = self.door.admitted().to_vec();
        self.transmit(peer, Admission::In { members });
    }

    /// Says why, and ends the link once that may have arrived.
    fn dismiss(&mut self, peer: PeerId, refusal: Refusal) {
        self.transmit(peer, Admission::Out(refusal));
        if let Some(member) = self.members.get_mut(&peer) {
            member.has_left = true;
        }
        self.lose(peer);
        if self.farewells.len() < MAX_PEERS {
            self.farewells.insert(peer, self.now_secs + FAREWELL_SECS);
        } else {
            self.outputs.push_back(Output::Disconnect { peer });
        }
    }
}

/// The part of those that ask, and of members.
impl Room {
    pub(crate) fn take_admission(&mut self, peer: PeerId, admission: Admission) -> Verdict {
        let claims = self.members.get(&peer).is_some_and(Member::claims);
        match admission {
            Admission::Ask { ticket } if self.config.coordinator && !claims => {
                self.take_knock(peer, ticket)
            }
            Admission::Ask { .. } => Err("only the coordinator lets in"),
            _ if self.config.coordinator || !claims => Err("only the coordinator lets in"),
            Admission::Wait => {
                self.begin_waiting(peer);
                Ok(())
            }
            Admission::In { members } => {
                self.take_who_is_in(peer, members);
                Ok(())
            }
            Admission::Out(refusal) => {
                self.take_refusal(peer, refusal);
                Ok(())
            }
            Admission::Remembered(secret) => self.take_remembered(peer, secret),
        }
    }

    /// A phone says that it started the room.
    pub(crate) fn ask_to_come_in(&mut self, peer: PeerId) -> Verdict {
        let other = self.members.get(&peer).map(|member| member.meeting.other);
        if !other.is_some_and(|other| self.may_have_started(other)) {
            self.turn_from(peer);
            return Err("it is not the phone that started the room");
        }
        let mut ticket = self.config.door.ticket.clone();
        ticket.truncate(MAX_TICKET_BYTES);
        self.transmit(peer, Admission::Ask { ticket });
        if let Some(old) = self.coordinator {
            // It may be the same phone, loaded anew; the room is its where the old one says nothing.
            self.ping(old, None);
        }
        Ok(())
    }

    /// Whether a phone is the coordinator that is expected, as far as that is known. A secret alone makes nobody one: who
    /// was taken out of the room still has it.
    fn may_have_started(&self, identity: Identity) -> bool {
        self.expected.is_none_or(|expected| expected == identity)
            && self.config.door.host.is_none_or(|host| host.is_of(identity))
    }

    fn begin_waiting(&mut self, peer: PeerId) {
        if let Some(member) = self.members.get_mut(&peer) {
            member.is_asked = true;
        }
        self.view_changes.mark();
    }

    /// Whether a phone that started the room thinks about us.
    pub(crate) fn waits_at_door(&self) -> bool {
        let is_asking = |member: &Member| member.link == LinkState::Waiting && member.claims();
        self.coordinator.is_none() && self.members.values().any(is_asking)
    }

    fn take_who_is_in(&mut self, peer: PeerId, members: Vec<Identity>) {
        if self.coordinator.is_some_and(|coordinator| coordinator != peer) {
            // Once the other is gone we meet this one anew.
            return;
        }
        self.known = members.into_iter().collect();
        if self.coordinator.is_none() {
            self.expected = self.members.get(&peer).map(|member| member.meeting.other);
            self.come_in(peer);
            self.follow(peer);
        }
        for other in self.members.keys().copied().collect::<Vec<_>>() {
            if other != peer {
                self.tell_apart(other);
            }
        }
    }

    /// A phone is a member where the coordinator says so, and only then. Another coordinator is none.
    pub(crate) fn tell_apart(&mut self, peer: PeerId) {
        let Some(member) = self.members.get(&peer) else { return };
        let identity = member.meeting.other;
        let (claims, is_known) = (member.claims(), self.known.contains(&identity));
        match member.link {
            LinkState::Lost => {}
            _ if claims && !self.may_have_started(identity) => self.turn_from(peer),
            LinkState::Waiting if is_known && !claims => self.come_in(peer),
            LinkState::Open if !is_known && !claims => self.turn_from(peer),
            _ => {}
        }
    }

    pub(crate) fn turn_from(&mut self, peer: PeerId) {
        self.outputs.push_back(Output::Disconnect { peer });
        self.lose(peer);
    }

    fn take_refusal(&mut self, peer: PeerId, refusal: Refusal) {
        if self.coordinator.is_some_and(|coordinator| coordinator != peer) {
            return self.turn_from(peer);
        }
        let failure =
            Failure::new(FailureCode::NotLetIn(refusal), sentence(refusal, &self.name_of(peer)));
        self.be_refused(failure);
    }

    /// It is over for us: nothing more is said or heard.
    fn be_refused(&mut self, failure: Failure) {
        self.fail_own_asks(&failure);
        self.failure = Some(failure);
        self.coordinator = None;
        self.phase = Phase::Connecting;
        self.plan = None;
        self.drop_stage();
        for peer in self.members.keys().copied().collect::<Vec<_>>() {
            self.outputs.push_back(Output::Disconnect { peer });
        }
        self.members.clear();
        self.outputs.push_back(Output::StayAway);
        self.tell(Event::ViewChanged);
        self.has_left = true;
    }
}

/// Links to those that are not in.
impl Room {
    /// From now on we say and hear everything.
    pub(crate) fn come_in(&mut self, peer: PeerId) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        member.link = LinkState::Open;
        member.unanswered_since_secs = None;
        let is_back = member.is_back;
        let pledge = member.hello.as_ref().map(|hello| hello.pledge);
        self.facts.insert(peer, Facts::new(pledge.unwrap_or(self.config.pledge)));
        self.ask_to_prepare(peer);
        self.arrived();
        self.view_changes.mark();
        self.status_changes.mark();
        let is_member = self.coordinator.is_some_and(|coordinator| coordinator != peer);
        if is_back && is_member && !self.config.coordinator {
            self.probe_too(peer);
        }
    }

    /// Whether a phone has been let in before, by us or by whom we follow.
    pub(crate) fn is_known(&self, identity: Identity) -> bool {
        self.door.knows(identity) || self.known.contains(&identity)
    }

    pub(crate) fn check_door(&mut self) {
        for peer in self.door.late(self.now_secs) {
            self.dismiss(peer, Refusal::Unanswered);
        }
        let now = self.now_secs;
        let late = self.waiting().filter(|&(_, at)| now >= at).map(|(peer, _)| peer);
        for peer in late.collect::<Vec<_>>() {
            self.give_up_waiting(peer);
        }
        let over = self.farewells.iter().filter(|&(_, &at)| now >= at).map(|(&peer, _)| peer);
        for peer in over.collect::<Vec<_>>() {
            self.farewells.remove(&peer);
            self.outputs.push_back(Output::Disconnect { peer });
        }
    }

    pub(crate) fn door_deadline(&self) -> Option<f64> {
        let farewells = self.farewells.values().copied();
        let waiting = self.waiting().map(|(_, at)| at);
        farewells.chain(waiting).chain(self.door.deadline()).reduce(f64::min)
    }

    /// Links whose phones are not in, and how long they are kept.
    fn waiting(&self) -> impl Iterator<Item = (PeerId, f64)> {
        let secs = self.config.limits.ask_secs + GRACE_SECS;
        let waiting = self.members.iter().filter(|(_, it)| it.link == LinkState::Waiting);
        waiting.map(move |(&peer, member)| (peer, member.waiting_since_secs + secs))
    }

    fn give_up_waiting(&mut self, peer: PeerId) {
        let claims = self.members.get(&peer).is_some_and(Member::claims);
        if claims && !self.config.coordinator && self.coordinator.is_none() {
            return self.take_refusal(peer, Refusal::Unanswered);
        }
        self.turn_from(peer);
    }
}

fn sentence(refusal: Refusal, name: &str) -> String {
    match refusal {
        Refusal::TurnedAway => format!("{name} did not let this phone in."),
        Refusal::Locked => format!("{name} has locked the room: nobody else may come in."),
        Refusal::Unanswered => {
            format!("Nobody at {name} said whether this phone may come in. Ask again.")
        }
        Refusal::Crowded => {
            format!("Too many phones ask {name} to come in. Ask again in a moment.")
        }
        Refusal::Expired => format!("This invitation has expired. Ask {name} for a new one."),
        Refusal::Removed => format!("{name} has taken this phone out of the room."),
    }
}

/// A refusal arrives within that time, or never.
const FAREWELL_SECS: f64 = 2.0;
/// Whoever asks is told within its time; these are for the way.
const GRACE_SECS: f64 = 30.0;
