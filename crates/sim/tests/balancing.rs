//! Phones become slower and faster while they answer, and the cuts follow, but not at every noise.

mod common;

use base::Message;
use common::{GREEDY, NAMES, alone, config, draws, frames, largest_batch, sim, stats};
use protocol::peer::{Pledge, Sampling};
use session::{Assignment, Command};
use sim::{PhoneSpec, Sim, SimConfig, toy};

const LONG: Sampling = Sampling { max_tokens: 180, ..GREEDY };
const PROMPT: usize = 20;
const REQUESTS: u32 = 4;

/// Phones of one speed with equal parts of the model, and room for as much again.
fn equal_parts(phones: usize, balances: bool) -> Sim {
    let mut config = config(phones);
    config.limits.balances = balances;
    // The memory is for copies.
    config.limits.slots = 1;
    let pledge = Pledge::Share { factor: 2.2, phones: phones as u32 };
    config.phones = NAMES[..phones].iter().map(|name| slow(name, pledge)).collect();
    begin_equal(config)
}

/// Its steps take long enough to outweigh links.
fn slow(name: &str, pledge: Pledge) -> PhoneSpec {
    PhoneSpec { flops_per_sec: 3e8, ..PhoneSpec::new(name, pledge) }
}

fn begin_equal(config: SimConfig) -> Sim {
    let mut sim = sim(config);
    begin_equally(&mut sim);
    sim
}

fn begin_equally(sim: &mut Sim) {
    sim.gather();
    sim.command(0, Command::Begin(Assignment::Equal));
    assert!(sim.run_until(200.0, |sim| sim.is_phase(protocol::peer::Phase::Ready)));
}

fn ask(sim: &mut Sim, number: u32) {
    let messages = vec![Message::user(toy::prompt(PROMPT))];
    sim.command(0, Command::Ask { ask: number, messages, options: LONG.into() });
}

/// Seconds until the answer is there, with the tokens of an undisturbed one.
fn answer_secs(sim: &mut Sim, number: u32) -> f64 {
    let since_secs = sim.now_secs();
    assert!(sim.run_until(300.0, |sim| sim.answer(0, number).is_some()), "{:?}", sim.view(0));
    let answer = stats(sim.answer(0, number).expect("it has ended"));
    assert_eq!(answer.tokens, alone(&toy::prompt(PROMPT), LONG).tokens);
    sim.now_secs() - since_secs
}

fn plans(sim: &Sim) -> usize {
    let sent = sim.trace().iter().filter(|line| line.contains(" 00000001 -> 00000002 RollOut"));
    sent.count()
}

#[test]
fn what_a_slow_phone_does_moves_to_its_neighbours() {
    for (slow, name) in NAMES.into_iter().enumerate().take(2) {
        let secs = [false, true].map(|balances| {
            let mut sim = equal_parts(3, balances);
            ask(&mut sim, 1);
            sim.run_for(2.0);
            sim.slow_down(slow, 4.0);
            let secs = answer_secs(&mut sim, 1);
            let plan = sim.view(0).plan.expect("a plan");
            assert_eq!(plan.cause.is_some(), balances, "{slow} {plan:?}");
            if let Some(cause) = &plan.cause {
                assert!(cause.starts_with(name), "{cause}");
                assert!(plan.pause_secs.is_some_and(|secs| secs < 2.0), "{plan:?}");
            }
            secs
        });
        assert!(secs[0] / secs[1] > 1.2, "{secs:?}");
    }
}

#[test]
fn caches_move_with_their_modules() {
    let mut sim = equal_parts(3, true);
    ask(&mut sim, 1);
    sim.run_for(4.0);
    sim.slow_down(1, 4.0);
    answer_secs(&mut sim, 1);
    assert!(plans(&sim) > 1);
    assert_eq!(frames(&sim, "CacheAsk"), frames(&sim, "CacheRows"));
    assert!(frames(&sim, "CacheRows") > 0);
    // A step for every token, and one for the chunk that brings the prompt: no history is run again.
    let steps = frames(&sim, "Activations") / 2;
    let tokens = alone(&toy::prompt(PROMPT), LONG).tokens.len();
    assert!(steps <= tokens + 1, "{steps} steps for {tokens} tokens");
}

#[test]
fn a_history_is_run_again_where_its_caches_do_not_come() {
    let mut sim = equal_parts(3, true);
    ask(&mut sim, 1);
    sim.run_for(4.0);
    (0..3).for_each(|phone| sim.lock_caches(phone));
    sim.slow_down(1, 4.0);
    answer_secs(&mut sim, 1);
    // Nobody waits for what does not come: it is said that there is nothing.
    assert!(frames(&sim, "CacheAsk") > 0);
    let plan = sim.view(0).plan.expect("a plan");
    assert!(plan.pause_secs.is_some_and(|secs| secs < 1.5), "{plan:?}");
}

