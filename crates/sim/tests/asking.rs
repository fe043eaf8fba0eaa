//! Asks: from any phone, in a queue, too long, stopped.

mod common;

use base::{Message, Role};
use common::{GREEDY, alone, config, failure, ready, ready_with, sim, stats};
use protocol::peer::{FailureCode, Finish, Sampling};
use session::{Command, Event};
use sim::{Sim, toy};

const LONG: Sampling = Sampling { max_tokens: 200, ..GREEDY };

fn ask(number: u32, text: &str, options: Sampling) -> Command {
    Command::Ask { ask: number, messages: vec![Message::user(text)], options: options.into() }
}

fn is_answered(sim: &Sim, phone: usize, numbers: std::ops::Range<u32>) -> bool {
    numbers.into_iter().all(|number| sim.answer(phone, number).is_some())
}

#[test]
fn any_phone_may_ask() {
    let mut sim = ready(3);
    let expected = alone("who is there", GREEDY);
    for phone in 0..3 {
        let answer = sim.ask(phone, 7, "who is there", GREEDY);
        assert_eq!(answer.text.split_whitespace().count(), 24);
        assert_eq!(stats(answer).tokens, expected.tokens, "asked by phone {phone}");
    }
}

#[test]
fn an_ask_is_a_conversation() {
    let mut sim = ready(3);
    let said = |role, content: &str| Message { role, content: content.into() };
    let messages =
        vec![said(Role::User, "who "), said(Role::Assistant, "is "), said(Role::User, "there")];
    for phone in [0, 2] {
        let messages = messages.clone();
        sim.command(phone, Command::Ask { ask: 7, messages, options: GREEDY.into() });
        sim.run_until(100.0, |sim| sim.answer(phone, 7).is_some());
        let answer = stats(sim.answer(phone, 7).expect("an answer"));
        assert_eq!(answer.tokens, alone("who is there", GREEDY).tokens, "asked by phone {phone}");
    }
}

#[test]
fn asks_are_answered_in_order() {
    let mut sim = ready(2);
    for number in 0..5 {
        sim.command(0, ask(number, &toy::prompt(number as usize + 1), GREEDY));
    }
    sim.run_until(100.0, |sim| is_answered(sim, 0, 0..5));
    let answered: Vec<u32> = sim
        .events(0)
        .iter()
        .filter_map(|event| match event {
            Event::Answered { ask, .. } => Some(*ask),
            _ => None,
        })
        .collect();
    assert_eq!(answered, [0, 1, 2, 3, 4]);
    for number in 0..5 {
        let expected = alone(&toy::prompt(number as usize + 1), GREEDY).tokens;
        assert_eq!(stats(sim.answer(0, number).expect("an answer")).tokens, expected);
    }
}

#[test]
fn several_requests_run_at_once_with_more_slots() {
    let [mut one, mut four] = [1, 4].map(|slots| {
        let mut config = config(3);
        config.limits.slots = slots;
        ready_with(config)
    });
    let mut secs = [0.0; 2];
    for (sim, secs) in [&mut one, &mut four].into_iter().zip(&mut secs) {
        let began = sim.now_secs();
        for number in 0..6 {
            sim.command(0, ask(number, &toy::prompt(number as usize + 1), GREEDY));
        }
        assert!(sim.run_until(100.0, |sim| is_answered(sim, 0, 0..6)));
        *secs = sim.now_secs() - began;
    }
    for number in 0..6 {
        let answers = [&one, &four].map(|sim| stats(sim.answer(0, number).expect("an answer")));
        assert_eq!(answers[0].tokens, answers[1].tokens, "ask {number}");
    }
    assert!(secs[1] < secs[0] * 0.6, "{secs:?}: phones work while others do");
}

