//! The load balancer: watches how long tokens take on each phone, and moves the cuts to where they cost least
//! while answers go on. Only phones' own copies are used, so that nothing is loaded; where that is not enough, it looks
//! further (see [`crate::reshape`]).

use base::{PeerId, Plan, PlanInput, Stage};
use protocol::peer::{MovedCache, Phase, PlanStatus, PlannedStage};

use crate::{ModelSpec, Room, planning::solve_soon, request::Request, reshape::Reshape};

/// What the balancer remembers between two looks.
#[derive(Debug, Default)]
pub(crate) struct Balance {
    /// Since when every look has shown a gain.
    gain_since_secs: Option<f64>,
    /// What a token of a history takes on its way through the ring, as far as there was one.
    prefill_secs: Option<f64>,
    pub(crate) reshape: Reshape,
    /// No phone loads anything for a better plan before then.
    pub(crate) restock_again_secs: f64,
}

/// A plan that costs less than the running one.
pub(crate) struct Better {
    /// The planner's devices.
    pub(crate) peers: Vec<PeerId>,
    pub(crate) input: PlanInput,
    /// As it is now.
    pub(crate) stages: Vec<Stage>,
    pub(crate) plan: Plan,
}

impl Room {
    /// How long stages take has changed.
    pub(crate) fn balance(&mut self) {
        if !self.may_balance() {
            return;
        }
        let Some(better) = self.better_cuts() else {
            self.balance.gain_since_secs = None;
            return self.look_further();
        };
        let since_secs = *self.balance.gain_since_secs.get_or_insert(self.now_secs);
        if self.now_secs < since_secs + STEADY_SECS {
            return;
        }
        self.balance.gain_since_secs = None;
        // Where something is to change, to the best there is.
        let ring = self.better_held_ring().filter(|ring| ring.then_secs() < better.then_secs());
        self.switch_to(ring.unwrap_or(better));
    }

    fn may_balance(&self) -> bool {
        let is_running = self.requests.values().any(Request::runs);
        self.config.coordinator
            && self.config.limits.balances
            && self.phase == Phase::Ready
            && self.switch.is_none()
            && self.restock.is_none()
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
        let plan = plan::rebalance(&input, &stages)?;
        let better = Better { peers, input, stages, plan };
        self.is_worth_it(spec, &better).then_some(better)
    }

    /// Whether a plan is clearly better, and tokens to come gain more than the switch to it takes.
    pub(crate) fn is_worth_it(&self, spec: &ModelSpec, better: &Better) -> bool {
        let Some((now_secs, then_secs)) = better.costs_secs() else { return false };
        let is_clear = then_secs < (1.0 - LEAST_GAIN) * now_secs;
        let gain_secs = (now_secs - then_secs) * self.tokens_to_come();
        is_clear && gain_secs >= self.switch_secs(spec, better, now_secs)
    }

    pub(crate) fn switch_to(&mut self, better: Better) {
        let Some(spec) = self.spec.clone() else { return };
        let cause = self.why(&better);
        let lost = better.lost().collect();
        let moved = self.moved_caches(&spec, &better.planned());
        let Better { peers, input, plan, .. } = better;
        let Ok(mut solution) = solve_soon(&input) else { return };
        if solution.replace(&input, plan).is_err() {
            return;
        }
        self.leave_out(lost);
        solution.reason = "Cut where it costs least, as fast as the phones are now.".to_owned();
        let status = self.held_status(&spec, &peers, &input, solution);
        self.switch_over(spec, status, cause, moved);
    }

    /// To another plan: with the caches that change phones where that is cheaper than running histories again.
    pub(crate) fn switch_over(
        &mut self,
        spec: ModelSpec,
        status: PlanStatus,
        cause: String,
        moved: Vec<MovedCache>,
    ) {
        match self.is_carried(&spec, &moved) {
            true => self.switch_when_quiet(spec, status, cause, moved),
            false => self.change_plan(&spec, status, &cause),
        }
    }

    /// Whether sending the caches that change phones is cheaper than running the histories again.
    fn is_carried(&self, spec: &ModelSpec, moved: &[MovedCache]) -> bool {
        let Some(plan) = &self.plan else { return false };
        self.sent_secs(spec, moved) < self.again_secs(plan.predicted_token_secs)
    }

    /// What it takes to send the caches that change phones; for ever where something else is needed besides.
    fn sent_secs(&self, spec: &ModelSpec, moved: &[MovedCache]) -> f64 {
        // What an encoder gave is not in these caches, and they go with a stage that is loaded anew.
        match spec.residual.is_empty() && !spec.modules_depend {
            true => self.carry_secs(moved, self.rows_in_ring()),
            false => f64::INFINITY,
        }
    }

