//! Branch and bound over sets of places, their orders and cuts.
//!
//! Sets are tried in the order of what they cost at least; within a set, stages are
//! added one by one, the most promising first. A beginning is dropped when its exact
//! cost and the least cost of its completion cannot beat the best plan so far.

mod closed;
mod seed;

use std::{cmp::Ordering, ops::RangeInclusive, time::Instant};

use base::Plan;

use crate::{
    bound::Completions,
    costs::{Costs, Place},
    partial::Partial,
    places::{Places, best_bandwidth},
};

/// What ends a search that does not end by itself.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Beginnings that are tried.
    pub steps: u64,
    /// When it has to be over.
    pub end: Option<Instant>,
}

/// What a search ends with.
pub(crate) struct Found {
    /// The best plan, if any was found.
    pub plan: Option<Plan>,
    /// No plan costs less: the least among all beginnings that were dropped or not
    /// reached, and all plans found.
    pub frontier_secs: f64,
    /// Whether the search ended by itself.
    pub complete: bool,
    /// Beginnings tried.
    pub steps: u64,
    /// By device: what the best plan with a stage of it costs at least. The header's first is in all.
    pub with_place_secs: Vec<f64>,
}

/// Searches for the cheapest plan; ties go to fewer stages, then to the input's order.
pub(crate) fn search(costs: &Costs<'_>, limits: Limits) -> Found {
    let first = if seed::is_wanted(costs) { seed::plan(costs, limits) } else { None };
    let mut progress = Progress::new(costs, limits, first);
    progress.search_rings(costs);
    if progress.best.is_none() && !progress.is_complete {
        progress.best = seed::plan(costs, limits);
    }
    Found {
        plan: progress.best.map(|best| best.plan),
        frontier_secs: progress.frontier_secs,
        complete: progress.is_complete,
        steps: progress.steps,
        with_place_secs: progress.with_place_secs,
    }
}

/// What is known so far of all plans.
struct Progress {
    limits: Limits,
    steps: u64,
    /// Whether everything but what cannot be better was tried.
    is_complete: bool,
    frontier_secs: f64,
    best: Option<Best>,
    with_place_secs: Vec<f64>,
}

struct Best {
    plan: Plan,
    secs: f64,
}

impl Limits {
    /// A part of the work.
    fn share(self, part: f64) -> Self {
        let end = self.end.map(|end| {
            let now = Instant::now();
            now + end.saturating_duration_since(now).mul_f64(part)
        });
        Self { steps: (self.steps as f64 * part) as u64, end }
    }

    fn is_late(self) -> bool {
        self.end.is_some_and(|end| Instant::now() > end)
    }
}

impl Progress {
    fn new(costs: &Costs<'_>, limits: Limits, best: Option<Best>) -> Self {
        Self {
            limits,
            steps: 0,
            is_complete: true,
            frontier_secs: best.as_ref().map_or(f64::INFINITY, |best| best.secs),
            best,
            with_place_secs: vec![f64::INFINITY; costs.devices()],
        }
    }

    /// All plans; those whose ring does not close come first.
    fn search_rings(&mut self, costs: &Costs<'_>) {
        if costs.closing.is_none() {
            return self.search_open(costs);
        }
        let limits = self.limits;
        self.limits = limits.share(OPEN_SHARE);
        self.search_open(&costs.open());
        self.limits = limits;
        closed::search(costs.clone(), self);
    }

    /// All plans whose ring does not close.
    fn search_open(&mut self, costs: &Costs<'_>) {
        let completions = Completions::new(costs, self.limits.end);
        let sets = ordered_sets(costs, &completions, 1..=costs.modules);
        self.lower_with_place(&sets);
        Search::new(costs, completions, 1..=costs.modules, self).run(&sets);
    }

