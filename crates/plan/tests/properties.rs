//! What holds for every answer, checked from the definitions.

mod common;

use std::collections::BTreeSet;

use base::{Plan, PlanInput, Tied};
use common::{Random, cost, instance};
use plan::{Options, PlanError, Solution, best_alone, equal_split, overlap, solve};
use proptest::prelude::*;

fn rooms() -> impl Strategy<Value = PlanInput> {
    (any::<u64>(), 1..=6_usize, 1..=20_usize, any::<bool>()).prop_map(
        |(seed, devices, modules, plain)| instance(&mut Random::new(seed), devices, modules, plain),
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(2_000)
    })]

    #[test]
    fn answers_keep_every_constraint(input in rooms()) {
        match solve(&input, &Options { linear_program: false, ..Options::default() }) {
            Ok(mut solution) => {
                solution.plan.overlap = overlap(&input, &solution.plan.stages);
                stages_are_a_ring(&input, &solution.plan)?;
                memory_suffices(&input, &solution.plan)?;
                copies_are_at_boundaries(&input, &solution.plan)?;
                costs_hold_together(&input, &solution)?;
            }
            Err(PlanError::Infeasible(shortfalls)) => prop_assert!(!shortfalls.is_empty()),
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        }
    }

    #[test]
    fn an_equal_split_is_even(input in rooms()) {
        let stages = equal_split(&input).stages;
        let sizes: Vec<usize> = stages.iter().map(|stage| stage.modules.len()).collect();
        prop_assert_eq!(stages.len(), input.devices.len().min(input.modules.len()));
        prop_assert_eq!(sizes.iter().sum::<usize>(), input.modules.len());
        prop_assert!(sizes.iter().max() <= sizes.iter().min().map(|least| least + 1).as_ref());
        prop_assert!(stages.iter().enumerate().all(|(index, stage)| stage.device == index));
    }
}

fn stages_are_a_ring(input: &PlanInput, plan: &Plan) -> Result<(), TestCaseError> {
    let modules: Vec<usize> =
        plan.stages.iter().flat_map(|stage| stage.modules.indices()).collect();
    prop_assert_eq!(modules, (0..input.modules.len()).collect::<Vec<_>>());
    prop_assert!(plan.stages.iter().all(|stage| !stage.modules.is_empty()));
    let mut devices: Vec<usize> = plan.stages.iter().map(|stage| stage.device).collect();
    prop_assert_eq!(devices[0], 0);
    if input.close_ring && devices.len() > 2 && devices[devices.len() - 1] == 0 {
        devices.pop();
    }
    let different: BTreeSet<usize> = devices.iter().copied().collect();
    prop_assert_eq!(different.len(), devices.len());
    Ok(())
}

fn memory_suffices(input: &PlanInput, plan: &Plan) -> Result<(), TestCaseError> {
    for (index, device) in input.devices.iter().enumerate() {
        let stages = plan.stages.iter().filter(|stage| stage.device == index);
        let own: BTreeSet<usize> = stages.flat_map(|stage| stage.modules.indices()).collect();
        let copies = plan.overlap.iter().filter(|copy| copy.device == index);
        let copied = copies.flat_map(|copy| copy.modules.indices());
        let bytes =
            |module: usize| input.modules[module].weights_bytes + input.modules[module].kv_bytes;
        let shared = |tied: &&Tied| own.contains(&tied.0) && own.contains(&tied.1);
        let twice: f64 = input.tied.iter().filter(shared).map(|tied| tied.2).sum();
        let held = own.iter().copied().chain(copied).map(bytes).sum::<f64>() - twice;
        prop_assert!(held <= device.memory_bytes, "{} holds {}", device.id, held);
    }
    Ok(())
}

fn copies_are_at_boundaries(input: &PlanInput, plan: &Plan) -> Result<(), TestCaseError> {
    let mut copied = vec![0; input.modules.len()];
    for copy in &plan.overlap {
        prop_assert!(!copy.modules.is_empty());
        copy.modules.indices().for_each(|module| copied[module] += 1);
        let (start, end) = (copy.modules.start, copy.modules.end);
        let is_at_boundary = plan.stages.windows(2).any(|pair| {
            let (left, right) = (pair[0], pair[1]);
            let of_right = left.device == copy.device && right.modules.start == start;
            let of_left = right.device == copy.device && left.modules.end == end;
            of_right && end <= right.modules.end || of_left && start >= left.modules.start
        });
        prop_assert!(is_at_boundary, "{:?}", copy);
    }
    prop_assert!(copied.iter().all(|&count| count <= 1));
    Ok(())
}

fn costs_hold_together(input: &PlanInput, solution: &Solution) -> Result<(), TestCaseError> {
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs();
    let secs = solution.objective_secs;
    // It has a link wherever there is traffic, too.
    prop_assert!(cost(input, &solution.plan).is_some_and(|cost| near(cost, secs)));
    prop_assert!(near(solution.lower_bound_secs, secs));
    prop_assert!(cost(input, &equal_split(input)).is_none_or(|split| secs <= split * (1.0 + 1e-9)));
    if let Some((0, alone)) = best_alone(input) {
        prop_assert!(secs <= alone * (1.0 + 1e-9));
    }
    let with_stage: BTreeSet<usize> =
        solution.plan.stages.iter().map(|stage| stage.device).collect();
    let without: BTreeSet<usize> = solution.unused.iter().map(|one| one.device).collect();
    prop_assert!(with_stage.is_disjoint(&without));
    prop_assert_eq!(with_stage.len() + without.len(), input.devices.len());
    prop_assert!(solution.unused.iter().all(|one| one.reason.ends_with('.')));
    Ok(())
}
