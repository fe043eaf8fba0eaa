//! A whole room around a real model: every phone's stage runs the real kernels.

mod common;
#[path = "common/real.rs"]
mod real;

use std::rc::Rc;

use base::Message;
use common::{GREEDY, NAMES, WIFI, largest_batch, stats};
use protocol::peer::{Pledge, Sampling};
use real::{Phone, RealModel, gpu};
use session::{Command, RoomLimits};
use sim::{PhoneSpec, Sim, SimConfig};

/// Every way to narrow the choice at once.
const PLAYFUL: Sampling = Sampling {
    temperature: 1.2,
    top_k: 60,
    top_p: 0.95,
    min_p: 0.05,
    repetition_penalty: 1.3,
    seed: 11,
    logprobs: Some(3),
    ..GREEDY
};

#[test]
fn rooms_of_any_size_give_the_golden_tokens() {
    let golden = testkit::golden("qwen3-q8_0");
    let gpu = gpu();
    let model = Rc::new(RealModel::open(golden.gguf, gpu.clone()));
    let mut drawn = Vec::new();
    for phones in 1..=4 {
        let mut sim = room(&model, phones);
        assert!(sim.make_ready(), "{:?}", sim.view(0).error);
        let plan = sim.view(0).plan.expect("a ready room has a plan");
        assert_eq!(plan.stages.len(), phones, "every phone is needed: {}", plan.reason);
        let answer = stats(sim.ask(0, 1, &golden.long.text, GREEDY));
        assert_eq!(answer.prompt_tokens as usize, golden.long.ids.len());
        let expected = &golden.long.tokens[..GREEDY.max_tokens as usize];
        assert_eq!(answer.tokens, expected, "{phones} phones");
        let layers = model.layers() as f64;
        assert!(answer.dispatches_per_token <= 6.0 * layers + 2.0);
        let playful = stats(sim.ask(0, 2, &golden.long.text, PLAYFUL));
        assert_ne!(playful.tokens, expected, "the seed's draws and not the likeliest tokens");
        assert_eq!(playful.logprobs.len(), playful.tokens.len());
        drawn.push((playful.tokens, playful.logprobs));
        assert_eq!(drawn.last(), drawn.first(), "{phones} phones");
    }
}

#[test]
fn an_answer_goes_on_without_a_phone_and_with_a_new_one() {
    let golden = testkit::golden("qwen3-q8_0");
    let gpu = gpu();
    let model = Rc::new(RealModel::open(golden.gguf, gpu.clone()));
    let undisturbed = |options: Sampling| {
        let mut sim = room(&model, 1);
        assert!(sim.make_ready());
        stats(sim.ask(0, 1, &golden.long.text, options))
    };
    for options in [GREEDY, PLAYFUL] {
        let mut sim = room(&model, 3);
        assert!(sim.make_ready(), "{:?}", sim.view(0).error);
        let messages = vec![Message::user(golden.long.text.clone())];
        sim.command(0, Command::Ask { ask: 1, messages, options: options.into() });
        sim.run_until(60.0, |sim| sim.text(0, 1).len() > 10);
        sim.kill(1);
        sim.join(PhoneSpec::new("Zoe", Pledge::Bytes(1 << 30)));
        assert!(sim.run_until(100.0, |sim| sim.answer(0, 1).is_some()), "{:?}", sim.view(0));
        let (answer, expected) = (stats(sim.answer(0, 1).expect("ended")), undisturbed(options));
        assert_eq!((answer.tokens, answer.logprobs), (expected.tokens, expected.logprobs));
    }
}

#[test]
fn requests_at_once_have_the_tokens_they_would_have_alone() {
    let golden = testkit::golden("qwen3-q8_0");
    let gpu = gpu();
    let model = Rc::new(RealModel::open(golden.gguf, gpu.clone()));
    let text = &golden.long.text;
    let sampling = |ask: u32| match ask % 2 {
        0 => GREEDY,
        _ => Sampling { seed: ask.into(), ..PLAYFUL },
    };
    let prompt = |ask: u32| text.chars().skip(7 * ask as usize).collect::<String>();
    let mut one_by_one = room(&model, 1);
    assert!(one_by_one.make_ready());
    let alone = |ask| stats(one_by_one.ask(0, ask, &prompt(ask), sampling(ask)));
    let alone: Vec<_> = (0..5).map(alone).collect();
    for phones in [1, 3] {
        let mut sim = room_for(&model, phones, 4);
        assert!(sim.make_ready());
        for ask in 0..5 {
            let messages = vec![Message::user(prompt(ask))];
            let options = sampling(ask).into();
            sim.command(ask as usize % phones, Command::Ask { ask, messages, options });
        }
        let answer = |sim: &Sim, ask: u32| sim.answer(ask as usize % phones, ask);
        assert!(sim.run_until(100.0, |sim| (0..5).all(|ask| answer(sim, ask).is_some())));
        for (ask, alone) in (0..5).zip(&alone) {
            let answer = stats(answer(&sim, ask).expect("an answer"));
            assert_eq!(answer.tokens, alone.tokens, "ask {ask}, {phones} phones");
            assert_eq!(answer.logprobs, alone.logprobs, "ask {ask}, {phones} phones");
        }
        assert!(largest_batch(&sim) > 1, "{phones} phones: nothing was run together");
    }
}

fn room(model: &Rc<RealModel>, phones: usize) -> Sim {
    room_for(model, phones, 1)
}

fn room_for(model: &Rc<RealModel>, phones: usize, expected_requests: u16) -> Sim {
    let factor = 1.5 * f64::from(expected_requests);
    let pledge = Pledge::Share { factor, phones: phones as u32 };
    let config = SimConfig {
        phones: NAMES[..phones].iter().map(|name| PhoneSpec::new(name, pledge)).collect(),
        link: WIFI,
        model: model.spec(),
        limits: RoomLimits { chunk_tokens: 16, expected_requests, ..RoomLimits::default() },
    };
    let model = model.clone();
    Sim::new(config, move || Box::new(Phone::of(&model)))
}
