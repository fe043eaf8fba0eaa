//! Answers are optimal: compared with trying everything and with the integer program.

mod common;

use base::{Objective, PlanInput};
use common::{Random, brute_force, cost, instance};
use plan::{FoundBy, Options, PlanError, Solution, evaluate, linear, solve, verify};

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

#[test]
fn small_rooms_are_solved_optimally() {
    let mut solved = 0;
    for seed in 0..3000 {
        let random = &mut Random::new(seed);
        let (devices, modules) = (random.int(1, 4), random.int(1, 7));
        let plain = random.chance(30);
        solved += usize::from(check(&instance(random, devices, modules, plain), seed));
    }
    assert!((1000..2900).contains(&solved), "both outcomes must occur, {solved} solved");
}

#[test]
fn larger_rooms_are_solved_optimally() {
    let mut solved = 0;
    for seed in 10_000..10_200 {
        let random = &mut Random::new(seed);
        let (devices, modules) = (random.int(5, 6), random.int(10, 14));
        solved += usize::from(check(&instance(random, devices, modules, false), seed));
    }
    assert!(solved > 100, "{solved} solved");
}

#[test]
fn the_linear_program_bounds_every_answer_from_below() {
    let mut tight = 0;
    for seed in 20_000..20_300 {
        let random = &mut Random::new(seed);
        let (devices, modules) = (random.int(1, 4), random.int(1, 7));
        let input = instance(random, devices, modules, false);
        let Some((least, _)) = brute_force(&input) else { continue };
        let bound = linear::bound(&input).expect("feasible, so its relaxation is");
        assert!(bound <= least * (1.0 + 1e-6) + 1e-9, "{bound} over {least}, seed {seed}");
        tight += usize::from(bound >= 0.5 * least);
    }
    assert!(tight > 50, "a bound that says something, {tight} of them");
}

#[test]
fn the_integer_program_finds_the_same_costs() {
    let mut solved = 0;
    for seed in 30_000..30_120 {
        let random = &mut Random::new(seed);
        let (devices, modules) = (random.int(1, 4), random.int(1, 6));
        let mut input = instance(random, devices, modules, false);
        (input.residual, input.token_to) = (vec![], 0);
        let whole = linear::solve_integer(&input, 100_000).expect("valid");
        let Some((least, _)) = brute_force(&input) else {
            assert_eq!(whole, None, "seed {seed}");
            continue;
        };
        let whole = whole.unwrap_or_else(|| panic!("a plan, seed {seed}"));
        assert_eq!(verify(&input, &whole), Ok(()), "seed {seed}");
        let secs = evaluate(&input, &whole).expect("verified").objective_secs;
        assert!((secs - least).abs() <= 1e-6 * least + 1e-9, "{secs} is not {least}, seed {seed}");
        solved += 1;
    }
    assert!(solved > 40, "{solved} solved");
}

#[test]
fn the_linear_program_plans_and_the_search_agrees() {
    let (mut solved, mut drawn) = (0, 0);
    for seed in 40_000..40_200 {
        let random = &mut Random::new(seed);
        let (devices, modules) = (random.int(1, 4), random.int(1, 14));
        let mut input = instance(random, devices, modules, true);
        input.objective = Objective::Latency;
        let alone = solve(&input, &Options { linear_program: false, ..Options::default() });
        let both = solve(&input, &Options::default());
        let (Ok(alone), Ok(both)) = (&alone, &both) else {
            assert_eq!(both, alone, "seed {seed}");
            continue;
        };
        assert_eq!(both.plan, alone.plan, "seed {seed}");
        let whole = linear::solve_integer(&input, 100_000).expect("valid").expect("it fits");
        let secs = evaluate(&input, &whole).expect("verified").objective_secs;
        assert!((secs - alone.objective_secs).abs() <= 1e-6 * secs + 1e-9, "seed {seed}");
        let bound = both.linear_bound_secs.expect("it fits");
        assert!(bound <= both.objective_secs, "seed {seed}");
        drawn += usize::from(both.found_by == FoundBy::LinearProgram);
        solved += 1;
    }
    println!("{drawn} of {solved} plans are the linear program's");
    assert!(solved > 100 && drawn * 10 > solved * 8, "{drawn} of {solved}");
}

#[test]
fn the_relaxation_is_repaired_over_the_cuts() {
    let (mut repaired, mut best) = (0, 0);
    for seed in 50_000..50_200 {
        let random = &mut Random::new(seed);
        let (devices, modules) = (random.int(2, 5), random.int(4, 16));
        let input = instance(random, devices, modules, true);
        let Some(plan) = linear::solve_relaxed(&input).expect("valid") else { continue };
        assert_eq!(verify(&input, &plan), Ok(()), "seed {seed}");
        let secs = evaluate(&input, &plan).expect("verified").objective_secs;
        let solution = solve(&input, &Options::default()).expect("the repaired plan fits");
        assert!(secs >= solution.objective_secs * (1.0 - 1e-9), "seed {seed}");
        repaired += 1;
        best += usize::from(secs <= solution.objective_secs * (1.0 + 1e-9));
    }
    println!("{repaired} plans, {best} of them as good as any");
    assert!(repaired > 60 && best * 3 > repaired, "{best} of {repaired}");
}
