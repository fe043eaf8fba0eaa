//! Answers outlive plans: where a phone is lost, those that are left go on with another plan, and every answer
//! goes on from the header's tokens, without a lost or changed one.

use base::{PeerId, RequestId};
use protocol::peer::{Failure, FailureCode, Phase, PlanStatus};

use crate::{Assignment, ModelSpec, Room, request::Request};

impl Room {
    /// The plan cannot go on, for the reason of `failure`. The next is made at once where the room was at work, and
    /// else ends in that failure.
    pub(crate) fn go_on_without(&mut self, failure: Failure) {
        let is_at_work =
            self.phase == Phase::Ready || self.is_changing_plan() || self.waits_for_plan();
        if !is_at_work {
            return self.end_epoch(Phase::Gathering, failure);
        }
        // What to do about it is for those who cannot go on.
        let cause = failure.message.split_inclusive(". ").next().unwrap_or_default().trim_end();
        if let Err(no_plan) = self.replan(cause) {
            self.park_requests();
            self.halt();
            let (lost, why) = (failure.message, no_plan.message);
            let message = format!("{lost} {why} What was asked waits for one more phone.");
            self.failure = Some(Failure::new(failure.code, message));
            self.set_phase(Phase::Gathering);
            // It may be here already, and was not measured because the room was at work.
            if self.has_come && self.waits_for_plan() {
                self.begin(Assignment::Best);
            }
        }
    }

    /// Plans with what is known of the phones that are here: with what they hold, so that nothing is loaded, or
    /// else anew.
    pub(crate) fn replan(&mut self, cause: &str) -> Result<(), Failure> {
        let nothing = || Failure::new(FailureCode::Internal, "There is no model.");
        let spec = self.spec.clone().ok_or_else(nothing)?;
        let able = self.able_peers();
        let holding = self.holding(&able);
        let (spec, status) = match self.held_plan(&spec, &holding) {
            Some(status) => (spec, status),
            None => self.next_plan(&spec, &able)?,
        };
        self.is_reduced = true;
        self.change_plan(&spec, status, cause);
        Ok(())
    }

    /// Another plan in the middle of things; what runs goes on with it.
    pub(crate) fn change_plan(&mut self, spec: &ModelSpec, status: PlanStatus, cause: &str) {
        self.park_requests();
        self.halt();
        self.roll_out(spec, status, Some(cause));
    }

    /// Whether what is loaded is for a plan that has replaced another.
    pub(crate) fn is_changing_plan(&self) -> bool {
        let has_cause = self.plan.as_ref().is_some_and(|plan| plan.cause.is_some());
        self.phase == Phase::Loading && has_cause
    }

    /// Takes every request out of the ring, until there is a plan to go on with.
    pub(crate) fn park_requests(&mut self) {
        let now = self.now_secs;
        let running = self.requests.values_mut().filter(|request| request.runs());
        running.for_each(|request| request.park(now));
        self.read_texts();
    }

    /// Whether answers or asks wait for a plan.
    pub(crate) fn waits_for_plan(&self) -> bool {
        self.phase != Phase::Ready && (self.first_parked().is_some() || !self.queue.is_empty())
    }

    pub(crate) fn first_parked(&self) -> Option<RequestId> {
        let is_parked = |request: &Request| request.is_parked && request.ended.is_none();
        self.requests.iter().find(|(_, request)| is_parked(request)).map(|(&number, _)| number)
    }

    /// What waits in vain.
    pub(crate) fn waited_in_vain(&self) -> Failure {
        let message = "The phones that are left could not go on, and none joined. Ask again when \
                       the room is ready.";
        Failure::new(FailureCode::PhoneLeft, message)
    }

    pub(crate) fn able_peers(&self) -> Vec<PeerId> {
        let here = std::iter::once(self.config.me).chain(self.open_peers());
        here.filter(|&peer| self.is_able(peer) && !self.is_away(peer)).collect()
    }

    pub(crate) fn is_away(&self, peer: PeerId) -> bool {
        self.members.get(&peer).is_some_and(|member| member.away.is_some())
    }

    /// Those that hold modules, if we do.
    pub(crate) fn holding(&self, able: &[PeerId]) -> Vec<PeerId> {
        let holds =
            |peer: &&PeerId| self.facts.get(peer).is_some_and(|facts| !facts.held.is_empty());
        able.iter().filter(holds).copied().collect()
    }
}