    /// Whether a plan that costs `bound` and has so many stages would be better than the best.
    fn keeps(&self, bound: f64, stages: usize) -> bool {
        let Some(best) = &self.best else { return bound.is_finite() };
        let fewer = stages < best.plan.stages.len();
        bound < best.secs * (1.0 - TIE) || fewer && bound <= best.secs * (1.0 + TIE)
    }

    fn drop_bound(&mut self, bound: f64) {
        self.frontier_secs = self.frontier_secs.min(bound);
    }

    fn lower_with_place(&mut self, sets: &[(Places, f64)]) {
        for (place, least) in self.with_place_secs.iter_mut().enumerate() {
            let sets = sets.iter().filter(|(set, _)| place == 0 || set.contains(place));
            *least = sets.map(|&(_, bound)| bound).fold(*least, f64::min);
        }
    }
}

/// A search among plans whose first stage has one of some ends.
struct Search<'a> {
    costs: &'a Costs<'a>,
    completions: Completions,
    first_ends: RangeInclusive<usize>,
    progress: &'a mut Progress,
    /// Whether a limit was reached.
    is_over: bool,
}

/// A possible next stage, and what a plan with it costs at least.
struct Child {
    bound: f64,
    place: Place,
    end: usize,
}

impl<'a> Search<'a> {
    fn new(
        costs: &'a Costs<'a>,
        completions: Completions,
        first_ends: RangeInclusive<usize>,
        progress: &'a mut Progress,
    ) -> Self {
        Self { costs, completions, first_ends, progress, is_over: false }
    }

    fn run(mut self, sets: &[(Places, f64)]) {
        for &(set, bound) in sets {
            self.try_set(set, bound);
        }
        self.progress.is_complete &= !self.is_over;
    }

    fn try_set(&mut self, set: Places, bound: f64) {
        if self.progress.keeps(bound, set.len() + 1) {
            self.visit(&Partial::empty(self.costs), set, 0.0);
        } else {
            self.progress.drop_bound(bound);
        }
    }

    /// Tries every next stage of a beginning that costs `secs`.
    fn visit(&mut self, partial: &Partial, set: Places, secs: f64) {
        let stages = partial.stages.len() + set.len() + usize::from(partial.stages.is_empty());
        for child in self.children(partial, set, secs) {
            if !self.progress.keeps(child.bound, stages) || self.is_over {
                self.progress.drop_bound(child.bound);
                continue;
            }
            self.step();
            if let Some(next) = partial.extended(self.costs, child.place, child.end) {
                self.follow(next, set.without(child.place), stages);
            }
        }
    }

    fn step(&mut self) {
        let Progress { limits, steps, .. } = &mut *self.progress;
        *steps += 1;
        self.is_over =
            *steps > limits.steps || steps.is_multiple_of(STEPS_PER_LOOK) && limits.is_late();
    }

    fn follow(&mut self, next: Partial, rest: Places, stages: usize) {
        let (secs, owner) = (next.secs(self.costs), next.owner(self.completions.tracked));
        let bound = if next.end == self.costs.modules {
            secs
        } else {
            let completion = self.completions.get(owner, rest, next.last, next.end);
            self.costs.combine(secs, completion)
        };
        if !self.progress.keeps(bound, stages) {
            self.progress.drop_bound(bound);
        } else if next.end == self.costs.modules {
            self.progress.drop_bound(secs);
            self.progress.best = Some(Best { plan: next.into_plan(), secs });
        } else {
            if let Some(owner) = owner {
                self.completions.prepare(self.costs, owner, rest);
            }
            self.visit(&next, rest, secs);
        }
    }

    /// Next stages in the order to try them: those that may lead to as little as the
    /// best of them, in the input's order and longest first; then by their bounds.
    fn children(&self, partial: &Partial, set: Places, secs: f64) -> Vec<Child> {
        let first = partial.stages.is_empty();
        let places: Vec<Place> = if first { vec![0] } else { set.members().collect() };
        let mut children = Vec::new();
        for place in places {
            if !self.costs.is_closing(place) || set.len() == 1 {
                self.add_children(partial, place, set, secs, &mut children);
            }
        }
        sort_ties_in_order(&mut children, |child| child.bound);
        children
    }

