//! The coordinator's part in measuring: asking everyone, waiting, and assuming
//! what does not come in time.

use std::collections::BTreeSet;

use base::PeerId;
use protocol::peer::{DeviceMeasured, LinkMeasured, Measure, Phase};

use crate::{LinkState, ModelSpec, Room, facts::Facts, frames::Verdict};

/// A beginning under way: measuring, then one turn for planning.
#[derive(Debug)]
pub(crate) struct Survey {
    deadline_secs: f64,
    /// Those who were here at the beginning, ourselves first.
    participants: Vec<PeerId>,
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
        if is_other {
            self.facts.values_mut().for_each(|facts| facts.flops_per_sec = None);
        }
        self.model = Some(spec.status());
        self.spec = Some(spec);
        self.refresh_pledges();
        self.view_changes.mark();
        self.status_changes.mark();
    }

    pub(crate) fn begin(&mut self) {
        let Some(spec) = self.spec.as_ref().filter(|_| self.config.coordinator) else {
            return self.note("Only the coordinator can begin, once it has a model.");
        };
        if self.is_beginning() {
            return self.note("The room is beginning already.");
        }
        let model = spec.model.clone();
        self.end_for_replanning();
        self.forget_lost();
        self.refresh_pledges();
        let mut participants = vec![self.config.me];
        participants.extend(self.open_peers());
        self.facts.values_mut().for_each(|facts| facts.is_unfit = false);
        let deadline_secs = self.now_secs + self.config.limits.measure_secs;
        self.survey = Some(Survey { deadline_secs, participants: participants.clone() });
        self.failure = None;
        self.set_phase(Phase::Measuring);
        for &peer in &participants {
            if !self.is_measured(peer, &participants) {
                self.ask_to_measure(
                    peer,
                    Measure { model: model.clone(), peers: participants.clone() },
                );
            }
        }
    }

    fn ask_to_measure(&mut self, peer: PeerId, measure: Measure) {
        if peer == self.config.me {
            self.measure(measure);
        } else {
            self.transmit(peer, measure);
        }
    }

    fn is_beginning(&self) -> bool {
        matches!(self.phase, Phase::Measuring | Phase::Planning | Phase::Loading)
    }

    /// Whether nothing of `peer` is missing.
    fn is_measured(&self, peer: PeerId, participants: &[PeerId]) -> bool {
        let device = self
            .facts
            .get(&peer)
            .is_none_or(|facts| facts.is_unfit || facts.flops_per_sec.is_some());
        let is_known = |to: PeerId| to == peer || self.links.contains_key(&(peer, to));
        device && participants.iter().all(|&to| is_known(to))
    }

    /// Goes on to planning when everything is measured or the time is over.
    pub(crate) fn survey_on(&mut self) {
        let Some(survey) = &self.survey else { return };
        let participants: Vec<PeerId> =
            survey.participants.iter().copied().filter(|&peer| self.is_here(peer)).collect();
        let is_late = self.now_secs >= survey.deadline_secs;
        if self.phase == Phase::Planning {
            if is_late {
                self.survey = None;
                self.make_plan(&participants);
            }
            return;
        }
        let is_complete = participants.iter().all(|&peer| self.is_measured(peer, &participants));
        if is_late && !is_complete {
            self.assume(&participants);
        }
        if is_late || is_complete {
            // Planning takes a turn of its own, so that the page can say so.
            self.set_phase(Phase::Planning);
            let deadline_secs = self.now_secs;
            self.survey = Some(Survey { deadline_secs, participants });
        }
    }

    fn is_here(&self, peer: PeerId) -> bool {
        peer == self.config.me
            || self.members.get(&peer).is_some_and(|member| member.link == LinkState::Open)
    }

    /// Fills in what did not come, cautiously.
    fn assume(&mut self, participants: &[PeerId]) {
        let slowest = self.facts.values().filter_map(|facts| facts.flops_per_sec).reduce(f64::min);
        let assumed = slowest.map_or(ASSUMED_FLOPS_PER_SEC, |flops| flops / 2.0);
        let mut late = BTreeSet::new();
        for &from in participants {
            let facts = self.facts.get_mut(&from);
            let unknown = |facts: &&mut Facts| facts.flops_per_sec.is_none() && !facts.is_unfit;
            if let Some(facts) = facts.filter(unknown) {
                facts.flops_per_sec = Some(assumed);
                late.insert(from);
            }
            for &to in participants.iter().filter(|&&to| to != from) {
                self.links.entry((from, to)).or_insert_with(|| {
                    late.insert(from);
                    assumed_link(to)
                });
            }
        }
        for peer in late {
            let name = self.name_of(peer);
            self.note(format!("{name} did not measure in time; cautious figures are assumed."));
        }
    }

    pub(crate) fn take_device(&mut self, peer: PeerId, device: &DeviceMeasured) -> Verdict {
        if device.flops_per_sec <= 0.0 {
            return Err("a speed of 0");
        }
        let facts = self.facts.get_mut(&peer).ok_or("no such peer")?;
        facts.flops_per_sec = Some(device.flops_per_sec);
        facts.memory_bytes = device.memory_bytes;
        self.refresh_pledges();
        self.view_changes.mark();
        self.status_changes.mark();
        Ok(())
    }

    pub(crate) fn take_link(&mut self, from: PeerId, link: LinkMeasured) -> Verdict {
        if link.to == from || !self.is_here(link.to) {
            return Err("a link to nobody");
        }
        self.links.insert((from, link.to), link);
        self.view_changes.mark();
        self.status_changes.mark();
        Ok(())
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
        }
        let name = self.name_of(peer);
        self.note(format!("{name} runs no part of the model: {message}"));
    }

    /// What the pledges come to, with the model and the devices as known now.
    pub(crate) fn refresh_pledges(&mut self) {
        let Some(weights_bytes) = self.spec.as_ref().map(ModelSpec::weights_bytes) else { return };
        for facts in self.facts.values_mut() {
            facts.pledge_bytes = Some(facts.budget_bytes(weights_bytes) as u64);
        }
    }

    pub(crate) fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
        self.view_changes.mark();
        self.status_changes.mark();
    }
}

fn assumed_link(to: PeerId) -> LinkMeasured {
    LinkMeasured { to, rtt_secs: ASSUMED_RTT_SECS, bytes_per_sec: ASSUMED_BYTES_PER_SEC }
}

/// A slow phone's, where nothing at all was measured.
const ASSUMED_FLOPS_PER_SEC: f64 = 1e9;
/// A poor Wi-Fi link's.
const ASSUMED_RTT_SECS: f64 = 0.1;
const ASSUMED_BYTES_PER_SEC: f64 = 1e6;
