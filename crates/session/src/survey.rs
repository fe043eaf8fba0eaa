//! The coordinator's part in measuring. All phones get ready, then each has a turn, so that none
//! is measured while another works; what does not come in time is assumed.

use std::collections::btree_map::Entry;

use base::{Estimate, PeerId};
use protocol::peer::{
    DeviceMeasured, Failure, FailureCode, LinkMeasured, Measure, MeasuringStatus, Phase, Prepare,
};

use crate::{Assignment, LinkState, ModelSpec, Room, frames::Verdict};

/// A beginning under way: getting ready, measuring in turns, then one step for planning.
#[derive(Debug)]
pub(crate) struct Survey {
    /// End of the step under way.
    deadline_secs: f64,
    step: Step,
    /// Those who were here at the beginning, ourselves first.
    participants: Vec<PeerId>,
    /// What the plan is to be.
    assignment: Assignment,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Step {
    /// Everybody gets ready at once.
    Preparing,
    /// One phone measures its device and its links.
    Turn(PeerId),
    /// Planning takes a step of its own, so that the page can say so.
    Planning,
}

impl Survey {
    pub(crate) fn deadline(&self) -> f64 {
        self.deadline_secs
    }
}

impl Room {
    pub(crate) fn set_model(&mut self, spec: ModelSpec) {
        if !self.config.coordinator || self.is_beginning() {
            return self.note(
                "The model can only be set by the coordinator, and not while the room begins.",
            );
        }
        let is_other = self.spec.as_ref().is_some_and(|known| known.model != spec.model);
        let is_known = |known: &ModelSpec| known.with_slots(spec.slots) == spec;
        let is_new = !self.spec.as_ref().is_some_and(is_known);
        if is_new {
            self.facts.values_mut().for_each(|facts| facts.held.clear());
            self.switch = None;
            self.end_restock();
        }
        if is_other {
            let message = "The room runs another model now. Ask once it is ready.";
            self.fail_every_ask(&Failure::new(FailureCode::Busy, message));
            self.facts.values_mut().for_each(|facts| {
                facts.flops_per_sec = None;
                facts.is_prepared = false;
            });
        }
        self.model = Some(spec.status());
        if is_new {
            self.spec = Some(spec);
        }
        self.refresh_pledges();
        self.ask_to_prepare(self.config.me);
        self.open_peers().into_iter().for_each(|peer| self.ask_to_prepare(peer));
        self.view_changes.mark();
        self.status_changes.mark();
    }

    /// Phones get ready while the others still arrive. Nothing to do before the model is known.
    pub(crate) fn ask_to_prepare(&mut self, peer: PeerId) {
        let Some(model) = self.spec.as_ref().map(|spec| spec.model.clone()) else { return };
        let prepare = Prepare { model };
        if peer == self.config.me {
            self.prepare(prepare);
        } else {
            self.transmit(peer, prepare);
        }
    }

    pub(crate) fn record_prepared(&mut self, peer: PeerId, url: &str) {
        let is_current = self.spec.as_ref().is_some_and(|spec| spec.model.url == url);
        if let Some(facts) = self.facts.get_mut(&peer).filter(|_| is_current) {
            facts.is_prepared = true;
            if std::mem::take(&mut facts.is_unfit) {
                facts.remark = None;
                self.view_changes.mark();
                self.status_changes.mark();
            }
        }
    }

    pub(crate) fn take_prepared(&mut self, peer: PeerId, url: &str) -> Verdict {
        self.record_prepared(peer, url);
        Ok(())
    }

    pub(crate) fn begin(&mut self, assignment: Assignment) {
        if !self.config.coordinator || self.spec.is_none() {
            return self.note("Only the coordinator can begin, once it has a model.");
        }
        if self.is_beginning() {
            return self.note("The room is beginning already.");
        }
        self.park_requests();
        self.halt();
        (self.is_reduced, self.has_come) = (false, false);
        self.forget_lost();
        self.refresh_pledges();
        let mut participants = vec![self.config.me];
        participants.extend(self.open_peers());
        self.forget_assumed();
        self.forget_measured(&participants);
        // Those that could not get ready may try again.
        for peer in participants.clone() {
            let facts = self.facts.get_mut(&peer).filter(|facts| facts.is_unfit);
            if let Some(facts) = facts {
                (facts.is_unfit, facts.is_prepared, facts.remark) = (false, false, None);
                self.ask_to_prepare(peer);
            }
        }
        let deadline_secs = self.now_secs + self.config.limits.measure_secs;
        self.survey =
            Some(Survey { deadline_secs, step: Step::Preparing, participants, assignment });
        self.failure = None;
        self.broken_link = None;
        self.set_phase(Phase::Measuring);
    }

