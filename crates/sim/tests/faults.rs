//! Rooms in which phones freeze, thaw, die, lose links, join, fail and ask, at random: whatever
//! happens, an answer that ends has the tokens of an undisturbed one, and nothing is left hanging.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use base::Message;
use common::{GREEDY, NAMES, WIFI, alone, config, sim, sim_with_encoder, stats};
use protocol::peer::{AwayReason, FailureCode, Phase, Pledge, Sampling};
use session::{Assignment, Command};
use sim::{PhoneSpec, Sim, SimConfig, toy};
use transport::memory::Conditions;

/// How many stories are told, unless the environment names another number: soaking takes a thousand.
const SEEDS: u64 = 150;
const SEEDS_VARIABLE: &str = "LINGUALINKED_FAULT_SEEDS";

#[test]
fn no_answer_is_changed_by_what_goes_wrong() {
    let mut ends = BTreeMap::new();
    let asked = std::env::var(SEEDS_VARIABLE).ok();
    let seeds = asked.map_or(SEEDS, |seeds| seeds.parse().expect("a number of seeds"));
    for seed in 0..seeds {
        let mut story = Story::new(seed);
        story.play();
        for (outcome, count) in story.check() {
            *ends.entry(outcome).or_insert(0) += count;
        }
    }
    println!("{ends:?}");
    let seeds = seeds as usize;
    let count = |outcome: &str| ends.get(outcome).copied().unwrap_or_default();
    // An asker that lost its link to the header, or was left out of a room that could not go on.
    let failed: usize =
        ends.values().sum::<usize>() - count("answered") - count("after a new plan");
    assert!(failed * 5 < count("answered"), "{ends:?}");
    assert!(ends["answered"] > 3 * seeds, "{ends:?}");
    assert!(ends["after a new plan"] > seeds, "{ends:?}");
}

#[test]
fn the_same_seed_gives_the_same_story() {
    for seed in [3, 141, 592] {
        let traces = [0, 1].map(|_| {
            let mut story = Story::new(seed);
            story.play();
            story.sim.trace().to_vec()
        });
        assert!(traces[0] == traces[1], "seed {seed}");
    }
}

/// A room, and what is to go wrong in it.
struct Story {
    seed: u64,
    has_encoder: bool,
    random: u64,
    sim: Sim,
    frozen: Vec<usize>,
    gone: Vec<usize>,
    asks: u32,
    asked: Vec<(usize, u32, Sampling)>,
}

impl Story {
    fn new(seed: u64) -> Self {
        let has_encoder = seed.is_multiple_of(3);
        let mut story = Self {
            seed,
            has_encoder,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            sim: sim(config(1)),
            frozen: Vec::new(),
            gone: Vec::new(),
            asks: 0,
            asked: Vec::new(),
        };
        let phones = story.below(3) + 2;
        let mut room = config(phones);
        room.limits.slots = story.below(3) as u16 + 1;
        room.limits.balances = true;
        for (phone, name) in room.phones.iter_mut().zip(NAMES) {
            *phone = story.phone(name, name == NAMES[0]);
        }
        story.sim = if has_encoder { sim_with_encoder(encoding(room)) } else { sim(room) };
        story
    }

    fn play(&mut self) {
        self.sim.make_ready();
        for _ in 0..self.below(12) + 4 {
            self.happen();
            let millis = self.below(1_500);
            self.sim.run_for(millis as f64 / 1e3);
        }
        // Everybody wakes up, and one comes who could run everything.
        for phone in std::mem::take(&mut self.frozen) {
            self.sim.thaw(phone);
        }
        self.sim.join(PhoneSpec::new("Zoe", Pledge::Bytes(1 << 30)));
        self.sim.run_for(900.0);
    }

    fn happen(&mut self) {
        let phones = NAMES.len().min(self.here().len());
        let one = self.here()[self.below(phones)];
        let is_header = one == 0;
        match self.below(26) {
            0 | 1 if !is_header => {
                self.sim.freeze(one);
                self.frozen.push(one);
            }
            2 | 3 if !self.frozen.is_empty() => {
                let place = self.below(self.frozen.len());
                let phone = self.frozen.swap_remove(place);
                self.sim.thaw(phone);
            }
            4 if !is_header => {
                self.sim.kill(one);
                self.gone.push(one);
            }
            5 if !is_header => {
                self.sim.command(one, Command::Leave);
                self.gone.push(one);
            }
            6 => {
                let other = self.here()[self.below(phones)];
                if other != one && !is_header && other != 0 {
                    self.sim.cut(one, other);
                }
            }
            7 if !is_header => {
                let epoch = self.below(4) as u32;
                self.sim.fail_stage(one, epoch, FailureCode::DeviceFailed);
            }
            8 if self.here().len() < 6 => {
                let phone = self.phone("Kim", false);
                self.sim.join(phone);
            }
            9 => self.sim.command(0, Command::Begin(Assignment::Best)),
            10 if !self.asked.is_empty() => {
                let place = self.below(self.asked.len());
                let (asker, ask, _) = self.asked[place];
                // An answer that is stopped is another one.
                if self.below(4) == 0 && !self.gone.contains(&asker) {
                    self.sim.command(asker, Command::Stop { ask });
                    self.asked.retain(|asked| (asked.0, asked.1) != (asker, ask));
                }
            }
            11..=15 => self.change(one),
            _ if !self.frozen.contains(&one) => self.ask(one),
            _ => {}
        }
    }

