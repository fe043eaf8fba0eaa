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
        for set in (1..sets as u32).map(Places) {
            table.fill(costs, set);
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

    fn fill(&mut self, costs: &Costs<'_>, set: Places) {
        for first in set.members() {
            if costs.is_closing(first) && set.len() > 1 {
                continue;
            }
            let runs = self.runs(costs, set, first);
            for before in (0..costs.devices()).filter(|&before| !set.contains(before)) {
                for (cut, &run) in runs.iter().enumerate().skip(1) {
                    let secs = costs.combine(costs.entry_bound(before, first, cut), run);
                    let best = self.at(set, before, cut);
                    *best = best.min(secs);
                }
            }
        }
    }

    /// Per start: the least cost when `first` begins there and the rest of the set follows.
    fn runs(&self, costs: &Costs<'_>, set: Places, first: Place) -> Vec<f64> {
        let rest = set.without(first);
        let bandwidth = best_bandwidth(costs, set, first);
        let from = |start: usize| {
            let ends = start + 1..=costs.modules;
            let run = |end| {
                let stage = costs.stage_bound(first, start, end, bandwidth);
                costs.combine(stage, self.get(rest, first, end))
            };
            ends.map(run).fold(f64::INFINITY, f64::min)
        };
        (0..costs.modules).map(from).collect()
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
