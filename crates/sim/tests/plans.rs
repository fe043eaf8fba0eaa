//! What a plan promises, what it puts on the phones, and what becomes of it.

mod common;

use common::{GREEDY, WIFI, alone, config, ready_with, ring, sim, stats};
use protocol::peer::{Phase, Pledge};
use session::{Assignment, Command};
use sim::{PhoneSpec, Sim};

/// Three phones, of which the last is slow, on a ring that may close.
fn uneven() -> sim::SimConfig {
    let mut config = config(3);
    config.limits.ring_may_close = true;
    config.phones[2].flops_per_sec = 3e8;
    config
        .phones
        .iter_mut()
        .for_each(|phone| phone.pledge = Pledge::Share { factor: 1.8, phones: 3 });
    config
}

fn assigned(assignment: Assignment) -> Sim {
    let mut sim = sim(uneven());
    sim.gather();
    sim.command(0, Command::Begin(assignment));
    assert!(sim.run_until(200.0, |sim| sim.is_phase(Phase::Ready)), "{:?}", sim.view(0).error);
    sim
}

#[test]
fn tokens_take_as_long_as_predicted() {
    for assignment in [Assignment::Best, Assignment::Equal] {
        let mut sim = assigned(assignment);
        assert_eq!(sim.view(0).plan.expect("a plan").measured_token_secs, None);
        stats(sim.ask(0, 1, "hi", GREEDY));
        sim.run_for(1.0);
        for phone in 0..3 {
            let plan = sim.view(phone).plan.expect("a plan");
            let measured = plan.measured_token_secs.expect("enough tokens");
            let off = measured / plan.predicted_token_secs - 1.0;
            assert!(off.abs() < 0.05, "{measured} s, {} predicted", plan.predicted_token_secs);
            for stage in plan.stages {
                let measured = stage.measured_secs.expect("enough tokens");
                assert!((measured / stage.predicted_secs - 1.0).abs() < 1e-9, "{stage:?}");
            }
        }
    }
}

#[test]
fn the_best_plan_beats_equal_parts_on_the_clock() {
    let token_secs = |assignment| {
        let mut sim = assigned(assignment);
        let answer = stats(sim.ask(0, 1, "hi", GREEDY));
        assert_eq!(answer.tokens, alone("hi", GREEDY).tokens);
        let plan = sim.view(0).plan.expect("a plan");
        assert!(plan.equal_split_secs.is_some_and(|secs| secs >= plan.predicted_token_secs));
        1.0 / answer.decode_tokens_per_sec
    };
    let (best, equal) = (token_secs(Assignment::Best), token_secs(Assignment::Equal));
    assert!(best < 0.95 * equal, "{best} s, and {equal} in equal parts");
}

#[test]
fn equal_parts_are_equal() {
    let plan = assigned(Assignment::Equal).view(0).plan.expect("a plan");
    assert!(plan.stages.iter().all(|stage| stage.end - stage.start == 6), "{:?}", plan.stages);
    assert_eq!(plan.equal_split_secs, Some(plan.predicted_token_secs));
}

#[test]
fn copies_are_loaded_with_the_stages_and_change_no_token() {
    let mut sim = ready_with(uneven());
    let view = sim.view(0);
    let plan = view.plan.expect("a plan");
    assert!(!plan.overlap.is_empty(), "{plan:?}");
    for peer in &view.peers {
        let ranges = plan.stages.iter().map(|stage| (stage.peer, stage.start, stage.end));
        let copies = plan.overlap.iter().map(|copy| (copy.peer, copy.start, copy.end));
        let own = ranges.chain(copies).filter(|one| one.0 == peer.id);
        let modules: usize = own.map(|(_, start, end)| end - start).sum();
        assert_eq!(peer.total_bytes, modules as u64 * 1_000_000, "{} {plan:?}", peer.name);
        let lent = peer.pledge_bytes.expect("it is known");
        assert!(
            (peer.used_bytes > 0) == (modules > 0) && peer.used_bytes <= lent,
            "{} of {lent}: {plan:?}",
            peer.used_bytes
        );
    }
    assert_eq!(stats(sim.ask(0, 1, "hi", GREEDY)).tokens, alone("hi", GREEDY).tokens);
}

#[test]
fn of_bytes_that_are_lent_seven_tenths_are_used() {
    let mut config = config(2);
    // The model has 28 MB: 0.7 times 36 would do for a half and no more.
    config.phones.iter_mut().for_each(|phone| phone.pledge = Pledge::Bytes(36_000_000));
    let mut sim = ready_with(config);
    assert!(ring(&sim).contains(&1), "{:?}", ring(&sim));
    for peer in sim.view(0).peers {
        assert_eq!(peer.pledge_bytes, Some(36_000_000));
        assert!((10_000_000..=25_200_000).contains(&peer.used_bytes), "{}", peer.used_bytes);
    }
    assert_eq!(stats(sim.ask(1, 1, "hi", GREEDY)).tokens, alone("hi", GREEDY).tokens);
}

#[test]
fn all_is_measured_again_when_a_phone_has_joined() {
    let mut sim = ready_with(config(2));
    let measured = |sim: &Sim| {
        let names = |line: &&String| line.contains(" Measure ");
        sim.trace().iter().filter(names).count()
    };
    let before = measured(&sim);
    sim.command(0, Command::Begin(Assignment::Best));
    assert!(sim.run_until(60.0, |sim| sim.is_phase(Phase::Ready)));
    assert_eq!(measured(&sim), before, "nobody is new");
    sim.join(PhoneSpec::new("Cleo", Pledge::Share { factor: 1.3, phones: 3 }));
    sim.run_for(5.0);
    assert!(sim.is_phase(Phase::Ready), "the room goes on meanwhile");
    sim.command(0, Command::Begin(Assignment::Best));
    assert!(sim.run_until(2.0, |sim| sim.view(2).measuring.is_some()));
    assert!(sim.run_until(60.0, |sim| sim.is_phase(Phase::Ready)));
    assert_eq!(measured(&sim), before + 2, "both guests");
    assert_eq!(sim.view(0).links.len(), 6);
    assert!(sim.view(0).measuring.is_none() && sim.view(2).measuring.is_none());
}

#[test]
fn a_phone_that_gets_nothing_is_told_why() {
    let mut config = config(3);
    config.link = transport::memory::Conditions { latency_secs: 0.05, ..WIFI };
    config.phones[..2].iter_mut().for_each(|phone| phone.pledge = Pledge::Bytes(36_000_000));
    config.phones[2].flops_per_sec = 1e7;
    let sim = ready_with(config);
    let plan = sim.view(1).plan.expect("a plan");
    assert_eq!(plan.unused.len(), 1, "{plan:?}");
    let reason = &plan.unused[0].reason;
    assert!(reason.contains("Cleo") && reason.ends_with('.'), "{reason}");
}
