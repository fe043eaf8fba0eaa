//! Cuts are moved to where they cost least.

mod common;

use base::{ModuleRange, Plan, PlanInput, Stage};
use common::{Random, cost, instance, restricted};
use plan::rebalance;

#[test]
fn no_other_cuts_cost_less() {
    let mut moved = 0;
    for seed in 0..3_000 {
        let random = &mut Random::new(seed);
        let (devices, modules) = (random.int(1, 4), random.int(4, 9));
        let mut input = instance(random, devices, modules, false);
        if random.chance(50) {
            input = restricted(random, input);
        }
        (input.close_ring, input.token_to) = (false, 0);
        input.tied.clear();
        input.devices.iter_mut().for_each(|device| device.memory_bytes = 1e9);
        let exact = input.residual.is_empty();
        let all = every_cut(&input, &order(random, devices));
        let Some(start) = all.first() else { continue };
        let costs = all.iter().filter_map(|plan| cost(&input, plan));
        let least = costs.reduce(f64::min).expect("there is one");
        let plan = rebalance(&input, &start.stages).expect("there is one");
        let ours = cost(&input, &plan).expect("it keeps every constraint");
        let before = cost(&input, start).expect("it does, too");
        assert!(ours <= before * (1.0 + 1e-9), "seed {seed}");
        assert!(!exact || ours <= least * (1.0 + 1e-9), "seed {seed}: {ours} is not {least}");
        moved += usize::from(plan.stages != start.stages);
    }
    assert!(moved > 300, "{moved}");
}

fn order(random: &mut Random, devices: usize) -> Vec<usize> {
    let mut rest: Vec<usize> = (1..devices).collect();
    let count = random.int(0, rest.len());
    let mut order = vec![0];
    order.extend((0..count).map(|_| rest.swap_remove(random.int(0, rest.len() - 1))));
    order
}

/// Every plan with the devices in that order.
fn every_cut(input: &PlanInput, order: &[usize]) -> Vec<Plan> {
    let mut plans = vec![Vec::new()];
    for (position, &device) in order.iter().enumerate() {
        let is_last = position + 1 == order.len();
        let extend = |stages: Vec<Stage>| {
            let start = stages.last().map_or(0, |stage| stage.modules.end);
            let first = if is_last { input.modules.len() } else { start + 1 };
            (first..=input.modules.len()).filter(move |&end| end > start).map(move |end| {
                let stage = Stage { device, modules: ModuleRange::new(start, end) };
                [stages.as_slice(), &[stage]].concat()
            })
        };
        plans = plans.into_iter().flat_map(extend).collect();
    }
    let plans = plans.into_iter().map(|stages| Plan { stages, overlap: Vec::new() });
    plans.filter(|plan| cost(input, plan).is_some()).collect()
}
