//! Several requests at once: what waits at a stage goes through it in one pass, nobody waits for long, and every
//! answer is the one its request would get alone.

mod common;

use std::{cell::RefCell, collections::BTreeMap};

use base::Message;
use common::{GREEDY, NAMES, alone, config, largest_batch, ready_with, stats};
use proptest::prelude::*;
use protocol::peer::{Finish, Pledge, Sampling};
use session::Command;
use sim::{Sim, SimConfig, toy};

const LONG: Sampling = Sampling { max_tokens: 50, ..GREEDY };

fn ask(sim: &mut Sim, phone: usize, ask: u32, text: &str, options: Sampling) {
    let messages = vec![Message::user(text)];
    sim.command(phone, Command::Ask { ask, messages, options: options.into() });
}

/// A room of so many phones for so many requests at once.
fn room(phones: usize, slots: u16) -> SimConfig {
    let mut config = config(phones);
    config.limits.slots = slots;
    config
}

/// When a phone was told a text of one of its asks.
fn text_secs(sim: &Sim, phone: usize, ask: u32) -> Vec<f64> {
    let told = format!(" {} Text {{ ask: {ask},", sim.view(phone).me);
    let lines = sim.trace().iter().filter(|line| line.contains(&told));
    lines.map(|line| line.split(' ').next().expect("a time").parse().expect("seconds")).collect()
}

fn longest_gap_secs(secs: &[f64]) -> f64 {
    secs.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
}

#[test]
fn requests_at_once_from_all_phones_have_the_tokens_they_would_have_alone() {
    let playful = Sampling { temperature: 0.9, repetition_penalty: 1.2, logprobs: Some(2), ..LONG };
    for phones in 1..=4 {
        let mut sim = ready_with(room(phones, 6));
        let asks: Vec<(usize, u32, String, Sampling)> = (0..12)
            .map(|number| {
                let prompt = toy::prompt([1, 5, 33, 100][number as usize % 4] + number as usize);
                let options = if number % 3 == 0 { playful } else { LONG };
                (number as usize % phones, number, prompt, options)
            })
            .collect();
        for (phone, number, prompt, options) in &asks {
            ask(&mut sim, *phone, *number, prompt, *options);
        }
        let answered = |sim: &Sim| asks.iter().all(|ask| sim.answer(ask.0, ask.1).is_some());
        assert!(sim.run_until(300.0, answered));
        for (phone, number, prompt, options) in asks {
            let answer = stats(sim.answer(phone, number).expect("an answer"));
            let expected = alone(&prompt, options);
            assert_eq!(answer.tokens, expected.tokens, "{phones} phones, ask {number}");
            assert_eq!(answer.logprobs, expected.logprobs);
        }
        assert!(largest_batch(&sim) > 1, "{phones} phones: nothing was run together");
    }
}

#[test]
fn long_prompts_do_not_stall_an_answer() {
    let mut sim = ready_with(room(3, 4));
    ask(&mut sim, 1, 1, "hi", Sampling { max_tokens: 100, ..GREEDY });
    sim.run_for(0.5);
    for number in 2..5 {
        ask(&mut sim, 0, number, &toy::prompt(200), GREEDY);
    }
    let done =
        |sim: &Sim| sim.answer(1, 1).is_some() && (2..5).all(|ask| sim.answer(0, ask).is_some());
    assert!(sim.run_until(100.0, done));
    // At each phone the pass that runs and the answer's own, each of a chunk of 32 rows and three more; and the hops.
    let pass_secs = (1.0 + 0.2 * 34.0) * 0.018 + 3.0 * 0.001;
    let gap = longest_gap_secs(&text_secs(&sim, 1, 1));
    assert!(gap < 2.0 * pass_secs + 0.05, "{gap} s without a token");
    assert!(gap > 0.1, "{gap} s: the prompts came in between");
}

#[test]
fn prompts_take_turns() {
    let mut sim = ready_with(room(2, 4));
    for number in 0..3 {
        ask(&mut sim, 0, number, &toy::prompt(250), Sampling { max_tokens: 2, ..GREEDY });
    }
    ask(&mut sim, 1, 9, &toy::prompt(30), Sampling { max_tokens: 2, ..GREEDY });
    assert!(sim.run_until(100.0, |sim| sim.answer(1, 9).is_some()));
    let first = stats(sim.answer(1, 9).expect("an answer")).ttft_secs;
    assert!(sim.run_until(100.0, |sim| (0..3).all(|ask| sim.answer(0, ask).is_some())));
    let ttft = |ask| stats(sim.answer(0, ask).expect("an answer")).ttft_secs;
    let long: Vec<f64> = (0..3).map(ttft).collect();
    assert!(
        first < 0.4 * long[0],
        "a short prompt waits for a chunk of each other: {first} {long:?}"
    );
    assert!(long[2] < 1.3 * long[0], "they get on together: {long:?}");
}

#[test]
fn all_requests_wait_where_a_device_hangs() {
    let mut sim = ready_with(room(3, 4));
    for number in 0..4 {
        ask(&mut sim, 0, number, &toy::prompt(50), LONG);
    }
    sim.run_for(1.0);
    sim.hang_device(1);
    assert!(sim.run_until(40.0, |sim| sim.view(0).error.is_some()));
    let error = sim.view(0).error.expect("an error");
    assert!(error.code == "too_slow" && error.message.starts_with(NAMES[1]), "{error:?}");
    // All of them wait for one more phone.
    assert!((0..4).all(|number| sim.answer(0, number).is_none()));
}

