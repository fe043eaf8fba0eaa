//! Links become slower and faster while answers run, and the coordinator knows.

mod common;

use base::Message;
use common::{GREEDY, NAMES, WIFI, config, sim, stats};
use protocol::peer::{CacheAsk, Pledge, Sampling};
use session::{Assignment, Command, Job, JobInput, LinkView, LoadStage, StageOutput};
use sim::{Loaded, PhoneSpec, Ran, Sim, SimConfig, StageRunner, toy};
use transport::memory::Conditions;

const LONG: Sampling = Sampling { max_tokens: 180, ..GREEDY };

/// Phones with equal parts, whose answers take some seconds.
fn slow_phones(phones: usize) -> SimConfig {
    let pledge = Pledge::Share { factor: 2.2, phones: phones as u32 };
    let slow = |name: &&str| PhoneSpec { flops_per_sec: 3e8, ..PhoneSpec::new(name, pledge) };
    let mut config = config(phones);
    config.limits.balances = false;
    config.phones = NAMES[..phones].iter().map(slow).collect();
    config
}

fn begin(mut sim: Sim) -> Sim {
    sim.gather();
    sim.command(0, Command::Begin(Assignment::Equal));
    assert!(sim.run_until(200.0, |sim| sim.is_phase(protocol::peer::Phase::Ready)));
    sim
}

fn ask(sim: &mut Sim, number: u32) {
    let messages = vec![Message::user(toy::prompt(20))];
    sim.command(0, Command::Ask { ask: number, messages, options: LONG.into() });
}

/// Lets an answer end.
fn end(sim: &mut Sim, number: u32) {
    assert!(sim.run_until(300.0, |sim| sim.answer(0, number).is_some()), "{:?}", sim.view(0));
    stats(sim.answer(0, number).expect("it has ended"));
}

fn answer(sim: &mut Sim, number: u32) {
    ask(sim, number);
    end(sim, number);
}

/// Both directions of a link.
fn set_link(sim: &mut Sim, one: usize, other: usize, conditions: Conditions) {
    sim.set_link(one, other, conditions);
    sim.set_link(other, one, conditions);
}

fn times(conditions: Conditions, latency: f64, bandwidth: f64) -> Conditions {
    let latency_secs = conditions.latency_secs * latency;
    Conditions { latency_secs, bytes_per_sec: conditions.bytes_per_sec * bandwidth, ..conditions }
}

/// A link as a phone's page is told of it.
fn link(sim: &Sim, phone: usize, from: usize, to: usize) -> LinkView {
    let is_it = |link: &&LinkView| (link.from.0 as usize, link.to.0 as usize) == (from + 1, to + 1);
    *sim.view(phone).links.iter().find(is_it).expect("it was measured")
}

fn drifts(sim: &Sim) -> Vec<f64> {
    sim.view(0).links.iter().map(|link| link.rtt_drift).collect()
}

/// Frames of one kind from a phone to another.
fn frames(sim: &Sim, from: usize, to: usize, name: &str) -> usize {
    let sent = format!(" {:08} -> {:08} {name} ", from + 1, to + 1);
    sim.trace().iter().filter(|line| line.contains(&sent)).count()
}

#[test]
fn a_link_that_becomes_slow_in_the_middle_of_an_answer_is_known() {
    for (one, other) in [(0, 1), (1, 2)] {
        let mut sim = begin(sim(slow_phones(3)));
        answer(&mut sim, 1);
        assert!(drifts(&sim).iter().all(|drift| (drift - 1.0).abs() < 0.1), "{:?}", drifts(&sim));
        ask(&mut sim, 2);
        sim.run_for(2.0);
        set_link(&mut sim, one, other, times(WIFI, 10.0, 0.1));
        sim.run_for(4.0);
        for phone in 0..3 {
            for (from, to) in [(one, other), (other, one)] {
                let link = link(&sim, phone, from, to);
                assert!((7.0..11.0).contains(&link.rtt_drift), "{phone}: {link:?}");
                assert_eq!(link.bytes_drift, link.rtt_drift, "nothing large went over it");
            }
        }
        let steady = drifts(&sim).iter().filter(|drift| (*drift - 1.0).abs() < 0.1).count();
        assert_eq!(steady, 4, "{:?}", drifts(&sim));
        end(&mut sim, 2);
        set_link(&mut sim, one, other, WIFI);
        answer(&mut sim, 3);
        assert!(drifts(&sim).iter().all(|drift| (drift - 1.0).abs() < 0.1), "{:?}", drifts(&sim));
    }
}

