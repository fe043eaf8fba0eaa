//! Phones are lost in the middle of answers, and the answers go on as if nothing had been.

mod common;

use base::Message;
use common::{GREEDY, alone, config, failure, ready_with, ring, stats};
use protocol::peer::{AskOptions, AwayReason, Phase, Pledge, Sampling};
use session::{Assignment, Command};
use sim::{PhoneSpec, Sim, SimConfig, toy};

const LONG: Sampling = Sampling { max_tokens: 150, ..GREEDY };
/// Everything that a step of drawing depends on.
const DRAWN: Sampling = Sampling {
    temperature: 0.9,
    repetition_penalty: 1.2,
    seed: 5,
    max_tokens: 150,
    logprobs: Some(2),
    ..GREEDY
};

/// A slow phone that has room for the model, and two fast ones that have room for less than half of it. They
/// fetch so slowly that loading shows.
fn unequal() -> SimConfig {
    let mut config = config(3);
    let pledge = |factor| Pledge::Share { factor, phones: 1 };
    let phones = [(5e8, 1.2), (1e9, 0.45), (1e9, 0.45)];
    for (phone, (flops_per_sec, factor)) in config.phones.iter_mut().zip(phones) {
        (phone.flops_per_sec, phone.pledge) = (flops_per_sec, pledge(factor));
        phone.fetch_bytes_per_sec = 1e6;
    }
    config
}

fn ask(sim: &mut Sim, phone: usize, number: u32, prompt: usize, options: impl Into<AskOptions>) {
    let (messages, options) = (vec![Message::user(toy::prompt(prompt))], options.into());
    sim.command(phone, Command::Ask { ask: number, messages, options });
}

/// Waits for the end of an answer; gives the longest time without a piece of it.
fn longest_gap_secs(sim: &mut Sim, phone: usize, number: u32) -> f64 {
    let (mut longest_secs, mut since_secs, mut length) = (0.0_f64, sim.now_secs(), 0);
    while sim.answer(phone, number).is_none() {
        sim.run_for(0.01);
        if sim.text(phone, number).len() > length {
            longest_secs = longest_secs.max(sim.now_secs() - since_secs);
            (since_secs, length) = (sim.now_secs(), sim.text(phone, number).len());
        }
        assert!(sim.now_secs() - since_secs < 60.0, "{:?}", sim.view(0));
    }
    longest_secs
}

fn is_undisturbed(sim: &Sim, phone: usize, number: u32, prompt: usize, options: Sampling) {
    let answer = stats(sim.answer(phone, number).expect("it has ended"));
    let expected = alone(&toy::prompt(prompt), options);
    assert_eq!(answer.tokens, expected.tokens);
    assert_eq!(answer.logprobs, expected.logprobs);
    assert_eq!(answer.prompt_tokens, expected.prompt_tokens);
}

#[test]
fn where_copies_are_held_nothing_is_loaded_and_the_gap_is_short() {
    for options in [LONG, DRAWN] {
        let mut sim = ready_with(unequal());
        let [_, second, _] = ring(&sim)[..] else { panic!("{:?}", sim.view(0).plan) };
        ask(&mut sim, 0, 1, 5, options);
        sim.run_for(0.3);
        sim.freeze(second);
        assert!(longest_gap_secs(&mut sim, 0, 1) < 2.0);
        is_undisturbed(&sim, 0, 1, 5, options);
        let plan = sim.view(0).plan.expect("a plan");
        assert_eq!(plan.stages.len(), 2);
        assert!(plan.cause.expect("why").contains("does not answer"));
    }
}

#[test]
fn where_none_are_held_they_are_loaded() {
    let mut sim = ready_with(unequal());
    let [_, _, last] = ring(&sim)[..] else { panic!("{:?}", sim.view(0).plan) };
    ask(&mut sim, 0, 1, 5, DRAWN);
    sim.run_for(0.3);
    sim.kill(last);
    assert!(longest_gap_secs(&mut sim, 0, 1) < 20.0);
    is_undisturbed(&sim, 0, 1, 5, DRAWN);
}

#[test]
fn a_phone_that_was_frozen_takes_part_again() {
    let mut sim = ready_with(unequal());
    let [_, second, _] = ring(&sim)[..] else { panic!("{:?}", sim.view(0).plan) };
    ask(&mut sim, 0, 1, 5, LONG);
    sim.run_for(0.3);
    sim.freeze(second);
    sim.run_for(3.0);
    sim.thaw(second);
    longest_gap_secs(&mut sim, 0, 1);
    is_undisturbed(&sim, 0, 1, 5, LONG);
    sim.command(0, Command::Begin(Assignment::Best));
    assert!(sim.run_until(60.0, |sim| sim.is_phase(Phase::Ready)));
    assert_eq!(ring(&sim).len(), 3);
    ask(&mut sim, second, 2, 10, LONG);
    longest_gap_secs(&mut sim, second, 2);
    is_undisturbed(&sim, second, 2, 10, LONG);
}

