//! The linear program and its relaxation, compared with trying everything and with the search.

mod common;

use base::Objective;
use common::{Random, brute_force, instance};
use plan::{FoundBy, Options, evaluate, linear, solve, verify};

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