#[test]
fn a_history_is_run_again_where_its_caches_cannot_be_written() {
    let mut sim = equal_parts(3, true);
    let slowed = sim.view(0).plan.expect("a plan").stages[1].peer.0 as usize - 1;
    ask(&mut sim, 1);
    sim.run_for(4.0);
    // Those that take over; what is given away comes from the phone that becomes slow.
    (0..3).filter(|&phone| phone != slowed).for_each(|phone| sim.lock_caches(phone));
    sim.slow_down(slowed, 4.0);
    answer_secs(&mut sim, 1);
    assert!(plans(&sim) > 1);
    assert!(frames(&sim, "CacheRows") > 0);
}

#[test]
fn a_phone_that_recovers_gets_its_part_again() {
    let mut sim = equal_parts(3, true);
    ask(&mut sim, 1);
    sim.run_for(2.0);
    sim.slow_down(1, 4.0);
    answer_secs(&mut sim, 1);
    let part = |sim: &Sim| sim.view(0).plan.expect("a plan").stages[1].clone();
    let small = part(&sim);
    sim.slow_down(1, 0.08);
    ask(&mut sim, 2);
    answer_secs(&mut sim, 2);
    let large = part(&sim);
    assert!(large.end - large.start > small.end - small.start, "{small:?} {large:?}");
}

/// Phones with equal parts and as many requests at once; each row after the first of a pass takes so much of the first.
fn with_several_requests(balances: bool, further_row: f64) -> Sim {
    let mut config = config(3);
    config.limits.balances = balances;
    let pledge = Pledge::Share { factor: 3.6, phones: 3 };
    config.phones = NAMES[..3].iter().map(|name| slow(name, pledge)).collect();
    let mut sim = Sim::new(config, move || Box::new(toy::ToyModel::with_further_row(further_row)));
    begin_equally(&mut sim);
    (1..=REQUESTS).for_each(|number| ask(&mut sim, number));
    sim
}

#[test]
fn what_a_slow_phone_does_moves_while_several_requests_are_in_flight() {
    for further_row in [0.05, 0.4, 1.0] {
        let secs = [false, true].map(|balances| {
            let mut sim = with_several_requests(balances, further_row);
            sim.run_for(2.0);
            sim.slow_down(1, 4.0);
            let since_secs = sim.now_secs();
            for number in 1..=REQUESTS {
                answer_secs(&mut sim, number);
            }
            assert!(largest_batch(&sim) > 1);
            assert_eq!(sim.view(0).plan.expect("a plan").cause.is_some(), balances);
            sim.now_secs() - since_secs
        });
        assert!(secs[0] / secs[1] > 1.2, "{further_row}: {secs:?}");
    }
}

#[test]
fn steady_phones_are_left_alone_with_several_requests_too() {
    for (seed, further_row) in (0..12).zip([0.05, 0.4, 1.0].into_iter().cycle()) {
        let mut sim = with_several_requests(true, further_row);
        sim.vary(seed, 0.2);
        for number in 1..=REQUESTS {
            answer_secs(&mut sim, number);
        }
        assert_eq!(plans(&sim), 1, "seed {seed}: {:?}", sim.view(0).plan);
    }
}

#[test]
fn steady_phones_are_left_alone() {
    let mut sim = equal_parts(3, true);
    for number in 1..4 {
        ask(&mut sim, number);
        answer_secs(&mut sim, number);
    }
    assert_eq!(plans(&sim), 1);
}

/// Steps and messages take up to so much longer or shorter, each by chance.
#[test]
fn noisy_phones_are_left_alone() {
    for seed in 0..20 {
        let mut sim = equal_parts(3, true);
        sim.vary(seed, 0.2);
        for number in 1..4 {
            ask(&mut sim, number);
            answer_secs(&mut sim, number);
        }
        assert_eq!(plans(&sim), 1, "seed {seed}: {:?}", sim.view(0).plan);
    }
}

/// Speeds wander at random; there are never more switches than there were reasons.
#[test]
fn cuts_do_not_oscillate() {
    for seed in 0..60_u64 {
        let mut next = draws(seed);
        let phones = 2 + next(3) as usize;
        let mut sim = equal_parts(phones, true);
        let (mut factors, mut changes) = (vec![1.0; phones], 0);
        for number in 1..4 {
            ask(&mut sim, number);
            for _ in 0..4 {
                let (phone, noise) = (next(phones as u64) as usize, next(2) == 0);
                // A little noise is none of them.
                let factor =
                    if noise { 0.97 + next(7) as f64 / 100.0 } else { 1.0 + next(4) as f64 };
                sim.slow_down(phone, factor / factors[phone]);
                changes += usize::from(!noise || (factors[phone] - 1.0_f64).abs() > 0.1);
                factors[phone] = factor;
                sim.run_for(1.5);
            }
            answer_secs(&mut sim, number);
        }
        assert!(plans(&sim) - 1 <= changes, "seed {seed}: {} for {changes}", plans(&sim) - 1);
    }
}
