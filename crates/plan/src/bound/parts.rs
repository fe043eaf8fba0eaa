//! What stages and hand-overs cost at least, whatever the set of places still to come.

use super::table::Cuts;
use crate::{
    costs::{Costs, Place},
    places::Places,
};

/// Costs of hand-overs, of stages, and of stages that read the tracked module's tensors.
pub(super) struct Parts {
    modules: usize,
    places: usize,
    /// By place before, place and cut.
    entries: Vec<f64>,
    own: Stages,
    /// By owner, where it does not hand over to the stage.
    tracked: Vec<Stages>,
    /// By owner, place and start, where it does.
    after_owner: Vec<Vec<AfterOwner>>,
    /// By set: where they may begin.
    cuts: Vec<Cuts>,
}

/// What stages cost that an owner hands over to.
pub(super) enum AfterOwner {
    /// This, together with what they cost after others.
    Change(f64),
    /// By end, as [`Stages`].
    Stages(Vec<f64>),
}

/// By place and start: for each end, up to the last that is possible.
struct Stages(Vec<Vec<f64>>);

impl Parts {
    pub fn new(costs: &Costs<'_>) -> Self {
        let (modules, places) = (costs.modules, costs.places);
        let entries = (0..places * places * (modules + 1)).map(|at| {
            let (pair, cut) = (at / (modules + 1), at % (modules + 1));
            let (before, place) = (pair / places, pair % places);
            let is_real = before != place && (1..modules).contains(&cut);
            if is_real { costs.entry_bound(before, place, cut) } else { f64::INFINITY }
        });
        let own = Stages::new(costs, |place, start, end| costs.own_stage_bound(place, start, end));
        let owners = if costs.tracked.is_some() { 0..costs.devices() } else { 0..0 };
        let tracked = owners.clone().map(|owner| own.with_tracked(costs, owner)).collect();
        let after_owner = owners.map(|owner| own.after_owner(costs, owner)).collect();
        let (entries, cuts) = (entries.collect(), all_cuts(costs));
        Self { modules, places, entries, own, tracked, after_owner, cuts }
    }

    /// Costs of stages by end, where `owner` has the tracked tensors, if somebody has, and others hand over.
    pub fn stages(&self, owner: Option<Place>, place: Place, start: usize) -> &[f64] {
        let stages = owner.map_or(&self.own, |owner| &self.tracked[owner]);
        &stages.0[place * self.modules + start]
    }

    /// The same where the owner hands over.
    pub fn after_owner(&self, owner: Place, place: Place, start: usize) -> &AfterOwner {
        &self.after_owner[owner][place * self.modules + start]
    }

    /// Costs of handing over, by cut.
    pub fn entries(&self, before: Place, place: Place) -> &[f64] {
        let start = (before * self.places + place) * (self.modules + 1);
        &self.entries[start..start + self.modules + 1]
    }

    /// Where a set may begin, for those before it and those in it to have the memory.
    pub fn cuts(&self, set: Places) -> Cuts {
        self.cuts[set.0 as usize]
    }
}

impl Stages {
    fn new(costs: &Costs<'_>, secs: impl Fn(Place, usize, usize) -> f64) -> Self {
        let modules = costs.modules;
        let by_start = (0..costs.places * modules).map(|at| {
            let (place, start) = (at / modules, at % modules);
            let mut stages: Vec<f64> =
                (start + 1..=modules).map(|end| secs(place, start, end)).collect();
            let last = stages.iter().rposition(|secs| secs.is_finite());
            stages.truncate(last.map_or(0, |last| last + 1));
            stages
        });
        Self(by_start.collect())
    }

    fn with_tracked(&self, costs: &Costs<'_>, owner: Place) -> Self {
        let elsewhere = if owner == 0 { 1 } else { 0 };
        let stages = |at: usize| self.tracked(costs, owner, elsewhere, at);
        Self((0..self.0.len()).map(stages).collect())
    }

    fn after_owner(&self, costs: &Costs<'_>, owner: Place) -> Vec<AfterOwner> {
        let one = |at: usize| {
            let (place, start) = (at / costs.modules, at % costs.modules);
            let change = match start {
                0 => None,
                start => costs.change_after_owner(owner, place, start),
            };
            let stages = || AfterOwner::Stages(self.tracked(costs, owner, owner, at));
            change.map_or_else(stages, AfterOwner::Change)
        };
        (0..self.0.len()).map(one).collect()
    }

    /// Stages of one place and start that read the owner's tensors, where `before` hands over.
    fn tracked(&self, costs: &Costs<'_>, owner: Place, before: Place, at: usize) -> Vec<f64> {
        let (place, start) = (at / costs.modules, at % costs.modules);
        if costs.tracked.is_none_or(|from| start <= from) {
            return Vec::new();
        }
        let stages = self.0[at].iter().zip(start + 1..);
        let whole = stages.map(|(&own, end)| {
            costs.combine(own, costs.tracked_secs(owner, before, place, start, end))
        });
        whole.collect()
    }
}

/// For each set of places: between which cuts it may begin, by the sums of memory and by the number
/// of its places.
fn all_cuts(costs: &Costs<'_>) -> Vec<Cuts> {
    let input = costs.input;
    let mut sums = vec![0.0];
    sums.extend(input.modules.iter().scan(0.0, |sum, module| {
        *sum += module.resident_bytes();
        Some(*sum)
    }));
    let whole = sums[costs.modules];
    let shared: f64 = input.tied.iter().map(|tied| tied.2).sum();
    // Sums in another order may differ in their last digits.
    let slack = shared + 1e-9 * whole;
    let first_bytes = costs.closing.as_ref().map_or(0.0, |closing| closing.first_bytes());
    let memory = |place| {
        let taken = if costs.is_closing(place) { first_bytes } else { 0.0 };
        input.devices[costs.device_of(place)].memory_bytes - taken
    };
    let cuts = |set: Places| {
        let theirs: f64 = set.members().map(memory).sum();
        let others = (0..costs.devices()).filter(|&place| !set.contains(place));
        let before: f64 = others.map(memory).sum();
        let last = sums.partition_point(|&sum| sum <= before + slack).saturating_sub(1);
        Cuts {
            first: sums.partition_point(|&sum| whole - sum > theirs + slack).max(1),
            last: last.min(costs.modules.saturating_sub(set.len())),
        }
    };
    Places::all(costs).subsets().map(cuts).collect()
}
