//! A first plan: that of a simpler room, at what it costs in the real one.

use base::PlanInput;

use super::{Best, Limits, Progress};
use crate::{bound::table_work, costs::Costs, partial::Partial};

/// Whether the real room's tables are inexact, or may take too long.
pub(super) fn is_wanted(costs: &Costs<'_>) -> bool {
    costs.has_others() || costs.input.token_to != 0 || is_large(costs.input)
}

/// The best plan without residual tensors and a closed ring, of no more devices than tables are quickly
/// made for; none where there is none, or the residual tensors lack a link.
pub(super) fn plan(costs: &Costs<'_>, limits: Limits) -> Option<Best> {
    let (simple, devices) = simple(costs.input);
    let simple = Costs::new(&simple);
    let mut progress = Progress::new(&simple, limits.share(SEED_SHARE), None);
    progress.search_open(&simple);
    let mut partial = Partial::empty(costs);
    for stage in progress.best?.plan.stages {
        partial = partial.extended(costs, devices[stage.device], stage.modules.end)?;
    }
    let secs = partial.secs(costs);
    secs.is_finite().then(|| Best { plan: partial.into_plan(), secs })
}

/// The simple room, and which devices it has.
fn simple(input: &PlanInput) -> (PlanInput, Vec<usize>) {
    let mut simple = input.clone();
    (simple.token_to, simple.close_ring) = (0, false);
    simple.residual.clear();
    let mut devices: Vec<usize> = (0..input.devices.len()).collect();
    let memory = |device: usize| input.devices[device].memory_bytes;
    while is_large(&simple) {
        let least =
            (1..devices.len()).min_by(|&a, &b| memory(devices[a]).total_cmp(&memory(devices[b])));
        let Some(least) = least else { break };
        devices.remove(least);
        simple.devices.remove(least);
        for rows in [&mut simple.rtt_secs, &mut simple.bytes_per_sec] {
            rows.remove(least);
            rows.iter_mut().for_each(|row| {
                row.remove(least);
            });
        }
    }
    (simple, devices)
}

fn is_large(input: &PlanInput) -> bool {
    table_work(input.devices.len(), input.modules.len()) > MOST_WORK
}

/// Some seconds; 16 devices and 130 modules take less.
const MOST_WORK: f64 = 1e10;
/// Of the time.
const SEED_SHARE: f64 = 0.4;
