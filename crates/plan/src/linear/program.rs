//! The program itself: its variables, its rows, and what a solution of it says.

use std::time::{Duration, Instant};

use base::{ModuleRange, Objective, Plan, Stage};
use minilp::{ComparisonOp, OptimizationDirection, Problem, Solution, SolveOptions, Variable};

use crate::costs::{Costs, Place};

/// The program of one input, with the moves that its variables stand for.
pub(super) struct Program {
    problem: Problem,
    moves: Vec<Move>,
    /// The problem's unit of time: the solver wants numbers near 1.
    unit_secs: f64,
    /// Cost that no choice changes.
    constant_secs: f64,
}

struct Move {
    module: usize,
    from: Place,
    to: Place,
    variable: Variable,
}

type Terms = Vec<(Variable, f64)>;

impl Program {
    /// `whole` asks for moves that are made or not; else a share of each may be.
    pub(super) fn new(costs: &Costs<'_>, whole: bool) -> Self {
        let latency = costs.input.objective == Objective::Latency;
        let slowest =
            (0..costs.devices()).map(|device| costs.compute_secs(device, 0, costs.modules));
        let unit_secs = slowest.fold(0.0, f64::max);
        let unit_secs = if unit_secs > 0.0 { unit_secs } else { 1.0 };
        let problem = Problem::new(OptimizationDirection::Minimize);
        let constant_secs = if latency { costs.compute_secs(0, 0, 1) } else { 0.0 };
        let mut program = Self { problem, moves: Vec::new(), unit_secs, constant_secs };
        program.add_moves(costs, whole);
        program.add_path(costs);
        for device in 0..costs.devices() {
            program.add_memory(costs, device);
        }
        if !latency {
            program.add_bottleneck(costs);
        }
        program
    }

    /// How many variables it takes, but for a few.
    pub(super) fn size(costs: &Costs<'_>) -> usize {
        costs.places * costs.places * costs.modules
    }

    /// The optimum; none where there is none or the limits end the solver first.
    pub(super) fn solve(&self, max_nodes: u64, end: Option<Instant>) -> Option<Solution> {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let mut options = SolveOptions::default();
        options.node_limit = Some(max_nodes);
        options.time_limit = Some(left.map_or(MAX_TIME, |left| left.min(MAX_TIME)));
        let outcome = self.problem.solve_with(options).ok()?;
        if outcome.is_optimal() { outcome.into_solution().ok() } else { None }
    }

    /// What a solution costs, less what the solver's tolerance may have hidden.
    pub(super) fn bound_secs(&self, solution: &Solution) -> f64 {
        let secs = self.constant_secs + solution.objective() * self.unit_secs;
        secs * (1.0 - TOLERANCE)
    }

    fn add_moves(&mut self, costs: &Costs<'_>, whole: bool) {
        for module in 0..costs.modules - 1 {
            for from in (0..costs.places).filter(|&from| module > 0 || from == 0) {
                for to in 0..costs.places {
                    let secs = move_secs(costs, module, from, to);
                    if !secs.is_finite() || !could_hold(costs, to, module + 1) {
                        continue;
                    }
                    let cost = match costs.input.objective {
                        Objective::Latency => secs / self.unit_secs,
                        Objective::Throughput => 0.0,
                    };
                    let variable = match whole {
                        true => self.problem.add_binary_var(cost),
                        false => self.problem.add_var(cost, (0.0, 1.0)),
                    };
                    self.moves.push(Move { module, from, to, variable });
                }
            }
        }
    }