#[test]
fn a_link_that_takes_longer_than_pings_are_apart_is_known() {
    let mut sim = begin(sim(slow_phones(3)));
    answer(&mut sim, 1);
    set_link(&mut sim, 1, 2, times(WIFI, 50.0, 1.0));
    answer(&mut sim, 2);
    let link = link(&sim, 0, 1, 2);
    assert!((45.0..55.0).contains(&link.rtt_drift), "{link:?}");
}

#[test]
fn the_next_plan_counts_on_links_as_they_are() {
    let hop_secs = |sim: &Sim| {
        let plan = sim.view(0).plan.expect("a plan");
        plan.traffic
            .iter()
            .find(|hop| (hop.from.0, hop.to.0) == (1, 2))
            .map(|hop| hop.predicted_secs)
    };
    let mut sim = begin(sim(slow_phones(3)));
    answer(&mut sim, 1);
    let before_secs = hop_secs(&sim).expect("the first sends to the second");
    ask(&mut sim, 2);
    sim.run_for(1.0);
    set_link(&mut sim, 0, 1, times(WIFI, 10.0, 1.0));
    sim.run_for(4.0);
    sim.hide(2);
    end(&mut sim, 2);
    let after_secs = hop_secs(&sim).expect("it still does");
    assert!((7.0..11.0).contains(&(after_secs / before_secs)), "{before_secs} {after_secs}");
}

#[test]
fn what_varies_a_little_has_not_changed() {
    for seed in 0..8 {
        let mut sim = sim(slow_phones(3));
        sim.vary(seed, 0.3);
        let mut sim = begin(sim);
        for number in 1..4 {
            answer(&mut sim, number);
            assert!(
                drifts(&sim).iter().all(|&drift| (0.7..1.4).contains(&drift)),
                "{:?}",
                drifts(&sim)
            );
        }
    }
}

#[test]
fn a_page_that_stood_still_does_not_make_its_links_slow() {
    let mut sim = begin(sim(slow_phones(3)));
    answer(&mut sim, 1);
    ask(&mut sim, 2);
    for _ in 0..3 {
        sim.run_for(1.5);
        sim.freeze(1);
        sim.run_for(0.9);
        sim.thaw(1);
        sim.run_for(1.0);
        assert!(drifts(&sim).iter().all(|drift| (drift - 1.0).abs() < 0.1), "{:?}", drifts(&sim));
    }
}

/// A toy whose rows are as long as a real model's.
#[derive(Default)]
struct Wide(toy::ToyModel);

const WIDER: usize = 128;

fn narrow(rows: &[u8]) -> Vec<u8> {
    let row_bytes = toy::spec(1).row_bytes as usize;
    rows.chunks(row_bytes * WIDER).flat_map(|row| &row[..row_bytes]).copied().collect()
}

fn wide(rows: &[u8]) -> Vec<u8> {
    let row_bytes = toy::spec(1).row_bytes as usize;
    let widened = |row: &[u8]| [row, &vec![0; row_bytes * (WIDER - 1)]].concat();
    rows.chunks(row_bytes).flat_map(widened).collect()
}

impl StageRunner for Wide {
    fn load(&mut self, stage: &LoadStage) -> Result<Loaded, String> {
        self.0.load(stage)
    }

    fn copies_bytes(&self, copies: &LoadStage) -> u64 {
        self.0.copies_bytes(copies)
    }

    fn load_copies(&mut self, copies: &LoadStage) -> Result<(), String> {
        self.0.load_copies(copies)
    }

    fn unload(&mut self) {
        self.0.unload();
    }