/// Nobody asks anything, and the room is at work again all the same.
#[test]
fn a_phone_that_is_lost_while_it_gets_its_part_back_is_gone_on_without() {
    let mut sim = ready_with(unequal());
    let [_, second, _] = ring(&sim)[..] else { panic!("{:?}", sim.view(0).plan) };
    ask(&mut sim, 0, 1, 5, LONG);
    sim.run_for(0.3);
    sim.freeze(second);
    longest_gap_secs(&mut sim, 0, 1);
    sim.thaw(second);
    assert!(sim.run_until(60.0, |sim| sim.view(0).phase == Phase::Loading), "{:?}", sim.view(0));
    sim.command(second, Command::Leave);
    assert!(sim.run_until(60.0, |sim| sim.view(0).phase == Phase::Ready), "{:?}", sim.view(0));
    ask(&mut sim, 0, 2, 10, LONG);
    longest_gap_secs(&mut sim, 0, 2);
    is_undisturbed(&sim, 0, 2, 10, LONG);
}

/// What it had to do with is over.
#[test]
fn a_phone_that_leaves_after_its_link_broke_is_no_failure_of_a_room_that_goes_on() {
    let mut sim = ready_with(unequal());
    let [_, second, last] = ring(&sim)[..] else { panic!("{:?}", sim.view(0).plan) };
    ask(&mut sim, 0, 1, 5, LONG);
    sim.run_for(0.3);
    sim.cut(second, last);
    longest_gap_secs(&mut sim, 0, 1);
    let others = [second, last].into_iter().filter(|phone| !ring(&sim).contains(phone));
    for phone in others.collect::<Vec<_>>() {
        sim.command(phone, Command::Leave);
    }
    sim.run_for(1.0);
    let view = sim.view(0);
    assert_eq!((view.phase, view.error.is_none()), (Phase::Ready, true), "{view:?}");
}

/// It came in the midst of an answer, for which nobody measured it.
#[test]
fn a_phone_that_has_joined_takes_the_place_of_one_that_is_lost_later() {
    let mut room = config(2);
    let pledge = Pledge::Share { factor: 0.7, phones: 1 };
    room.phones.iter_mut().for_each(|phone| phone.pledge = pledge);
    let mut sim = ready_with(room);
    ask(&mut sim, 0, 1, 5, LONG);
    sim.run_for(0.1);
    sim.freeze(1);
    let joined = sim.join(PhoneSpec::new("Zoe", pledge));
    longest_gap_secs(&mut sim, 0, 1);
    is_undisturbed(&sim, 0, 1, 5, LONG);
    assert_eq!(ring(&sim), [0, joined]);
}

/// Beginning anew in the middle of answers, with another model or the same.
#[test]
fn a_new_beginning_does_not_end_an_answer_but_another_model_does() {
    let mut sim = ready_with(unequal());
    ask(&mut sim, 0, 1, 5, DRAWN);
    sim.run_for(0.3);
    sim.command(0, Command::Begin(Assignment::Equal));
    longest_gap_secs(&mut sim, 0, 1);
    is_undisturbed(&sim, 0, 1, 5, DRAWN);
    ask(&mut sim, 0, 2, 10, DRAWN);
    sim.run_for(0.3);
    let mut other = toy::spec(8);
    other.model.url = "/models/other.gguf".into();
    sim.command(0, Command::SetModel(other));
    assert_eq!(failure(sim.answer(0, 2).expect("it has ended")).0.name(), "busy");
}

#[test]
fn a_hidden_phone_hands_its_part_over_and_gets_it_back() {
    let mut sim = ready_with(unequal());
    let [_, second, _] = ring(&sim)[..] else { panic!("{:?}", sim.view(0).plan) };
    ask(&mut sim, 0, 1, 5, DRAWN);
    sim.run_for(0.3);
    sim.command(second, Command::Away(Some(AwayReason::Hidden)));
    assert!(longest_gap_secs(&mut sim, 0, 1) < 1.0);
    is_undisturbed(&sim, 0, 1, 5, DRAWN);
    let plan = sim.view(0).plan.expect("a plan");
    assert_eq!(plan.stages.len(), 2);
    assert!(plan.cause.expect("why").contains("is not in front"));
    sim.command(second, Command::Away(None));
    assert!(sim.run_until(60.0, |sim| ring(sim).len() == 3 && sim.is_phase(Phase::Ready)));
    ask(&mut sim, second, 2, 5, DRAWN);
    longest_gap_secs(&mut sim, second, 2);
    is_undisturbed(&sim, second, 2, 5, DRAWN);
}

/// Nobody else has room for what a phone runs: it still has to take part.
#[test]
fn a_hidden_phone_that_is_needed_goes_on() {
    let mut sim = ready_with(config(3));
    ask(&mut sim, 0, 1, 5, LONG);
    sim.run_for(0.3);
    sim.command(1, Command::Away(Some(AwayReason::LowBattery)));
    longest_gap_secs(&mut sim, 0, 1);
    is_undisturbed(&sim, 0, 1, 5, LONG);
    assert_eq!(ring(&sim).len(), 3);
}

