//! The load balancer: watches how long tokens take on each phone, and moves the cuts to where they cost least
//! while answers go on. Only phones' own copies are used, so that nothing is loaded.

use base::{PeerId, Plan, PlanInput, Stage};
use protocol::peer::{MovedCache, Phase, PlanStatus};

use crate::{ModelSpec, Room, request::Request};

/// What the balancer remembers between two looks.
#[derive(Debug, Default)]
pub(crate) struct Balance {
    /// Since when every look has shown a gain.
    gain_since_secs: Option<f64>,
    /// What a token of a history takes on its way through the ring, as far as there was one.
    prefill_secs: Option<f64>,
}

/// Other cuts of the running plan's ring, which cost less.
struct Better {
    /// The ring's phones; the planner's devices are these.
    peers: Vec<PeerId>,
    input: PlanInput,
    /// As it is cut now.
    stages: Vec<Stage>,
    plan: Plan,
}

impl Room {
    /// How long stages take has changed.
    pub(crate) fn balance(&mut self) {
        if !self.may_balance() {
            return;
        }
        let Some(better) = self.better_cuts() else {
            self.balance.gain_since_secs = None;
            return;
        };
        let since_secs = *self.balance.gain_since_secs.get_or_insert(self.now_secs);
        if self.now_secs < since_secs + STEADY_SECS {
            return;
        }
        self.balance.gain_since_secs = None;
        self.switch_to(better);
    }

    fn may_balance(&self) -> bool {
        let is_running = self.requests.values().any(Request::runs);
        self.config.coordinator
            && self.config.limits.balances
            && self.phase == Phase::Ready
            && self.switch.is_none()
            && is_running
    }

    /// Other cuts of the same ring, if they are worth it.
    fn better_cuts(&self) -> Option<Better> {
        let spec = self.spec.as_ref()?;
        let plan = self.plan.as_ref()?;
        let is_measured = plan.stages.iter().all(|stage| stage.measured_secs.is_some());
        if !is_measured || plan.stages.len() < 2 {
            return None;
        }
        let peers = ring_peers(plan);
        let input = self.plan_input_within(spec, &peers);
        let stages = stages_of(plan, &peers);
        let cost = |stages: &[Stage]| cost_secs(&input, stages);
        let better = plan::rebalance(&input, &stages)?;
        let (now_secs, then_secs) = (cost(&stages)?, cost(&better.stages)?);
        let gain_secs = now_secs - then_secs;
        let is_clear = gain_secs > LEAST_GAIN * now_secs;
        let is_worth_it = gain_secs * self.tokens_to_come() >= self.switch_secs(now_secs);
        (is_clear && is_worth_it).then_some(Better { peers, input, stages, plan: better })
    }

    fn switch_to(&mut self, better: Better) {
        let Better { peers, input, stages, plan } = better;
        let Some(spec) = self.spec.clone() else { return };
        let cause = self.why(&peers, &stages, &plan);
        let Ok(mut solution) = plan::solve(&input, &plan::Options::default()) else { return };
        if solution.replace(&input, plan).is_err() {
            return;
        }
        solution.reason = "Cut where it costs least, as fast as the phones are now.".to_owned();
        let status = self.held_status(&spec, &peers, &input, solution);
        let moved = self.moved_caches(&spec, &status);
        match self.is_carried(&spec, &moved) {
            true => self.switch_when_quiet(spec, status, cause, moved),
            false => self.change_plan(&spec, status, &cause),
        }
    }

    /// Whether sending the caches that change phones is cheaper than running the histories again.
    fn is_carried(&self, spec: &ModelSpec, moved: &[MovedCache]) -> bool {
        let Some(plan) = &self.plan else { return false };
        let rows = self.rows_in_ring();
        let again_secs = f64::from(rows) * self.prefill_secs(plan.predicted_token_secs);
        // What an encoder gave is not in these caches.
        spec.residual.is_empty() && self.carry_secs(moved, rows) < again_secs
    }