    /// Nothing is lost, but a phone or a link is not what it was.
    fn change(&mut self, one: usize) {
        match self.below(5) {
            0 | 1 => {
                let times = [0.2, 0.5, 3.0, 6.0][self.below(4)];
                self.sim.slow_down(one, times);
            }
            2 if !self.frozen.contains(&one) => {
                let reasons = [None, Some(AwayReason::Hidden), Some(AwayReason::LowBattery)];
                let why = reasons[self.below(3)];
                self.sim.command(one, Command::Away(why));
            }
            3 if self.below(3) == 0 => self.sim.lock_caches(one),
            _ => {
                let place = self.below(self.here().len());
                let (other, conditions) = (self.here()[place], self.conditions());
                self.sim.set_link(one, other, conditions);
            }
        }
    }

    fn ask(&mut self, phone: usize) {
        self.asks += 1;
        let number = self.asks;
        let options = Sampling {
            temperature: self.below(2) as f32,
            repetition_penalty: 1.0 + self.below(2) as f32 / 4.0,
            seed: self.seed,
            max_tokens: self.below(100) as u32 + 1,
            ..GREEDY
        };
        let messages = vec![Message::user(prompt(number))];
        self.sim.command(phone, Command::Ask { ask: number, messages, options: options.into() });
        self.asked.push((phone, number, options));
    }

    /// How the asks ended, each checked.
    fn check(&self) -> Vec<(&'static str, usize)> {
        let seed = self.seed;
        let mut ends = Vec::new();
        let plans = self.plans();
        for &(phone, number, options) in &self.asked {
            if self.gone.contains(&phone) {
                continue;
            }
            let Some(answer) = self.sim.answer(phone, number) else {
                panic!("seed {seed}: {number} of phone {phone} is left: {:?}", self.sim.view(0));
            };
            match answer.result {
                Ok(stats) => {
                    let expected = match self.has_encoder {
                        true => alone_with_encoder(&prompt(number), options),
                        false => alone(&prompt(number), options).tokens,
                    };
                    assert_eq!(stats.tokens, expected, "seed {seed}, ask {number}");
                    ends.push(("answered", 1));
                    ends.push(("after a new plan", usize::from(plans > 1)));
                }
                Err(failure) => ends.push((failure.code.name(), 1)),
            }
        }
        assert_ne!(self.sim.view(0).phase, Phase::Measuring, "seed {seed}");
        ends
    }

    /// How many plans there have been; each is told to everybody at once.
    fn plans(&self) -> usize {
        let lines = self.sim.trace().iter().filter(|line| line.contains(" RollOut "));
        let times = lines.filter_map(|line| line.split(' ').next());
        times.collect::<BTreeSet<_>>().len()
    }

    fn here(&self) -> Vec<usize> {
        (0..self.sim.phones()).filter(|phone| !self.gone.contains(phone)).collect()
    }

    fn phone(&mut self, name: &str, is_header: bool) -> PhoneSpec {
        let tenths = self.below(12) + if is_header { 6 } else { 2 };
        let pledge = Pledge::Share { factor: tenths as f64 / 10.0, phones: 1 };
        let mut phone = PhoneSpec::new(name, pledge);
        phone.flops_per_sec = [2e8, 1e9, 2e9][self.below(3)];
        phone
    }

    fn conditions(&mut self) -> Conditions {
        let latency_secs = [0.002, 0.01, 0.08][self.below(3)];
        Conditions { latency_secs, bytes_per_sec: [1e6, 4e6, 2e7][self.below(3)], ..WIFI }
    }

    fn below(&mut self, end: usize) -> usize {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }
}

/// The same phones with an encoder-decoder.
fn encoding(room: SimConfig) -> SimConfig {
    SimConfig { model: toy::encoder_decoder(3, 4), ..room }
}

fn alone_with_encoder(prompt: &str, options: Sampling) -> Vec<u32> {
    let mut sim = sim_with_encoder(encoding(config(1)));
    assert!(sim.make_ready(), "{:?}", sim.view(0).error);
    stats(sim.ask(0, 1, prompt, options)).tokens
}

fn prompt(number: u32) -> String {
    toy::prompt(5 + 13 * number as usize % 90)
}
