//! A solution in the planner's file format (`docs/planner.md`).

use base::{ModuleRange, PlanInput};
use serde::Serialize;

use crate::{Shortfall, Solution};

/// The answer to an instance.
#[derive(Serialize, Debug)]
pub struct Answer<'a> {
    /// What the plan costs under the instance's objective.
    pub objective_secs: f64,
    /// In ring order.
    pub stages: Vec<Share<'a>>,
    /// Second copies.
    pub overlap: Vec<Share<'a>>,
    /// No plan costs less.
    pub lower_bound_secs: f64,
    /// How long finding it took.
    pub solve_secs: f64,
}

/// Consecutive modules of a device.
#[derive(Serialize, Debug)]
pub struct Share<'a> {
    /// The device's id.
    pub device: &'a str,
    /// First module.
    pub start: usize,
    /// One past the last module.
    pub end: usize,
}

/// Why there is no plan.
#[derive(Serialize, Debug)]
pub struct Refusal<'a> {
    /// Every constraint that cannot be met.
    pub infeasible: &'a [Shortfall],
}

impl<'a> Answer<'a> {
    /// Of the input that was solved, in so many seconds.
    pub fn new(input: &'a PlanInput, solution: &Solution, solve_secs: f64) -> Self {
        let share = |device: usize, modules: ModuleRange| Share {
            device: &input.devices[device].id,
            start: modules.start,
            end: modules.end,
        };
        let plan = &solution.plan;
        Self {
            objective_secs: solution.objective_secs,
            stages: plan.stages.iter().map(|stage| share(stage.device, stage.modules)).collect(),
            overlap: plan.overlap.iter().map(|copy| share(copy.device, copy.modules)).collect(),
            lower_bound_secs: solution.lower_bound_secs,
            solve_secs,
        }
    }
}
