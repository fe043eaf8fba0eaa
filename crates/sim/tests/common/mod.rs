//! Rooms of toy models.
#![allow(dead_code, reason = "every test file uses some of it")]

pub mod cuts;

use protocol::peer::{AnswerStats, AskOptions, FailureCode, Pledge, Sampling};
use session::RoomLimits;
use sim::{Answer, PhoneSpec, Sim, SimConfig, toy};
use transport::memory::Conditions;

/// A phone's Wi-Fi.
pub const WIFI: Conditions =
    Conditions { latency_secs: 0.004, bytes_per_sec: 4e6, cut_after_bytes: None };

/// Always the likeliest token, 24 of them.
pub const GREEDY: Sampling = Sampling {
    temperature: 0.0,
    top_k: 0,
    top_p: 1.0,
    min_p: 0.0,
    repetition_penalty: 1.0,
    seed: 1,
    max_tokens: 24,
    logprobs: None,
};

/// Names of phones, in order of joining.
pub const NAMES: [&str; 9] = ["Ada", "Ben", "Cleo", "Dan", "Eve", "Fay", "Gus", "Hal", "Ivy"];

/// A room of so many phones, each pledging so little that all are needed, on a ring that stays open.
pub fn config(phones: usize) -> SimConfig {
    let pledge = Pledge::Share { factor: 1.3, phones: phones as u32 };
    SimConfig {
        phones: NAMES[..phones].iter().map(|name| PhoneSpec::new(name, pledge)).collect(),
        link: WIFI,
        model: toy::spec(8),
        limits: RoomLimits { ring_may_close: false, ..RoomLimits::default() },
    }
}

pub fn sim(config: SimConfig) -> Sim {
    Sim::new(config, || Box::<toy::ToyModel>::default())
}

/// The same for models with an encoder.
pub fn sim_with_encoder(config: SimConfig) -> Sim {
    let modules = config.model.encoder.expect("it has one").modules;
    Sim::new(config, move || Box::new(toy::ToyModel::with_encoder(modules)))
}

/// A room of so many phones, ready to answer.
pub fn ready(phones: usize) -> Sim {
    ready_with(config(phones))
}

pub fn ready_with(config: SimConfig) -> Sim {
    let mut sim = sim(config);
    assert!(sim.make_ready(), "{:?}", sim.view(0).error);
    sim
}

/// The order of the phones along the ring.
pub fn ring(sim: &Sim) -> Vec<usize> {
    let plan = sim.view(0).plan.expect("a ready room has a plan");
    plan.stages.iter().map(|stage| stage.peer.0 as usize - 1).collect()
}

pub fn stats(answer: Answer) -> AnswerStats {
    answer.result.expect("an answer")
}

pub fn failure(answer: Answer) -> (FailureCode, String) {
    let failure = answer.result.expect_err("a failure");
    (failure.code, failure.message)
}

/// What one phone alone answers.
pub fn alone(prompt: &str, options: impl Into<AskOptions>) -> AnswerStats {
    stats(ready(1).ask(0, 1, prompt, options))
}

/// Most requests that went through a device in one pass.
pub fn largest_batch(sim: &Sim) -> usize {
    let parts = |line: &String| line.split_once(" runs ")?.1.split(' ').next()?.parse().ok();
    sim.trace().iter().filter_map(parts).max().unwrap_or(0)
}

/// How many frames of a kind were sent.
pub fn frames(sim: &Sim, name: &str) -> usize {
    sim.trace().iter().filter(|line| line.contains(&format!(" {name} "))).count()
}

/// Draws numbers below an end, the same ones for the same seed.
pub fn draws(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |end| {
        random ^= random >> 12;
        random ^= random << 25;
        random ^= random >> 27;
        (random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }
}
