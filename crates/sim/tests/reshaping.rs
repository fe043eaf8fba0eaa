//! Where moving the cuts within what phones hold is not enough: they load more beside the answer, a phone that costs
//! more than it does is left out, and it comes back.

mod common;

use base::Message;
use common::{GREEDY, NAMES, alone, config, draws, frames, sim, stats};
use protocol::peer::{Phase, Pledge, Sampling};
use session::{Assignment, Command, LinkView};
use sim::{PhoneSpec, Sim, toy};
use transport::memory::Conditions;

const LONG: Sampling = Sampling { max_tokens: 180, ..GREEDY };
const PROMPT: usize = 20;

/// Three phones of one speed with equal parts; each lends so many times a third of the model.
fn equal_parts(factor: f64) -> Sim {
    begun(factor, Assignment::Equal)
}

fn begun(factor: f64, assignment: Assignment) -> Sim {
    let mut config = config(3);
    config.limits.balances = true;
    config.limits.slots = 1;
    let pledge = Pledge::Share { factor, phones: 3 };
    let phone = |name: &&str| PhoneSpec { flops_per_sec: 3e8, ..PhoneSpec::new(name, pledge) };
    config.phones = NAMES[..3].iter().map(phone).collect();
    let mut sim = sim(config);
    sim.gather();
    sim.command(0, Command::Begin(assignment));
    assert!(sim.run_until(200.0, |sim| sim.is_phase(Phase::Ready)));
    sim
}

fn ask(sim: &mut Sim, number: u32) {
    let messages = vec![Message::user(toy::prompt(PROMPT))];
    sim.command(0, Command::Ask { ask: number, messages, options: LONG.into() });
}

/// Until the answer is there, with the tokens of an undisturbed one.
fn answer(sim: &mut Sim, number: u32) {
    assert!(sim.run_until(300.0, |sim| sim.answer(0, number).is_some()), "{:?}", sim.view(0));
    let answer = stats(sim.answer(0, number).expect("it has ended"));
    assert_eq!(answer.tokens, alone(&toy::prompt(PROMPT), LONG).tokens);
}

/// Equal parts, of which one phone becomes so many times as slow in the middle of an answer, until that is there.
fn slowed(factor: f64, phone: usize, times: f64) -> Sim {
    let mut sim = equal_parts(factor);
    ask(&mut sim, 1);
    sim.run_for(2.0);
    sim.slow_down(phone, times);
    answer(&mut sim, 1);
    sim
}

/// How many modules a phone runs.
fn part(sim: &Sim, phone: usize) -> usize {
    let plan = sim.view(0).plan.expect("a plan");
    let own = plan.stages.iter().filter(|stage| stage.peer.0 as usize == phone + 1);
    own.map(|stage| stage.end - stage.start).sum()
}

#[test]
fn weights_come_beside_the_answer_where_copies_are_not_enough() {
    // The others have room for the first phone's part, but the last phone's copies are the second's modules.
    let sim = slowed(1.4, 0, 6.0);
    assert!(frames(&sim, "LoadCopies") > 0);
    assert_eq!(frames(&sim, "LoadCopies"), frames(&sim, "CopiesLoaded"));
    assert_eq!(part(&sim, 0), 1);
    let plan = sim.view(0).plan.expect("a plan");
    assert!(plan.pause_secs.is_some_and(|secs| secs < 0.5), "{plan:?}");
    // Every token and the chunk that brings the prompt, once through the first link: no history was run again.
    let steps = sim.trace().iter().filter(|line| line.contains("00000001 -> 00000002 Activations"));
    assert!(steps.count() <= LONG.max_tokens as usize + 1);
}

#[test]
fn where_nothing_can_be_loaded_the_answer_goes_on_as_it_was() {
    let mut sim = equal_parts(1.4);
    (0..3).for_each(|phone| sim.fill_up(phone));
    ask(&mut sim, 1);
    sim.run_for(2.0);
    sim.slow_down(0, 6.0);
    answer(&mut sim, 1);
    assert!(part(&sim, 0) > 1);
    // It is not asked again and again.
    assert!((1..3).contains(&frames(&sim, "LoadCopies")), "{}", frames(&sim, "LoadCopies"));
}

