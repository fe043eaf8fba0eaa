//! From figures to a plan, through the planner.

use base::{DeviceProfile, ModuleProfile, Objective, PeerId, PlanInput, RequestId};
use plan::{PlanError, Solution};
use protocol::peer::{
    Failure, FailureCode, Frame, Phase, PlanStatus, PlannedStage, RollOut, StageStatus, Token,
};

use crate::{ModelSpec, Room};

impl Room {
    /// Plans for `participants` (ourselves first), and rolls the plan out.
    pub(crate) fn make_plan(&mut self, participants: &[PeerId]) {
        let Some(spec) = self.spec.clone() else { return };
        let able: Vec<PeerId> =
            participants.iter().copied().filter(|&peer| self.is_able(peer)).collect();
        if able.first() != Some(&self.config.me) {
            let message = "This phone's GPU cannot run the beginning of the model. \
                           Open the room on another phone.";
            return self.fail_beginning(Failure::new(FailureCode::DeviceFailed, message));
        }
        let input = self.plan_input(&spec, &able);
        match plan::solve(&input, &plan::Options::default()) {
            Ok(solution) => {
                let status = self.plan_status(&spec, &able, &solution);
                self.roll_out(&spec, status);
            }
            Err(error) => {
                let failure = self.no_plan(&input, &able, &error);
                self.fail_beginning(failure);
            }
        }
    }

    fn is_able(&self, peer: PeerId) -> bool {
        self.facts.get(&peer).is_some_and(|facts| !facts.is_unfit && facts.flops_per_sec.is_some())
    }

    fn plan_input(&self, spec: &ModelSpec, able: &[PeerId]) -> PlanInput {
        let link = |from: PeerId, to: PeerId| {
            let link = self.links.get(&(from, to));
            link.map_or((0.0, 0.0), |link| (link.rtt_secs, link.bytes_per_sec))
        };
        let matrix = |pick: &dyn Fn((f64, f64)) -> f64| {
            let row = |&from| able.iter().map(|&to| pick(link(from, to))).collect();
            able.iter().map(row).collect()
        };
        PlanInput {
            objective: Objective::Latency,
            modules: spec.modules.clone(),
            sequential_bytes: spec.sequential_bytes.clone(),
            residual: spec.residual.clone(),
            tied: spec.tied.clone(),
            devices: able.iter().map(|&peer| self.device_profile(peer, spec)).collect(),
            rtt_secs: matrix(&|(rtt, _)| rtt),
            bytes_per_sec: matrix(&|(_, bytes)| bytes),
            token_bytes: token_bytes(),
            token_to: 0,
            close_ring: self.config.limits.ring_may_close,
        }
    }

    fn device_profile(&self, peer: PeerId, spec: &ModelSpec) -> DeviceProfile {
        let facts = &self.facts[&peer];
        DeviceProfile {
            id: peer.to_string(),
            flops_per_sec: facts.flops_per_sec.unwrap_or(0.0),
            memory_bytes: facts.budget_bytes(spec.resident_bytes()),
        }
    }

    fn plan_status(&self, spec: &ModelSpec, able: &[PeerId], solution: &Solution) -> PlanStatus {
        let stages = solution.plan.stages.iter().zip(&solution.stage_secs);
        PlanStatus {
            stages: stages
                .map(|(stage, &predicted_secs)| StageStatus {
                    peer: able[stage.device],
                    range: stage.modules,
                    weights_bytes: spec.weights_bytes(stage.modules) as u64,
                    predicted_secs,
                })
                .collect(),
            predicted_token_secs: solution.objective_secs,
            lower_bound_secs: solution.linear_bound_secs.unwrap_or(solution.lower_bound_secs),
            reason: self.with_names(able, &solution.reason),
        }
    }

    /// The planner knows phones by their ids; people know them by name.
    fn with_names(&self, peers: &[PeerId], text: &str) -> String {
        peers.iter().fold(text.to_owned(), |text, &peer| {
            text.replace(&peer.to_string(), &self.name_of(peer))
        })
    }

    fn no_plan(&self, input: &PlanInput, able: &[PeerId], error: &PlanError) -> Failure {
        let PlanError::Infeasible(shortfalls) = error else {
            let message = self.with_names(able, &error.to_string());
            return Failure::new(FailureCode::Internal, message);
        };
        let needed: f64 = input.modules.iter().map(ModuleProfile::resident_bytes).sum();
        let lent: f64 = input.devices.iter().map(|device| device.memory_bytes).sum();
        let help: Vec<&str> = shortfalls.iter().map(|one| one.help.as_str()).collect();
        let message = format!(
            "The model needs {needed:.0} bytes and the phones lend {lent:.0}. {}",
            help.join(" ")
        );
        Failure::new(FailureCode::DoesNotFit, self.with_names(able, &message))
    }

    /// Sends a new epoch's plan to everyone, ourselves included.
    fn roll_out(&mut self, spec: &ModelSpec, status: PlanStatus) {
        let planned = |stage: &StageStatus| PlannedStage { peer: stage.peer, range: stage.range };
        let roll_out = RollOut {
            epoch: self.epoch + 1,
            model: spec.model.clone(),
            stages: status.stages.iter().map(planned).collect(),
            chunk_tokens: self.config.limits.chunk_tokens,
            slots: spec.slots,
            row_bytes: spec.row_bytes,
        };
        self.facts.values_mut().for_each(crate::facts::Facts::clear_stage);
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

/// Bytes of a token's frame on its way back to the header.
fn token_bytes() -> f64 {
    let token =
        Token { request: RequestId(0), position: 0, token: 0, dispatches: 0, logprobs: None };
    Frame::from(token).encoded_len() as f64
}
