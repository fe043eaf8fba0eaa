//! Rooms with an encoder-decoder: every cut gives the same tokens, and the encoder's output goes to those who read it.

mod common;

use base::{Message, RequestId};
use common::{
    GREEDY, WIFI,
    cuts::{cut_at, cuts_of, readers, sent},
    failure, ring, stats,
};
use protocol::peer::{
    AnswerStats, FailureCode, Finish, Pledge, Residual, Sampling, Token, WireType,
};
use session::{Command, Event, RoomLimits};
use sim::{PhoneSpec, Sim, SimConfig, toy};
use transport::memory::Conditions;

/// `embed`, 2 modules for each of 2 layers, `decoder_embed`, 3 modules for each of 2 layers, `head`.
const MODULES: usize = 13;
const ENCODER: usize = 5;
/// Everything that a step of drawing depends on.
const DRAWN: Sampling = Sampling {
    temperature: 0.9,
    repetition_penalty: 1.2,
    seed: 5,
    max_tokens: 60,
    logprobs: Some(2),
    ..GREEDY
};

fn ready_with(config: SimConfig) -> Sim {
    let mut sim = Sim::new(config, || Box::new(toy::ToyModel::with_encoder(ENCODER)));
    assert!(sim.make_ready(), "{:?}", sim.view(0).error);
    sim
}

fn ready_at(cuts: &[usize], closes: bool) -> Sim {
    let sim = ready_with(cut_at(toy::encoder_decoder(2, 2), cuts, closes));
    assert_eq!(cuts_of(&sim), cuts);
    sim
}

fn alone(prompt: &str, options: Sampling) -> AnswerStats {
    stats(ready_at(&[], false).ask(0, 1, prompt, options))
}

#[test]
fn every_cut_gives_the_tokens_of_one_phone() {
    let prompt = toy::prompt(50);
    let expected = alone(&prompt, DRAWN);
    let other = alone(&toy::prompt(49), DRAWN);
    assert_ne!(expected.tokens, other.tokens, "an answer depends on its prompt");
    let twos = (1..MODULES).map(|cut| vec![cut]);
    let threes = (1..MODULES).flat_map(|a| (a + 1..MODULES).map(move |b| vec![a, b]));
    for cuts in twos.chain(threes) {
        let mut sim = ready_at(&cuts, false);
        let answer = stats(sim.ask(cuts.len(), 1, &prompt, DRAWN));
        assert_eq!(answer.tokens, expected.tokens, "{cuts:?}");
        assert_eq!(answer.logprobs, expected.logprobs, "{cuts:?}");
        assert_eq!(answer.prompt_tokens, 50);
        assert_eq!(answer.finish, Finish::Length);
        assert_eq!(sent(&sim, "Residual"), readers(&sim), "{cuts:?}");
        assert!(misbehaved(&sim).is_empty(), "{:?}", misbehaved(&sim));
    }
}

#[test]
fn a_ring_that_closes_gives_them_too() {
    let prompt = toy::prompt(20);
    let expected = alone(&prompt, DRAWN);
    for cuts in [[1, 3, 5], [1, 6, 7], [3, 5, 10], [4, 7, 9], [5, 8, 9], [6, 9, 12], [8, 10, 11]] {
        let mut sim = ready_at(&cuts, true);
        assert_eq!(ring(&sim)[3], 0, "{cuts:?}");
        let answer = stats(sim.ask(1, 1, &prompt, DRAWN));
        assert_eq!(answer.tokens, expected.tokens, "{cuts:?}");
        assert_eq!(sent(&sim, "Residual"), readers(&sim), "{cuts:?}");
    }
}

#[test]
fn every_token_goes_to_who_feeds_it_and_to_the_header() {
    for (cuts, takers) in [([3, 8], vec![1, 0]), ([6, 9], vec![0]), ([3, 4], vec![0])] {
        let mut sim = ready_at(&cuts, false);
        let answer = stats(sim.ask(0, 1, "once upon", GREEDY));
        let tokens = sent(&sim, "Token");
        let each = answer.tokens.len();
        assert_eq!(tokens.len(), takers.len() * each, "{cuts:?}");
        for taker in takers {
            assert_eq!(tokens.iter().filter(|&&pair| pair == (2, taker)).count(), each);
        }
    }
}

