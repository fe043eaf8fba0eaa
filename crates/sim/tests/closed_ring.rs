//! A ring that closes on the header: the last worker sends hidden states back, and the
//! header, which holds the shared table anyway, runs the head.

mod common;

use base::Message;
use common::{GREEDY, alone, config, ready_with, ring, stats};
use protocol::peer::{Finish, Pledge};
use session::Command;
use sim::{Sim, toy};

/// Nobody but the header can hold a table of 4 MB besides its share.
fn closed() -> Sim {
    let mut config = config(3);
    config.limits.ring_may_close = true;
    config.model.tied[0].2 = 4e6;
    let pledges = [8_600_000, 18_600_000, 18_600_000];
    for (phone, bytes) in config.phones.iter_mut().zip(pledges) {
        phone.pledge = Pledge::Bytes(bytes);
    }
    let sim = ready_with(config);
    let ring = ring(&sim);
    assert_eq!((ring[0], ring[ring.len() - 1], ring.len()), (0, 0, 4), "{ring:?}");
    sim
}

#[test]
fn it_answers_as_one_phone() {
    let mut sim = closed();
    for (number, tokens) in [(1, 1), (2, 31), (3, 32), (4, 33), (5, 200)] {
        let prompt = toy::prompt(tokens);
        let answer = stats(sim.ask(0, number, &prompt, GREEDY));
        let expected = alone(&prompt, GREEDY);
        assert_eq!(answer.tokens, expected.tokens, "{tokens} tokens");
        assert_eq!(answer.dispatches_per_token, expected.dispatches_per_token);
    }
}

#[test]
fn it_answers_several_at_once() {
    let mut sim = closed();
    for ask in 0..4 {
        let messages = vec![Message::user(toy::prompt(60 + ask as usize))];
        sim.command(ask as usize % 3, Command::Ask { ask, messages, options: GREEDY.into() });
    }
    let answer = |sim: &Sim, ask: u32| sim.answer(ask as usize % 3, ask);
    assert!(sim.run_until(100.0, |sim| (0..4).all(|ask| answer(sim, ask).is_some())));
    for ask in 0..4 {
        let expected = alone(&toy::prompt(60 + ask as usize), GREEDY).tokens;
        assert_eq!(stats(answer(&sim, ask).expect("an answer")).tokens, expected);
    }
}

#[test]
fn it_stops_and_goes_on() {
    let mut sim = closed();
    sim.command(0, ask(1));
    sim.run_until(10.0, |sim| sim.text(0, 1).len() > 20);
    sim.command(0, Command::Stop { ask: 1 });
    sim.run_for(5.0);
    let answer = stats(sim.answer(0, 1).expect("an answer"));
    assert_eq!(answer.finish, Finish::Cancelled);
    assert_eq!(stats(sim.ask(0, 2, "hi", GREEDY)).tokens, alone("hi", GREEDY).tokens);
}

#[test]
fn it_names_the_late_phone() {
    let mut sim = closed();
    sim.hang_device(2);
    sim.command(0, ask(1));
    assert!(sim.run_until(40.0, |sim| sim.view(0).error.is_some()));
    let error = sim.view(0).error.expect("an error");
    assert!(error.code == "too_slow" && error.message.starts_with("Cleo"), "{error:?}");
}

fn ask(number: u32) -> Command {
    let options = protocol::peer::Sampling { max_tokens: 200, ..GREEDY };
    Command::Ask { ask: number, messages: vec![Message::user("go")], options: options.into() }
}