    /// What it takes to run every history again.
    fn again_secs(&self, token_secs: f64) -> f64 {
        f64::from(self.rows_in_ring()) * self.prefill_secs(token_secs)
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

    /// Tokens that an answer under way will still have, on average: as many as it has had, or some dozens, but no more
    /// than was asked for.
    fn tokens_to_come(&self) -> f64 {
        let tokens = |request: &Request| {
            let drawn = request.completion.len() as u32;
            let rest = request.sampling.max_tokens.saturating_sub(drawn);
            rest.min(drawn.max(LEAST_TOKENS))
        };
        let running = self.requests.values().filter(|request| request.runs());
        let running: Vec<u32> = running.map(tokens).collect();
        f64::from(running.iter().sum::<u32>()) / running.len().max(1) as f64
    }

    /// What a switch takes: the caches are sent, or every history goes through the ring again.
    fn switch_secs(&self, spec: &ModelSpec, better: &Better, token_secs: f64) -> f64 {
        let moved = self.moved_caches(spec, &better.planned());
        SWITCH_SECS + self.sent_secs(spec, &moved).min(self.again_secs(token_secs))
    }

    /// A sentence on the phone that has changed most, and what that means.
    fn why(&self, better: &Better) -> String {
        let drift = |peer: &PeerId| self.facts.get(peer).map_or(1.0, |facts| facts.drift);
        let slowest = better.peers.iter().max_by(|a, b| drift(a).total_cmp(&drift(b)));
        let slowest = slowest.filter(|peer| drift(peer) > SLOW);
        let named = |(device, _): (usize, &PeerId)| (device, better.peers[device]);
        let change =
            match better.peers.iter().enumerate().map(named).find_map(|one| better.part(one)) {
                Some((peer, Part::Lost)) if slowest == Some(&peer) => {
                    "the others do its part".to_owned()
                }
                Some((peer, Part::Lost)) => {
                    format!("the others do the part of {}", self.name_of(peer))
                }
                Some((peer, Part::New)) => format!("{} has a part again", self.name_of(peer)),
                None => match better.moved_modules() {
                    1 => "1 part of the model moved".to_owned(),
                    moved => format!("{moved} parts of the model moved"),
                },
            };
        match slowest {
            Some(peer) => {
                let (name, times) = (self.name_of(*peer), drift(peer));
                format!("{name} takes {times:.1} times as long as it did, so {change}.")
            }
            None => format!("{}, so {change}.", self.what_is_slow(&better.stages, &better.peers)),
        }
    }

    /// Where it is none of the phones.
    fn what_is_slow(&self, stages: &[Stage], peers: &[PeerId]) -> String {
        let hops = stages.windows(2).map(|pair| (peers[pair[0].device], peers[pair[1].device]));
        let drifts = hops.map(|(from, to)| (from, to, self.link_drift(from, to).rtt));
        match drifts.max_by(|a, b| a.2.total_cmp(&b.2)).filter(|(.., drift)| *drift > SLOW_LINK) {
            Some((from, to, times)) => {
                let (from, to) = (self.name_of(from), self.name_of(to));
                format!("From {from} to {to} takes {times:.1} times as long as it did")
            }
            None => "The phones are not as fast as they were".to_owned(),
        }
    }

    /// The first token came so long after its history of so many tokens had begun.
    pub(crate) fn prefilled(&mut self, tokens: usize, secs: f64) {
        if tokens >= PREFILL_TOKENS {
            self.balance.prefill_secs = Some(secs / tokens as f64);
        }
    }
}

/// What happens to a phone's part in the ring.
enum Part {
    Lost,
    New,
}

impl Better {
    /// Of a token, as it is now and then.
    pub(crate) fn costs_secs(&self) -> Option<(f64, f64)> {
        let cost = |stages: &[Stage]| cost_secs(&self.input, stages);
        Some((cost(&self.stages)?, cost(&self.plan.stages)?))
    }

    fn then_secs(&self) -> f64 {
        self.costs_secs().map_or(f64::INFINITY, |(_, then_secs)| then_secs)
    }

    /// Who is to run what.
    pub(crate) fn planned(&self) -> Vec<PlannedStage> {
        let planned =
            |stage: &Stage| PlannedStage { peer: self.peers[stage.device], range: stage.modules };
        self.plan.stages.iter().map(planned).collect()
    }

    /// Of a phone that has one in only one of the two plans.
    fn part(&self, (device, peer): (usize, PeerId)) -> Option<(PeerId, Part)> {
        let [before, after] = [&self.stages, &self.plan.stages].map(|stages| runs(stages, device));
        match (before, after) {
            (true, false) => Some((peer, Part::Lost)),
            (false, true) => Some((peer, Part::New)),
            _ => None,
        }
    }

    /// The phones that lose their part in the ring.
    pub(crate) fn lost(&self) -> impl Iterator<Item = PeerId> {
        let peers = self.peers.iter().copied().enumerate();
        peers.filter_map(|one| matches!(self.part(one), Some((_, Part::Lost))).then_some(one.1))
    }

    /// How many modules another phone runs from now on.
    fn moved_modules(&self) -> usize {
        let device_of = |stages: &[Stage], module: usize| {
            stages.iter().find(|stage| stage.modules.contains(module)).map(|stage| stage.device)
        };
        let is_moved = |&module: &usize| {
            device_of(&self.stages, module) != device_of(&self.plan.stages, module)
        };
        (0..self.input.modules.len()).filter(is_moved).count()
    }
}

fn runs(stages: &[Stage], device: usize) -> bool {
    stages.iter().any(|stage| stage.device == device)
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

pub(crate) fn stages_of(plan: &PlanStatus, peers: &[PeerId]) -> Vec<Stage> {
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
const SLOW_LINK: f64 = 1.5;
