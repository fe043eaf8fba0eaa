//! From an input to a checked answer.

use base::{Plan, PlanInput};

use crate::{
    PlanError, costs::Costs, evaluate, explain::explain, infeasible::shortfalls, linear,
    search::search, validate, verify,
};

/// How much work an answer may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Beginnings of plans that the search may try; a microsecond or so each. Inputs
    /// without residual tensors and closed rings need a few dozen.
    pub search_steps: u64,
    /// Whether to bound the cost by the linear program even when the search has
    /// proven its answer. For 3 phones and 18 modules that takes about a millisecond, for 8
    /// and 62 a few hundred, twenty times as long as the search.
    pub linear_bound: bool,
}

/// The answer to an input.
#[derive(Clone, PartialEq, Debug)]
pub struct Solution {
    /// Who runs what; no overlap copies yet.
    pub plan: Plan,
    /// The plan's cost under the input's objective.
    pub objective_secs: f64,
    /// No plan costs less; meets the objective when the answer is proven optimal.
    pub lower_bound_secs: f64,
    /// The linear program's own bound, where it was asked for or needed, and succeeded.
    pub linear_bound_secs: Option<f64>,
    /// Beginnings of plans that the search tried.
    pub search_steps: u64,
    /// Compute of each stage, in ring order.
    pub stage_secs: Vec<f64>,
    /// Why this split: a sentence or two for a person.
    pub reason: String,
}

/// Finds the plan that costs least under the input's objective.
///
/// # Errors
/// An input that means nothing or is too large, constraints that cannot be met, or
/// a search that ended before it found any plan.
pub fn solve(input: &PlanInput, options: &Options) -> Result<Solution, PlanError> {
    validate(input)?;
    check_size(input)?;
    let costs = Costs::new(input);
    let found = search(&costs, options.search_steps);
    let Some(plan) = found.plan.clone() else {
        return Err(match found.complete {
            true => PlanError::Infeasible(shortfalls(&costs)),
            false => PlanError::GaveUp { steps: options.search_steps },
        });
    };
    debug_assert_eq!(verify(input, &plan), Ok(()));
    let evaluation = evaluate(input, &plan).expect("the search uses existing links only");
    let objective_secs = evaluation.objective_secs;
    let wants_linear = options.linear_bound || !found.complete;
    let linear_bound_secs = if wants_linear { linear::bound(input) } else { None };
    let proven_secs = linear_bound_secs.map_or(found.frontier_secs, |linear_secs| {
        found.frontier_secs.max(linear_secs * (1.0 - LINEAR_TOLERANCE))
    });
    Ok(Solution {
        reason: explain(&costs, &plan, objective_secs, found.split_secs),
        plan,
        objective_secs,
        // Two ways of adding the same terms may differ in the last digit.
        lower_bound_secs: proven_secs.min(objective_secs),
        linear_bound_secs,
        search_steps: found.steps,
        stage_secs: evaluation.stage_secs,
    })
}

fn check_size(input: &PlanInput) -> Result<(), PlanError> {
    let (devices, modules) = (input.devices.len(), input.modules.len());
    if devices > MAX_DEVICES {
        return Err(PlanError::TooManyDevices { devices, limit: MAX_DEVICES });
    }
    if modules > MAX_MODULES {
        return Err(PlanError::TooManyModules { modules, limit: MAX_MODULES });
    }
    Ok(())
}

impl Default for Options {
    fn default() -> Self {
        Self { search_steps: 200_000, linear_bound: true }
    }
}

/// The table of completions has `2^(devices - 1) * devices * modules` entries (twice
/// that with a closed ring): 13 MB for 12 devices and 62 modules.
const MAX_DEVICES: usize = 12;
/// Two for each of 512 layers, and the ends.
const MAX_MODULES: usize = 1026;
/// The linear solver meets its constraints within 1e-7 of the unit it works in.
const LINEAR_TOLERANCE: f64 = 1e-6;
