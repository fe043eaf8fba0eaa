//! Copies are the most that fit: compared with trying every number of them and with the integer program.

mod common;

use base::{ModuleRange, Objective, Overlap, Plan, PlanInput, Stage};
use common::{Random, instance};
use plan::{Options, linear, overlap, segments, solve, verify};

#[test]
fn no_other_copies_of_best_plans_have_more_bytes() {
    let mut seen = Seen::default();
    for seed in 0..10_000 {
        let random = &mut Random::new(seed);
        let (devices, modules) = (random.int(1, 4), random.int(1, 7));
        let input = instance(random, devices, modules, false);
        seen.check_best(&input, seed);
    }
    for seed in 10_000..10_200 {
        let random = &mut Random::new(seed);
        let (devices, modules) = (random.int(5, 6), random.int(10, 14));
        seen.check_best(&instance(random, devices, modules, false), seed);
    }
    assert!(seen.tried > 10_000 && seen.copied > 5_000 && seen.closed > 100, "{seen:?}");
}

#[test]
fn no_other_copies_of_any_ring_have_more_bytes() {
    let mut seen = Seen::default();
    for seed in 20_000..24_000 {
        let random = &mut Random::new(seed);
        let (input, stages) = ring(random, 4, 9);
        seen.check(&input, stages, seed);
    }
    assert!(seen.tried == 4_000 && seen.copied > 2_000 && seen.closed > 500, "{seen:?}");
}

#[test]
fn segments_are_fixed_where_no_neighbour_has_a_copy() {
    let mut fixed = 0;
    for seed in 40_000..40_500 {
        let random = &mut Random::new(seed);
        let (input, stages) = ring(random, 4, 9);
        let copies = overlap(&input, &stages);
        let segments = segments(&stages, &copies);
        let dynamic: usize = segments.iter().map(|one| one.dynamic.len()).sum();
        assert_eq!((segments.len(), dynamic), (stages.len(), copies.len()), "seed {seed}");
        for (segments, stage) in segments.iter().zip(&stages) {
            for module in stage.modules.indices() {
                let has_copy = copies.iter().any(|copy| copy.modules.contains(module));
                let is_dynamic = segments.dynamic.iter().any(|copy| copy.modules.contains(module));
                assert_eq!(is_dynamic, has_copy, "seed {seed}, module {module}");
                assert_eq!(segments.fixed.contains(module), !has_copy, "seed {seed}, {module}");
                fixed += usize::from(!has_copy);
            }
        }
    }
    assert!(fixed > 100, "{fixed} modules without a copy");
}

#[test]
fn the_integer_program_copies_as_many_bytes() {
    let mut closed = 0;
    for seed in 30_000..30_400 {
        let random = &mut Random::new(seed);
        let (input, stages) = ring(random, 5, 14);
        let copies = linear::overlap_integer(&input, &stages, 100_000).expect("it is small");
        let plan = Plan { stages, overlap: copies };
        assert_eq!(verify(&input, &plan), Ok(()), "seed {seed}");
        let [program, ours] =
            [&plan.overlap, &overlap(&input, &plan.stages)].map(|copies| weights(&input, copies));
        assert!((program - ours).abs() <= 1e-9 * ours, "{program} and {ours} bytes, seed {seed}");
        closed += usize::from(closes(&plan.stages));
    }
    assert!(closed > 50, "{closed} closed rings");
}

#[derive(Default, Debug)]
struct Seen {
    tried: usize,
    copied: usize,
    closed: usize,
}

impl Seen {
    /// For the stages of both objectives' best plans.
    fn check_best(&mut self, input: &PlanInput, seed: u64) {
        for objective in [Objective::Latency, Objective::Throughput] {
            let input = PlanInput { objective, ..input.clone() };
            let options = Options { linear_program: false, ..Options::default() };
            if let Ok(solution) = solve(&input, &options) {
                self.check(&input, solution.plan.stages, seed);
            }
        }
    }

    fn check(&mut self, input: &PlanInput, stages: Vec<Stage>, seed: u64) {
        let plan = Plan { overlap: overlap(input, &stages), stages };
        assert_eq!(verify(input, &plan), Ok(()), "seed {seed}");
        let (bytes, most) = (weights(input, &plan.overlap), most(input, &plan.stages));
        assert!((bytes - most).abs() <= 1e-9 * most, "{bytes} of {most} bytes, seed {seed}");
        self.tried += 1;
        self.copied += usize::from(bytes > 0.0);
        self.closed += usize::from(closes(&plan.stages));
    }
}

fn closes(stages: &[Stage]) -> bool {
    stages.iter().skip(1).any(|stage| stage.device == 0)
}

/// A room and some ring of its devices, which have the memory and the links for it.
fn ring(random: &mut Random, most_devices: usize, most_modules: usize) -> (PlanInput, Vec<Stage>) {
    let (devices, modules) = (random.int(1, most_devices), random.int(5, most_modules));
    let mut input = instance(random, devices, modules, false);
    input.bytes_per_sec.iter_mut().flatten().for_each(|bandwidth| *bandwidth = 1.0);
    let mut order: Vec<usize> = (1..devices).filter(|_| random.chance(85)).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, random.int(0, at));
    }
    order.insert(0, 0);
    if input.close_ring && order.len() > 1 && order.len() < modules {
        order.push(0);
    }
    let mut stages = Vec::new();
    let mut start = 0;
    for (position, &device) in order.iter().enumerate() {
        let left = order.len() - 1 - position;
        let end = if left == 0 { modules } else { random.int(start + 1, modules - left) };
        stages.push(Stage { device, modules: ModuleRange::new(start, end) });
        start = end;
    }
    for device in 0..devices {
        let own = stages.iter().filter(|stage| stage.device == device);
        let held = own.flat_map(|stage| stage.modules.indices());
        let bytes: f64 = held.map(|module| input.modules[module].resident_bytes()).sum();
        input.devices[device].memory_bytes = bytes + random.real(0, 80);
    }
    (input, stages)
}

fn weights(input: &PlanInput, copies: &[Overlap]) -> f64 {
    let modules = copies.iter().flat_map(|copy| copy.modules.indices());
    modules.map(|module| input.modules[module].weights_bytes).sum()
}

/// The most bytes of copies that [`verify`] lets pass.
fn most(input: &PlanInput, stages: &[Stage]) -> f64 {
    let mut most = 0.0_f64;
    extend(input, stages, 0, &mut Vec::new(), &mut most);
    most
}

/// Tries all copies at the boundaries from `at` on.
fn extend(
    input: &PlanInput,
    stages: &[Stage],
    at: usize,
    copies: &mut Vec<Overlap>,
    most: &mut f64,
) {
    let plan = Plan { stages: stages.to_vec(), overlap: copies.clone() };
    if verify(input, &plan).is_err() {
        return;
    }
    *most = most.max(weights(input, copies));
    let [left, right] = match stages.get(at..at + 2) {
        Some([left, right]) => [left, right],
        _ => return,
    };
    for from_right in 0..=right.modules.len() {
        for from_left in 0..=left.modules.len() {
            let (start, end) = (right.modules.start, left.modules.end);
            let more = [
                Overlap {
                    device: left.device,
                    modules: ModuleRange::new(start, start + from_right),
                },
                Overlap { device: right.device, modules: ModuleRange::new(end - from_left, end) },
            ];
            let before = copies.len();
            copies.extend(more.into_iter().filter(|copy| !copy.modules.is_empty()));
            extend(input, stages, at + 1, copies, most);
            copies.truncate(before);
        }
    }
}
