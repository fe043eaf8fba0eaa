//! From gathering to ready: measuring, planning, loading, and what every screen shows.

mod common;

use common::{GREEDY, NAMES, WIFI, config, ready, ready_with, ring, sim, stats};
use protocol::peer::{Phase, Pledge};
use session::{Assignment, Command, Event, LinkState};
use sim::Sim;

#[test]
fn every_screen_shows_the_same_room() {
    let mut sim = ready(3);
    let answer = stats(sim.ask(1, 1, "hello", GREEDY));
    sim.run_for(3.0);
    let first = sim.drawn(0).clone();
    let plan = first.plan.clone().expect("a plan");
    assert_eq!(plan.stages.iter().map(|stage| stage.end - stage.start).sum::<usize>(), 18);
    for phone in 0..3 {
        let view = sim.drawn(phone);
        assert_eq!(view.phase, Phase::Ready);
        assert_eq!(
            (&view.plan, &view.model, &view.links),
            (&first.plan, &first.model, &first.links)
        );
        assert_eq!(view.coordinator, "00000001");
        assert_eq!(view.peers.len(), 3);
        for peer in &view.peers {
            let expected = first.peers.iter().find(|other| other.id == peer.id).expect("the same");
            assert_eq!(peer.name, NAMES[peer.id.0 as usize - 1]);
            assert_eq!(
                (peer.link, peer.ready, peer.me),
                (LinkState::Open, true, peer.id == view.me)
            );
            assert_eq!(peer.flops_per_sec, Some(1e9));
            assert_eq!((peer.stage, peer.pledge_bytes), (expected.stage, expected.pledge_bytes));
            assert!(peer.loaded_bytes > 0 && peer.loaded_bytes == peer.total_bytes);
            let counters = peer.counters;
            assert_eq!(counters.bytes_fetched, peer.total_bytes, "{}", peer.name);
            assert_eq!(counters.steps_run, u64::from(answer.completion_tokens), "{}", peer.name);
            assert!(counters.bytes_sent > 0 && counters.bytes_received > 0);
        }
    }
}

#[test]
fn the_view_has_the_names_that_the_page_knows() {
    let view = serde_json::to_value(ready(2).view(0)).expect("a view is JSON");
    let names = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    let room = [
        "asking",
        "coordinator",
        "door",
        "error",
        "links",
        "me",
        "measuring",
        "model",
        "peers",
        "phase",
        "plan",
    ];
    assert_eq!(names(&view), room);
    assert_eq!(names(&view["door"]), ["admitsAll", "admitted", "askers", "locked"]);
    assert_eq!((&view["phase"], &view["me"]), (&"ready".into(), &"00000001".into()));
    let peer = [
        "coordinator",
        "counters",
        "device",
        "flopsPerSec",
        "flopsPerSecSpread",
        "id",
        "identity",
        "link",
        "loadedBytes",
        "me",
        "name",
        "pledgeBytes",
        "ready",
        "remark",
        "stage",
        "totalBytes",
        "usedBytes",
        "waitingRows",
    ];
    assert_eq!(names(&view["peers"][1]), peer);
    let counters =
        ["bytesFetched", "bytesReceived", "bytesSent", "dispatches", "rowsRun", "stepsRun"];
    assert_eq!(names(&view["peers"][1]["counters"]), counters);
    assert_eq!(names(&view["peers"][1]["stage"]), ["end", "start", "weightsBytes"]);
    let link = [
        "bytesDrift",
        "bytesPerSec",
        "bytesPerSecSpread",
        "from",
        "rttDrift",
        "rttSecs",
        "rttSpreadSecs",
        "to",
    ];
    assert_eq!(names(&view["links"][0]), link);
    has_names_of_a_plan(&view["plan"], names);
    let model = ["contextTokens", "labels", "modules", "name", "takesChats", "url", "weightsBytes"];
    assert_eq!(names(&view["model"]), model);
}

fn has_names_of_a_plan(
    plan: &serde_json::Value,
    names: impl Fn(&serde_json::Value) -> Vec<String>,
) {
    let fields = [
        "bestAlone",
        "cause",
        "equalSplitSecs",
        "lowerBoundSecs",
        "measuredTokenSecs",
        "overlap",
        "pauseSecs",
        "predictedTokenSecs",
        "reason",
        "stages",
        "traffic",
        "unused",
    ];
    assert_eq!(names(plan), fields);
    let stage = ["end", "measuredSecs", "peer", "predictedSecs", "start", "weightsBytes"];
    assert_eq!(names(&plan["stages"][0]), stage);
    assert_eq!(names(&plan["overlap"][0]), ["end", "peer", "start", "weightsBytes"]);
    assert_eq!(names(&plan["traffic"][0]), ["bytes", "from", "predictedSecs", "to"]);
}

#[test]
fn links_are_measured_as_they_are() {
    let sim = ready(3);
    let links = sim.view(0).links;
    assert_eq!(links.len(), 6);
    for link in links {
        assert!((link.rtt_secs / (2.0 * WIFI.latency_secs) - 1.0).abs() < 0.05, "{link:?}");
        assert!((link.bytes_per_sec / WIFI.bytes_per_sec - 1.0).abs() < 0.1, "{link:?}");
    }
}

