//! The dynamic program: the cheapest completion of every beginning of a plan.

use crate::costs::{Costs, Place};

/// Places still to come, as bits: bit `p - 1` for place `p`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Places(pub u32);

/// For every set of places, place before them and cut: what it costs at least when
/// exactly these places, in the best order, run the modules from the cut on,
/// the hand-over to the first of them and the token's return included.
pub(crate) struct Completions {
    cuts: usize,
    places: usize,
    secs: Vec<f64>,
}

impl Completions {
    pub fn new(costs: &Costs<'_>) -> Self {
        let (cuts, places) = (costs.modules + 1, costs.places);
        let sets = 1 << (places - 1);
        let mut table = Self { cuts, places, secs: vec![f64::INFINITY; sets * places * cuts] };
        for place in 0..places {
            *table.at(Places::NONE, place, costs.modules) = costs.token_bound(place);
        }
        let parts = Parts::new(costs);
        for set in (1..sets as u32).map(Places) {
            table.fill(costs, &parts, set);
        }
        table
    }

    /// The least cost of a completion; infinite where there is none.
    pub fn get(&self, set: Places, before: Place, cut: usize) -> f64 {
        self.secs[self.index(set, before, cut)]
    }

    fn at(&mut self, set: Places, before: Place, cut: usize) -> &mut f64 {
        let index = self.index(set, before, cut);
        &mut self.secs[index]
    }

    fn index(&self, set: Places, before: Place, cut: usize) -> usize {
        (set.0 as usize * self.places + before) * self.cuts + cut
    }

    fn fill(&mut self, costs: &Costs<'_>, parts: &Parts, set: Places) {
        for first in set.members() {
            if costs.is_closing(first) && set.len() > 1 {
                continue;
            }
            let runs = self.runs(costs, parts, set, first);
            for before in (0..costs.devices()).filter(|&before| !set.contains(before)) {
                let entries = parts.entries(before, first);
                let start = self.index(set, before, 0);
                let best = &mut self.secs[start..start + self.cuts];
                for cut in 1..costs.modules {
                    best[cut] = best[cut].min(costs.combine(entries[cut], runs[cut]));
                }
            }
        }
    }

    /// Per start: the least cost when `first` begins there and the rest of the set follows.
    fn runs(&self, costs: &Costs<'_>, parts: &Parts, set: Places, first: Place) -> Vec<f64> {
        let completions = self.index(set.without(first), first, 0);
        let completions = &self.secs[completions..completions + self.cuts];
        let bandwidth = best_bandwidth(costs, set, first);
        let from = |start: usize| {
            let stages = parts.stages(first, start).iter().zip(start + 1..);
            let run = |(&stage, end): (&f64, usize)| {
                let whole = stage + costs.skipping_secs(first, start, end, bandwidth);
                costs.combine(whole, completions[end])
            };
            stages.map(run).fold(f64::INFINITY, f64::min)
        };
        (0..costs.modules).map(from).collect()
    }
}

/// What stages and hand-overs cost at least, whatever the set.
struct Parts {
    modules: usize,
    places: usize,
    /// By place and start: for each end, up to the last that fits.
    stages: Vec<Vec<f64>>,
    /// By place before, place and cut.
    entries: Vec<f64>,
}

impl Parts {
    fn new(costs: &Costs<'_>) -> Self {
        let (modules, places) = (costs.modules, costs.places);
        let stages = (0..places * modules).map(|at| {
            let (place, start) = (at / modules, at % modules);
            let stage = |end| costs.own_stage_bound(place, start, end);
            let mut stages: Vec<f64> = (start + 1..=modules).map(stage).collect();
            let fitting =
                stages.iter().rposition(|secs| secs.is_finite()).map_or(0, |last| last + 1);
            stages.truncate(fitting);
            stages
        });
        let entries = (0..places * places * (modules + 1)).map(|at| {
            let (pair, cut) = (at / (modules + 1), at % (modules + 1));
            let (before, place) = (pair / places, pair % places);
            let is_real = before != place && (1..modules).contains(&cut);
            if is_real { costs.entry_bound(before, place, cut) } else { f64::INFINITY }
        });
        Self { modules, places, stages: stages.collect(), entries: entries.collect() }
    }

    fn stages(&self, place: Place, start: usize) -> &[f64] {
        &self.stages[place * self.modules + start]
    }

    fn entries(&self, before: Place, place: Place) -> &[f64] {
        let start = (before * self.places + place) * (self.modules + 1);
        &self.entries[start..start + self.modules + 1]
    }
}

/// The fastest link to a place from any device that may have come before the set.
pub(crate) fn best_bandwidth(costs: &Costs<'_>, set: Places, to: Place) -> f64 {
    let to = costs.device_of(to);
    (0..costs.devices())
        .filter(|&from| from != to && !set.contains(from))
        .map(|from| costs.input.bytes_per_sec[from][to])
        .fold(0.0, f64::max)
}

impl Places {
    pub const NONE: Self = Self(0);

    pub fn contains(self, place: Place) -> bool {
        place > 0 && self.0 >> (place - 1) & 1 == 1
    }

    pub fn without(self, place: Place) -> Self {
        if place == 0 { self } else { Self(self.0 & !(1 << (place - 1))) }
    }

    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    pub fn members(self) -> impl Iterator<Item = Place> {
        (1..=32).filter(move |&place| self.contains(place))
    }
}