    fn add_path(&mut self, costs: &Costs<'_>) {
        let (equal, at_most) = (ComparisonOp::Eq, ComparisonOp::Le);
        let start = self.terms(|one| if one.module == 0 { 1.0 } else { 0.0 });
        self.problem.add_constraint(start, equal, 1.0);
        for module in 1..costs.modules - 1 {
            for place in 0..costs.places {
                let flow = self.terms(|one| {
                    let arrives = one.module + 1 == module && one.to == place;
                    let leaves = one.module == module && one.from == place;
                    f64::from(i8::from(arrives) - i8::from(leaves))
                });
                self.problem.add_constraint(flow, equal, 0.0);
            }
        }
        for place in 1..costs.places {
            let entries =
                self.terms(|one| if one.to == place && one.from != place { 1.0 } else { 0.0 });
            self.problem.add_constraint(entries, at_most, 1.0);
        }
    }

    fn add_memory(&mut self, costs: &Costs<'_>, device: usize) {
        let input = costs.input;
        let memory = input.devices[device].memory_bytes;
        let scale = memory.max(1.0);
        let mut row = self.terms(|one| {
            let here = costs.device_of(one.to) == device;
            if here { input.modules[one.module + 1].resident_bytes() / scale } else { 0.0 }
        });
        for tied in &input.tied {
            let shared = self.problem.add_var(0.0, (0.0, 1.0));
            for module in [tied.0, tied.1] {
                self.add_shared_limit(costs, shared, module, device);
            }
            row.push((shared, -tied.2 / scale));
        }
        let fixed = if device == 0 { input.modules[0].resident_bytes() } else { 0.0 };
        self.problem.add_constraint(row, ComparisonOp::Le, (memory - fixed) / scale);
    }

    /// A tensor can be shared on a device only as far as the module is there.
    fn add_shared_limit(
        &mut self,
        costs: &Costs<'_>,
        shared: Variable,
        module: usize,
        device: usize,
    ) {
        let here = |one: &Move| one.module + 1 == module && costs.device_of(one.to) == device;
        let mut row = self.terms(|one| if here(one) { -1.0 } else { 0.0 });
        row.push((shared, 1.0));
        let fixed = f64::from(u8::from(module == 0 && device == 0));
        self.problem.add_constraint(row, ComparisonOp::Le, fixed);
    }

    fn add_bottleneck(&mut self, costs: &Costs<'_>) {
        let slowest = self.problem.add_var(1.0, (0.0, f64::INFINITY));
        let unit = self.unit_secs;
        for device in 0..costs.devices() {
            let row = self.terms(|one| {
                let here = costs.device_of(one.to) == device;
                let next = one.module + 1;
                let overhead_secs = overhead_secs(costs, one.from, one.to, next);
                if here { (costs.module_secs(one.to, next) + overhead_secs) / unit } else { 0.0 }
            });
            let fixed = if device == 0 { costs.compute_secs(0, 0, 1) / unit } else { 0.0 };
            self.add_below(row, slowest, fixed);
            for to in (0..costs.devices()).filter(|&to| to != device) {
                let row = self.terms(|one| pair_secs(costs, one, device, to) / unit);
                self.add_below(row, slowest, 0.0);
            }
        }
    }

    fn add_below(&mut self, mut row: Terms, slowest: Variable, fixed: f64) {
        row.push((slowest, -1.0));
        self.problem.add_constraint(row, ComparisonOp::Le, -fixed);
    }

    fn terms(&self, coefficient: impl Fn(&Move) -> f64) -> Terms {
        let terms = self.moves.iter().map(|one| (one.variable, coefficient(one)));
        terms.filter(|&(_, value)| value != 0.0).collect()
    }

    /// The stages of the path that a solution's moves make.
    pub(super) fn path(&self, costs: &Costs<'_>, solution: &Solution) -> Plan {
        let mut places = vec![0; costs.modules];
        for one in self.moves.iter().filter(|one| solution.var_value(one.variable) > 0.5) {
            places[one.module + 1] = one.to;
        }
        let mut stages: Vec<Stage> = Vec::new();
        for (module, &place) in places.iter().enumerate() {
            match stages.last_mut() {
                Some(stage) if place == places[module - 1] => stage.modules.end = module + 1,
                _ => stages.push(Stage {
                    device: costs.device_of(place),
                    modules: ModuleRange::new(module, module + 1),
                }),
            }
        }
        Plan { stages, overlap: Vec::new() }
    }