    fn forget_assumed(&mut self) {
        let assumed = self.facts.iter_mut().filter(|(_, facts)| facts.is_assumed);
        for (_, facts) in assumed {
            facts.is_assumed = false;
            facts.flops_per_sec = None;
            facts.remark = None;
        }
        for link in std::mem::take(&mut self.assumed_links) {
            self.links.remove(&link);
        }
    }

    /// A phone that joined shares everybody's network: all is measured again.
    fn forget_measured(&mut self, participants: &[PeerId]) {
        let is_new = |peer| !self.measured.contains(peer);
        if participants.iter().any(is_new) {
            self.facts.values_mut().for_each(|facts| facts.flops_per_sec = None);
            self.links.clear();
        }
        self.measured = participants.iter().copied().collect();
    }

    /// How far measuring has got: every phone and every direction of a link.
    pub(crate) fn measuring(&self) -> Option<MeasuringStatus> {
        let survey = self.survey.as_ref().filter(|_| self.phase == Phase::Measuring)?;
        let here = survey.participants.iter().filter(|&&peer| self.is_here(peer));
        let here: Vec<PeerId> = here.copied().collect();
        let devices = here.iter().filter(|&&peer| self.has_device_figures(peer)).count();
        let ends = |&&(from, to): &&(PeerId, PeerId)| here.contains(&from) && here.contains(&to);
        let links = self.links.keys().filter(ends).count();
        let total = here.len() * here.len();
        Some(MeasuringStatus { done: (devices + links) as u32, total: total as u32 })
    }

    fn is_beginning(&self) -> bool {
        matches!(self.phase, Phase::Measuring | Phase::Planning | Phase::Loading)
    }

    /// Goes on with the survey when the step under way is done or its time is over.
    pub(crate) fn survey_on(&mut self) {
        let Some(survey) = &self.survey else { return };
        let (step, assignment) = (survey.step, survey.assignment);
        let is_late = self.now_secs >= survey.deadline_secs;
        let participants: Vec<PeerId> =
            survey.participants.iter().copied().filter(|&peer| self.is_here(peer)).collect();
        let is_done = match step {
            Step::Preparing => participants.iter().all(|&peer| self.can_be_measured(peer)),
            Step::Turn(peer) => !self.is_here(peer) || self.is_measured(peer, &participants),
            Step::Planning => is_late,
        };
        if !is_done && !is_late {
            return;
        }
        match step {
            Step::Turn(peer) if is_late => self.assume_of(peer, &participants),
            Step::Planning => {
                self.survey = None;
                return self.make_plan(&participants, assignment);
            }
            _ => {}
        }
        self.next_turn(participants, assignment);
    }

    fn can_be_measured(&self, peer: PeerId) -> bool {
        self.facts.get(&peer).is_none_or(|facts| facts.is_prepared || facts.is_unfit)
    }

    /// The first phone of which something is missing measures; planning comes when there is none.
    /// Those that are not ready by then are assumed.
    fn next_turn(&mut self, participants: Vec<PeerId>, assignment: Assignment) {
        let may_go =
            |&&peer: &&PeerId| self.can_be_measured(peer) && !self.is_measured(peer, &participants);
        let next = participants.iter().find(may_go);
        if next.is_none() {
            self.assume_unprepared(&participants);
        }
        let (step, secs) = match next {
            Some(&peer) => (Step::Turn(peer), self.config.limits.measure_secs),
            None => (Step::Planning, 0.0),
        };
        let measure = self
            .spec
            .as_ref()
            .map(|spec| Measure { model: spec.model.clone(), peers: participants.clone() });
        let deadline_secs = self.now_secs + secs;
        self.survey = Some(Survey { deadline_secs, step, participants, assignment });
        match (step, measure) {
            (Step::Turn(peer), Some(measure)) if peer == self.config.me => self.measure(measure),
            (Step::Turn(peer), Some(measure)) => self.transmit(peer, measure),
            _ => self.set_phase(Phase::Planning),
        }
    }

    /// Whether nothing of `peer` is missing.
    fn is_measured(&self, peer: PeerId, participants: &[PeerId]) -> bool {
        let is_known = |to: PeerId| to == peer || self.links.contains_key(&(peer, to));
        self.has_device_figures(peer) && participants.iter().all(|&to| is_known(to))
    }

    /// Whether a phone's device has been measured, or cannot be.
    fn has_device_figures(&self, peer: PeerId) -> bool {
        let facts = self.facts.get(&peer);
        facts.is_none_or(|facts| facts.is_unfit || facts.flops_per_sec.is_some())
    }

    fn is_here(&self, peer: PeerId) -> bool {
        peer == self.config.me
            || self.members.get(&peer).is_some_and(|member| member.link == LinkState::Open)
    }

    fn assume_unprepared(&mut self, participants: &[PeerId]) {
        for &peer in participants {
            if !self.can_be_measured(peer) {
                self.assume_of(peer, participants);
            }
        }
    }

