//! Rooms around real classifiers: whatever the cuts, labels and log probabilities are those of transformers.

mod common;
#[path = "common/real.rs"]
mod real;

use std::rc::Rc;

use base::Message;
use common::{GREEDY, cuts::cut_at, stats};
use protocol::peer::{AskOptions, Finish, Pledge, Sampling, TokenLogprobs};
use real::{Phone, RealModel, gpu};
use session::Command;
use sim::{PhoneSpec, Sim};
use testkit::{Classified, classifiers};

const TOLERANCE: f32 = 1e-4;
/// `embed`, 2 modules for each of 2 layers, `head`.
const MODULES: usize = 6;
/// All that a classifier does not heed.
const PLAYFUL: Sampling = Sampling {
    temperature: 1.5,
    repetition_penalty: 1.3,
    max_tokens: 0,
    logprobs: Some(1),
    seed: 5,
    ..GREEDY
};

fn room(model: &Rc<RealModel>, cuts: &[usize], closes: bool) -> Sim {
    let (config, model) = (cut_at(model.spec(), cuts, closes), model.clone());
    let mut sim = Sim::new(config, move || Box::new(Phone::of(&model)));
    assert!(sim.make_ready(), "{:?}", sim.view(0).error);
    sim
}

#[test]
fn rooms_of_one_to_three_give_the_labels_of_transformers() {
    let gpu = gpu();
    for classifier in classifiers() {
        let Some(bytes) = classifier.gguf() else { continue };
        let model = Rc::new(RealModel::open(bytes, gpu.clone()));
        assert_eq!(model.spec().modules.len(), MODULES);
        let mut given = Vec::new();
        let open = [vec![], vec![1], vec![3], vec![5], vec![2, 4], vec![1, 5]];
        let open = open.into_iter().map(|cuts| (cuts, false));
        for (cuts, closes) in open.chain([(vec![2, 4], true)]) {
            let mut sim = room(&model, &cuts, closes);
            let labels = sim.view(0).model.expect("it is set").labels;
            assert_eq!(labels, classifier.labels);
            let asker = sim.phones() - 1;
            let mut logprobs = Vec::new();
            for (ask, case) in (1..).zip(&classifier.texts) {
                let answer = stats(sim.ask(asker, ask, &case.text, PLAYFUL));
                assert_eq!(sim.text(asker, ask), labels[case.label()], "{cuts:?}");
                assert_eq!(answer.prompt_tokens as usize, case.ids.len());
                assert_eq!(
                    (answer.tokens, answer.finish),
                    (vec![case.label() as u32], Finish::Eos)
                );
                check(&answer.logprobs, case);
                logprobs.push(answer.logprobs);
            }
            given.push(logprobs);
            assert_eq!(given.last(), given.first(), "{cuts:?}");
        }
    }
}

/// One draw, with every label.
fn check(logprobs: &[TokenLogprobs], case: &Classified) {
    let expected = case.logprobs();
    let [TokenLogprobs { chosen, alternatives }] = logprobs else { panic!("{logprobs:?}") };
    assert_eq!(alternatives.len(), expected.len());
    assert_eq!(alternatives[0].token as usize, case.label());
    assert_eq!(alternatives[0].logprob, *chosen);
    for alternative in alternatives {
        let error = (alternative.logprob - expected[alternative.token as usize]).abs();
        assert!(error < TOLERANCE, "{alternative:?}: {error}");
    }
}

#[test]
fn several_texts_at_once_and_a_lost_phone_change_no_label() {
    let gpu = gpu();
    let classifier = classifiers().swap_remove(0);
    let bytes = classifier.gguf().expect("it is a file, too");
    let model = Rc::new(RealModel::open(bytes, gpu.clone()));
    let mut sim = room(&model, &[2, 4], false);
    for (ask, case) in (1..).zip(&classifier.texts) {
        let options = AskOptions { stop: vec!["a".into()], ..GREEDY.into() };
        let messages = vec![Message::user(case.text.clone())];
        sim.command(ask as usize % 2, Command::Ask { ask, messages, options });
    }
    sim.run_for(0.02);
    sim.kill(2);
    sim.join(PhoneSpec::new("Zoe", Pledge::Bytes(1 << 30)));
    let count = classifier.texts.len() as u32;
    let is_over = |sim: &Sim| (1..=count).all(|ask| sim.answer(ask as usize % 2, ask).is_some());
    assert!(sim.run_until(100.0, is_over), "{:?}", sim.view(0));
    for (ask, case) in (1..).zip(&classifier.texts) {
        let answer = stats(sim.answer(ask as usize % 2, ask).expect("ended"));
        assert_eq!(sim.text(ask as usize % 2, ask), classifier.labels[case.label()]);
        check(&answer.logprobs, case);
    }
}