/// In a quiet moment, and measured anew.
#[test]
fn a_phone_that_joins_in_place_of_a_lost_one_gets_a_part() {
    let mut sim = ready_with(unequal());
    let [_, second, _] = ring(&sim)[..] else { panic!("{:?}", sim.view(0).plan) };
    sim.kill(second);
    assert!(sim.run_until(60.0, |sim| ring(sim).len() == 2));
    let mut again = PhoneSpec::new("Ben again", Pledge::Share { factor: 0.45, phones: 1 });
    again.flops_per_sec = 1e9;
    let joined = sim.join(again);
    let has_part = |sim: &Sim| sim.view(joined).plan.is_some() && ring(sim).contains(&joined);
    let takes_part = |sim: &Sim| sim.is_phase(Phase::Ready) && has_part(sim);
    assert!(sim.run_until(60.0, takes_part), "{:?}", sim.view(0));
    ask(&mut sim, joined, 1, 5, LONG);
    longest_gap_secs(&mut sim, joined, 1);
    is_undisturbed(&sim, joined, 1, 5, LONG);
}

#[test]
fn a_link_that_is_back_is_used_again() {
    // All three are needed, and the two behind the header speak with each other.
    let mut sim = ready_with(config(3));
    let (second, third) = (ring(&sim)[1], ring(&sim)[2]);
    ask(&mut sim, 0, 1, 20, LONG);
    sim.run_for(0.5);
    assert!(sim.answer(0, 1).is_none());
    sim.cut(second, third);
    assert!(sim.run_until(20.0, |sim| sim.view(0).phase == Phase::Gathering));
    sim.run_for(1.0);
    sim.relink(second, third);
    assert!(sim.run_until(60.0, |sim| sim.answer(0, 1).is_some()), "{:?}", sim.view(0));
    is_undisturbed(&sim, 0, 1, 20, LONG);
}

#[test]
fn a_phone_that_is_silent_while_it_loads_is_not_waited_for() {
    for silent in 1..3 {
        let mut sim = ready_with(unequal());
        ask(&mut sim, 0, 1, 20, LONG);
        sim.run_for(0.5);
        assert!(sim.answer(0, 1).is_none());
        // The next plan is to be loaded, by the header and one of them.
        let lost = 3 - silent;
        sim.kill(lost);
        assert!(sim.run_until(20.0, |sim| sim.view(0).phase == Phase::Loading));
        sim.freeze(silent);
        let since_secs = sim.now_secs();
        assert!(sim.run_until(60.0, |sim| {
            let plan = sim.view(0).plan;
            plan.is_some_and(|plan| plan.stages.len() == 1)
        }));
        assert!(sim.now_secs() - since_secs < 9.0, "{}", sim.now_secs() - since_secs);
        assert!(sim.run_until(60.0, |sim| sim.answer(0, 1).is_some()));
        is_undisturbed(&sim, 0, 1, 20, LONG);
    }
}

#[test]
fn who_is_away_has_no_part_unless_it_must() {
    let mut sim = ready_with(unequal());
    sim.command(1, Command::Away(Some(AwayReason::LowBattery)));
    sim.command(0, Command::Begin(Assignment::Best));
    assert!(sim.run_until(90.0, |sim| sim.is_phase(Phase::Ready)));
    assert!(!ring(&sim).contains(&1), "{:?}", ring(&sim));
    // Its link is lost and made anew: it is still away.
    sim.cut(0, 1);
    sim.run_for(1.0);
    sim.relink(0, 1);
    sim.run_for(30.0);
    sim.command(0, Command::Begin(Assignment::Best));
    assert!(sim.run_until(90.0, |sim| sim.is_phase(Phase::Ready)));
    assert!(!ring(&sim).contains(&1), "{:?}", ring(&sim));
    let mut all_needed = ready_with(config(3));
    all_needed.command(1, Command::Away(Some(AwayReason::Hidden)));
    all_needed.command(0, Command::Begin(Assignment::Best));
    assert!(all_needed.run_until(90.0, |sim| sim.is_phase(Phase::Ready)));
    assert!(ring(&all_needed).contains(&1));
}

#[test]
fn a_header_that_is_loaded_anew_before_it_is_missed_goes_on_with_the_others() {
    let mut sim = ready_with(config(3));
    // Its browser was killed: nobody closes its links.
    sim.freeze(0);
    sim.run_for(1.0);
    let again = sim.reopen(PhoneSpec::new("Ada", Pledge::Share { factor: 1.3, phones: 3 }));
    // As a browser does where its session has closed a link.
    assert!(sim.run_until(6.0, |sim| (1..3).all(|phone| sim.view(phone).coordinator.is_empty())));
    (1..3).for_each(|phone| sim.relink(phone, again));
    let new = (again + 1).to_string();
    let follows = |sim: &Sim, phone: usize| sim.view(phone).coordinator.ends_with(&new);
    assert!(sim.run_until(6.0, |sim| (1..3).all(|phone| follows(sim, phone))));
    sim.command(again, Command::SetModel(toy::spec(8)));
    sim.command(again, Command::Begin(Assignment::Best));
    assert!(sim.run_until(90.0, |sim| (1..4).all(|phone| sim.view(phone).phase == Phase::Ready)));
}
