//! Messages that are lost, doubled, overtaken or damaged on their way: no token is another, whoever it was is named,
//! and the answer goes on without that link.

mod common;

use base::Message;
use common::{GREEDY, NAMES, alone, config, ring, sim, stats};
use protocol::peer::{Phase, Pledge, Sampling};
use session::{Assignment, Command};
use sim::{PhoneSpec, Sim, toy};
use transport::memory::Tamper;

const LONG: Sampling = Sampling { max_tokens: 60, ..GREEDY };
const PROMPT: usize = 40;
const KINDS: [Tamper; 4] = [Tamper::Lose, Tamper::Double, Tamper::Overtake, Tamper::Damage];

/// Three phones of which any two can go on.
fn room() -> Sim {
    let mut config = config(3);
    let pledge = Pledge::Share { factor: 2.2, phones: 3 };
    config.phones = NAMES[..3].iter().map(|name| PhoneSpec::new(name, pledge)).collect();
    let mut sim = sim(config);
    sim.gather();
    sim.command(0, Command::Begin(Assignment::Equal));
    assert!(sim.run_until(200.0, |sim| sim.is_phase(Phase::Ready)));
    sim
}

fn is_named(sim: &Sim, from: usize, to: usize) -> bool {
    let (from, to) = (sim.view(from).me, sim.view(to).me);
    let broken = format!(" {to} closes {from}: ");
    sim.trace().iter().any(|line| line.contains(&broken))
}

#[test]
fn nothing_that_happens_to_a_message_changes_an_answer() {
    for how in KINDS {
        // From the header to the first worker, between the workers, and from the tail to the header.
        for place in 0..3 {
            for every in [3, 10, 31] {
                let mut sim = room();
                let ring = ring(&sim);
                let (from, to) = (ring[place], ring[(place + 1) % 3]);
                let messages = vec![Message::user(toy::prompt(PROMPT))];
                sim.command(0, Command::Ask { ask: 1, messages, options: LONG.into() });
                sim.run_for(0.2);
                sim.tamper(from, to, how, every);
                let what = format!("{how:?} {every} {from} {to}");
                assert!(sim.run_until(300.0, |sim| sim.answer(0, 1).is_some()), "{what}");
                let answer = stats(sim.answer(0, 1).expect("it has ended"));
                assert_eq!(answer.tokens, alone(&toy::prompt(PROMPT), LONG).tokens, "{what}");
                assert!(is_named(&sim, from, to), "{what}");
            }
        }
    }
}
