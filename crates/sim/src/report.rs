//! What came of a scenario, in figures. Times count from the moment when the room was ready.

mod answers;
mod phones;
mod room;

use serde::Serialize;

use crate::scenario::Play;

pub use answers::{RequestReport, Times};
pub use phones::PhoneReport;
pub use room::{EventReport, FrameReport, PairReport, PlanReport, PlanStage};

pub(crate) use phones::Activity;

/// A scenario's report; its JSON is described in `docs/simulate.md`.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// The scenario's own words.
    pub about: String,
    /// What chance was drawn from.
    pub seed: u64,
    /// The model.
    pub model: ModelReport,
    /// How long the phones took to meet, measure and load.
    pub ready_secs: f64,
    /// When the last answer ended.
    pub end_secs: f64,
    /// Tokens of all answers.
    pub tokens: usize,
    /// Those, by the time in which any request was under way.
    pub tokens_per_sec: f64,
    /// From one token to the next of the same answer.
    pub token_secs: Option<Times>,
    /// In the file's order.
    pub requests: Vec<RequestReport>,
    /// In the file's order.
    pub phones: Vec<PhoneReport>,
    /// Every plan that the coordinator made, in order.
    pub plans: Vec<PlanReport>,
    /// What phones sent each other.
    pub bytes: Vec<PairReport>,
    /// What happened, and what the rooms said of it.
    pub events: Vec<EventReport>,
}

/// The model of a scenario.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ModelReport {
    /// For people.
    pub name: String,
    /// How many modules it has.
    pub modules: usize,
    /// Of all of them, for a token.
    pub flops: f64,
    /// Of all of them.
    pub weights_bytes: f64,
    /// KV caches of all slots.
    pub kv_bytes: f64,
    /// Requests that have a KV cache at once.
    pub slots: u16,
}

/// What the scenario did to the room.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Happened {
    pub(crate) at_secs: f64,
    pub(crate) what: String,
}

impl Report {
    pub(crate) fn of(play: &Play<'_>) -> Self {
        let answers = answers::Answers::of(play);
        let active = answers.active();
        let tokens = answers.requests.iter().map(|request| request.tokens).sum();
        let end_secs = play.sim.now_secs() - play.origin_secs;
        Self {
            about: play.scenario.about.clone(),
            seed: play.scenario.seed,
            model: model(play),
            ready_secs: micros(play.origin_secs),
            end_secs: micros(end_secs),
            tokens,
            tokens_per_sec: micros(tokens as f64 / active.total_secs().max(SHORTEST_SECS)),
            token_secs: answers.token_secs(),
            phones: phones::reports(play, &active),
            plans: room::plans(play),
            bytes: room::bytes(play),
            events: room::events(play),
            requests: answers.requests,
        }
    }
}

fn model(play: &Play<'_>) -> ModelReport {
    let spec = &play.spec;
    let sum = |pick: fn(&base::ModuleProfile) -> f64| spec.modules.iter().map(pick).sum();
    ModelReport {
        name: spec.model.name.clone(),
        modules: spec.modules.len(),
        flops: sum(|module| module.flops),
        weights_bytes: sum(|module| module.weights_bytes),
        kv_bytes: sum(|module| module.kv_bytes),
        slots: spec.slots,
    }
}

/// To the microsecond: nothing that is simulated is more exact.
pub(crate) fn micros(value: f64) -> f64 {
    // The sum of nothing is -0.
    (value * 1e6).round() / 1e6 + 0.0
}

/// Where nothing took any time.
const SHORTEST_SECS: f64 = 1e-6;