#[test]
fn a_queue_has_an_end() {
    let mut sim = ready(2);
    for number in 0..20 {
        sim.command(1, ask(number, "hi", GREEDY));
    }
    sim.run_until(200.0, |sim| is_answered(sim, 1, 0..20));
    let answers = (0..20).map(|number| sim.answer(1, number).expect("an answer").result);
    let (answered, refused): (Vec<_>, Vec<_>) = answers.partition(Result::is_ok);
    assert!(answered.len() >= 16, "{}", answered.len());
    assert!(!refused.is_empty());
    let busy = |result: &Result<_, protocol::peer::Failure>| {
        result.as_ref().is_err_and(|failure| failure.code == FailureCode::Busy)
    };
    assert!(refused.iter().all(busy));
    assert!(sim.ask(1, 99, "hi", GREEDY).result.is_ok(), "there is room again");
}

#[test]
fn a_long_prompt_is_refused_with_both_counts() {
    let mut sim = ready(2);
    let (code, message) = failure(sim.ask(1, 1, &toy::prompt(257), GREEDY));
    assert_eq!(code, FailureCode::PromptTooLong { prompt_tokens: 257, context_tokens: 256 });
    assert!(message.contains("257") && message.contains("256"));
    let (code, _) = failure(sim.ask(1, 2, &"x".repeat(70_000), GREEDY));
    assert_eq!((code, code.name()), (FailureCode::TextTooLong, "prompt_too_long"));
    assert_eq!(failure(sim.ask(1, 3, "", GREEDY)).0, FailureCode::Internal);
}

#[test]
fn an_ask_before_the_room_is_ready_is_refused() {
    let mut sim = sim(config(2));
    sim.gather();
    for phone in 0..2 {
        assert_eq!(failure(sim.ask(phone, 1, "hi", GREEDY)).0, FailureCode::Busy);
    }
}

#[test]
fn an_answer_is_stopped_at_any_moment() {
    let expected = alone("hi", GREEDY).tokens;
    for phone in 0..3 {
        for after_millis in [0, 1, 5, 20, 60, 150, 400] {
            let mut sim = ready(3);
            sim.command(phone, ask(1, &toy::prompt(100), LONG));
            sim.run_for(f64::from(after_millis) * 1e-3);
            sim.command(phone, Command::Stop { ask: 1 });
            let stopped_at = sim.now_secs();
            assert!(sim.run_until(5.0, |sim| sim.answer(phone, 1).is_some()));
            assert!(sim.now_secs() - stopped_at < 0.1);
            let stopped = stats(sim.answer(phone, 1).expect("an answer"));
            assert_eq!(stopped.finish, Finish::Cancelled, "phone {phone}, {after_millis} ms");
            let next = stats(sim.ask(phone, 2, "hi", GREEDY));
            assert_eq!(next.tokens, expected, "phone {phone}, {after_millis} ms");
        }
    }
}

#[test]
fn a_waiting_ask_is_stopped_without_running() {
    let mut config = config(2);
    config.limits.slots = 1;
    let mut sim = ready_with(config);
    sim.command(0, ask(1, "first", LONG));
    sim.command(0, ask(2, "second", LONG));
    sim.run_for(0.5);
    sim.command(0, Command::Stop { ask: 2 });
    sim.run_for(0.1);
    let second = stats(sim.answer(0, 2).expect("stopped at once"));
    assert_eq!((second.finish, second.completion_tokens), (Finish::Cancelled, 0));
    assert!(sim.answer(0, 1).is_none(), "the first goes on");
    assert!(sim.run_until(60.0, |sim| sim.answer(0, 1).is_some()));
}

/// Two phones that answer and one that only asks.
fn with_a_guest() -> Sim {
    let mut config = config(3);
    config.phones[2].is_fit = false;
    config.phones[1].pledge = protocol::peer::Pledge::Bytes(1 << 30);
    ready_with(config)
}

