//! From an input to a checked answer.

use std::time::{Duration, Instant};

use base::{Plan, PlanInput};

use crate::{
    Evaluation, PlanError, Violation,
    costs::Costs,
    evaluate,
    explain::explain,
    extra::extra_device_bytes,
    infeasible::shortfalls,
    linear,
    search::{Limits, search},
    unused::{Unused, unused},
    validate, verify,
};

/// How much work an answer may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Beginnings of plans that the search may try; a microsecond or so each. Inputs with residual
    /// tensors of module 0 and one other, and without closed rings, need a few dozen.
    pub search_steps: u64,
    /// Whether to ask the linear program, where it is quick or the search does not end by itself. Without
    /// it, the search alone plans.
    pub linear_program: bool,
    /// How long search and linear program may take together, where that is limited; the machine must have a clock then.
    pub time_limit: Option<Duration>,
    /// For how many devices a table may be made: it takes 13 MB for 12 of them and 62 modules, and 550 for
    /// 16 and 130; twice that where the ring may close.
    pub most_devices: usize,
}

/// The answer to an input.
#[derive(Clone, PartialEq, Debug)]
pub struct Solution {
    /// Who runs what; no overlap copies yet.
    pub plan: Plan,
    /// Which of the two found the plan.
    pub found_by: FoundBy,
    /// The plan's cost under the input's objective.
    pub objective_secs: f64,
    /// No plan costs less; meets the objective when the answer is proven optimal.
    pub lower_bound_secs: f64,
    /// The relaxed linear program's own bound, where it was asked for and succeeded. It lets
    /// modules be shared among phones, so that it stays below most objectives.
    pub linear_bound_secs: Option<f64>,
    /// Beginnings of plans that the search tried.
    pub search_steps: u64,
    /// Compute of each stage, in ring order.
    pub stage_secs: Vec<f64>,
    /// Why this split: a sentence or two for a person.
    pub reason: String,
    /// Every device without a stage, and why.
    pub unused: Vec<Unused>,
}

/// Where a plan's stages come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FoundBy {
    /// From the linear program. The search, as far as it went, found nothing better.
    LinearProgram,
    /// From the search: the program's limits were reached, what it leaves out made its plan dearer,
    /// or two plans cost the same and the search's stands first.
    Search,
}

/// Finds the plan that costs least under the input's objective: by the linear program, which
/// the search confirms or replaces.
///
/// # Errors
/// An input that means nothing or is too large, constraints that cannot be met, or
/// a search that ended before there was any plan.
pub fn solve(input: &PlanInput, options: &Options) -> Result<Solution, PlanError> {
    validate(input)?;
    check_size(input, options.most_devices)?;
    let costs = Costs::new(input);
    let end = options.time_limit.map(|limit| Instant::now() + limit);
    let for_others = options.time_limit.map_or(Duration::ZERO, |limit| {
        let is_asked = options.linear_program && linear::is_possible(&costs);
        let program = if is_asked { PROGRAM_SHARE } else { REST_SHARE };
        linear::MAX_TIME.min(limit.mul_f64(program))
    });
    let search_end = end.map(|end| end - for_others);
    let found = search(&costs, Limits { steps: options.search_steps, end: search_end });
    // In a large room the program takes hundreds of times as long, and a search that has ended by
    // itself leaves it nothing to find.
    let is_asked = options.linear_program && (linear::is_quick(&costs) || !found.complete);
    let drawn = if is_asked { linear::draw(&costs, end) } else { linear::Drawn::default() };
    let drawn_plan = drawn.plan.and_then(|plan| Candidate::check(input, plan).ok());
    let found_plan = found.plan.map(|plan| Candidate::check(input, plan)).transpose();
    let Some((best, found_by)) = choose(drawn_plan, found_plan.map_err(PlanError::Unsound)?) else {
        let lacks_memory = || costs.is_monotone && extra_device_bytes(&costs) > 0.0;
        return Err(match found.complete || lacks_memory() {
            true => PlanError::Infeasible(shortfalls(&costs)),
            false => PlanError::GaveUp { steps: found.steps },
        });
    };
    let objective_secs = best.costs.objective_secs;
    let proven_secs = found.frontier_secs.max(drawn.bound_secs.unwrap_or(0.0));
    let with_device_secs = &found.with_place_secs[..costs.devices()];
    let split_secs = with_device_secs.iter().skip(1).copied().fold(f64::INFINITY, f64::min);
    Ok(Solution {
        reason: explain(&costs, &best.plan, objective_secs, split_secs),
        unused: unused(&costs, &best.plan, objective_secs, proven_secs, with_device_secs),
        plan: best.plan,
        found_by,
        objective_secs,
        // Two ways of adding the same terms may differ in the last digit.
        lower_bound_secs: proven_secs.min(objective_secs),
        linear_bound_secs: drawn.bound_secs.map(|secs| secs.min(objective_secs)),
        search_steps: found.steps,
        stage_secs: best.costs.stage_secs,
    })
}

/// A plan that keeps every constraint.
struct Candidate {
    plan: Plan,
    costs: Evaluation,
}

impl Candidate {
    fn check(input: &PlanInput, plan: Plan) -> Result<Self, Violation> {
        verify(input, &plan)?;
        Ok(Self { costs: evaluate(input, &plan)?, plan })
    }
}

/// The program's plan if the search has none that is better or, costing the same, another.
fn choose(drawn: Option<Candidate>, found: Option<Candidate>) -> Option<(Candidate, FoundBy)> {
    let (drawn, found) = match (drawn, found) {
        (Some(drawn), Some(found)) => (drawn, found),
        (Some(drawn), None) => return Some((drawn, FoundBy::LinearProgram)),
        (None, found) => return found.map(|found| (found, FoundBy::Search)),
    };
    let is_cheaper = drawn.costs.objective_secs < found.costs.objective_secs * (1.0 - TIE);
    Some(match is_cheaper || drawn.plan == found.plan {
        true => (drawn, FoundBy::LinearProgram),
        false => (found, FoundBy::Search),
    })
}

fn check_size(input: &PlanInput, most_devices: usize) -> Result<(), PlanError> {
    let (devices, modules) = (input.devices.len(), input.modules.len());
    if devices > most_devices {
        return Err(PlanError::TooManyDevices { devices, limit: most_devices });
    }
    if modules > MAX_MODULES {
        return Err(PlanError::TooManyModules { modules, limit: MAX_MODULES });
    }
    Ok(())
}

impl Default for Options {
    fn default() -> Self {
        Self {
            search_steps: 200_000,
            linear_program: true,
            time_limit: None,
            most_devices: MAX_DEVICES,
        }
    }
}

/// Of a time limit: what the linear program may take of it after the search.
const PROGRAM_SHARE: f64 = 0.3;
/// And what else has to be done, between looks at the clock.
const REST_SHARE: f64 = 0.1;
/// More than a room has.
const MAX_DEVICES: usize = 12;
/// Two for each of 512 layers, and the ends.
const MAX_MODULES: usize = 1026;
/// Costs this close, relatively, are equal.
const TIE: f64 = 1e-9;
