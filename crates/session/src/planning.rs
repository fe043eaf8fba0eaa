//! From figures to a plan, through the planner.

use base::{DeviceProfile, ModuleRange, Objective, PeerId, Plan, PlanInput, RequestId, Residual};
use plan::{PlanError, Solution};
use protocol::peer::{
    Alone, Carry, CopyStatus, Failure, FailureCode, Frame, Phase, PlanStatus, PlannedStage,
    RollOut, StageStatus, Token, TrafficStatus, Unused, WireType, clip,
};

use crate::{Assignment, ModelSpec, Room, measuring::MESSAGE_CHARS, pace::Pace};

impl Room {
    /// Plans for `participants` (ourselves first), and rolls the plan out.
    pub(crate) fn make_plan(&mut self, participants: &[PeerId], assignment: Assignment) {
        let Some(spec) = self.spec.clone() else { return };
        let able: Vec<PeerId> =
            participants.iter().copied().filter(|&peer| self.is_able(peer)).collect();
        if able.first() != Some(&self.config.me) {
            let message = "This phone's GPU cannot run the beginning of the model. \
                           Open the room on another phone.";
            return self.fail_beginning(Failure::new(FailureCode::DeviceFailed, message));
        }
        // Who is away has a part only where it cannot be done without it.
        let near = able.iter().copied().filter(|&peer| !self.is_away(peer)).collect::<Vec<_>>();
        let planned = match self.best_plan(&spec, &near, assignment) {
            Err(_) if near.len() < able.len() => self.best_plan(&spec, &able, assignment),
            planned => planned,
        };
        match planned {
            Ok((spec, status)) => {
                self.settled();
                self.roll_out(&spec, status, None);
            }
            Err(failure) => self.fail_beginning(failure),
        }
    }

    /// The plan that was asked for, without copies.
    pub(crate) fn solve_as(
        &self,
        spec: &ModelSpec,
        able: &[PeerId],
        assignment: Assignment,
    ) -> Result<Solution, Failure> {
        let input = self.plan_input(spec, able);
        let mut solution = solve(&input).map_err(|error| self.no_plan(&input, able, &error))?;
        if assignment == Assignment::Equal {
            let replaced = solution.replace(&input, plan::equal_split(&input));
            let message = |broken| format!("Parts of equal size cannot be had: {broken}.");
            replaced.map_err(|broken| Failure::new(FailureCode::DoesNotFit, message(broken)))?;
        }
        Ok(solution)
    }

    pub(crate) fn is_able(&self, peer: PeerId) -> bool {
        let is_silent = self.members.get(&peer).is_some_and(|member| member.is_silent);
        let facts = self.facts.get(&peer);
        !is_silent && facts.is_some_and(|facts| !facts.is_unfit && facts.flops_per_sec.is_some())
    }

    pub(crate) fn plan_input(&self, spec: &ModelSpec, able: &[PeerId]) -> PlanInput {
        let link = |from: PeerId, to: PeerId| {
            let Some(link) = self.links.get(&(from, to)) else { return (0.0, 0.0) };
            let drift = self.link_drift(from, to);
            (link.rtt_secs.mean * drift.rtt, link.bytes_per_sec.mean / drift.bytes)
        };
        let matrix = |pick: &dyn Fn((f64, f64)) -> f64| -> Vec<Vec<f64>> {
            let row = |&from| able.iter().map(|&to| pick(link(from, to))).collect();
            able.iter().map(row).collect()
        };
        let bytes_per_sec = matrix(&|(_, bytes)| bytes);
        let tokens = TokenBytes::new(spec, self.config.limits.wire, &bytes_per_sec);
        let framed = |residual: &Residual| Residual {
            bytes: tokens.bytes(residual.from, residual.bytes),
            ..residual.clone()
        };
        let sequential = spec.sequential_bytes.iter().enumerate();
        // With several requests in flight the slowest phone or link counts.
        let are_several = self.config.limits.expected_requests.min(spec.slots) > 1;
        PlanInput {
            objective: if are_several { Objective::Throughput } else { Objective::Latency },
            modules: spec.modules.clone(),
            sequential_bytes: sequential.map(|(from, &bytes)| tokens.bytes(from, bytes)).collect(),
            residual: spec.residual.iter().map(framed).collect(),
            tied: spec.tied.clone(),
            devices: able.iter().map(|&peer| self.device_profile(peer, spec)).collect(),
            rtt_secs: matrix(&|(rtt, _)| rtt),
            bytes_per_sec,
            token_bytes: token_bytes(),
            token_to: spec.encoder_modules(),
            close_ring: self.config.limits.ring_may_close,
        }
    }