#[test]
fn an_asker_that_leaves_takes_its_asks_along() {
    let mut sim = with_a_guest();
    sim.command(2, ask(1, "hi", LONG));
    sim.command(2, ask(2, "hi", LONG));
    sim.run_for(1.0);
    sim.command(2, Command::Leave);
    sim.run_for(0.5);
    let answer = stats(sim.ask(0, 1, "hi", GREEDY));
    assert!(answer.ttft_secs < 0.2, "nothing runs before it: {}", answer.ttft_secs);
}

#[test]
fn an_answer_goes_on_where_it_was_when_the_askers_link_is_back() {
    let expected = ready(1).ask(0, 1, "hi", LONG);
    for (asked_secs, away_secs) in [(0.0, 1.0), (0.3, 0.1), (0.3, 1.0), (0.5, 40.0)] {
        let mut sim = with_a_guest();
        sim.command(2, ask(1, "hi", LONG));
        sim.run_for(asked_secs);
        assert!(sim.answer(2, 1).is_none());
        sim.cut(0, 2);
        sim.run_for(away_secs);
        assert!(sim.answer(2, 1).is_none(), "it is not given up: {away_secs}");
        sim.relink(0, 2);
        assert!(sim.run_until(60.0, |sim| sim.answer(2, 1).is_some()), "{away_secs}");
        let answer = sim.answer(2, 1).expect("it has ended");
        if asked_secs == 0.0 {
            assert!(failure(answer).1.contains("did not arrive"));
            continue;
        }
        assert_eq!(answer.text, expected.text, "{asked_secs} {away_secs}");
        assert_eq!(stats(answer).tokens, stats(expected.clone()).tokens);
    }
}

/// A newcomer begins the room anew, or a person who taps.
#[test]
fn a_new_beginning_keeps_the_answer_of_an_asker_whose_link_is_lost() {
    let expected = ready(1).ask(0, 1, "hi", LONG);
    // In the midst of it, and after its end.
    for away_secs in [0.1, 30.0] {
        let mut sim = with_a_guest();
        sim.command(2, ask(1, "hi", LONG));
        sim.run_for(0.3);
        sim.cut(0, 2);
        sim.run_for(away_secs);
        sim.command(0, Command::Begin(session::Assignment::default()));
        sim.run_for(1.0);
        sim.relink(0, 2);
        assert!(sim.run_until(60.0, |sim| sim.answer(2, 1).is_some()), "{away_secs}");
        let answer = sim.answer(2, 1).expect("it has ended");
        assert_eq!(answer.text, expected.text, "{away_secs}");
        assert_eq!(stats(answer).tokens, stats(expected.clone()).tokens, "{away_secs}");
    }
}

#[test]
fn an_asker_may_stop_an_answer_while_its_link_is_lost() {
    let mut sim = with_a_guest();
    sim.command(2, ask(1, "hi", LONG));
    sim.run_for(0.3);
    sim.cut(0, 2);
    sim.run_for(0.1);
    sim.command(2, Command::Stop { ask: 1 });
    sim.relink(0, 2);
    assert!(sim.run_until(10.0, |sim| sim.answer(2, 1).is_some()));
    let answer = sim.answer(2, 1).expect("it has ended");
    let text = answer.text.clone();
    let stats = stats(answer);
    assert_eq!(stats.finish, Finish::Cancelled);
    assert!(ready(1).ask(0, 1, "hi", LONG).text.starts_with(&text));
}

#[test]
fn who_does_not_come_back_is_not_waited_for() {
    let mut sim = with_a_guest();
    (1..=20).for_each(|number| sim.command(2, ask(number, "hi", LONG)));
    sim.run_for(0.3);
    sim.kill(2);
    sim.run_for(50.0);
    let steps = sim.view(0).peers[0].counters.steps_run;
    sim.run_for(5.0);
    assert_eq!(sim.view(0).peers[0].counters.steps_run, steps, "nothing is run for nobody");
    let answer = stats(sim.ask(0, 1, "hi", GREEDY));
    assert!(answer.ttft_secs < 0.2, "nothing runs before it: {}", answer.ttft_secs);
}