#[test]
fn along_the_ring_it_goes_as_far_as_it_is_needed() {
    let prompt = toy::prompt(30);
    let expected = alone(&prompt, GREEDY).tokens;
    let cases = [
        (vec![3, 8, 12], false, vec![(1, 2)]),
        (vec![5, 6, 9], false, vec![(0, 1), (1, 2), (2, 3)]),
        (vec![9], false, vec![(0, 1)]),
        (vec![12], false, vec![]),
        (vec![4, 7, 10], true, vec![(1, 2), (2, 0)]),
        (vec![5, 8, 10], true, vec![(0, 1)]),
    ];
    for (cuts, closes, frames) in cases {
        let mut config = cut_at(toy::encoder_decoder(2, 2), &cuts, closes);
        config.limits.skips = false;
        let mut sim = ready_with(config);
        assert_eq!(cuts_of(&sim), cuts);
        assert_eq!(stats(sim.ask(0, 1, &prompt, GREEDY)).tokens, expected, "{cuts:?}");
        assert_eq!(sent(&sim, "Residual"), frames, "{cuts:?}");
    }
}

/// Also where the output comes long before the request, which goes from phone to phone.
#[test]
fn requests_at_once_have_the_tokens_they_would_have_alone() {
    let prompt = |ask: u32| toy::prompt(20 + 7 * ask as usize);
    for latency_secs in [0.0005, 0.1] {
        for cuts in [[3, 8], [5, 9], [6, 10], [8, 11]] {
            let mut config = cut_at(toy::encoder_decoder(2, 2), &cuts, false);
            config.link = Conditions { latency_secs, ..WIFI };
            let (slots, balances) = (4, false);
            config.limits =
                RoomLimits { slots, expected_requests: slots, balances, ..config.limits };
            for phone in &mut config.phones {
                phone.pledge = Pledge::Bytes(14_000_000);
            }
            let mut sim = ready_with(config);
            for ask in 0..6 {
                let messages = vec![Message::user(prompt(ask))];
                let options = Sampling { seed: ask.into(), ..DRAWN }.into();
                sim.command(ask as usize % 3, Command::Ask { ask, messages, options });
            }
            let answer = |sim: &Sim, ask: u32| sim.answer(ask as usize % 3, ask);
            assert!(sim.run_until(300.0, |sim| (0..6).all(|ask| answer(sim, ask).is_some())));
            for ask in 0..6 {
                let expected = alone(&prompt(ask), Sampling { seed: ask.into(), ..DRAWN });
                let answer = stats(answer(&sim, ask).expect("an answer"));
                assert_eq!(answer.tokens, expected.tokens, "{cuts:?}, ask {ask}");
            }
            assert_eq!(sent(&sim, "Residual").len(), 6 * readers(&sim).len());
        }
    }
}

#[test]
fn a_prompt_that_is_longer_than_a_step_is_refused_before_anything_runs() {
    let mut config = cut_at(toy::encoder_decoder(2, 2), &[3, 8], false);
    config.model.model.context_tokens = 100;
    let mut sim = ready_with(config);
    let (code, message) = failure(sim.ask(1, 1, &toy::prompt(101), GREEDY));
    assert_eq!(code, FailureCode::PromptTooLong { prompt_tokens: 101, context_tokens: 100 });
    assert!(message.contains("the model reads at once 100"), "{message}");
    assert!(sent(&sim, "Begin").is_empty());
    assert_eq!(stats(sim.ask(1, 2, &toy::prompt(100), GREEDY)).prompt_tokens, 100);
}

