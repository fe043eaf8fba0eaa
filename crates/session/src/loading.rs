//! Loading: every member's stage, and the coordinator waiting for all of them;
//! and the end of an epoch.

use std::collections::BTreeMap;

use base::PeerId;
use protocol::peer::{
    Carry, Failure, FailureCode, Frame, Halt, LoadProgress, Phase, PlanStatus, RollOut,
    StageFailed, StageReady,
};

use crate::{Output, Room, frames::Verdict, ring::Ring};

/// Who is still loading, and when each was last seen to get on.
#[derive(Debug)]
pub(crate) struct Loading {
    progress_at_secs: BTreeMap<PeerId, f64>,
}

/// Every member's part.
impl Room {
    /// From the coordinator.
    pub(crate) fn take_roll_out(&mut self, roll_out: RollOut) -> Verdict {
        if roll_out.epoch <= self.epoch {
            return Err("its epoch is over");
        }
        Ring::check(&roll_out, self.coordinator)?;
        self.adopt(roll_out);
        Ok(())
    }

    /// Loads our stages of a plan, if we have any.
    pub(crate) fn adopt(&mut self, roll_out: RollOut) {
        self.epoch = roll_out.epoch;
        self.prober.stop();
        self.exercises.clear();
        let carry = roll_out.carry.clone();
        self.offer_caches(carry.clone());
        let ring = Ring::new(roll_out, self.config.me);
        if ring.indices().is_empty() {
            return self.do_nothing(&carry);
        }
        self.stage.halt();
        let stranger = ring.neighbours().into_iter().find(|&peer| !self.is_open(peer));
        let load = ring.load();
        self.stage.ring = Some(ring);
        if let Some(peer) = stranger {
            let message = format!("it has no connection to {}", self.name_of(peer));
            let failure = Failure::new(FailureCode::DeviceFailed, message);
            return self.stage_failed(self.epoch, failure);
        }
        self.stage.holds_weights = true;
        self.my_facts().clear_stage();
        self.outputs.push_back(Output::LoadStage(load));
        self.expect_caches(&carry);
    }

    /// We have no stage any more. What the others want of our caches stays, with its modules, until there is another
    /// plan.
    fn do_nothing(&mut self, carry: &Carry) {
        if !carry.moved.iter().any(|moved| moved.from == self.config.me) {
            return self.drop_stage();
        }
        self.stage.halt();
        self.my_facts().clear_stage();
    }

    /// Forgets our stage and its weights.
    pub(crate) fn drop_stage(&mut self) {
        self.stage.halt();
        self.my_facts().clear_stage();
        if std::mem::take(&mut self.stage.holds_weights) {
            self.outputs.push_back(Output::UnloadStage);
        }
    }

    /// From the coordinator: the epoch is over. The weights stay for the next plan.
    pub(crate) fn take_halt(&mut self, epoch: u32) -> Verdict {
        if epoch == self.epoch {
            self.stage.halt();
            self.my_facts().clear_stage();
        }
        Ok(())
    }

    pub(crate) fn load_progress(&mut self, epoch: u32, loaded_bytes: u64, total_bytes: u64) {
        if !self.runs(epoch) {
            return;
        }
        let now = self.now_secs;
        let facts = self.my_facts();
        let loaded_bytes = loaded_bytes.min(total_bytes);
        facts.counters.bytes_fetched += loaded_bytes.saturating_sub(facts.loaded_bytes);
        facts.loaded(loaded_bytes, total_bytes, now);
        self.progress_changes.mark();
        self.loads_on(self.config.me);
    }

    pub(crate) fn tell_progress(&mut self) {
        let (epoch, facts) = (self.epoch, self.my_facts());
        let (loaded_bytes, total_bytes) = (facts.loaded_bytes, facts.total_bytes);
        if let Some(coordinator) = self.coordinator.filter(|&peer| peer != self.config.me) {
            self.transmit(coordinator, LoadProgress { epoch, loaded_bytes, total_bytes });
        }
    }

    pub(crate) fn stage_loaded(&mut self, epoch: u32, has_caches: bool) {
        if !self.runs(epoch) || self.stage.is_loaded {
            return;
        }
        match has_caches {
            true => self.ask_for_caches(),
            false => self.give_up_caches(),
        }
    }

    /// Our stages can run, with the caches that were to go on or without them.
    pub(crate) fn stage_complete(&mut self, has_caches: bool) {
        let epoch = self.epoch;
        self.stage.is_loaded = true;
        self.my_facts().is_ready = true;
        self.view_changes.mark();
        if self.config.coordinator {
            self.stage_ready(self.config.me, has_caches);
        } else if let Some(coordinator) = self.coordinator {
            self.tell_progress();
            self.transmit(coordinator, StageReady { epoch, has_caches });
        }
    }

    /// Our stage does not load, or its device is lost.
    pub(crate) fn stage_failed(&mut self, epoch: u32, failure: Failure) {
        if !self.runs(epoch) {
            return;
        }
        if self.config.coordinator {
            return self.stage_lost(self.config.me, &failure);
        }
        self.drop_stage();
        if let Some(coordinator) = self.coordinator {
            self.transmit(coordinator, StageFailed { epoch, failure });
        }
    }

    fn runs(&self, epoch: u32) -> bool {
        self.epoch == epoch && self.stage.ring.is_some()
    }
}

