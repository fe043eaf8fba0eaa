//! Answers are optimal: compared with trying everything.

mod common;

use base::{Objective, PlanInput, Residual, Tied};
use common::{Random, brute_force, cost, instance, restricted, with_many_ties};
use plan::{Options, PlanError, Solution, evaluate, solve, verify};

/// Checks one instance; whether it has a plan at all.
fn check(input: &PlanInput, seed: u64) -> bool {
    let options = Options { linear_program: false, ..Options::default() };
    match (solve(input, &options), brute_force(input)) {
        (Ok(solution), Some((least, stages))) => {
            assert_close(solution.objective_secs, least, seed);
            assert_close(solution.lower_bound_secs, solution.objective_secs, seed);
            assert_eq!(solution.plan.stages.len(), stages, "fewest stages, seed {seed}");
            assert_checked(input, &solution, seed);
            true
        }
        (Err(PlanError::Infeasible(shortfalls)), None) => {
            assert!(!shortfalls.is_empty(), "seed {seed}");
            for one in &shortfalls {
                assert!(one.missing_bytes.is_none_or(|bytes| bytes > 0.0), "seed {seed}: {one:?}");
                assert!(one.help.ends_with('.'), "seed {seed}: {one:?}");
            }
            false
        }
        (ours, all) => panic!("seed {seed}: {ours:?}, but trying everything gives {all:?}"),
    }
}

fn assert_checked(input: &PlanInput, solution: &Solution, seed: u64) {
    assert_eq!(verify(input, &solution.plan), Ok(()), "seed {seed}");
    let evaluation = evaluate(input, &solution.plan).expect("verified");
    assert_eq!(evaluation.objective_secs, solution.objective_secs, "seed {seed}");
    let apart = cost(input, &solution.plan).expect("feasible");
    assert_close(evaluation.objective_secs, apart, seed);
}

fn assert_close(left: f64, right: f64, seed: u64) {
    assert!((left - right).abs() <= 1e-9 * right.abs(), "{left} is not {right}, seed {seed}");
}

/// Solves for both objectives; how many of the two have a plan.
fn check_both(mut input: PlanInput, seed: u64) -> usize {
    let check = |objective| {
        input.objective = objective;
        usize::from(check(&input, seed))
    };
    [Objective::Latency, Objective::Throughput].map(check).iter().sum()
}

#[test]
fn small_rooms_are_solved_optimally() {
    let mut solved = 0;
    for seed in 0..10_000 {
        let random = &mut Random::new(seed);
        let (devices, modules) = (random.int(1, 4), random.int(1, 7));
        let plain = random.chance(20);
        solved += check_both(instance(random, devices, modules, plain), seed);
    }
    assert!((10_000..19_000).contains(&solved), "both outcomes must occur, {solved} solved");
}

#[test]
fn larger_rooms_are_solved_optimally() {
    let mut solved = 0;
    for seed in 10_000..10_200 {
        let random = &mut Random::new(seed);
        let (devices, modules) = (random.int(5, 6), random.int(10, 14));
        solved += check_both(instance(random, devices, modules, false), seed);
    }
    assert!((200..399).contains(&solved), "{solved} solved");
}

#[test]
fn closed_rings_with_many_shared_tensors_are_solved_optimally() {
    let mut solved = 0;
    for seed in 70_000..73_000 {
        let random = &mut Random::new(seed);
        let (devices, modules) = (random.int(2, 4), random.int(3, 7));
        let input = instance(random, devices, modules, false);
        solved += check_both(with_many_ties(random, input), seed);
    }
    assert!((3_000..5_900).contains(&solved), "both outcomes must occur, {solved} solved");
}

#[test]
fn devices_that_run_only_what_they_hold_are_planned_optimally() {
    let mut solved = 0;
    for seed in 90_000..95_000 {
        let random = &mut Random::new(seed);
        let (devices, modules) = (random.int(2, 4), random.int(3, 8));
        let input = instance(random, devices, modules, false);
        solved += check_both(restricted(random, input), seed);
    }
    assert!((1_000..9_000).contains(&solved), "both outcomes must occur, {solved} solved");
}

/// Too large to try everything; but a ring need not close.
#[test]
fn rings_that_may_close_are_never_worse_and_always_proven() {
    let mut closed = 0;
    for seed in 80_000..80_060 {
        let random = &mut Random::new(seed);
        let mut input = instance(random, 8, 30, true);
        let bytes: f64 = input.modules.iter().map(|module| module.resident_bytes()).sum();
        input.devices.iter_mut().for_each(|device| device.memory_bytes = bytes / 8.0 * 1.1);
        let options = Options { linear_program: false, ..Options::default() };
        let open = solve(&input, &options);
        input.close_ring = true;
        let Ok(solution) = solve(&input, &options) else {
            assert!(open.is_err(), "seed {seed}");
            continue;
        };
        assert_checked(&input, &solution, seed);
        assert_close(solution.lower_bound_secs, solution.objective_secs, seed);
        let open_secs = open.map_or(f64::INFINITY, |open| open.objective_secs);
        assert!(solution.objective_secs <= open_secs * (1.0 + 1e-9), "seed {seed}");
        closed += usize::from(solution.plan.stages.last().is_some_and(|last| last.device == 0));
    }
    assert!(closed > 5, "{closed} closed");
}

/// The header holds its two stages together, but not the first alone.
#[test]
fn a_last_stage_may_make_room_for_the_first() {
    let mut input = instance(&mut Random::new(1), 8, 4, true);
    for (module, bytes) in input.modules.iter_mut().zip([5.0, 5.0, 2.0, 5.0]) {
        (module.weights_bytes, module.kv_bytes) = (bytes, 0.0);
    }
    for (device, bytes) in input.devices.iter_mut().zip([6.0, 2.0].into_iter().chain([0.0; 6])) {
        device.memory_bytes = bytes;
    }
    input.bytes_per_sec = vec![vec![1.0; 8]; 8];
    input.tied = vec![Tied(0, 3, 5.0), Tied(1, 3, 5.0)];
    assert_eq!(check_both(input.clone(), 1), 0, "an open ring has no room");
    input.close_ring = true;
    assert_eq!(check_both(input, 1), 2);
}

/// An encoder's output to all decoder modules, as an encoder-decoder has it: its bound is exact.
#[test]
fn an_encoders_output_leaves_the_search_nothing_to_try() {
    let mut solved = 0;
    for seed in 60_000..60_200 {
        let random = &mut Random::new(seed);
        let (devices, modules) = (random.int(3, 5), random.int(8, 11));
        let mut input = instance(random, devices, modules, true);
        let from = random.int(1, modules - 3);
        let to = (from + 2..modules).collect();
        input.residual = vec![Residual { from, to, bytes: random.real(1, 60) }];
        if !check(&input, seed) {
            continue;
        }
        let solution = solve(&input, &Options { linear_program: false, ..Options::default() });
        let steps = solution.expect("it was solved").search_steps;
        assert!(steps <= 2 * devices as u64, "{steps} steps, seed {seed}");
        solved += 1;
    }
    assert!(solved > 100, "{solved} solved");
}
