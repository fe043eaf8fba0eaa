//! How long tokens really take, in all and on each device, beside what was predicted.

use std::collections::VecDeque;

use protocol::peer::{Phase, PlanStatus};

use base::PeerId;

use crate::Room;

/// The latest times of something that is done again and again.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    secs: VecDeque<f64>,
}

impl Pace {
    /// One more time.
    pub(crate) fn add(&mut self, secs: f64) {
        if self.secs.len() == TOKENS_KEPT {
            self.secs.pop_front();
        }
        self.secs.push_back(secs);
    }

    /// Their median, once there are enough.
    pub(crate) fn median(&self) -> Option<f64> {
        self.latest_of(self.secs.len().max(TOKENS_NEEDED))
    }

    /// The median of the latest few, which soon shows a change.
    pub(crate) fn latest(&self) -> Option<f64> {
        self.latest_of(TOKENS_NEEDED)
    }

    /// The same of so many, once there are as many; at least one.
    pub(crate) fn latest_of(&self, latest: usize) -> Option<f64> {
        if self.secs.len() < latest.max(1) {
            return None;
        }
        Some(median_of(self.secs.iter().rev().take(latest).copied().collect()))
    }
}

/// The median of at least one time.
pub(crate) fn median_of(mut secs: Vec<f64>) -> f64 {
    secs.sort_by(f64::total_cmp);
    secs[secs.len() / 2]
}

impl Room {
    /// A token came so long after the one before it. Where several requests are in flight they wait
    /// for each other, which the prediction of one token does not count.
    pub(crate) fn token_took(&mut self, secs: f64) {
        if self.requests.len() > 1 {
            return;
        }
        self.pace.add(secs);
        let median = self.pace.median();
        if let Some(plan) = &mut self.plan {
            plan.measured_token_secs = median;
        }
        self.status_changes.mark();
        self.view_changes.mark();
    }

    /// Answers stood still for so long while another plan took over.
    pub(crate) fn paused(&mut self, secs: f64) {
        if let Some(plan) = &mut self.plan {
            plan.pause_secs = Some(plan.pause_secs.map_or(secs, |most| most.max(secs)));
        }
        self.status_changes.mark();
        self.view_changes.mark();
    }

    /// A phone has told what its stages take.
    pub(crate) fn stages_took(&mut self, peer: PeerId, stage_secs: &[f64]) {
        // Figures of an earlier plan may still be on their way while the next one loads.
        let plan = self.plan.as_mut().filter(|_| self.phase == Phase::Ready);
        let Some(PlanStatus { stages, .. }) = plan else { return };
        let own = stages.iter_mut().filter(|stage| stage.peer == peer);
        own.zip(stage_secs).for_each(|(stage, &secs)| stage.measured_secs = Some(secs));
        self.watch_drift(peer);
        self.balance();
    }

    /// What a phone's stages take by now, beside what was measured of it.
    fn watch_drift(&mut self, peer: PeerId) {
        let (Some(spec), Some(plan)) = (&self.spec, &self.plan) else { return };
        let Some(facts) = self.facts.get(&peer) else { return };
        let Some(speed) = facts.flops_per_sec.map(|speed| speed.mean) else { return };
        let (mut expected_secs, mut measured_secs) = (0.0, 0.0);
        for stage in plan.stages.iter().filter(|stage| stage.peer == peer) {
            let Some(secs) = stage.measured_secs else { return };
            let modules = &spec.modules[stage.range.indices()];
            let flops: f64 = modules.iter().map(|module| module.flops).sum();
            let is_passed = stage.range.end > spec.encoder_modules();
            expected_secs += flops / speed + if is_passed { facts.overhead_secs } else { 0.0 };
            measured_secs += secs;
        }
        if let Some(facts) = self.facts.get_mut(&peer).filter(|_| expected_secs > 0.0) {
            facts.drift = (measured_secs / expected_secs).clamp(LEAST_DRIFT, MOST_DRIFT);
        }
    }
}

/// A phone that seems faster or slower than that was not measured well.
const LEAST_DRIFT: f64 = 0.05;
const MOST_DRIFT: f64 = 100.0;
const TOKENS_KEPT: usize = 64;
const TOKENS_NEEDED: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_the_latest_tokens_counts() {
        let mut pace = Pace::default();
        (0..7).for_each(|_| pace.add(1.0));
        assert_eq!(pace.median(), None);
        pace.add(9.0);
        assert_eq!(pace.median(), Some(1.0));
        (0..TOKENS_KEPT).for_each(|_| pace.add(2.0));
        assert_eq!(pace.median(), Some(2.0));
        (0..TOKENS_NEEDED / 2 + 1).for_each(|_| pace.add(5.0));
        assert_eq!((pace.median(), pace.latest()), (Some(2.0), Some(5.0)));
    }
}
