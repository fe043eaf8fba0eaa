//! Rooms around a real encoder-decoder: whatever the cuts, the tokens are those of transformers.

mod common;
#[path = "common/real.rs"]
mod real;

use std::rc::Rc;

use base::Message;
use common::{
    GREEDY,
    cuts::{cut_at, cuts_of, readers, sent},
    stats,
};
use protocol::peer::{Pledge, Sampling};
use real::{Phone, RealModel, gpu};
use session::Command;
use sim::{PhoneSpec, Sim};

/// `embed`, 2 modules for each of 3 layers, `decoder_embed`, 3 modules for each of 2 layers, `head`.
const MODULES: usize = 15;
const PLAYFUL: Sampling = Sampling {
    temperature: 1.2,
    top_k: 60,
    repetition_penalty: 1.3,
    seed: 11,
    logprobs: Some(3),
    ..GREEDY
};

fn room(model: &Rc<RealModel>, cuts: &[usize], closes: bool) -> Sim {
    let (config, model) = (cut_at(model.spec(), cuts, closes), model.clone());
    let mut sim = Sim::new(config, move || Box::new(Phone::of(&model)));
    assert!(sim.make_ready(), "{:?}", sim.view(0).error);
    assert_eq!(cuts_of(&sim), cuts);
    sim
}

#[test]
fn rooms_of_two_give_the_golden_tokens_at_every_cut() {
    let golden = testkit::golden("t5-q8_0");
    let gpu = gpu();
    let model = Rc::new(RealModel::open(golden.gguf, gpu.clone()));
    for cut in 1..MODULES {
        let mut sim = room(&model, &[cut], false);
        let answer = stats(sim.ask(1, 1, &golden.long.text, GREEDY));
        assert_eq!(answer.prompt_tokens as usize, golden.long.ids.len());
        let expected = &golden.long.tokens[..GREEDY.max_tokens as usize];
        assert_eq!(answer.tokens, expected, "cut before {cut}");
        assert_eq!(sent(&sim, "Residual"), readers(&sim), "cut before {cut}");
    }
}

#[test]
fn rooms_of_three_give_them_too() {
    let golden = testkit::golden("flan-t5-q8_0");
    let gpu = gpu();
    let model = Rc::new(RealModel::open(golden.gguf, gpu.clone()));
    let expected = &golden.long.tokens[..GREEDY.max_tokens as usize];
    let mut drawn = Vec::new();
    let open = [vec![3, 9], vec![5, 7], vec![7, 11], vec![8, 10], vec![2, 13]];
    let open = open.into_iter().map(|cuts| (cuts, false));
    for (cuts, closes) in open.chain([(vec![4, 8, 11], true), (vec![7, 9, 12], true)]) {
        let mut sim = room(&model, &cuts, closes);
        let answer = stats(sim.ask(0, 1, &golden.long.text, GREEDY));
        assert_eq!(answer.tokens, expected, "{cuts:?}");
        assert_eq!(sent(&sim, "Residual"), readers(&sim), "{cuts:?}");
        let playful = stats(sim.ask(0, 2, &golden.long.text, PLAYFUL));
        drawn.push((playful.tokens, playful.logprobs));
        assert_eq!(drawn.last(), drawn.first(), "{cuts:?}");
    }
}

#[test]
fn an_answer_goes_on_without_a_phone_and_with_a_new_one() {
    let golden = testkit::golden("t5-q8_0");
    let gpu = gpu();
    let model = Rc::new(RealModel::open(golden.gguf, gpu.clone()));
    let expected = &golden.long.tokens[..GREEDY.max_tokens as usize];
    for (cuts, lost) in [([3, 9], 1), ([7, 11], 2), ([5, 8], 1)] {
        let mut sim = room(&model, &cuts, false);
        let messages = vec![Message::user(golden.long.text.clone())];
        sim.command(0, Command::Ask { ask: 1, messages, options: GREEDY.into() });
        sim.run_until(60.0, |sim| sim.text(0, 1).len() > 10);
        sim.kill(lost);
        sim.join(PhoneSpec::new("Zoe", Pledge::Bytes(1 << 30)));
        assert!(sim.run_until(100.0, |sim| sim.answer(0, 1).is_some()), "{:?}", sim.view(0));
        let answer = stats(sim.answer(0, 1).expect("ended"));
        assert_eq!(answer.tokens, expected, "{cuts:?} without {lost}");
    }
}
