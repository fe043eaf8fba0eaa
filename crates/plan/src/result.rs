//! The planner's answer in its file format.

use base::{ModuleRange, PlanInput};
use serde::Serialize;

use crate::Solution;

/// What `lingualinked plan --json` prints.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SolveResult {
    /// The plan's cost under the input's objective.
    pub objective_secs: f64,
    /// In ring order.
    pub stages: Vec<ResultStage>,
    /// Extra modules that neighbours keep.
    pub overlap: Vec<ResultStage>,
    /// No plan costs less.
    pub lower_bound_secs: f64,
    /// How long solving took, measured by the caller.
    pub solve_secs: f64,
}

/// A device and the half-open range of its modules.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ResultStage {
    /// The device's id.
    pub device: String,
    /// First module.
    pub start: usize,
    /// One past the last module.
    pub end: usize,
}

/// A solution in its file format, devices by id.
pub fn to_result(input: &PlanInput, solution: &Solution, solve_secs: f64) -> SolveResult {
    let named = |device: usize, modules: ModuleRange| ResultStage {
        device: input.devices[device].id.clone(),
        start: modules.start,
        end: modules.end,
    };
    SolveResult {
        objective_secs: solution.objective_secs,
        stages: solution.plan.stages.iter().map(|one| named(one.device, one.modules)).collect(),
        overlap: solution.plan.overlap.iter().map(|one| named(one.device, one.modules)).collect(),
        lower_bound_secs: solution.lower_bound_secs,
        solve_secs,
    }
}