/// An answer's tokens are those of the decoder, and so is its context.
#[test]
fn an_answer_ends_where_it_should() {
    let mut config = cut_at(toy::encoder_decoder(2, 2), &[3, 8], false);
    let expected = alone("once upon", GREEDY).tokens;
    config.model.eos = vec![expected[5]];
    config.model.model.context_tokens = 30;
    let mut sim = ready_with(config);
    let answer = stats(sim.ask(2, 1, "once upon", GREEDY));
    assert_eq!((&answer.tokens[..], answer.finish), (&expected[..5], Finish::Eos));
    let prompt = "a".repeat(30);
    let full = stats(sim.ask(2, 2, &prompt, Sampling { max_tokens: 100, ..GREEDY }));
    assert_eq!((full.tokens.len(), full.finish), (30, Finish::Length));
    let again = stats(sim.ask(0, 3, "once upon", Sampling { max_tokens: 3, ..GREEDY }));
    assert_eq!(again.tokens, expected[..3]);
    sim.command(
        0,
        Command::Ask { ask: 4, messages: vec![Message::user("stop")], options: DRAWN.into() },
    );
    sim.run_until(10.0, |sim| sim.text(0, 4).len() > 20);
    sim.command(0, Command::Stop { ask: 4 });
    sim.run_for(5.0);
    let stopped = stats(sim.answer(0, 4).expect("stopped"));
    assert_eq!(stopped.finish, Finish::Cancelled);
    assert!(misbehaved(&sim).is_empty(), "{:?}", misbehaved(&sim));
}

#[test]
fn an_answer_outlives_its_plan() {
    let prompt = toy::prompt(40);
    for options in [DRAWN, Sampling { max_tokens: 60, ..GREEDY }] {
        let expected = alone(&prompt, options);
        for (cuts, lost) in [([3, 8], 1), ([3, 8], 2), ([5, 9], 1), ([6, 10], 2), ([2, 4], 1)] {
            let mut sim = ready_at(&cuts, false);
            let messages = vec![Message::user(&prompt)];
            sim.command(0, Command::Ask { ask: 1, messages, options: options.into() });
            sim.run_until(60.0, |sim| sim.text(0, 1).len() > 60);
            sim.kill(lost);
            sim.join(PhoneSpec::new("Zoe", Pledge::Bytes(1 << 30)));
            assert!(sim.run_until(100.0, |sim| sim.answer(0, 1).is_some()), "{:?}", sim.view(0));
            let answer = stats(sim.answer(0, 1).expect("ended"));
            assert_eq!(answer.tokens, expected.tokens, "{cuts:?} without {lost}");
            assert_eq!(answer.logprobs, expected.logprobs, "{cuts:?} without {lost}");
            assert_eq!(answer.prompt_tokens, 40);
        }
    }
}

#[test]
fn a_token_takes_what_was_predicted_whatever_the_encoder_has_to_do() {
    for cuts in [[3, 8], [4, 5], [6, 9]] {
        let mut sim = ready_at(&cuts, false);
        let answer = stats(sim.ask(0, 1, &toy::prompt(40), DRAWN));
        let plan = sim.view(0).plan.expect("a plan");
        let ratio = 1.0 / answer.decode_tokens_per_sec / plan.predicted_token_secs;
        assert!((ratio - 1.0).abs() < 0.1, "{cuts:?}: {ratio} times what was predicted");
        let encoder = plan.stages.iter().filter(|stage| stage.end <= ENCODER);
        assert!(encoder.clone().count() > 0 || cuts == [6, 9]);
        assert!(encoder.clone().all(|stage| stage.predicted_secs == 0.0), "{:?}", plan.stages);
    }
}

/// A room in which phone 1 ends the encoder and never gets so far, and phone 2 waits for what it would give.
fn waiting() -> Sim {
    let mut sim = ready_at(&[3, 8], false);
    sim.hang_device(1);
    let messages = vec![Message::user(toy::prompt(9))];
    sim.command(0, Command::Ask { ask: 1, messages, options: GREEDY.into() });
    sim.run_for(0.3);
    sim
}