    fn device_profile(&self, peer: PeerId, spec: &ModelSpec) -> DeviceProfile {
        let facts = &self.facts[&peer];
        DeviceProfile {
            id: peer.to_string(),
            flops_per_sec: facts.flops_per_sec.map_or(0.0, |speed| speed.mean) / facts.drift,
            overhead_secs: facts.overhead_secs * facts.drift,
            memory_bytes: facts.budget_bytes(spec.resident_bytes()),
            within: Vec::new(),
        }
    }

    pub(crate) fn plan_status(
        &self,
        spec: &ModelSpec,
        input: &PlanInput,
        able: &[PeerId],
        solution: &Solution,
    ) -> PlanStatus {
        let weights_bytes = |range| spec.weights_bytes(range) as u64;
        let stages = solution.plan.stages.iter().zip(&solution.stage_secs);
        let copies = solution.plan.overlap.iter();
        let best_alone = plan::best_alone(input);
        PlanStatus {
            stages: stages
                .map(|(stage, &predicted_secs)| StageStatus {
                    peer: able[stage.device],
                    range: stage.modules,
                    weights_bytes: weights_bytes(stage.modules),
                    predicted_secs,
                    measured_secs: None,
                })
                .collect(),
            overlap: copies
                .map(|copy| CopyStatus {
                    peer: able[copy.device],
                    range: copy.modules,
                    weights_bytes: weights_bytes(copy.modules),
                })
                .collect(),
            traffic: traffic(input, able, &solution.plan),
            predicted_token_secs: solution.objective_secs,
            measured_token_secs: None,
            lower_bound_secs: solution.lower_bound_secs,
            equal_split_secs: equal_split_secs(input),
            best_alone: best_alone.map(|(device, secs)| Alone { peer: able[device], secs }),
            reason: self.with_names(able, &solution.reason),
            cause: None,
            pause_secs: None,
            unused: self.unused(able, solution),
        }
    }

    fn unused(&self, able: &[PeerId], solution: &Solution) -> Vec<Unused> {
        let unused = |one: &plan::Unused| Unused {
            peer: able[one.device],
            reason: clip(&self.with_names(able, &one.reason), MESSAGE_CHARS),
        };
        solution.unused.iter().map(unused).collect()
    }

    /// The planner knows phones by their ids; people know them by name.
    pub(crate) fn with_names(&self, peers: &[PeerId], text: &str) -> String {
        peers.iter().fold(text.to_owned(), |text, &peer| {
            text.replace(&peer.to_string(), &self.name_of(peer))
        })
    }

    /// Sends a new epoch's plan to everyone, ourselves included; `cause` is why it replaces another.
    pub(crate) fn roll_out(&mut self, spec: &ModelSpec, status: PlanStatus, cause: Option<&str>) {
        self.roll_out_with(spec, status, cause, Carry::default());
    }

    /// The same, with what goes on from the plan before.
    pub(crate) fn roll_out_with(
        &mut self,
        spec: &ModelSpec,
        status: PlanStatus,
        cause: Option<&str>,
        carry: Carry,
    ) {
        let cause = cause.map(|cause| clip(cause, MESSAGE_CHARS));
        let status = PlanStatus { cause, ..status };
        let copied = |copy: &CopyStatus| PlannedStage { peer: copy.peer, range: copy.range };
        let roll_out = RollOut {
            epoch: self.epoch + 1,
            model: spec.model.clone(),
            stages: planned_stages(&status),
            overlap: status.overlap.iter().map(copied).collect(),
            chunk_tokens: spec.chunk_tokens(&self.config.limits),
            slots: spec.slots,
            row_bytes: spec.row_bytes,
            wire: self.config.limits.wire,
            encoder: spec.planned_encoder(&self.config.limits),
            carry,
        };
        self.pace = Pace::default();
        for (&peer, facts) in &mut self.facts {
            facts.clear_stage();
            facts.used_bytes = used_bytes(spec, &status, peer);
        }
        self.spec = Some(spec.clone());
        self.keep_planned(&status, &roll_out.carry);
        self.end_restock();
        self.wait_for_loading(&status);
        self.plan = Some(status);
        self.set_phase(Phase::Loading);
        self.broadcast(&Frame::from(roll_out.clone()));
        self.adopt(roll_out);
    }