    fn run(&mut self, job: &Job) -> Result<Ran, String> {
        let mut job = job.clone();
        for part in &mut job.parts {
            if let JobInput::Hidden(rows) = &mut part.input {
                *rows = narrow(rows);
            }
        }
        let mut ran = self.0.run(&job)?;
        for output in &mut ran.outputs {
            if let StageOutput::Hidden(rows) = output {
                *rows = wide(rows);
            }
        }
        Ok(ran)
    }

    fn read_cache(&mut self, part: &CacheAsk) -> Result<Vec<u8>, String> {
        self.0.read_cache(part)
    }

    fn write_cache(&mut self, part: &CacheAsk, data: &[u8]) -> Result<(), String> {
        self.0.write_cache(part, data)
    }

    fn tokenize(&mut self, messages: &[Message]) -> Vec<u32> {
        self.0.tokenize(messages)
    }

    fn decode(&mut self, token: u32) -> String {
        self.0.decode(token)
    }
}

/// A room whose chunks of prompts are large frames.
fn wide_rows(phones: usize) -> Sim {
    let mut config = slow_phones(phones);
    config.model.row_bytes *= WIDER as u32;
    config.model.sequential_bytes.iter_mut().for_each(|bytes| *bytes *= WIDER as f64);
    begin(Sim::new(config, || Box::<Wide>::default()))
}

/// A long prompt and some tokens.
fn read(sim: &mut Sim, number: u32) {
    stats(sim.ask(0, number, &toy::prompt(200), Sampling { max_tokens: 40, ..GREEDY }));
}

#[test]
fn prompts_tell_how_much_goes_through_a_link() {
    let mut sim = wide_rows(3);
    (1..6).for_each(|number| read(&mut sim, number));
    for (from, to) in [(0, 1), (1, 2)] {
        let link = link(&sim, 0, from, to);
        assert!((link.rtt_drift - 1.0).abs() < 0.1, "{link:?}");
        assert!((link.bytes_drift - 1.0).abs() < 0.1, "{link:?}");
    }
    set_link(&mut sim, 0, 1, times(WIFI, 1.0, 0.25));
    (6..10).for_each(|number| read(&mut sim, number));
    let slowed = link(&sim, 0, 0, 1);
    assert!((slowed.rtt_drift - 1.0).abs() < 0.1, "prompts are in no ping's way: {slowed:?}");
    assert!((3.5..4.5).contains(&slowed.bytes_drift), "{slowed:?}");
    let steady = link(&sim, 0, 1, 2);
    assert!((steady.bytes_drift - 1.0).abs() < 0.1, "{steady:?}");
    set_link(&mut sim, 0, 1, WIFI);
    (10..14).for_each(|number| read(&mut sim, number));
    assert!((link(&sim, 0, 0, 1).bytes_drift - 1.0).abs() < 0.1);
}

#[test]
fn what_waits_at_a_slow_phone_is_known() {
    let mut config = slow_phones(3);
    config.limits.balances = false;
    let mut sim = begin(sim(config));
    sim.slow_down(1, 6.0);
    (1..5).for_each(|number| ask(&mut sim, number));
    sim.run_for(3.0);
    let mut rows = [0; 3];
    for _ in 0..30 {
        sim.run_for(0.1);
        let peers = sim.view(2).peers;
        peers.iter().for_each(|peer| rows[peer.id.0 as usize - 1] += peer.waiting_rows);
    }
    assert!(rows[1] > 2 * rows[0].max(rows[2]), "{rows:?}");
    (1..5).for_each(|number| end(&mut sim, number));
    sim.run_for(1.0);
    assert!(sim.view(2).peers.iter().all(|peer| peer.waiting_rows == 0));
}

#[test]
fn pings_are_few() {
    let mut sim = begin(sim(slow_phones(3)));
    let before = (sim.now_secs(), frames(&sim, 1, 2, "Ping"));
    answer(&mut sim, 1);
    let (secs, pings) = (sim.now_secs() - before.0, frames(&sim, 1, 2, "Ping") - before.1);
    assert!(pings as f64 <= 4.0 * secs + 1.0, "{pings} in {secs} s");
    let pings = frames(&sim, 1, 2, "Ping");
    sim.run_for(20.0);
    assert!(frames(&sim, 1, 2, "Ping") - pings <= 11, "nothing is asked");
}
