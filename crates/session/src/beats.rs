//! Signs of life: who is pinged when, and what silence means.
//!
//! A phone that says nothing for long is lost. In the middle of an answer a shorter silence is enough to go on
//! without a phone; its link stays, and when it speaks again it may take part again.

use base::PeerId;
use protocol::peer::{Failure, FailureCode, Ping};

use crate::{LinkState, Output, Room, members::Member, request::Request};

impl Room {
    /// A frame came from an introduced peer.
    pub(crate) fn heard(&mut self, peer: PeerId) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        member.heard_at_secs = self.now_secs;
        member.unanswered_since_secs = None;
        member.restarted_at_secs = None;
        if std::mem::take(&mut member.is_silent) {
            let name = self.name_of(peer);
            self.note(format!("{name} answers again."));
            self.arrived();
        }
    }

    /// Whoever is silent now may yet speak.
    pub(crate) fn restart_began(&mut self, peer: PeerId) {
        if let Some(member) = self.members.get_mut(&peer) {
            member.restarted_at_secs.get_or_insert(self.now_secs);
        }
    }

    /// Pings everyone from time to time, and gives up those that say nothing.
    pub(crate) fn beat(&mut self) {
        for peer in self.due(|room, peer, member| Some(room.lost_at_secs(peer, member))) {
            self.outputs.push_back(Output::Disconnect { peer });
            self.lose(peer);
        }
        for peer in self.due(Self::hushed_at_secs) {
            self.hush(peer);
        }
        for peer in self.due(|room, peer, member| Some(room.pinged_at_secs(peer, member))) {
            self.ping(peer, None);
        }
    }

    /// Asks for a sign of life, behind a frame of so many bytes or by itself.
    pub(crate) fn ping(&mut self, peer: PeerId, large_bytes: Option<usize>) {
        let (nonce, now) = (self.nonce(), self.now_secs);
        self.transmit(peer, Ping { nonce, through_device: false });
        self.time_ping(peer, nonce, large_bytes);
        if let Some(member) = self.members.get_mut(&peer) {
            member.pinged_at_secs = now;
            member.unanswered_since_secs.get_or_insert(now);
        }
    }

    pub(crate) fn next_beat(&self) -> Option<f64> {
        let next = |(&peer, member): (&PeerId, &Member)| {
            let soonest = self.lost_at_secs(peer, member).min(self.pinged_at_secs(peer, member));
            self.hushed_at_secs(peer, member).map_or(soonest, |at| at.min(soonest))
        };
        self.live().map(next).reduce(f64::min)
    }

    fn live(&self) -> impl Iterator<Item = (&PeerId, &Member)> {
        self.members.iter().filter(|(_, member)| member.link != LinkState::Lost)
    }

    /// Those whose time has come.
    fn due(&self, at_secs: impl Fn(&Self, PeerId, &Member) -> Option<f64>) -> Vec<PeerId> {
        let is_due = |&(&peer, member): &(&PeerId, &Member)| {
            at_secs(self, peer, member).is_some_and(|at| self.now_secs >= at)
        };
        self.live().filter(is_due).map(|(&peer, _)| peer).collect()
    }

    fn lost_at_secs(&self, peer: PeerId, member: &Member) -> f64 {
        let silent_secs = member.heard_at_secs + self.config.limits.silence_secs;
        let restarted_secs = member.restarted_at_secs.map(|at_secs| at_secs + RESTART_SECS);
        let silent_secs = restarted_secs.map_or(silent_secs, |at_secs| at_secs.max(silent_secs));
        match member.unanswered_since_secs.filter(|_| self.is_contested(peer)) {
            Some(since_secs) => silent_secs.min(since_secs + self.config.limits.hush_secs),
            None => silent_secs,
        }
    }

    fn hushed_at_secs(&self, peer: PeerId, member: &Member) -> Option<f64> {
        let since_secs = member.unanswered_since_secs.filter(|_| !member.is_silent)?;
        if self.is_needed(peer) {
            return Some(since_secs + self.config.limits.hush_secs);
        }
        self.is_waited_for(peer).then_some(since_secs + LOADING_HUSH_SECS)
    }

    fn pinged_at_secs(&self, peer: PeerId, member: &Member) -> f64 {
        let is_needed = self.is_needed(peer) || self.is_waited_for(peer);
        let is_watched =
            (is_needed || self.is_in_use(peer) || self.is_contested(peer)) && !member.is_silent;
        member.pinged_at_secs + if is_watched { WATCHED_BEAT_SECS } else { BEAT_SECS }
    }

    /// Whether answers under way wait for a phone.
    fn is_needed(&self, peer: PeerId) -> bool {
        self.config.coordinator && self.requests.values().any(Request::runs) && self.is_staged(peer)
    }

    /// Whether answers stand still until all have loaded their parts, and a phone is one of them.
    fn is_waited_for(&self, peer: PeerId) -> bool {
        self.config.coordinator
            && self.loading.is_some()
            && self.is_staged(peer)
            && self.first_parked().is_some()
    }

    fn hush(&mut self, peer: PeerId) {
        if let Some(member) = self.members.get_mut(&peer) {
            member.is_silent = true;
        }
        let name = self.name_of(peer);
        let message =
            format!("{name} does not answer. Check that its page is in front and its screen on.");
        self.go_on_without(Failure::new(FailureCode::PhoneLeft, message));
    }
}

/// How long a link that is given another way is waited for.
pub const RESTART_SECS: f64 = 20.0;
/// Two signs of life fit well within the shortest silence that means a loss.
const BEAT_SECS: f64 = 2.0;
/// A page that loads may be deaf for a while.
const LOADING_HUSH_SECS: f64 = 6.0;
/// While an answer waits for the phone, or goes over our link to it.
const WATCHED_BEAT_SECS: f64 = 0.25;
