//! What a plan is compared with: an equal split, and the best phone by itself.

use base::{ModuleRange, Plan, PlanInput, Stage};

use crate::{Solution, Violation, evaluate, explain::milliseconds, verify, verify::held_bytes};

/// The modules as evenly as their number allows over all devices in the input's order; the first of
/// them get one more where it does not come out even. It may break constraints: see
/// [`verify`](crate::verify). The input must be valid.
pub fn equal_split(input: &PlanInput) -> Plan {
    let modules = input.modules.len();
    let stages = input.devices.len().min(modules);
    let start = |stage: usize| stage * (modules / stages) + stage.min(modules % stages);
    let stage =
        |device| Stage { device, modules: ModuleRange::new(start(device), start(device + 1)) };
    Plan { stages: (0..stages).map(stage).collect(), overlap: Vec::new() }
}

impl Solution {
    /// Puts another plan of the same input into the place of the one found, to be compared with it.
    /// Bounds, and the reasons of devices without a stage, stay those of the plan found.
    ///
    /// # Errors
    /// The first constraint that the plan breaks.
    pub fn replace(&mut self, input: &PlanInput, plan: Plan) -> Result<(), Violation> {
        verify(input, &plan)?;
        let costs = evaluate(input, &plan)?;
        let [instead, best] = [costs.objective_secs, self.objective_secs].map(milliseconds);
        self.reason = format!("Parts of equal size, to compare: {instead} instead of {best}.");
        self.unused.retain(|one| plan.stages.iter().all(|stage| stage.device != one.device));
        (self.objective_secs, self.stage_secs) = (costs.objective_secs, costs.stage_secs);
        self.plan = plan;
        Ok(())
    }
}

/// The device that would be fastest with the whole model in its memory, whoever the header is, and
/// its seconds for a token, which are those of either objective. None where no device has the memory.
pub fn best_alone(input: &PlanInput) -> Option<(usize, f64)> {
    let whole = ModuleRange::new(0, input.modules.len());
    let bytes = held_bytes(input, &[whole]);
    let devices = input.devices.iter().enumerate();
    let able = devices.filter(|(_, it)| it.memory_bytes >= bytes && it.may_run(whole));
    let secs = able.map(|(index, _)| (index, input.stage_secs(index, whole)));
    secs.min_by(|a, b| a.1.total_cmp(&b.1))
}