    /// The places in the order of the modules that a solution gives them, on average; those it
    /// gives none come last, but before the header's second stage.
    pub(super) fn order(&self, costs: &Costs<'_>, solution: &Solution) -> Vec<Place> {
        let mut sums = vec![(0.0, 0.0); costs.places];
        for one in &self.moves {
            let share = solution.var_value(one.variable).max(0.0);
            sums[one.to].0 += share * one.module as f64;
            sums[one.to].1 += share;
        }
        let centre = |place: Place| match sums[place] {
            _ if place == 0 => -1.0,
            _ if costs.is_closing(place) => f64::INFINITY,
            (sum, shares) if shares > TOLERANCE => sum / shares,
            _ => costs.modules as f64,
        };
        let mut order: Vec<Place> = (0..costs.places).collect();
        order.sort_by(|&a, &b| centre(a).total_cmp(&centre(b)));
        order
    }
}

/// What a move costs: the next module's compute, the hand-over, the token's return; infinite
/// where it is not allowed.
fn move_secs(costs: &Costs<'_>, module: usize, from: Place, to: Place) -> f64 {
    let enters = from != to;
    if enters && (to == 0 || costs.is_closing(from)) {
        return f64::INFINITY;
    }
    let entry = if enters { sequential_entry(costs, from, to, module + 1) } else { 0.0 };
    let tail = module + 2 == costs.modules;
    let token = if tail { costs.token_bound(to) } else { 0.0 };
    let overhead = overhead_secs(costs, from, to, module + 1);
    costs.module_secs(to, module + 1) + entry + overhead + token
}

/// What a stage takes besides its modules, at the first of them that a token passes: where the stage begins, or where
/// the token enters in the midst of it.
fn overhead_secs(costs: &Costs<'_>, from: Place, to: Place, module: usize) -> f64 {
    let token_to = costs.input.token_to;
    let is_first = if from == to { module == token_to } else { module >= token_to };
    if is_first { costs.input.devices[costs.device_of(to)].overhead_secs } else { 0.0 }
}

/// As the search's entry bound, without what residual tensors add to it.
fn sequential_entry(costs: &Costs<'_>, from: Place, to: Place, cut: usize) -> f64 {
    if from == 0 && costs.is_closing(to) {
        return f64::INFINITY;
    }
    let bytes = costs.input.sequential_bytes[cut - 1];
    costs.pair_secs(costs.device_of(from), costs.device_of(to), bytes)
}

/// What a move adds to the time of one pair's link, for throughput.
fn pair_secs(costs: &Costs<'_>, one: &Move, from: usize, to: usize) -> f64 {
    let enters = one.from != one.to;
    let sends = enters && (costs.device_of(one.from), costs.device_of(one.to)) == (from, to);
    let bytes = if sends { costs.input.sequential_bytes[one.module] } else { 0.0 };
    let tail = one.module + 2 == costs.modules && costs.device_of(one.to) == from && to == 0;
    let token = if tail { costs.token_bound(one.to) } else { 0.0 };
    costs.pair_secs(from, to, bytes) + token
}

/// Whether a module could be at a place at all; a shared tensor may make it smaller.
fn could_hold(costs: &Costs<'_>, place: Place, module: usize) -> bool {
    let shares = costs.input.tied.iter().any(|tied| tied.0 == module || tied.1 == module);
    let memory = costs.input.devices[costs.device_of(place)].memory_bytes;
    shares || costs.input.modules[module].resident_bytes() <= memory
}

/// More is a worker that leaves its peers without an answer.
pub(crate) const MAX_TIME: Duration = Duration::from_secs(3);
/// The solver meets its constraints within 1e-7 of the unit it works in.
const TOLERANCE: f64 = 1e-6;
