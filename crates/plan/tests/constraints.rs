//! Every answer keeps every constraint, and the verifier sees each one broken.

mod common;

use std::time::Duration;

use base::{ModuleProfile, ModuleRange, Objective, Overlap, Plan, PlanInput, Stage};
use common::{Random, instance};
use plan::{Options, PlanError, Violation, solve, verify};

fn stage(device: usize, start: usize, end: usize) -> Stage {
    Stage { device, modules: ModuleRange::new(start, end) }
}

fn plan_of(stages: &[Stage]) -> Plan {
    Plan { stages: stages.to_vec(), overlap: vec![] }
}

/// Three phones with every link and enough memory, six modules.
fn easy(close_ring: bool) -> PlanInput {
    let mut input = instance(&mut Random::new(5), 3, 6, true);
    input.devices.iter_mut().for_each(|device| device.memory_bytes = 1e6);
    input.bytes_per_sec.iter_mut().flatten().for_each(|bandwidth| *bandwidth = 1.0);
    (input.close_ring, input.token_bytes) = (close_ring, 4.0);
    input
}

#[test]
fn large_rooms_get_a_plan_that_verifies_and_bounds_that_hold() {
    for seed in 0..40 {
        let random = &mut Random::new(seed);
        let (devices, modules) = (random.int(6, 8), random.int(30, 62));
        let input = instance(random, devices, modules, false);
        let options = Options { linear_program: false, search_steps: 20_000, ..Options::default() };
        match solve(&input, &options) {
            Ok(solution) => {
                assert_eq!(verify(&input, &solution.plan), Ok(()), "seed {seed}");
                assert!(solution.lower_bound_secs <= solution.objective_secs, "seed {seed}");
                assert_eq!(solution.stage_secs.len(), solution.plan.stages.len());
                assert_eq!(solve(&input, &options), Ok(solution), "the same again, seed {seed}");
            }
            Err(PlanError::Infeasible(_) | PlanError::GaveUp { .. }) => {}
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
}

#[test]
fn a_search_cut_short_still_answers_with_a_true_bound() {
    let mut cut_short = 0;
    for seed in 50..150 {
        let random = &mut Random::new(seed);
        let input = instance(random, 5, 12, false);
        let whole = solve(&input, &Options { linear_program: false, ..Options::default() });
        let short = solve(
            &input,
            &Options { linear_program: false, search_steps: 8, ..Options::default() },
        );
        let (Ok(whole), Ok(short)) = (whole, short) else { continue };
        assert_eq!(verify(&input, &short.plan), Ok(()), "seed {seed}");
        assert!(short.objective_secs >= whole.objective_secs * (1.0 - 1e-9), "seed {seed}");
        assert!(short.lower_bound_secs <= whole.objective_secs * (1.0 + 1e-9), "seed {seed}");
        cut_short += usize::from(short.lower_bound_secs < short.objective_secs * (1.0 - 1e-9));
    }
    assert!(cut_short > 5, "{cut_short} were cut short");
}

#[test]
fn a_search_without_time_still_has_a_true_bound() {
    let mut solved = 0;
    for seed in 200..400 {
        let input = instance(&mut Random::new(seed), 5, 12, false);
        let options = Options { linear_program: false, ..Options::default() };
        let hurried = Options { time_limit: Some(Duration::ZERO), ..options };
        let (Ok(whole), Ok(short)) = (solve(&input, &options), solve(&input, &hurried)) else {
            continue;
        };
        assert_eq!(verify(&input, &short.plan), Ok(()), "seed {seed}");
        assert!(short.lower_bound_secs <= whole.objective_secs * (1.0 + 1e-9), "seed {seed}");
        solved += usize::from(!input.residual.is_empty());
    }
    assert!(solved > 20, "{solved} of them with residual tensors");
}

#[test]
fn equal_phones_are_taken_in_the_inputs_order_and_no_more_than_needed() {
    for objective in [Objective::Latency, Objective::Throughput] {
        let mut input = easy(false);
        input.objective = objective;
        (input.token_bytes, input.sequential_bytes) = (0.0, vec![0.0; 5]);
        input.modules.iter_mut().for_each(|module| {
            (module.flops, module.weights_bytes, module.kv_bytes) = (1.0, 1.0, 0.0)
        });
        for device in &mut input.devices {
            device.overhead_secs = 0.0;
            (device.flops_per_sec, device.memory_bytes) = (1.0, 3.0);
        }
        let solution = solve(&input, &Options::default()).expect("two phones suffice");
        let expected = match objective {
            Objective::Latency => plan_of(&[stage(0, 0, 3), stage(1, 3, 6)]),
            Objective::Throughput => plan_of(&[stage(0, 0, 2), stage(1, 2, 4), stage(2, 4, 6)]),
        };
        assert_eq!(solution.plan, expected, "{objective:?}");
    }
}

#[test]
fn a_ring_may_close_on_the_header_but_need_not() {
    let mut input = easy(true);
    let closed = plan_of(&[stage(0, 0, 2), stage(1, 2, 5), stage(0, 5, 6)]);
    assert_eq!(verify(&input, &closed), Ok(()));
    assert_eq!(verify(&input, &plan_of(&[stage(0, 0, 2), stage(1, 2, 6)])), Ok(()));
    let direct = plan_of(&[stage(0, 0, 2), stage(0, 2, 6)]);
    assert_eq!(verify(&input, &direct), Err(Violation::DeviceTwice { device: 0 }));
    input.close_ring = false;
    assert_eq!(verify(&input, &closed), Err(Violation::DeviceTwice { device: 0 }));
}

#[test]
fn the_verifier_sees_each_broken_constraint() {
    let input = easy(false);
    let broken = |stages: &[Stage]| verify(&input, &plan_of(stages)).expect_err("broken");
    assert_eq!(broken(&[]), Violation::HeaderNotFirst);
    assert_eq!(broken(&[stage(1, 0, 6)]), Violation::HeaderNotFirst);
    assert_eq!(broken(&[stage(0, 0, 5)]), Violation::WrongEnd { end: 5, modules: 6 });
    assert_eq!(broken(&[stage(0, 0, 9)]), Violation::WrongEnd { end: 9, modules: 6 });
    let gap = broken(&[stage(0, 0, 2), stage(1, 3, 6)]);
    assert!(matches!(gap, Violation::NotContiguous { stage: 1, expected_start: 2, .. }));
    let empty = broken(&[stage(0, 0, 2), stage(1, 2, 2), stage(2, 2, 6)]);
    assert!(matches!(empty, Violation::NotContiguous { stage: 1, .. }));
    let unknown = broken(&[stage(0, 0, 2), stage(3, 2, 6)]);
    assert_eq!(unknown, Violation::NoSuchDevice { device: 3, devices: 3 });
    let twice = broken(&[stage(0, 0, 2), stage(1, 2, 4), stage(1, 4, 6)]);
    assert_eq!(twice, Violation::DeviceTwice { device: 1 });
}

#[test]
fn the_verifier_sees_missing_memory_and_links() {
    let mut input = easy(false);
    let split = plan_of(&[stage(0, 0, 2), stage(2, 2, 6)]);
    input.sequential_bytes[1] = 3.0;
    assert_eq!(verify(&input, &split), Ok(()));
    input.bytes_per_sec[0][2] = 0.0;
    let missing = Violation::NoLink { from: 0, to: 2, bytes: 3.0 };
    assert_eq!(verify(&input, &split), Err(missing));
    input.bytes_per_sec[0][2] = 1.0;
    let bytes: f64 = input.modules[2..].iter().map(ModuleProfile::resident_bytes).sum();
    input.devices[2].memory_bytes = bytes - 1.0;
    let too_much = Violation::Memory { device: 2, bytes, budget_bytes: bytes - 1.0 };
    assert_eq!(verify(&input, &split), Err(too_much));
}

#[test]
fn copies_are_at_boundaries_and_each_module_has_one() {
    let mut input = easy(false);
    let copy = |device, start, end| Overlap { device, modules: ModuleRange::new(start, end) };
    let mut plan = plan_of(&[stage(0, 0, 2), stage(1, 2, 4), stage(2, 4, 6)]);
    let mut check = |input: &PlanInput, copies: &[Overlap]| {
        plan.overlap = copies.to_vec();
        verify(input, &plan)
    };
    assert_eq!(check(&input, &[copy(0, 2, 4), copy(1, 0, 2), copy(1, 4, 5)]), Ok(()));
    for wrong in [copy(0, 3, 4), copy(0, 4, 5), copy(2, 3, 3), copy(2, 0, 9), copy(1, 1, 3)] {
        let found = check(&input, &[wrong]);
        assert!(matches!(found, Err(Violation::Overlap { copy: 0, .. })), "{wrong:?}: {found:?}");
    }
    let second = check(&input, &[copy(0, 2, 4), copy(2, 3, 4)]);
    assert!(matches!(second, Err(Violation::Overlap { copy: 1, .. })), "{second:?}");
    input.devices[1].memory_bytes =
        input.modules[2..4].iter().map(ModuleProfile::resident_bytes).sum();
    let full = check(&input, &[copy(1, 4, 5)]);
    assert!(matches!(full, Err(Violation::Memory { device: 1, .. })), "{full:?}");
}