    /// Fills in what did not come from one phone, cautiously.
    fn assume_of(&mut self, peer: PeerId, participants: &[PeerId]) {
        if peer == self.config.me {
            self.prober.stop();
        }
        let speeds = self.facts.values().filter_map(|facts| facts.flops_per_sec);
        let slowest = speeds.map(|speed| speed.mean).reduce(f64::min);
        let assumed = slowest.map_or(ASSUMED_FLOPS_PER_SEC, |flops| flops / 2.0);
        let facts = self.facts.get_mut(&peer).filter(|facts| !facts.is_unfit);
        if let Some(facts) = facts.filter(|facts| facts.flops_per_sec.is_none()) {
            facts.flops_per_sec = Some(Estimate::exact(assumed));
            facts.drift = 1.0;
            facts.overhead_secs = 0.0;
            facts.is_assumed = true;
            facts.remark = Some(ASSUMED_REMARK.to_owned());
        }
        for &to in participants.iter().filter(|&&to| to != peer) {
            if let Entry::Vacant(unknown) = self.links.entry((peer, to)) {
                unknown.insert(assumed_link(to));
                self.link_drifts.remove(&(peer, to));
                self.assumed_links.insert((peer, to));
            }
        }
        let name = self.name_of(peer);
        self.note(format!("{name}: {ASSUMED_REMARK}"));
    }

    pub(crate) fn take_device(&mut self, peer: PeerId, device: &DeviceMeasured) -> Verdict {
        if device.flops_per_sec.mean <= 0.0 {
            return Err("a speed of 0");
        }
        self.record_device(peer, device);
        Ok(())
    }

    pub(crate) fn record_device(&mut self, peer: PeerId, device: &DeviceMeasured) {
        if let Some(facts) = self.facts.get_mut(&peer) {
            facts.flops_per_sec = Some(device.flops_per_sec);
            facts.drift = 1.0;
            facts.overhead_secs = device.overhead_secs;
            (facts.is_unfit, facts.is_assumed, facts.remark) = (false, false, None);
        }
        self.refresh_pledges();
        self.view_changes.mark();
        self.status_changes.mark();
    }

    pub(crate) fn take_link(&mut self, from: PeerId, link: LinkMeasured) -> Verdict {
        if link.to == from {
            return Err("a link to itself");
        }
        // Its other end may just have left.
        if !self.is_here(link.to) {
            return Ok(());
        }
        let are_linked = self.links.contains_key(&(link.to, from));
        self.record_link(from, link);
        if are_linked && self.survey.is_none() {
            self.arrived();
        }
        Ok(())
    }

    pub(crate) fn record_link(&mut self, from: PeerId, link: LinkMeasured) {
        self.assumed_links.remove(&(from, link.to));
        self.link_drifts.remove(&(from, link.to));
        self.links.insert((from, link.to), link);
        self.view_changes.mark();
        self.status_changes.mark();
    }

    pub(crate) fn take_measure_failed(&mut self, peer: PeerId, message: &str) -> Verdict {
        self.unfit(peer, message);
        Ok(())
    }

    /// A device that cannot run a stage: its phone still asks and reads.
    pub(crate) fn unfit(&mut self, peer: PeerId, message: &str) {
        if let Some(facts) = self.facts.get_mut(&peer) {
            facts.is_unfit = true;
            facts.flops_per_sec = None;
            facts.remark = Some(format!("It runs no part of the model: {message}"));
        }
        if self.is_restocking(peer) {
            self.end_restock();
        }
        self.view_changes.mark();
        self.status_changes.mark();
        let name = self.name_of(peer);
        self.note(format!("{name} runs no part of the model: {message}"));
    }

    /// What the pledges come to, with the model and the devices as known now.
    pub(crate) fn refresh_pledges(&mut self) {
        let Some(model_bytes) = self.spec.as_ref().map(ModelSpec::resident_bytes) else { return };
        for facts in self.facts.values_mut() {
            facts.pledge_bytes = Some(facts.lent_bytes(model_bytes) as u64);
        }
    }

    pub(crate) fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
        self.view_changes.mark();
        self.status_changes.mark();
    }
}

fn assumed_link(to: PeerId) -> LinkMeasured {
    LinkMeasured {
        to,
        rtt_secs: Estimate::exact(ASSUMED_RTT_SECS),
        bytes_per_sec: Estimate::exact(ASSUMED_BYTES_PER_SEC),
    }
}

const ASSUMED_REMARK: &str = "It did not measure in time; cautious figures are assumed.";
/// A slow phone's, where nothing at all was measured.
const ASSUMED_FLOPS_PER_SEC: f64 = 1e9;
/// A poor Wi-Fi link's.
const ASSUMED_RTT_SECS: f64 = 0.1;
const ASSUMED_BYTES_PER_SEC: f64 = 1e6;
