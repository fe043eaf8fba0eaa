//! A plan as an integer linear program, through `minilp`.
//!
//! A plan is a path: module by module, from place to place. `move[j, p, q]` is 1 if
//! module `j` is at place `p` and module `j + 1` at place `q`:
//!
//! ```text
//! sum_q move[0, header, q] = 1                                    the header has module 0
//! sum_p move[j - 1, p, q] = sum_r move[j, q, r]                   every module is somewhere
//! sum_{j, p != q} move[j, p, q] <= 1            for each place q  consecutive: entered once
//! sum_j bytes[j] x[j, d] - shared <= memory[d]  for each device d
//! ```
//!
//! where `x[j, q] = sum_p move[j - 1, p, q]`, and a shared tensor is stored once where both
//! its modules are. The header's second stage is a place of its own that nobody leaves.
//! Latency is linear in the moves; throughput is the least number above every device's
//! compute and every pair's time. Residual tensors and a token that goes elsewhere than module
//! 0 are left out, so with them the program's optimum is a lower bound.
//!
//! Small rooms are solved as they are. For large ones that takes seconds, so there the
//! relaxation, in which a module may be shared among places, gives the order of the phones, and
//! [`repair`] cuts the model along it.

mod copies;
mod program;
mod repair;

use std::time::Instant;

use base::{ModuleRange, Plan, PlanInput, Stage};

use crate::{PlanError, costs::Costs, validate};
pub use copies::overlap_integer;
pub(crate) use program::MAX_TIME;
use program::Program;

/// What the linear program says of an input.
#[derive(Default)]
pub(crate) struct Drawn {
    /// Its plan, still to be verified: it knows nothing of residual tensors.
    pub plan: Option<Plan>,
    /// The relaxation's optimum: no plan costs less.
    pub bound_secs: Option<f64>,
}

/// Whether drawing takes a few milliseconds.
pub(crate) fn is_quick(costs: &Costs<'_>) -> bool {
    Program::size(costs) <= MAX_QUICK_SIZE
}

/// Whether drawing takes no more than some seconds.
pub(crate) fn is_possible(costs: &Costs<'_>) -> bool {
    Program::size(costs) <= MAX_SIZE
}

/// Draws a plan; none where the solver's limits are reached or nothing fits.
pub(crate) fn draw(costs: &Costs<'_>, end: Option<Instant>) -> Drawn {
    if costs.modules == 1 {
        let bound_secs = Some(costs.own_stage_bound(0, 0, 1)).filter(|secs| secs.is_finite());
        return Drawn { plan: only_stage(costs), bound_secs };
    }
    let size = Program::size(costs);
    if size > MAX_SIZE {
        return Drawn::default();
    }
    let relaxed = relaxed(costs, end);
    let solves_whole = size <= MAX_WHOLE_SIZE && relaxed.bound_secs.is_some();
    let whole = if solves_whole { whole(costs, MAX_NODES, end) } else { None };
    Drawn { plan: whole.or(relaxed.plan), ..relaxed }
}

/// The relaxation's bound, and its plan repaired over the cuts.
fn relaxed(costs: &Costs<'_>, end: Option<Instant>) -> Drawn {
    let program = Program::new(costs, false);
    let Some(solution) = program.solve(MAX_NODES, end) else { return Drawn::default() };
    let plan = repair::along(costs, &program.order(costs, &solution));
    Drawn { plan, bound_secs: Some(program.bound_secs(&solution)) }
}

/// A lower bound from the program without integrality; none where the solver
/// fails or no fractional assignment fits.
pub fn bound(input: &PlanInput) -> Option<f64> {
    validate(input).ok()?;
    draw(&Costs::new(input), None).bound_secs
}

/// The best plan by integer programming, with the same cost as that of [`solve`](crate::solve)
/// where there are no residual tensors; none where none is found in `max_nodes` of the
/// solver's tree.
///
/// # Errors
/// An input that means nothing.
pub fn solve_integer(input: &PlanInput, max_nodes: u64) -> Result<Option<Plan>, PlanError> {
    validate(input)?;
    let costs = Costs::new(input);
    Ok(if costs.modules == 1 { only_stage(&costs) } else { whole(&costs, max_nodes, None) })
}

/// The relaxation's plan, repaired over the cuts, as large rooms get it: perhaps not the best.
/// None where no cuts fit its order of phones.
///
/// # Errors
/// An input that means nothing.
pub fn solve_relaxed(input: &PlanInput) -> Result<Option<Plan>, PlanError> {
    validate(input)?;
    let costs = Costs::new(input);
    Ok(if costs.modules == 1 { only_stage(&costs) } else { relaxed(&costs, None).plan })
}

fn whole(costs: &Costs<'_>, max_nodes: u64, end: Option<Instant>) -> Option<Plan> {
    let program = Program::new(costs, true);
    program.solve(max_nodes, end).map(|solution| program.path(costs, &solution))
}

fn only_stage(costs: &Costs<'_>) -> Option<Plan> {
    let only = Stage { device: 0, modules: ModuleRange::new(0, 1) };
    costs.fits(0, 0, 1).then(|| Plan { stages: vec![only], overlap: Vec::new() })
}

/// The solver's tree for a small room rarely has more than a few dozen nodes.
const MAX_NODES: u64 = 200;
/// Squares of places, times modules: 4 phones and 14 modules.
const MAX_QUICK_SIZE: usize = 250;
/// 4 phones and 62 modules.
const MAX_WHOLE_SIZE: usize = 1_000;
/// 12 phones and 62 modules; beyond, even the relaxation takes many seconds.
const MAX_SIZE: usize = 9_000;