    fn add_children(
        &self,
        partial: &Partial,
        place: Place,
        set: Places,
        secs: f64,
        children: &mut Vec<Child>,
    ) {
        let (costs, start, before, rest) =
            (self.costs, partial.end, partial.last, set.without(place));
        let entry = if start == 0 { 0.0 } else { costs.entry_bound(before, place, start) };
        let so_far = costs.combine(secs, entry);
        let skipping = costs.skipping(place, start, || best_bandwidth(costs, set, place));
        let owner = partial.owner(self.completions.tracked);
        let ends = match start {
            0 => self.first_ends.clone(),
            _ if costs.is_closing(place) => costs.modules..=costs.modules,
            _ => start + 1..=costs.modules,
        };
        for end in ends.rev() {
            let own = costs.own_stage_bound(place, start, end);
            if own.is_infinite() {
                continue;
            }
            let skips = skipping.map_or(0.0, |skipping| skipping.secs(end - start));
            let tracked =
                owner.map_or(0.0, |owner| costs.tracked_secs(owner, before, place, start, end));
            let stage = costs.combine(own + skips, tracked);
            let makes = self.completions.tracked.is_some_and(|from| (start..end).contains(&from));
            let owner = if makes { Some(place) } else { owner };
            let completion = self.completions.get(owner, rest, place, end);
            let bound = costs.combine(costs.combine(so_far, stage), completion);
            if bound.is_finite() {
                children.push(Child { bound, place, end });
            }
        }
    }
}

/// Every set of places with what a plan of exactly these costs at least, cheapest
/// first; among equals fewer places, then the input's order.
fn ordered_sets(
    costs: &Costs<'_>,
    completions: &Completions,
    first_ends: RangeInclusive<usize>,
) -> Vec<(Places, f64)> {
    let sets = set_bounds(costs, completions, first_ends);
    let mut sets: Vec<_> = sets.filter(|one| one.1.is_finite()).collect();
    sets.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.members().cmp(b.members())));
    sort_ties_in_order(&mut sets, |&(_, bound)| bound);
    sets
}

/// The same in no order, with those that cannot be.
fn set_bounds(
    costs: &Costs<'_>,
    completions: &Completions,
    first_ends: RangeInclusive<usize>,
) -> impl Iterator<Item = (Places, f64)> {
    let closing = costs.devices();
    let counts = move |set: &Places| !costs.must_close() || set.contains(closing);
    let bound = move |set: Places| {
        let with_header = |end| {
            let owner = completions.tracked.filter(|&from| from < end).map(|_| 0);
            costs.combine(costs.own_stage_bound(0, 0, end), completions.get(owner, set, 0, end))
        };
        first_ends.clone().map(with_header).fold(f64::INFINITY, f64::min)
    };
    Places::all(costs).subsets().filter(counts).map(move |set| (set, bound(set)))
}

/// Sorts by cost, but leaves those that cost as little as the least in their order.
fn sort_ties_in_order<T>(items: &mut [T], cost: impl Fn(&T) -> f64) {
    let least = items.iter().map(&cost).fold(f64::INFINITY, f64::min);
    let rank = |item: &T| if cost(item) <= least * (1.0 + TIE) { least } else { cost(item) };
    items.sort_by(|a, b| rank(a).partial_cmp(&rank(b)).unwrap_or(Ordering::Equal));
}

/// Of the work, where the ring may close: what plans may take whose ring does not.
const OPEN_SHARE: f64 = 0.5;
/// A look at the clock costs about as much as a step.
const STEPS_PER_LOOK: u64 = 64;
/// Costs this close, relatively, are equal: what rounding leaves of equal sums.
const TIE: f64 = 1e-11;
