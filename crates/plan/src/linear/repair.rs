//! From the relaxation's order of phones to a plan: the best cuts along it.

use base::{ModuleRange, Plan, Stage};

use crate::{
    costs::{Costs, Place},
    places::{Places, best_bandwidth},
};

/// Some first places of an order with the modules `0..end`.
struct Way {
    stages: Vec<Stage>,
    last: Place,
    end: usize,
    secs: f64,
}

/// The cheapest plan that takes its places in the given order, the header first, leaving out
/// any others; none where no cuts fit.
pub(super) fn along(costs: &Costs<'_>, order: &[Place]) -> Option<Plan> {
    let mut ways = Vec::new();
    for &place in order {
        let first_end = if costs.is_closing(place) { costs.modules } else { 1 };
        let next: Vec<Way> = (first_end..=costs.modules)
            .filter_map(
                |end| if place == 0 { first(costs, end) } else { next(costs, &ways, place, end) },
            )
            .collect();
        ways.extend(next);
    }
    let total = |way: &Way| costs.combine(way.secs, costs.token_bound(way.last));
    let whole = ways.into_iter().filter(|way| way.end == costs.modules && total(way).is_finite());
    let best = whole.min_by(|a, b| total(a).total_cmp(&total(b)))?;
    Some(Plan { stages: best.stages, overlap: Vec::new() })
}

fn first(costs: &Costs<'_>, end: usize) -> Option<Way> {
    let secs = costs.own_stage_bound(0, 0, end);
    let stage = Stage { device: 0, modules: ModuleRange::new(0, end) };
    secs.is_finite().then(|| Way { stages: vec![stage], last: 0, end, secs })
}

/// The cheapest way that ends with `place` before module `end`.
fn next(costs: &Costs<'_>, ways: &[Way], place: Place, end: usize) -> Option<Way> {
    let bandwidth = || best_bandwidth(costs, Places::NONE, place);
    let secs = |way: &Way| {
        let entry = costs.entry_bound(way.last, place, way.end);
        let skipping = costs.skipping(place, way.end, bandwidth);
        let skips = skipping.map_or(0.0, |skipping| skipping.secs(end - way.end));
        let stage = costs.own_stage_bound(place, way.end, end) + skips;
        costs.combine(costs.combine(way.secs, entry), stage)
    };
    let shorter = ways.iter().filter(|way| way.end < end).map(|way| (secs(way), way));
    let (secs, before) = shorter.min_by(|a, b| a.0.total_cmp(&b.0))?;
    let stage =
        Stage { device: costs.device_of(place), modules: ModuleRange::new(before.end, end) };
    let stages = before.stages.iter().copied().chain([stage]).collect();
    secs.is_finite().then_some(Way { stages, last: place, end, secs })
}
