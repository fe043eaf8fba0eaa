//! Copies are the most that fit: compared with trying every number of them.

mod common;

use base::{ModuleRange, Overlap, Plan, PlanInput, Stage};
use common::{Random, instance};
use plan::{Options, overlap, solve, verify};

#[test]
fn no_other_copies_have_more_bytes() {
    let (mut tried, mut copied, mut closed) = (0, 0, 0);
    for seed in 0..4000 {
        let random = &mut Random::new(seed);
        let (devices, modules) = (random.int(1, 4), random.int(2, 8));
        let input = instance(random, devices, modules, false);
        let options = Options { linear_program: false, ..Options::default() };
        let Ok(solution) = solve(&input, &options) else { continue };
        let stages = solution.plan.stages;
        let plan = Plan { overlap: overlap(&input, &stages), stages };
        assert_eq!(verify(&input, &plan), Ok(()), "seed {seed}");
        let (bytes, most) = (weights(&input, &plan.overlap), most(&input, &plan.stages));
        assert!((bytes - most).abs() <= 1e-9 * most, "{bytes} of {most} bytes, seed {seed}");
        tried += 1;
        copied += usize::from(bytes > 0.0);
        closed += usize::from(plan.stages.iter().skip(1).any(|stage| stage.device == 0));
    }
    assert!(tried > 1000 && copied > 500 && closed > 20, "{copied} of {tried}, {closed} closed");
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