#[test]
fn phones_measure_one_after_another() {
    let sim = ready(4);
    let trace = sim.trace();
    let names = |line: &String, frame: &str| line.split_whitespace().any(|word| word == frame);
    let turns: Vec<usize> = (0..trace.len()).filter(|&at| names(&trace[at], "Measure")).collect();
    assert_eq!(turns.len(), 3, "the coordinator needs no frame for its own turn");
    for (turn, &at) in turns.iter().enumerate() {
        let links = trace[..at].iter().filter(|line| names(line, "LinkMeasured")).count();
        assert_eq!(links, 3 * turn, "every earlier phone has told of its three links");
    }
}

#[test]
fn one_phone_alone_is_a_room() {
    let mut sim = ready(1);
    assert_eq!(ring(&sim), [0]);
    let view = sim.view(0);
    assert!(view.links.is_empty() && view.error.is_none());
    assert_eq!(view.plan.expect("a plan").stages[0].end, 18);
    assert_eq!(stats(sim.ask(0, 1, "hi", GREEDY)).tokens.len(), 24);
}

#[test]
fn a_phone_without_a_stage_asks_and_reads() {
    let mut config = config(2);
    config.phones.iter_mut().for_each(|phone| phone.pledge = Pledge::Bytes(1 << 30));
    let mut sim = ready_with(config);
    assert_eq!(ring(&sim), [0], "one phone is faster than two here");
    assert_eq!(
        stats(sim.ask(1, 1, "hi", GREEDY)),
        stats(ready(1).ask(0, 1, "hi", GREEDY)).like(&sim)
    );
}

#[test]
fn a_phone_that_cannot_compute_gets_no_stage() {
    let mut config = config(3);
    config.phones[1].is_fit = false;
    config.phones[2].pledge = Pledge::Bytes(1 << 30);
    let mut sim = ready_with(config);
    assert_eq!(ring(&sim), [0, 2]);
    let told = |event: &Event| matches!(event, Event::Note { message } if message.contains("Ben"));
    assert!(sim.events(0).iter().any(told));
    assert_eq!(stats(sim.ask(1, 1, "hi", GREEDY)).tokens.len(), 24);
}

#[test]
fn a_phone_that_becomes_able_to_compute_is_no_longer_remarked_upon() {
    let mut config = config(3);
    config.phones[1].is_fit = false;
    let mut sim = sim(config);
    let remark = |sim: &Sim, phone: usize| {
        sim.view(phone).peers.into_iter().find(|peer| peer.name == "Ben").and_then(|ben| ben.remark)
    };
    sim.gather();
    assert!(sim.run_until(60.0, |sim| remark(sim, 0).is_some() && remark(sim, 1).is_some()));
    sim.mend(1);
    assert!(sim.run_until(60.0, |sim| remark(sim, 0).is_none() && remark(sim, 1).is_none()));
    assert!(sim.make_ready(), "{:?}", sim.view(0).error);
    assert!(ring(&sim).contains(&1), "{:?}", ring(&sim));
}

#[test]
fn what_does_not_fit_says_by_how_much() {
    let mut config = config(3);
    config.phones.iter_mut().for_each(|phone| phone.pledge = Pledge::Bytes(5_000_000));
    let mut sim = sim(config);
    sim.gather();
    sim.command(0, Command::Begin(Assignment::Best));
    assert!(sim.run_until(60.0, |sim| sim.is_phase(Phase::Failed)));
    for phone in 0..3 {
        let error = sim.view(phone).error.expect("an error");
        assert_eq!(error.code, "does_not_fit");
        // 28 MB, of which each phone takes 0.7 times 5; in the phones' memory that is 25 more.
        assert!(error.message.contains("all phones together lend 15.0 MB"), "{}", error.message);
        assert!(error.message.contains("25.0 MB too little"), "{}", error.message);
        assert!(!error.message.contains('`'), "{}", error.message);
        assert!(error.message.contains("one more phone"), "{}", error.message);
    }
}

#[test]
fn a_measurement_that_does_not_come_is_assumed() {
    let mut sim = sim(config(3));
    sim.gather();
    sim.hang_driver(1);
    sim.command(0, Command::Begin(Assignment::Best));
    assert!(sim.run_until(35.0, |sim| sim.view(0).phase == Phase::Loading));
    assert!(sim.now_secs() > 20.0);
    let view = sim.view(0);
    let slow = view.peers.iter().find(|peer| peer.name == "Ben").expect("it is here");
    assert_eq!(slow.flops_per_sec, Some(0.5e9), "half of the slowest");
    let told =
        |event: &Event| matches!(event, Event::Note { message } if message.starts_with("Ben"));
    assert!(sim.events(0).iter().any(told));
    // It does not load either, and so ends the beginning.
    assert!(sim.run_until(70.0, |sim| sim.view(0).phase == Phase::Failed));
    let error = sim.view(0).error.expect("an error");
    assert!(error.code == "too_slow" && error.message.starts_with("Ben"), "{}", error.message);
}

#[test]
fn a_room_is_for_eight() {
    let mut sim = sim(config(9));
    sim.run_for(30.0);
    let open = |phone: usize| {
        sim.view(phone).peers.iter().filter(|peer| peer.link == LinkState::Open).count()
    };
    assert_eq!(open(0), 8);
    assert!(sim.events(0).iter().any(|event| matches!(event, Event::Note { .. })));
}

trait Like {
    /// The same answer, with the times of another one.
    fn like(self, sim: &sim::Sim) -> Self;
}

impl Like for protocol::peer::AnswerStats {
    fn like(self, sim: &sim::Sim) -> Self {
        let other = stats(sim.answer(1, 1).expect("an answer"));
        Self { tokens: self.tokens, ..other }
    }
}
