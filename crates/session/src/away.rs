//! Phones that had better have nothing to do for a while, and phones that come back: a room takes parts from
//! the ones before they are lost, and gives parts to the others when nobody waits for an answer.

use base::PeerId;
use protocol::peer::{Away, AwayReason, Failure, Phase};

use crate::{Assignment, LinkState, Room, frames::Verdict, planning::planned_stages};

impl Room {
    /// What our page says of itself. A coordinator stays what it is.
    pub(crate) fn be_away(&mut self, why: Option<AwayReason>) {
        self.own_away = why;
        if let Some(coordinator) = self.coordinator.filter(|_| !self.config.coordinator) {
            self.transmit(coordinator, Away { why });
        }
    }

    pub(crate) fn take_away(&mut self, peer: PeerId, why: Option<AwayReason>) -> Verdict {
        if let Some(member) = self.members.get_mut(&peer) {
            member.away = why;
        }
        match why {
            Some(why) => self.take_over(peer, why),
            None => self.arrived(),
        }
        Ok(())
    }

    /// Some may have gone away while their parts were loaded.
    pub(crate) fn relieve_away(&mut self) {
        let away = self.members.iter().filter(|(_, member)| member.link == LinkState::Open);
        let mut away = away.filter_map(|(&peer, member)| Some((peer, member.away?)));
        if let Some((peer, why)) = away.find(|&(peer, _)| self.is_staged(peer)) {
            self.take_over(peer, why);
        }
    }

    /// The others go on without a phone that is still there, if they can.
    fn take_over(&mut self, peer: PeerId, why: AwayReason) {
        if self.phase != Phase::Ready || !self.is_staged(peer) {
            return;
        }
        let name = self.name_of(peer);
        let cause = match why {
            AwayReason::Hidden => {
                format!("{name}'s page is not in front, so the others took over its part.")
            }
            AwayReason::LowBattery => {
                format!("{name}'s battery is low, so the others took over its part.")
            }
        };
        if self.relieve(&cause).is_err() {
            self.note(format!("{name} has to go on: the others have no room for its part."));
        }
    }

    /// Another plan while the phone that loses its part is there to give its caches away.
    fn relieve(&mut self, cause: &str) -> Result<(), Failure> {
        let able = self.able_peers();
        let holding = self.holding(&able);
        let spec = self.spec.clone();
        let held = spec.and_then(|spec| Some((self.held_plan(&spec, &holding)?, spec)));
        let Some((status, spec)) = held else { return self.replan(cause) };
        self.is_reduced = true;
        let moved = self.moved_caches(&spec, &planned_stages(&status));
        self.switch_over(spec, status, cause.to_owned(), moved);
        Ok(())
    }

    /// Somebody is here who was not: what waits for one more phone goes on, or all is shared anew in a quiet moment.
    pub(crate) fn arrived(&mut self) {
        if !self.config.coordinator {
            return;
        }
        self.has_come = true;
        let has_stopped = matches!(self.phase, Phase::Gathering | Phase::Failed);
        if has_stopped && self.waits_for_plan() {
            self.begin(Assignment::Best);
        }
    }

    /// Gives a phone its part again, or another phone that of one that is gone.
    pub(crate) fn welcome_back(&mut self) {
        let is_quiet = self.requests.is_empty() && self.queue.is_empty();
        if !(self.has_come && self.is_reduced && is_quiet && self.phase == Phase::Ready) {
            return;
        }
        let peers = self.open_peers();
        if peers.iter().any(|peer| !self.is_prepared(*peer)) {
            return;
        }
        self.has_come = false;
        if peers.iter().any(|&peer| !self.has_speed(peer)) {
            return self.begin(Assignment::Best);
        }
        let Some(spec) = self.spec.clone() else { return };
        if let Ok((spec, status)) = self.next_plan(&spec, &self.able_peers()) {
            self.is_reduced = false;
            self.change_plan(&spec, status, "All phones take part again.");
        }
    }

    fn is_prepared(&self, peer: PeerId) -> bool {
        self.facts.get(&peer).is_some_and(|facts| facts.is_prepared || facts.is_unfit)
    }

    fn has_speed(&self, peer: PeerId) -> bool {
        self.facts.get(&peer).is_some_and(|facts| facts.flops_per_sec.is_some() || facts.is_unfit)
    }
}
