//! The same room twice gives the same trace.

mod common;

use base::Message;
use common::{GREEDY, config, ready_with};
use protocol::peer::Sampling;
use session::Command;
use sim::toy;

fn trace(seed: u64) -> Vec<String> {
    let mut sim = ready_with(config(4));
    let options = Sampling { temperature: 1.0, seed, ..GREEDY };
    let messages = vec![Message::user(toy::prompt(70))];
    sim.command(2, Command::Ask { ask: 1, messages, options: options.into() });
    sim.run_for(1.0);
    sim.kill(3);
    sim.run_for(20.0);
    sim.trace().to_vec()
}

#[test]
fn same_seed_same_trace() {
    let (first, second) = (trace(5), trace(5));
    assert!(first.len() > 500, "{} lines", first.len());
    assert_eq!(first, second);
    assert_ne!(first, trace(6), "the trace shows the tokens");
}
