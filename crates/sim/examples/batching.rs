//! What several requests at once are worth: a room answers four questions of 64 tokens one after the other, and
//! then all at once, on devices that differ in what a further row of a pass takes.
//!
//! `cargo run -p sim --example batching`

use base::Message;
use protocol::peer::{Pledge, Sampling};
use session::{Command, RoomLimits};
use sim::{PhoneSpec, Sim, SimConfig, toy};
use transport::memory::Conditions;

const REQUESTS: u32 = 4;
const TOKENS: u32 = 64;
const LINK: Conditions =
    Conditions { latency_secs: 0.001, bytes_per_sec: 4e6, cut_after_bytes: None };
const SAMPLING: Sampling = Sampling {
    temperature: 0.0,
    top_k: 0,
    top_p: 1.0,
    min_p: 0.0,
    repetition_penalty: 1.0,
    seed: 1,
    max_tokens: TOKENS,
    logprobs: None,
};

fn main() {
    println!("{REQUESTS} requests of {TOKENS} tokens: tokens a second one by one, at once, ratio");
    for further_row in [1.0, 0.5, 0.25, 0.05] {
        println!("a further row takes {further_row} of the first");
        for phones in 1..=4 {
            let [one_by_one, at_once] = [1, REQUESTS as u16]
                .map(|slots| tokens_per_sec(&mut room(phones, further_row, slots)));
            let ratio = at_once / one_by_one;
            println!("  {phones} phones: {one_by_one:6.1} {at_once:6.1} {ratio:5.2}");
        }
    }
}

fn room(phones: u32, further_row: f64, slots: u16) -> Sim {
    let pledge = Pledge::Share { factor: 1.3, phones };
    let phone = |i| PhoneSpec::new(&format!("phone {i}"), pledge);
    let limits = RoomLimits { slots, expected_requests: slots, ..RoomLimits::default() };
    let config = SimConfig {
        phones: (0..phones).map(phone).collect(),
        link: LINK,
        model: toy::spec(8),
        limits,
    };
    let mut sim = Sim::new(config, move || Box::new(toy::ToyModel::with_further_row(further_row)));
    assert!(sim.make_ready(), "{:?}", sim.view(0).error);
    sim
}

fn tokens_per_sec(sim: &mut Sim) -> f64 {
    let began_secs = sim.now_secs();
    for ask in 0..REQUESTS {
        let messages = vec![Message::user(toy::prompt(8 + ask as usize))];
        sim.command(0, Command::Ask { ask, messages, options: SAMPLING.into() });
    }
    let answered = |sim: &Sim| (0..REQUESTS).all(|ask| sim.answer(0, ask).is_some());
    assert!(sim.run_until(1000.0, answered), "an answer never came");
    f64::from(REQUESTS * TOKENS) / (sim.now_secs() - began_secs)
}