    /// Positions in the caches, of all answers under way.
    fn rows_in_ring(&self) -> u32 {
        let running = self.requests.values().filter(|request| request.runs());
        running.map(|request| request.sent_rows).sum()
    }

    /// What a token of a history takes on its way through the ring.
    fn prefill_secs(&self, token_secs: f64) -> f64 {
        self.balance.prefill_secs.unwrap_or(token_secs * PREFILL_SHARE)
    }

    /// Tokens that the answers under way will still have: as many as they have had, or some dozens, but no more
    /// than was asked for.
    fn tokens_to_come(&self) -> f64 {
        let tokens = |request: &Request| {
            let drawn = request.completion.len() as u32;
            let rest = request.sampling.max_tokens.saturating_sub(drawn);
            rest.min(drawn.max(LEAST_TOKENS))
        };
        let running = self.requests.values().filter(|request| request.runs());
        f64::from(running.map(tokens).sum::<u32>())
    }

    /// What a switch takes at most: every history goes through the ring again.
    fn switch_secs(&self, token_secs: f64) -> f64 {
        SWITCH_SECS + f64::from(self.rows_in_ring()) * self.prefill_secs(token_secs)
    }

    /// A sentence on the phone that has changed most.
    fn why(&self, peers: &[PeerId], stages: &[Stage], better: &Plan) -> String {
        let drift = |peer: &PeerId| self.facts.get(peer).map_or(1.0, |facts| facts.drift);
        let slowest = peers.iter().max_by(|a, b| drift(a).total_cmp(&drift(b)));
        let moved: usize = stages
            .iter()
            .zip(&better.stages)
            .map(|(before, after)| before.modules.len().saturating_sub(after.modules.len()))
            .sum();
        let parts = if moved == 1 { "1 part".to_owned() } else { format!("{moved} parts") };
        match slowest.filter(|peer| drift(peer) > SLOW) {
            Some(peer) => {
                let (name, times) = (self.name_of(*peer), drift(peer));
                format!(
                    "{name} takes {times:.1} times as long as it did, so {parts} of the model moved."
                )
            }
            None => {
                format!("The phones are not as fast as they were, so {parts} of the model moved.")
            }
        }
    }

    /// The first token came so long after its history of so many tokens had begun.
    pub(crate) fn prefilled(&mut self, tokens: usize, secs: f64) {
        if tokens >= PREFILL_TOKENS {
            self.balance.prefill_secs = Some(secs / tokens as f64);
        }
    }
}

/// The phones of a ring, in its order, each once.
fn ring_peers(plan: &PlanStatus) -> Vec<PeerId> {
    let mut peers: Vec<PeerId> = Vec::new();
    for stage in &plan.stages {
        if !peers.contains(&stage.peer) {
            peers.push(stage.peer);
        }
    }
    peers
}

fn stages_of(plan: &PlanStatus, peers: &[PeerId]) -> Vec<Stage> {
    let device = |peer| peers.iter().position(|&other| other == peer).unwrap_or_default();
    let stages = plan.stages.iter();
    stages.map(|stage| Stage { device: device(stage.peer), modules: stage.range }).collect()
}

fn cost_secs(input: &PlanInput, stages: &[Stage]) -> Option<f64> {
    let plan = Plan { stages: stages.to_vec(), overlap: Vec::new() };
    plan::evaluate(input, &plan).ok().map(|costs| costs.objective_secs)
}

/// Of a token's time: less is noise.
const LEAST_GAIN: f64 = 0.12;
/// A gain must be there for so long.
const STEADY_SECS: f64 = 0.3;
/// What a new plan takes besides the histories.
const SWITCH_SECS: f64 = 0.1;
/// Of a token's time, for one of a history, where none was measured.
const PREFILL_SHARE: f64 = 0.25;
/// Shorter histories say nothing of what each token takes.
const PREFILL_TOKENS: usize = 16;
/// Answers are taken to have so many tokens at least.
const LEAST_TOKENS: u32 = 48;
/// Times as long as measured, to be worth a word.
const SLOW: f64 = 1.15;
