//! Weights that move before cuts do. Where no plan of what phones hold is as good as one that they could hold, they
//! load what it takes beside their work; the balancer takes that plan up when all of it is there.

use std::collections::BTreeMap;

use base::{ModuleRange, PeerId};
use protocol::peer::{CopiesLoaded, LoadCopies};

use crate::{LoadStage, ModelSpec, Output, Resident, Room, balance::Better, frames::Verdict};

/// Coordinator: phones that load for a plan to come.
#[derive(Debug)]
pub(crate) struct Restock {
    number: u32,
    /// Who has not told yet that it holds what it is to hold.
    waiting: BTreeMap<PeerId, Vec<ModuleRange>>,
    deadline_secs: f64,
}

/// The coordinator's part.
impl Room {
    /// Has phones load what they lack of a better plan; nothing where one has no room for it.
    pub(crate) fn restock(&mut self, better: &Better) {
        let Some(held) = self.held_for(better).filter(|held| !held.is_empty()) else {
            self.balance.restock_again_secs = self.now_secs + AGAIN_SECS;
            return;
        };
        let Some(load) = self.stage.ring.as_ref().map(|ring| ring.load()) else { return };
        let number = self.nonce();
        let deadline_secs = self.now_secs + LOAD_SECS;
        for (&peer, held) in &held {
            let (model, slots, rows) = (load.model.clone(), load.slots, load.rows);
            let (epoch, held) = (self.epoch, held.clone());
            let load = LoadCopies { epoch, number, model, slots, rows, held };
            self.begins_to_load(peer, &load.held);
            match peer == self.config.me {
                true => self.load_copies(load),
                false => self.transmit(peer, load),
            }
        }
        self.restock = Some(Restock { number, waiting: held, deadline_secs });
    }

    /// Whether some minutes of answers gain more than phones take to load what they lack of a plan.
    pub(crate) fn is_worth_loading(&self, spec: &ModelSpec, better: &Better) -> bool {
        let Some((now_secs, then_secs)) = better.costs_secs() else { return false };
        let gain = 1.0 - then_secs / now_secs;
        gain * PAYS_WITHIN_SECS >= self.loading_secs(spec, better)
    }

    /// How long the phones take to load what they lack of a plan, all at once.
    fn loading_secs(&self, spec: &ModelSpec, better: &Better) -> f64 {
        let secs = better.planned().into_iter().filter_map(|stage| {
            let facts = self.facts.get(&stage.peer)?;
            let modules = stage.range.indices().map(|module| ModuleRange::new(module, module + 1));
            let lacking = modules.filter(|module| !is_held(*module, &facts.held));
            let bytes: f64 = lacking.map(|module| spec.weights_bytes(module)).sum();
            Some(bytes / facts.loads_bytes_per_sec.unwrap_or(LOADS_BYTES_PER_SEC))
        });
        secs.fold(0.0, f64::max)
    }

    /// What those phones are to hold that lack some of a plan: with it what they run, and what they hold already as
    /// far as there is room. None where there is none.
    fn held_for(&self, better: &Better) -> Option<BTreeMap<PeerId, Vec<ModuleRange>>> {
        let (spec, running) = (self.spec.as_ref()?, &self.plan.as_ref()?.stages);
        let Better { peers, plan: target, .. } = better;
        let mut all = BTreeMap::new();
        for (device, &peer) in peers.iter().enumerate() {
            let facts = self.facts.get(&peer)?;
            let wanted = target.stages.iter().filter(|stage| stage.device == device);
            let wanted: Vec<ModuleRange> = wanted.map(|stage| stage.modules).collect();
            if wanted.iter().all(|range| is_held(*range, &facts.held)) {
                continue;
            }
            let own = running.iter().filter(|stage| stage.peer == peer).map(|stage| stage.range);
            let needed = merged(own.chain(wanted).collect());
            let with_copies = merged([needed.clone(), facts.held.clone()].concat());
            let budget = facts.budget_bytes(spec.resident_bytes());
            let fits = |held: &Vec<ModuleRange>| spec.held_bytes(held, &[]) <= budget;
            all.insert(peer, [with_copies, needed].into_iter().find(fits)?);
        }
        Some(all)
    }

    /// Before it loads, a phone frees what it is not to hold any longer; and all are told that it loads.
    fn begins_to_load(&mut self, peer: PeerId, to_hold: &[ModuleRange]) {
        if let Some(facts) = self.facts.get_mut(&peer) {
            facts.remark.get_or_insert_with(|| LOADS_REMARK.to_owned());
            let common = |held: &ModuleRange| {
                let common = to_hold.iter().map(|range| held.common(*range));
                common.filter(|range| !range.is_empty()).collect::<Vec<_>>()
            };
            facts.held = facts.held.iter().flat_map(common).collect();
        }
    }

    pub(crate) fn take_copies_loaded(&mut self, peer: PeerId, loaded: &CopiesLoaded) -> Verdict {
        let is_it = |restock: &&mut Restock| restock.number == loaded.number;
        let Some(restock) = self.restock.as_mut().filter(is_it) else { return Ok(()) };
        let held = restock.waiting.remove(&peer).ok_or("it was to load nothing")?;
        if !loaded.is_there {
            self.end_restock();
            return Ok(());
        }
        let is_over = restock.waiting.is_empty();
        self.record_held(peer, held);
        if is_over {
            self.end_restock();
        }
        Ok(())
    }