fn output(rows: u16) -> Residual {
    let (request, wire, data) = (RequestId(1), WireType::F32, vec![0; 16 * usize::from(rows)]);
    Residual { request, epoch: 1, sequence: 0, rows, row_len: 4, wire, data }
}

/// Whom a phone complains of, and what it says of the frames that are sent it one after the other.
fn complaints(to: usize, frames: &[(usize, Residual)]) -> Vec<(usize, String)> {
    let mut sim = waiting();
    for (from, frame) in frames {
        sim.forge(*from, to, &frame.clone().into());
        sim.run_for(0.1);
    }
    let complaint = |event: &Event| match event {
        Event::Misbehaved { peer, reason } => Some((peer.0 as usize - 1, reason.clone())),
        _ => None,
    };
    sim.events(to).iter().filter_map(complaint).collect()
}

#[test]
fn an_output_that_is_not_what_it_should_be_is_refused_and_its_sender_named() {
    let named = |to, frames: &[(usize, Residual)], why: &str| {
        let complaints = complaints(to, frames);
        assert_eq!(complaints.len(), 1, "{why}: {complaints:?}");
        let (from, reason) = &complaints[0];
        assert!(reason.starts_with("Residual: ") && reason.contains(why), "{reason}");
        assert_eq!(*from, frames[0].0, "{reason}");
    };
    named(2, &[(0, output(9))], "not come from the phone that has it");
    named(0, &[(1, output(9))], "nothing here reads it");
    named(2, &[(1, output(8))], "not as many rows");
    named(2, &[(1, output(257))], "more rows than a prompt has");
    named(2, &[(1, Residual { sequence: 1, ..output(9) })], "number is not the next");
    named(2, &[(1, output(9)), (1, output(9))], "come before");
    named(2, &[(1, Residual { row_len: 2, data: vec![0; 72], ..output(9) })], "as long as");
    let data = WireType::F16.pack(vec![0; 144], 4);
    named(2, &[(1, Residual { wire: WireType::F16, data, ..output(9) })], "wire type");
    let other = |request| Residual { request: RequestId(request), ..output(9) };
    named(2, &[(1, other(7)), (1, other(7))], "come before");
    named(2, &[(1, other(7)), (1, other(8))], "more of them than may wait");
    assert!(complaints(2, &[(1, Residual { epoch: 0, ..output(9) })]).is_empty());
    assert!(complaints(2, &[(1, other(0))]).is_empty(), "it is late");
}

/// What came before its request is looked at when that begins.
#[test]
fn an_output_that_came_early_is_refused_late() {
    let mut sim = ready_at(&[3, 8], false);
    sim.forge(1, 2, &output(8).into());
    sim.run_for(0.1);
    assert!(misbehaved(&sim).is_empty());
    let answer = stats(sim.ask(0, 1, &toy::prompt(9), GREEDY));
    assert_eq!(answer.tokens, alone(&toy::prompt(9), GREEDY).tokens);
    assert!(misbehaved(&sim).len() == 1, "{:?}", misbehaved(&sim));
}

#[test]
fn tokens_come_to_who_feeds_them_from_the_tail_when_due() {
    let request = RequestId(1);
    let token = |position| Token {
        request,
        epoch: 1,
        position,
        token: 1,
        dispatches: 0,
        more: false,
        logprobs: None,
    };
    for (from, frame, why) in [
        (0, token(0), "from the tail"),
        (2, token(5), "not the next"),
        (2, Token { epoch: 0, ..token(0) }, ""),
        (2, Token { request: RequestId(9), ..token(0) }, ""),
    ] {
        let mut sim = waiting();
        sim.forge(from, 1, &frame.into());
        sim.run_for(0.1);
        let complaints = misbehaved(&sim);
        assert_eq!(complaints.len(), usize::from(!why.is_empty()), "{complaints:?}");
        assert!(complaints.iter().all(|line| line.contains(why)), "{complaints:?}");
    }
}

fn misbehaved(sim: &Sim) -> Vec<String> {
    sim.trace().iter().filter(|line| line.contains("Misbehaved")).cloned().collect()
}