    fn fail_beginning(&mut self, failure: Failure) {
        self.failure = Some(failure);
        self.set_phase(Phase::Failed);
    }
}

/// What travels for a token of an answer. What an encoder's modules give travels once for a prompt, so that it costs
/// a token nothing; only where some phones have no link it has to count, so that no plan is made that needs them.
struct TokenBytes<'a> {
    spec: &'a ModelSpec,
    wire: WireType,
    /// Modules whose tensors are free.
    free: usize,
}

impl<'a> TokenBytes<'a> {
    fn new(spec: &'a ModelSpec, wire: WireType, bytes_per_sec: &[Vec<f64>]) -> Self {
        let unlinked = |(from, row): (usize, &Vec<f64>)| {
            row.iter().enumerate().any(|(to, &bytes)| from != to && bytes == 0.0)
        };
        let are_linked = !bytes_per_sec.iter().enumerate().any(unlinked);
        let free = if are_linked { spec.encoder_modules() } else { 0 };
        Self { spec, wire, free }
    }

    fn bytes(&self, from: usize, bytes: f64) -> f64 {
        if from < self.free { 0.0 } else { self.spec.frame_bytes(bytes, self.wire) }
    }
}

/// The best plan; a ring that closes on the header must be clearly better than one that does not.
pub(crate) fn solve(input: &PlanInput) -> Result<Solution, PlanError> {
    solve_with(input, &plan::Options::default())
}

/// The same by the search alone, beside answers: the device's own thread has no time for the linear program.
pub(crate) fn solve_soon(input: &PlanInput) -> Result<Solution, PlanError> {
    solve_with(input, &plan::Options { linear_program: false, ..plan::Options::default() })
}

fn solve_with(input: &PlanInput, options: &plan::Options) -> Result<Solution, PlanError> {
    let closed = plan::solve(input, options);
    if !input.close_ring {
        return closed;
    }
    let open = PlanInput { close_ring: false, ..input.clone() };
    match (plan::solve(&open, options), closed) {
        (Ok(open), Ok(closed)) => {
            let is_clear = closed.objective_secs < CLOSING_MUST_SAVE * open.objective_secs;
            Ok(if is_clear { closed } else { open })
        }
        (_, closed) => closed,
    }
}

/// Who is to run what.
pub(crate) fn planned_stages(status: &PlanStatus) -> Vec<PlannedStage> {
    let planned = |stage: &StageStatus| PlannedStage { peer: stage.peer, range: stage.range };
    status.stages.iter().map(planned).collect()
}

/// What the plan puts on a phone.
fn used_bytes(spec: &ModelSpec, status: &PlanStatus, peer: PeerId) -> u64 {
    let stages = status.stages.iter().filter(|stage| stage.peer == peer);
    let copies = status.overlap.iter().filter(|copy| copy.peer == peer);
    let stages: Vec<ModuleRange> = stages.map(|stage| stage.range).collect();
    let copies: Vec<ModuleRange> = copies.map(|copy| copy.range).collect();
    spec.held_bytes(&stages, &copies) as u64
}

/// What travels for a token, by pairs of phones.
fn traffic(input: &PlanInput, able: &[PeerId], plan: &Plan) -> Vec<TrafficStatus> {
    let pairs = plan::evaluate(input, plan).map(|costs| costs.pairs).unwrap_or_default();
    let status = |pair: &plan::PairCost| TrafficStatus {
        from: able[pair.from],
        to: able[pair.to],
        bytes: pair.bytes,
        predicted_secs: pair.secs,
    };
    pairs.iter().map(status).collect()
}

/// What parts of the same number of modules would take, where they fit.
fn equal_split_secs(input: &PlanInput) -> Option<f64> {
    let plan = plan::equal_split(input);
    plan::verify(input, &plan).ok()?;
    plan::evaluate(input, &plan).ok().map(|costs| costs.objective_secs)
}

/// Bytes of a token's frame on its way back to the header.
fn token_bytes() -> f64 {
    let (request, epoch, position) = (RequestId(0), 0, 0);
    let token =
        Token { request, epoch, position, token: 0, dispatches: 0, more: false, logprobs: None };
    Frame::from(token).encoded_len() as f64
}

/// Of the time of an open ring. The header's first stage right behind its last took twice what was measured of
/// its device at rest (20 ms instead of 9, 30 instead of 15; three phones with a part of a processor each), and
/// rings that saved a tenth by prediction were slower than equal parts.
const CLOSING_MUST_SAVE: f64 = 0.85;