    fn record_held(&mut self, peer: PeerId, held: Vec<ModuleRange>) {
        let Some(spec) = &self.spec else { return };
        let used_bytes = spec.held_bytes(&held, &[]) as u64;
        if let Some(facts) = self.facts.get_mut(&peer) {
            (facts.held, facts.used_bytes) = (held, used_bytes);
        }
    }

    /// Whether phones may load for a plan to come: not where they have just done so, nor where a stage is loaded anew
    /// whenever its ends change.
    pub(crate) fn may_restock(&self) -> bool {
        let are_apart = self.spec.as_ref().is_some_and(|spec| !spec.modules_depend);
        are_apart && self.restock.is_none() && self.now_secs >= self.balance.restock_again_secs
    }

    /// Whether `peer` loads for a plan to come.
    pub(crate) fn is_restocking(&self, peer: PeerId) -> bool {
        self.restock.as_ref().is_some_and(|restock| restock.waiting.contains_key(&peer))
    }

    /// Loading for a plan to come does not take for ever.
    pub(crate) fn check_restock(&mut self) {
        if self.restock_deadline().is_some_and(|at_secs| self.now_secs >= at_secs) {
            self.end_restock();
        }
    }

    pub(crate) fn restock_deadline(&self) -> Option<f64> {
        self.restock.as_ref().map(|restock| restock.deadline_secs)
    }

    /// All is there, or nobody waits for it any more. The next comes some time later.
    pub(crate) fn end_restock(&mut self) {
        if self.restock.take().is_none() {
            return;
        }
        self.balance.restock_again_secs = self.now_secs + AGAIN_SECS;
        let loads = |remark: &mut String| remark == LOADS_REMARK;
        self.facts.values_mut().for_each(|facts| drop(facts.remark.take_if(loads)));
        self.status_changes.mark();
        self.view_changes.mark();
    }
}

/// The part of a phone that loads.
impl Room {
    /// From the coordinator.
    pub(crate) fn take_load_copies(&mut self, load: LoadCopies) -> Verdict {
        let verdict = self.check_copies(&load);
        if load.epoch == self.epoch && verdict.is_ok() {
            self.load_copies(load);
        } else {
            self.copies_loaded(load.number, false);
        }
        verdict
    }

    fn check_copies(&self, load: &LoadCopies) -> Verdict {
        if let Some(ring) = &self.stage.ring {
            let mut own = ring.indices().iter().map(|&index| ring.range(index));
            let runs = ring.load();
            if !own.all(|range| is_held(range, &load.held)) {
                return Err("it leaves out what we run");
            }
            if (&load.model, load.slots, load.rows) != (&runs.model, runs.slots, runs.rows) {
                return Err("it is for something else than we run");
            }
        }
        Ok(())
    }

    fn load_copies(&mut self, load: LoadCopies) {
        self.stage.holds_weights = true;
        let LoadCopies { epoch, number, model, slots, rows, held } = load;
        let context_tokens = model.context_tokens;
        let stages = held.into_iter().map(|range| Resident { range, resident: range }).collect();
        let copies = LoadStage { epoch, model, stages, slots, context_tokens, rows };
        self.outputs.push_back(Output::LoadCopies { number, copies });
    }

    /// Our driver holds what [`Output::LoadCopies`] said, or cannot.
    pub(crate) fn copies_loaded(&mut self, number: u32, is_there: bool) {
        let loaded = CopiesLoaded { number, is_there };
        if self.config.coordinator {
            let me = self.config.me;
            let verdict = self.take_copies_loaded(me, &loaded);
            self.judge(me, "CopiesLoaded", verdict);
        } else if let Some(coordinator) = self.coordinator {
            self.transmit(coordinator, loaded);
        }
    }
}

fn is_held(range: ModuleRange, held: &[ModuleRange]) -> bool {
    held.iter().any(|held| held.holds(range))
}

/// Ranges in their order; those that touch or overlap are one.
fn merged(mut ranges: Vec<ModuleRange>) -> Vec<ModuleRange> {
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<ModuleRange> = Vec::new();
    for range in ranges {
        match merged.last_mut().filter(|last| range.start <= last.end) {
            Some(last) => last.end = last.end.max(range.end),
            None => merged.push(range),
        }
    }
    merged
}

const LOADS_REMARK: &str = "It loads more of the model beside its work.";
/// A phone may take so long to load; longer and something is wrong.
const LOAD_SECS: f64 = 300.0;
/// What is loaded is to be made up for in so long.
const PAYS_WITHIN_SECS: f64 = 300.0;
/// Of a phone that has not loaded anything yet: a slow Wi-Fi.
const LOADS_BYTES_PER_SEC: f64 = 2e6;
/// After loading was of no use.
const AGAIN_SECS: f64 = 60.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_are_one() {
        let range = ModuleRange::new;
        let ranges = vec![range(6, 8), range(0, 2), range(2, 4), range(3, 5), range(9, 10)];
        assert_eq!(merged(ranges), [range(0, 5), range(6, 8), range(9, 10)]);
    }
}
