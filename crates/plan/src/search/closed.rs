//! Rings that close on the header: by the end of its first stage, which then leaves its last a known
//! part of its memory and, for throughput, of its time. So the bounds are as exact as in open rings.

use super::{Progress, Search, ordered_sets, set_bounds};
use crate::{bound::Completions, costs::Costs};

/// Searches among plans in which the header has two stages. Ends are tried in the order of what plans
/// cost at least; one end's bounds hold for later ends too, where holding more takes no less memory.
pub(super) fn search(mut costs: Costs<'_>, progress: &mut Progress) {
    let mut bounds = Bounds::new(&costs);
    bounds.add(&mut costs, progress);
    while let Some((end, bound)) = bounds.least() {
        if !progress.keeps(bound, LEAST_STAGES) {
            progress.drop_bound(bound);
            break;
        }
        if progress.limits.is_late() || progress.steps >= progress.limits.steps {
            progress.is_complete = false;
            progress.drop_bound(bound);
            break;
        }
        bounds.search(&mut costs, end, progress);
    }
}

/// By end of the header's first stage: what plans cost at least; none where they were searched.
struct Bounds(Vec<Option<f64>>);

impl Bounds {
    fn new(costs: &Costs<'_>) -> Self {
        let last = costs.modules.saturating_sub(LEAST_STAGES - 1);
        Self((0..=last).map(|end| (end > 0).then_some(0.0)).collect())
    }

    fn least(&self) -> Option<(usize, f64)> {
        let left = self.0.iter().enumerate().filter_map(|(end, bound)| Some((end, (*bound)?)));
        left.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Bounds of all ends, before any is searched.
    fn add(&mut self, costs: &mut Costs<'_>, progress: &mut Progress) {
        let last = self.0.len() - 1;
        if last == 0 {
            return;
        }
        costs.close_after(1..=last);
        let completions = Completions::new(costs, progress.limits.end);
        progress.lower_with_place(&ordered_sets(costs, &completions, 1..=last));
        self.raise(costs, &completions, 1);
    }

    /// Plans whose first stage has that end.
    fn search(&mut self, costs: &mut Costs<'_>, end: usize, progress: &mut Progress) {
        costs.close_after(end..=end);
        let completions = Completions::new(costs, progress.limits.end);
        if costs.is_monotone {
            self.raise(costs, &completions, end);
        }
        self.0[end] = None;
        let sets = ordered_sets(costs, &completions, end..=end);
        Search::new(costs, completions, end..=end, progress).run(&sets);
    }

    /// By completions that hold from that end on.
    fn raise(&mut self, costs: &Costs<'_>, completions: &Completions, from: usize) {
        for end in from..self.0.len() {
            let Some(bound) = &mut self.0[end] else { continue };
            let sets = set_bounds(costs, completions, end..=end);
            *bound = sets.map(|one| one.1).fold(f64::INFINITY, f64::min).max(*bound);
        }
    }
}

/// The header's two and another between.
const LEAST_STAGES: usize = 3;
