//! What phones hold already: plans that need nothing loaded.

use base::{ModuleRange, Overlap, PeerId, Plan, PlanInput};
use plan::Solution;
use protocol::peer::{Carry, PlanStatus};

use crate::{ModelSpec, Room};

impl Room {
    /// The best plan in which every phone runs what it holds; none where that is not enough.
    pub(crate) fn held_plan(&self, spec: &ModelSpec, peers: &[PeerId]) -> Option<PlanStatus> {
        if peers.first() != Some(&self.config.me) {
            return None;
        }
        let within = self.plan_input_within(spec, peers);
        let solution = plan::solve(&within, &plan::Options::default()).ok()?;
        Some(self.held_status(spec, peers, &within, solution))
    }

    /// What the planner looks at where phones run only what they hold.
    pub(crate) fn plan_input_within(&self, spec: &ModelSpec, peers: &[PeerId]) -> PlanInput {
        let mut within = self.plan_input(spec, peers);
        for (device, peer) in within.devices.iter_mut().zip(peers) {
            device.within =
                self.facts.get(peer).map(|facts| facts.held.clone()).unwrap_or_default();
            // It has the memory, whatever was lent since.
            device.memory_bytes = f64::MAX;
        }
        within
    }

    /// A plan of what is held; what its phones do not run of that are its copies.
    pub(crate) fn held_status(
        &self,
        spec: &ModelSpec,
        peers: &[PeerId],
        within: &PlanInput,
        mut solution: Solution,
    ) -> PlanStatus {
        let held: Vec<&[ModuleRange]> =
            within.devices.iter().map(|device| device.within.as_slice()).collect();
        solution.plan.overlap = held_copies(&solution.plan, &held);
        self.plan_status(spec, &self.plan_input(spec, peers), peers, &solution)
    }

    /// A phone has loaded what a plan gives it.
    pub(crate) fn holds_planned(&mut self, peer: PeerId) {
        let held = self.plan.as_ref().map(|plan| planned(plan, peer)).unwrap_or_default();
        if let Some(facts) = self.facts.get_mut(&peer) {
            facts.held = held;
        }
    }

    /// A new plan: a phone drops what it does not need for it, unless others want its caches and it has nothing to do.
    pub(crate) fn keep_planned(&mut self, plan: &PlanStatus, carry: &Carry) {
        for (&peer, facts) in &mut self.facts {
            let needed = planned(plan, peer);
            if needed.is_empty() && carry.moved.iter().any(|moved| moved.from == peer) {
                continue;
            }
            let kept = |held: &ModuleRange| {
                needed.iter().map(|range| held.common(*range)).find(|range| !range.is_empty())
            };
            facts.held = facts.held.iter().filter_map(kept).collect();
        }
    }
}

/// What a plan lets a phone hold: each of its stages with the copies next to it.
fn planned(plan: &PlanStatus, peer: PeerId) -> Vec<ModuleRange> {
    let stages = plan.stages.iter().filter(|stage| stage.peer == peer).map(|stage| stage.range);
    let copies = plan.overlap.iter().filter(|copy| copy.peer == peer).map(|copy| copy.range);
    let copies: Vec<ModuleRange> = copies.collect();
    let extended = |stage: ModuleRange| {
        copies.iter().fold(stage, |held, copy| match () {
            () if copy.end == held.start => ModuleRange::new(copy.start, held.end),
            () if copy.start == held.end => ModuleRange::new(held.start, copy.end),
            () => held,
        })
    };
    stages.map(extended).collect()
}

/// What devices hold of their neighbours' stages, each module once.
fn held_copies(plan: &Plan, held: &[&[ModuleRange]]) -> Vec<Overlap> {
    let mut copies: Vec<Overlap> = Vec::new();
    for pair in plan.stages.windows(2) {
        let (left, right) = (pair[0], pair[1]);
        let around = |stage: ModuleRange, device: usize| {
            let is_around = |range: &&ModuleRange| range.holds(stage);
            held[device].iter().find(is_around).copied().unwrap_or(stage)
        };
        let by_left = around(left.modules, left.device).common(right.modules);
        let of_left = around(right.modules, right.device).common(left.modules);
        // Its beginning may be copied already.
        let taken = copies.iter().filter(|copy| !copy.modules.common(of_left).is_empty());
        let start = taken.map(|copy| copy.modules.end).fold(of_left.start, usize::max);
        let both = [
            Overlap { device: right.device, modules: ModuleRange::new(start, of_left.end) },
            Overlap { device: left.device, modules: by_left },
        ];
        copies.extend(both.into_iter().filter(|copy| !copy.modules.is_empty()));
    }
    copies
}

#[cfg(test)]
mod tests {
    use base::Stage;

    use super::*;

    fn range(start: usize, end: usize) -> ModuleRange {
        ModuleRange::new(start, end)
    }

    #[test]
    fn copies_are_what_is_held_of_the_neighbours() {
        let stage = |device, start, end| Stage { device, modules: range(start, end) };
        let stages = vec![stage(0, 0, 4), stage(1, 4, 7), stage(2, 7, 10)];
        let plan = Plan { stages, overlap: Vec::new() };
        // The first and the last hold both ends of the middle one's; the middle one nothing of theirs.
        let held = [vec![range(0, 6)], vec![range(4, 7)], vec![range(5, 10)]];
        let held: Vec<&[ModuleRange]> = held.iter().map(Vec::as_slice).collect();
        let copy = |device, start, end| Overlap { device, modules: range(start, end) };
        assert_eq!(held_copies(&plan, &held), [copy(0, 4, 6), copy(2, 6, 7)]);
        let held = [vec![range(0, 10)], vec![range(0, 10)], vec![range(0, 10)]];
        let held: Vec<&[ModuleRange]> = held.iter().map(Vec::as_slice).collect();
        assert_eq!(held_copies(&plan, &held), [copy(1, 0, 4), copy(0, 4, 7), copy(1, 7, 10)]);
    }
}