/// The coordinator's part.
impl Room {
    pub(crate) fn wait_for_loading(&mut self, plan: &PlanStatus) {
        let now = self.now_secs;
        let progress_at_secs = plan.stages.iter().map(|stage| (stage.peer, now)).collect();
        self.loading = Some(Loading { progress_at_secs });
    }

    pub(crate) fn take_load_progress(&mut self, peer: PeerId, progress: &LoadProgress) -> Verdict {
        if progress.epoch != self.epoch || self.loading.is_none() {
            return Ok(());
        }
        let facts = self.facts.get_mut(&peer).ok_or("no such peer")?;
        facts.loaded(progress.loaded_bytes, progress.total_bytes, self.now_secs);
        self.loads_on(peer);
        Ok(())
    }

    fn loads_on(&mut self, peer: PeerId) {
        self.view_changes.mark();
        self.status_changes.mark();
        let now = self.now_secs;
        let loading = self.loading.as_mut();
        if let Some(at) = loading.and_then(|loading| loading.progress_at_secs.get_mut(&peer)) {
            *at = now;
        }
    }

    pub(crate) fn take_stage_ready(&mut self, peer: PeerId, ready: &StageReady) -> Verdict {
        if ready.epoch != self.epoch || self.plan.is_none() {
            return Ok(());
        }
        let is_awaited = |loading: &Loading| loading.progress_at_secs.contains_key(&peer);
        if !self.loading.as_ref().is_some_and(is_awaited) {
            return Err("it has nothing to load");
        }
        self.stage_ready(peer, ready.has_caches);
        Ok(())
    }

    fn stage_ready(&mut self, peer: PeerId, has_caches: bool) {
        if !has_caches {
            self.forget_caches();
        }
        if let Some(facts) = self.facts.get_mut(&peer) {
            facts.is_ready = true;
        }
        self.holds_planned(peer);
        self.loads_on(peer);
        let Some(loading) = &mut self.loading else { return };
        loading.progress_at_secs.remove(&peer);
        if loading.progress_at_secs.is_empty() {
            self.loading = None;
            self.set_phase(Phase::Ready);
            self.relieve_away();
        }
    }

    pub(crate) fn take_stage_failed(
        &mut self,
        peer: PeerId,
        epoch: u32,
        failure: &Failure,
    ) -> Verdict {
        if epoch != self.epoch || self.plan.is_none() {
            return Ok(());
        }
        if !self.is_staged(peer) {
            return Err("it has no stage");
        }
        self.stage_lost(peer, failure);
        Ok(())
    }

    fn stage_lost(&mut self, peer: PeerId, failure: &Failure) {
        let (name, why) = (self.name_of(peer), &failure.message);
        let message = format!("{name} cannot run its part of the model: {why}");
        let failure = Failure::new(failure.code, message);
        if peer == self.config.me || !(self.phase == Phase::Ready || self.is_changing_plan()) {
            return self.end_epoch(Phase::Failed, failure);
        }
        self.unfit(peer, &failure.message);
        self.go_on_without(failure);
    }

    /// Gives up a phone that does not get on.
    pub(crate) fn check_loading(&mut self) {
        let (now, stall) = (self.now_secs, self.config.limits.load_stall_secs);
        let Some(loading) = &self.loading else { return };
        let late = loading.progress_at_secs.iter().find(|&(_, at)| now >= at + stall);
        let Some((&peer, _)) = late else { return };
        let name = self.name_of(peer);
        let message = format!(
            "{name} got no further with loading in {stall:.0} seconds. \
             Check its connection and begin again."
        );
        let failure = Failure::new(FailureCode::TooSlow, message);
        if peer == self.config.me || !self.is_changing_plan() {
            return self.end_epoch(Phase::Failed, failure);
        }
        self.unfit(peer, "it got no further with loading");
        self.go_on_without(failure);
    }

    pub(crate) fn loading_deadline(&self) -> Option<f64> {
        let progress = self.loading.as_ref()?.progress_at_secs.values().copied();
        progress.reduce(f64::min).map(|at| at + self.config.limits.load_stall_secs)
    }

    /// The plan cannot go on: everything that runs fails, what is known stays.
    pub(crate) fn end_epoch(&mut self, phase: Phase, failure: Failure) {
        self.fail_every_ask(&failure);
        self.halt();
        self.failure = Some(failure);
        self.set_phase(phase);
    }

    /// Ends the plan; the weights stay where they are.
    pub(crate) fn halt(&mut self) {
        self.forget_caches();
        self.end_restock();
        if self.end_plan() {
            let epoch = self.epoch;
            self.broadcast(&Frame::from(Halt { epoch }));
            self.stage.halt();
        }
    }

    /// There is no plan, if there was one; the next tells the others so.
    pub(crate) fn end_plan(&mut self) -> bool {
        self.read_texts();
        self.loading = None;
        for facts in self.facts.values_mut() {
            facts.clear_stage();
            facts.used_bytes = 0;
        }
        self.plan.take().is_some()
    }

    /// Whether `peer` runs a part of the current plan.
    pub(crate) fn is_staged(&self, peer: PeerId) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.stages.iter().any(|stage| stage.peer == peer))
    }

    /// Whether the current plan has one of the two send something to the other.
    pub(crate) fn sends_to(&self, a: PeerId, b: PeerId) -> bool {
        self.stage.ring.as_ref().is_some_and(|ring| ring.sends_to(a, b))
    }
}
