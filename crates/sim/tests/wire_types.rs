//! Hidden states travel as the coordinator says, and what travels is what was planned with.

mod common;

use base::PeerId;
use common::{GREEDY, alone, config, ready_with, stats};
use protocol::peer::WireType;
use sim::{Sim, toy};

/// Three phones that answered a prompt of one token, so that every frame has one row.
fn answered(wire: WireType) -> (Sim, Vec<u32>) {
    let mut config = config(3);
    config.limits.wire = wire;
    let mut sim = ready_with(config);
    let tokens = stats(sim.ask(0, 1, &toy::prompt(1), GREEDY)).tokens;
    (sim, tokens)
}

/// Sizes of the frames of this name from one phone to another.
fn frame_bytes(sim: &Sim, from: PeerId, to: PeerId, name: &str) -> Vec<f64> {
    let start = format!("{from} -> {to} {name} ");
    let lines = sim.trace().iter().filter_map(|line| Some(line.split_once(' ')?.1));
    let sizes = lines.filter_map(|line| line.strip_prefix(&start)?.strip_suffix(" bytes"));
    sizes.map(|bytes| bytes.parse().expect("a number of bytes")).collect()
}

#[test]
fn what_travels_is_what_was_planned_with() {
    for (wire, row_bytes) in [(WireType::F32, 16.0), (WireType::F16, 12.0), (WireType::Int8, 8.0)] {
        let (sim, tokens) = answered(wire);
        let plan = sim.view(0).plan.expect("a ready room has a plan");
        assert_eq!(plan.traffic.len(), 3, "{plan:?}");
        for pair in &plan.traffic {
            let between = |name| frame_bytes(&sim, pair.from, pair.to, name);
            let (rows, sampled) = (between("Activations"), between("Token"));
            let sent = if rows.is_empty() { sampled } else { rows };
            assert_eq!(sent, vec![pair.bytes; tokens.len()], "{wire:?}, {pair:?}");
        }
        assert_eq!(plan.traffic[0].bytes, 30.0 + row_bytes, "{wire:?}");
    }
}

#[test]
fn only_the_exact_wire_gives_the_tokens_of_one_phone() {
    let expected = alone(&toy::prompt(1), GREEDY).tokens;
    assert_eq!(answered(WireType::F32).1, expected);
    for wire in [WireType::F16, WireType::Int8] {
        let tokens = answered(wire).1;
        assert_eq!(tokens.len(), expected.len(), "{wire:?}");
        assert_ne!(tokens, expected, "the toy's rows are bits and no numbers: {wire:?}");
    }
}