#[test]
fn a_phone_that_costs_more_than_it_does_is_left_out_and_comes_back() {
    let mut sim = slowed(1.7, 1, 8.0);
    assert_eq!(part(&sim, 1), 0);
    let plan = sim.view(0).plan.expect("a plan");
    assert!(plan.cause.is_some_and(|cause| cause.starts_with("Ben takes")));
    sim.slow_down(1, 0.04);
    for number in 2..6 {
        ask(&mut sim, number);
        answer(&mut sim, number);
    }
    assert!(part(&sim, 1) > 0);
}

/// Phones slow down, recover and are lost at any moment, also while they load.
#[test]
fn answers_are_right_whatever_happens_meanwhile() {
    let mut loads = 0;
    for seed in 0..60_u64 {
        let mut next = draws(seed);
        let mut sim = equal_parts(1.35 + next(2) as f64 * 0.05);
        ask(&mut sim, 1);
        sim.run_for(1.0 + next(10) as f64 / 10.0);
        sim.slow_down(0, 6.0);
        sim.run_for(next(25) as f64 / 10.0);
        let mut factors = [6.0, 1.0, 1.0];
        for _ in 0..2 {
            let (phone, factor) = (next(3) as usize, [0.5, 3.0, 6.0][next(3) as usize]);
            sim.slow_down(phone, factor / factors[phone]);
            factors[phone] = factor;
            sim.run_for(next(20) as f64 / 10.0);
        }
        if next(3) == 0 {
            sim.freeze(1);
            sim.run_for(5.0);
            sim.thaw(1);
        }
        answer(&mut sim, 1);
        loads += frames(&sim, "LoadCopies");
    }
    assert!(loads > 20, "{loads}");
}

#[test]
fn a_phone_behind_a_slow_link_is_left_out() {
    let mut sim = equal_parts(1.7);
    ask(&mut sim, 1);
    sim.run_for(4.0);
    // Between the other two nothing changes.
    for (from, to) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
        let slow = Conditions { latency_secs: 0.12, bytes_per_sec: 1e7, cut_after_bytes: None };
        sim.set_link(from, to, slow);
    }
    answer(&mut sim, 1);
    let plan = sim.view(0).plan.expect("a plan");
    assert_eq!(part(&sim, 1), 0, "{plan:?}");
    let cause = plan.cause.expect("it has changed");
    assert!(cause.starts_with("From ") && cause.contains(" takes "), "{cause}");
    let drift = |sim: &Sim| {
        let is_it = |link: &&LinkView| (link.from.0, link.to.0) == (1, 2);
        sim.view(0).links.iter().find(is_it).map_or(0.0, |link| link.rtt_drift)
    };
    assert!(drift(&sim) > 5.0, "{}", drift(&sim));
    sim.run_for(80.0);
    assert!((drift(&sim) - 1.0).abs() < 0.01, "it may be another link by now: {}", drift(&sim));
}

#[test]
fn a_phone_without_a_part_loads_its_part_before_it_takes_over() {
    // Two phones are faster than three.
    let mut sim = begun(1.7, Assignment::Best);
    let idle = (1..3).find(|&phone| part(&sim, phone) == 0).expect("one is idle");
    ask(&mut sim, 1);
    sim.run_for(2.0);
    sim.slow_down(3 - idle, 6.0);
    answer(&mut sim, 1);
    assert!(part(&sim, idle) > 0);
    assert_eq!(part(&sim, 3 - idle), 0);
    assert_eq!((frames(&sim, "LoadCopies"), frames(&sim, "CopiesLoaded")), (1, 1));
    let plan = sim.view(0).plan.expect("a plan");
    assert!(plan.pause_secs.is_some_and(|secs| secs < 0.5), "{plan:?}");
}

#[test]
fn a_phone_is_left_out_that_first_lost_most_of_its_part() {
    let sim = slowed(2.2, 1, 3.0);
    let plan = sim.view(0).plan.expect("a plan");
    assert_eq!(part(&sim, 1), 0, "{plan:?}");
}
