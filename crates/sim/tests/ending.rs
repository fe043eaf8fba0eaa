//! What ends an answer: stop strings, however tokens and time cut them.

mod common;

use common::{GREEDY, alone, config, failure, ready, ready_with, stats};
use protocol::peer::{AskOptions, FailureCode, Finish};
use sim::Sim;

const PROMPT: &str = "once upon";

fn until(stop: &[&str]) -> AskOptions {
    AskOptions { stop: stop.iter().map(|&text| text.to_owned()).collect(), ..GREEDY.into() }
}

/// The toy's text of some tokens.
fn text(tokens: &[u32]) -> String {
    tokens.iter().map(|token| format!("{token} ")).collect()
}

/// A phone alone whose device is so fast that all tokens are drawn before the first has a text.
fn slow_text() -> Sim {
    let mut config = config(1);
    config.phones[0].flops_per_sec = 1e13;
    ready_with(config)
}

#[test]
fn an_answer_ends_before_a_stop_string_that_tokens_cut() {
    let tokens = alone(PROMPT, GREEDY).tokens;
    let [.., last] = tokens[4].to_string().into_bytes()[..] else { panic!("it has digits") };
    let stop = format!("{} {} {}", char::from(last), tokens[5], tokens[6]);
    let all = text(&tokens);
    let expected = &all[..all.find(&stop).expect("the toy says so")];
    for mut sim in (1..=4).map(ready).chain([slow_text()]) {
        let answer = sim.ask(0, 1, PROMPT, until(&["never said", &stop]));
        assert_eq!(answer.text, expected);
        let stats = stats(answer);
        assert_eq!((stats.finish, &stats.tokens[..]), (Finish::Stop, &tokens[..7]));
        assert_eq!(stats.completion_tokens, 7);
        let next = sim.ask(0, 2, PROMPT, GREEDY);
        assert_eq!(next.text, all, "the ring is free for the next");
    }
}

#[test]
fn what_only_began_like_a_stop_string_is_shown() {
    let tokens = alone(PROMPT, GREEDY).tokens;
    let stop = format!("{} {}!", tokens[22], tokens[23]);
    for phone in 0..2 {
        let answer = ready(2).ask(phone, 1, PROMPT, until(&[&stop]));
        assert_eq!(answer.text, text(&tokens));
        assert_eq!(stats(answer).finish, Finish::Length);
    }
}

#[test]
fn a_stop_string_comes_before_any_other_end() {
    let tokens = alone(PROMPT, GREEDY).tokens;
    let stop = tokens[23].to_string();
    for mut sim in [ready(1), ready(3), slow_text()] {
        let answer = stats(sim.ask(0, 1, PROMPT, until(&[&stop])));
        assert_eq!((answer.finish, answer.tokens.len()), (Finish::Stop, 24));
    }
}

#[test]
fn stop_strings_have_bounds() {
    let mut sim = ready(2);
    let long = "x".repeat(65);
    for (number, stop) in [&["a"; 5][..], &[""], &[&long]].into_iter().enumerate() {
        let (code, message) = failure(sim.ask(1, number as u32, PROMPT, until(stop)));
        assert_eq!(code, FailureCode::Internal);
        assert!(message.contains("4 stop strings"), "{message}");
    }
}