#[test]
fn there_are_as_many_requests_at_once_as_memory_allows_beside_the_plan() {
    let spec = toy::spec(8);
    let weights: f64 = spec.modules.iter().map(|module| module.weights_bytes).sum();
    for (kv_bytes, expected) in [(1e5, 4), (1e6, 3), (3e6, 1)] {
        let mut config = room(1, 4);
        config
            .model
            .modules
            .iter_mut()
            .filter(|module| module.kv_bytes > 0.0)
            .for_each(|module| module.kv_bytes = kv_bytes);
        let bytes = (weights - spec.tied[0].2 + 30e6) / 0.7;
        config.phones[0].pledge = Pledge::Bytes(bytes as u64);
        let mut sim = ready_with(config);
        for number in 0..6 {
            ask(&mut sim, 0, number, "hi", LONG);
        }
        assert!(sim.run_until(100.0, |sim| (0..6).all(|ask| sim.answer(0, ask).is_some())));
        assert_eq!(largest_batch(&sim), expected, "{kv_bytes} bytes of cache");
    }
}

/// Tokens by prompt, length and seed.
type Known = BTreeMap<(usize, u32, Option<u64>), Vec<u32>>;

/// A request of a schedule: when and where it is asked, what, and when it is stopped, if it is.
#[derive(Clone, Debug)]
struct Asked {
    at_millis: u32,
    phone: usize,
    prompt_tokens: usize,
    max_tokens: u32,
    seed: Option<u64>,
    stop_millis: Option<u32>,
}

impl Asked {
    fn options(&self) -> Sampling {
        let (max_tokens, seed) = (self.max_tokens, self.seed.unwrap_or(1));
        let temperature = if self.seed.is_some() { 0.7 } else { 0.0 };
        Sampling { max_tokens, seed, temperature, ..GREEDY }
    }

    /// The tokens it would have alone.
    fn expected(&self) -> Vec<u32> {
        thread_local!(static KNOWN: RefCell<Known> = RefCell::default());
        let key = (self.prompt_tokens, self.max_tokens, self.seed);
        KNOWN.with_borrow_mut(|known| {
            let tokens = || alone(&toy::prompt(self.prompt_tokens), self.options()).tokens;
            known.entry(key).or_insert_with(tokens).clone()
        })
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    let prompt = prop::sample::select(vec![1, 2, 7, 8, 9, 31, 32, 33, 90, 200]);
    let tokens = prop::sample::select(vec![1, 2, 10, 40]);
    let (seed, stop) = (prop::option::of(0..3_u64), prop::option::of(0..1500_u32));
    (0..1500_u32, 0..4_usize, prompt, tokens, seed, stop).prop_map(
        |(at_millis, phone, prompt_tokens, max_tokens, seed, stop_after)| Asked {
            at_millis,
            phone,
            prompt_tokens,
            max_tokens,
            seed,
            stop_millis: stop_after.map(|after| at_millis + after),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_when_every_answer_is_its_own(
        asks in prop::collection::vec(asked(), 1..12),
        phones in 1..5_usize,
        slots in 1..10_u16,
        chunk_tokens in prop::sample::select(vec![1_u16, 7, 8, 32]),
        chunks_in_flight in 1..6_u16,
        ring_may_close in any::<bool>(),
    ) {
        let mut config = room(phones, slots);
        config.limits.chunk_tokens = chunk_tokens;
        config.limits.chunks_in_flight = chunks_in_flight;
        config.limits.ring_may_close = ring_may_close;
        let mut sim = ready_with(config);
        run(&mut sim, phones, &asks);
        for (number, asked) in asks.iter().enumerate() {
            let answer = sim.answer(asked.phone % phones, number as u32);
            let answer = stats(answer.expect("every ask ends"));
            let expected = asked.expected();
            let is_stopped = answer.finish == Finish::Cancelled;
            prop_assert!(!is_stopped || asked.stop_millis.is_some());
            let upto = if is_stopped { answer.tokens.len() } else { expected.len() };
            prop_assert_eq!(&answer.tokens, &expected[..upto], "ask {}", number);
        }
    }
}

fn run(sim: &mut Sim, phones: usize, asks: &[Asked]) {
    let began_secs = sim.now_secs();
    let asked = asks.iter().enumerate().map(|(number, asked)| (asked.at_millis, false, number));
    let stopped = asks.iter().enumerate();
    let stopped = stopped.filter_map(|(number, asked)| Some((asked.stop_millis?, true, number)));
    let mut commands: Vec<(u32, bool, usize)> = asked.chain(stopped).collect();
    commands.sort_unstable();
    for (at_millis, stops, number) in commands {
        sim.run_for((began_secs + f64::from(at_millis) * 1e-3 - sim.now_secs()).max(0.0));
        let one = &asks[number];
        let phone = one.phone % phones;
        match stops {
            true => sim.command(phone, Command::Stop { ask: number as u32 }),
            false => {
                let prompt = toy::prompt(one.prompt_tokens);
                ask(sim, phone, number as u32, &prompt, one.options());
            }
        }
    }
    let ended = |sim: &Sim| {
        (0..asks.len())
            .all(|number| sim.answer(asks[number].phone % phones, number as u32).is_some())
    };
    assert!(sim.run_until(300.0, ended), "an ask never ended");
}
