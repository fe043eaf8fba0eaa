//! Whether a plan keeps every constraint, straight from the definitions.

use base::{ModuleRange, Overlap, Plan, PlanInput, Stage};

use crate::{Violation, evaluate};

/// Checks a plan against its input: header first, contiguous stages, each module
/// once, one stage a device (but a header that closes the ring), links where there
/// is traffic, memory with shared tensors counted once, and copies at boundaries only.
///
/// # Errors
/// The first constraint that is broken.
pub fn verify(input: &PlanInput, plan: &Plan) -> Result<(), Violation> {
    evaluate(input, plan)?;
    verify_overlap(input, plan)?;
    verify_memory(input, plan)
}

/// Everything about the stages but links and memory.
pub(crate) fn verify_shape(input: &PlanInput, plan: &Plan) -> Result<(), Violation> {
    let devices = input.devices.len();
    let named = plan.stages.iter().map(|stage| stage.device);
    let named = named.chain(plan.overlap.iter().map(|copy| copy.device));
    if let Some(device) = named.into_iter().find(|&device| device >= devices) {
        return Err(Violation::NoSuchDevice { device, devices });
    }
    if plan.stages.first().is_none_or(|stage| stage.device != 0) {
        return Err(Violation::HeaderNotFirst);
    }
    let (mut end, modules) = (0, input.modules.len());
    for (stage, found) in plan.stages.iter().enumerate() {
        let range = found.modules;
        if range.start != end || range.is_empty() {
            return Err(Violation::NotContiguous { stage, modules: range, expected_start: end });
        }
        end = range.end;
    }
    if end != modules {
        return Err(Violation::WrongEnd { end, modules });
    }
    verify_within(input, plan)?;
    verify_devices(input, plan)
}

fn verify_within(input: &PlanInput, plan: &Plan) -> Result<(), Violation> {
    let strays = |stage: &&Stage| !input.devices[stage.device].may_run(stage.modules);
    match plan.stages.iter().find(strays) {
        Some(&Stage { device, modules }) => Err(Violation::NotHeld { device, modules }),
        None => Ok(()),
    }
}

fn verify_devices(input: &PlanInput, plan: &Plan) -> Result<(), Violation> {
    let last = plan.stages.len() - 1;
    for (position, stage) in plan.stages.iter().enumerate() {
        let seen = plan.stages[..position].iter().any(|earlier| earlier.device == stage.device);
        let closes = input.close_ring && stage.device == 0 && position == last && position >= 2;
        if seen && !closes {
            return Err(Violation::DeviceTwice { device: stage.device });
        }
    }
    Ok(())
}

fn verify_memory(input: &PlanInput, plan: &Plan) -> Result<(), Violation> {
    for (device, profile) in input.devices.iter().enumerate() {
        let stages = plan.stages.iter().filter(|stage| stage.device == device);
        let ranges: Vec<_> = stages.map(|stage| stage.modules).collect();
        let copies = plan.overlap.iter().filter(|copy| copy.device == device);
        let copied: f64 = copies.map(|copy| full_bytes(input, copy.modules)).sum();
        let bytes = held_bytes(input, &ranges) + copied;
        if bytes > profile.memory_bytes {
            return Err(Violation::Memory { device, bytes, budget_bytes: profile.memory_bytes });
        }
    }
    Ok(())
}

/// Bytes of a device's stages, with tensors that two of its modules share stored once.
pub(crate) fn held_bytes(input: &PlanInput, ranges: &[ModuleRange]) -> f64 {
    let holds = |module| ranges.iter().any(|range| range.contains(module));
    let full: f64 = ranges.iter().map(|&range| full_bytes(input, range)).sum();
    let shared = input.tied.iter().filter(|tied| holds(tied.0) && holds(tied.1));
    full - shared.map(|tied| tied.2).sum::<f64>()
}

fn full_bytes(input: &PlanInput, range: ModuleRange) -> f64 {
    range.indices().map(|module| input.modules[module].resident_bytes()).sum()
}

fn verify_overlap(input: &PlanInput, plan: &Plan) -> Result<(), Violation> {
    let mut copied = vec![false; input.modules.len()];
    for (copy, overlap) in plan.overlap.iter().enumerate() {
        let &Overlap { device, modules } = overlap;
        let wrong = |problem| Err(Violation::Overlap { copy, device, modules, problem });
        if modules.is_empty() || !extends_a_stage(plan, overlap) {
            return wrong("must be modules of a neighbour's stage, next to the device's own");
        }
        if copied[modules.indices()].iter().any(|&copied| copied) {
            return wrong("a module of it has a copy already");
        }
        copied[modules.indices()].fill(true);
    }
    Ok(())
}

/// Whether a copy is the beginning of the next stage or the end of the one before.
fn extends_a_stage(plan: &Plan, copy: &Overlap) -> bool {
    plan.stages.windows(2).any(|pair| {
        let (left, right) = (&pair[0], &pair[1]);
        let from_right = copy.device == left.device
            && copy.modules.start == right.modules.start
            && copy.modules.end <= right.modules.end;
        let from_left = copy.device == right.device
            && copy.modules.end == left.modules.end
            && copy.modules.start >= left.modules.start;
        from_right || from_left
    })
}
