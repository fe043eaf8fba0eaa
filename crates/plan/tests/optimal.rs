//! Answers are optimal: compared with trying everything.

mod common;

use base::{Objective, PlanInput, Residual};
use common::{Random, brute_force, cost, instance};
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
