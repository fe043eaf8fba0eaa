//! Copies for balancing as an integer linear program.
//!
//! `copy[n, k]` is 1 if neighbour `n` (a phone at a boundary between two stages) also holds the
//! `k`-th module from that boundary on:
//!
//! ```text
//! most     sum weights[m(n, k)] copy[n, k]
//! copy[n, k + 1] <= copy[n, k]                        consecutive, from the boundary on
//! sum_{n, k: m(n, k) = m} copy[n, k] <= 1             for each module m
//! sum_{n of d, k} bytes[m(n, k)] copy[n, k] <= free[d]  for each device d
//! ```

use base::{ModuleRange, Overlap, PlanInput, Stage};
use minilp::{ComparisonOp, OptimizationDirection, Problem, Solution, SolveOptions, Variable};

use super::program::MAX_TIME;
use crate::verify::held_bytes;

/// The copies whose weights have the most bytes, as [`overlap`](crate::overlap()) finds them; none where
/// the solver finds none in `max_nodes` of its tree. Stages must keep every constraint.
pub fn overlap_integer(
    input: &PlanInput,
    stages: &[Stage],
    max_nodes: u64,
) -> Option<Vec<Overlap>> {
    let mut problem = Problem::new(OptimizationDirection::Maximize);
    let neighbours: Vec<Neighbour> = stages
        .windows(2)
        .flat_map(|pair| [(&pair[0], &pair[1], true), (&pair[1], &pair[0], false)])
        .map(|(own, other, is_left)| Neighbour::new(&mut problem, input, own, other, is_left))
        .collect();
    if neighbours.is_empty() {
        return Some(Vec::new());
    }
    for module in 0..input.modules.len() {
        let copies = neighbours.iter().flat_map(|one| one.copies.iter());
        let row: Vec<_> = copies.filter(|one| one.0 == module).map(|one| (one.1, 1.0)).collect();
        problem.add_constraint(row, ComparisonOp::Le, 1.0);
    }
    for device in 0..input.devices.len() {
        add_memory(&mut problem, input, stages, device, &neighbours);
    }
    let mut options = SolveOptions::default();
    (options.node_limit, options.time_limit) = (Some(max_nodes), Some(MAX_TIME));
    let outcome = problem.solve_with(options).ok().filter(|outcome| outcome.is_optimal())?;
    let solution = outcome.into_solution().ok()?;
    let copies = neighbours.iter().map(|one| one.overlap(&solution));
    Some(copies.filter(|copy| !copy.modules.is_empty()).collect())
}

/// A phone at a boundary, and what it may copy.
struct Neighbour {
    device: usize,
    is_left: bool,
    stage: ModuleRange,
    /// Modules from the boundary on, and whether they are copied.
    copies: Vec<(usize, Variable)>,
}

impl Neighbour {
    fn new(
        problem: &mut Problem,
        input: &PlanInput,
        own: &Stage,
        other: &Stage,
        is_left: bool,
    ) -> Self {
        let stage = other.modules;
        let mut modules: Vec<usize> = stage.indices().collect();
        if !is_left {
            modules.reverse();
        }
        let whole: f64 = input.modules.iter().map(|module| module.weights_bytes).sum();
        let unit = if whole > 0.0 { whole } else { 1.0 };
        let variable = |module: usize| {
            (module, problem.add_binary_var(input.modules[module].weights_bytes / unit))
        };
        let copies: Vec<_> = modules.into_iter().map(variable).collect();
        for pair in copies.windows(2) {
            problem.add_constraint([(pair[1].1, 1.0), (pair[0].1, -1.0)], ComparisonOp::Le, 0.0);
        }
        Self { device: own.device, is_left, stage, copies }
    }

    fn overlap(&self, solution: &Solution) -> Overlap {
        let is_copied = |one: &&(usize, Variable)| solution.var_value(one.1) > 0.5;
        let count = self.copies.iter().filter(is_copied).count();
        let ModuleRange { start, end } = self.stage;
        let modules = match self.is_left {
            true => ModuleRange::new(start, start + count),
            false => ModuleRange::new(end - count, end),
        };
        Overlap { device: self.device, modules }
    }
}

fn add_memory(
    problem: &mut Problem,
    input: &PlanInput,
    stages: &[Stage],
    device: usize,
    neighbours: &[Neighbour],
) {
    let own = stages.iter().filter(|stage| stage.device == device);
    let own: Vec<_> = own.map(|stage| stage.modules).collect();
    let free = input.devices[device].memory_bytes - held_bytes(input, &own);
    // The solver wants numbers near 1.
    let unit = free.max(1.0);
    let copies = neighbours.iter().filter(|one| one.device == device);
    let row: Vec<_> = copies
        .flat_map(|one| one.copies.iter())
        .map(|&(module, variable)| (variable, input.modules[module].resident_bytes() / unit))
        .collect();
    problem.add_constraint(row, ComparisonOp::Le, free / unit);
}
