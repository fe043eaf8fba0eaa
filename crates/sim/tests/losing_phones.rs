//! Phones leave, freeze and hang in every phase; the others say so and can go on.

mod common;

use base::Message;
use common::{GREEDY, alone, config, failure, ready, ring, sim, stats};
use protocol::peer::{FailureCode, Phase, Pledge, Sampling};
use session::{Assignment, Command, LinkState};
use sim::{PhoneSpec, Sim, toy};

const LONG: Sampling = Sampling { max_tokens: 200, ..GREEDY };

fn ask_long(sim: &mut Sim, phone: usize) {
    let text = toy::prompt(50);
    let messages = vec![Message::user(text)];
    sim.command(phone, Command::Ask { ask: 1, messages, options: LONG.into() });
}

/// With one more phone that lends enough, the room begins again and answers.
fn goes_on(sim: &mut Sim) {
    sim.join(PhoneSpec::new("Zoe", Pledge::Bytes(1 << 30)));
    sim.run_for(1.0);
    sim.command(0, Command::Begin(Assignment::Best));
    let ready = sim.run_until(60.0, |sim| sim.view(0).phase == Phase::Ready);
    assert!(ready, "{:?}", sim.view(0));
    assert_eq!(stats(sim.ask(0, 77, "hi", GREEDY)).tokens, alone("hi", GREEDY).tokens);
}

#[test]
fn a_phone_left_while_gathering_is_not_missed() {
    let mut sim = sim(config(3));
    sim.gather();
    sim.kill(2);
    sim.run_for(0.1);
    let view = sim.view(0);
    assert_eq!(view.phase, Phase::Gathering);
    assert_eq!(view.peers[2].link, LinkState::Lost);
    goes_on(&mut sim);
    assert_eq!(sim.view(0).peers.len(), 3, "the lost one is forgotten");
}

#[test]
fn a_phone_left_while_measuring_is_left_out() {
    let mut config = config(4);
    let pledge = Pledge::Share { factor: 1.8, phones: 4 };
    config.phones.iter_mut().for_each(|phone| phone.pledge = pledge);
    let mut sim = sim(config);
    sim.gather();
    sim.command(0, Command::Begin(Assignment::Best));
    sim.run_for(0.2);
    assert_eq!(sim.view(0).phase, Phase::Measuring);
    sim.kill(3);
    assert!(sim.run_until(20.0, |sim| sim.view(0).phase == Phase::Ready));
    assert_eq!(ring(&sim).len(), 3, "three quarters of 1.8 times the model hold it");
}

#[test]
fn a_phone_left_while_loading_is_named() {
    let mut sim = sim(config(3));
    sim.gather();
    sim.command(0, Command::Begin(Assignment::Best));
    assert!(sim.run_until(20.0, |sim| sim.view(0).phase == Phase::Loading));
    sim.run_for(0.3);
    sim.kill(1);
    sim.run_for(0.5);
    is_left(&sim, "Ben", &[0, 2]);
    goes_on(&mut sim);
}

/// Without the third phone the model does not fit.
#[test]
fn an_answer_waits_for_a_phone_in_place_of_the_one_that_left() {
    for asker in [0, 2] {
        let mut sim = ready(3);
        ask_long(&mut sim, asker);
        sim.run_for(1.0);
        assert!(!sim.text(asker, 1).is_empty());
        sim.kill(1);
        sim.run_for(0.5);
        is_left(&sim, "Ben", &[0, 2]);
        let error = sim.view(asker).error.expect("an error");
        assert!(error.message.ends_with("waits for one more phone."), "{}", error.message);
        sim.run_for(30.0);
        sim.join(PhoneSpec::new("Zoe", Pledge::Bytes(1 << 30)));
        is_undisturbed(&mut sim, asker);
        goes_on(&mut sim);
    }
}

#[test]
fn nobody_waits_forever() {
    let mut sim = ready(3);
    ask_long(&mut sim, 2);
    sim.run_for(1.0);
    sim.kill(1);
    sim.run_for(1.0);
    // Another one asks meanwhile, and waits too.
    sim.command(
        0,
        Command::Ask { ask: 2, messages: vec![Message::user("hi")], options: LONG.into() },
    );
    sim.run_for(590.0);
    assert!(sim.answer(2, 1).is_none() && sim.answer(0, 2).is_none());
    sim.run_for(20.0);
    for (asker, ask) in [(2, 1), (0, 2)] {
        let (code, message) = failure(sim.answer(asker, ask).expect("failed"));
        assert_eq!(code.name(), "phone_left");
        assert!(message.contains("none joined"), "{message}");
    }
}

/// The answer to [`ask_long`] comes, with the tokens that one phone alone gives.
fn is_undisturbed(sim: &mut Sim, asker: usize) {
    assert!(sim.run_until(100.0, |sim| sim.answer(asker, 1).is_some()), "{:?}", sim.view(0));
    let answer = stats(sim.answer(asker, 1).expect("it has ended"));
    assert_eq!(answer.tokens, alone(&toy::prompt(50), LONG).tokens);
}

#[test]
fn a_phone_that_says_goodbye_is_gone_at_once() {
    let mut sim = ready(3);
    sim.command(1, Command::Leave);
    sim.run_for(0.3);
    is_left(&sim, "Ben", &[0, 2]);
}

#[test]
fn a_frozen_phone_is_lost_after_its_silence() {
    let mut sim = ready(3);
    ask_long(&mut sim, 0);
    sim.run_for(0.5);
    sim.freeze(2);
    let frozen_at = sim.now_secs();
    assert!(sim.run_until(20.0, |sim| sim.view(0).error.is_some()));
    assert!((1.0..2.0).contains(&(sim.now_secs() - frozen_at)), "gone on without soon");
    let message = sim.view(0).error.expect("an error").message;
    assert!(message.starts_with("Cleo does not answer"), "{message}");
    assert!(sim.run_until(20.0, |sim| sim.view(0).peers[2].link == LinkState::Lost));
    assert!((12.0..17.0).contains(&(sim.now_secs() - frozen_at)), "and lost later");
}

#[test]
fn a_hanging_device_is_named_in_time() {
    for late in 0..3 {
        let mut sim = ready(3);
        sim.hang_device(late);
        let began = sim.now_secs();
        let messages = vec![Message::user(toy::prompt(100))];
        sim.command(1, Command::Ask { ask: 1, messages, options: GREEDY.into() });
        let message = match late {
            // Nobody can do without the header.
            0 => {
                assert!(sim.run_until(40.0, |sim| sim.answer(1, 1).is_some()));
                failure(sim.answer(1, 1).expect("an end")).1
            }
            _ => late_message(&mut sim),
        };
        assert!(message.starts_with(common::NAMES[late]), "{message}");
        assert!(sim.now_secs() - began < 31.0);
        // Without another the answer waits for one more.
        assert_eq!(sim.answer(1, 1).is_some(), late == 0);
    }
}

/// What the room says once a phone has not got on for too long.
fn late_message(sim: &mut Sim) -> String {
    assert!(sim.run_until(40.0, |sim| sim.view(0).error.is_some()));
    let error = sim.view(0).error.expect("an error");
    assert_eq!(error.code, "too_slow");
    error.message
}

#[test]
fn a_hanging_device_is_done_without_where_the_others_can() {
    let mut config = common::config(3);
    for phone in &mut config.phones {
        phone.pledge = Pledge::Share { factor: 0.6, phones: 1 };
    }
    let mut sim = common::ready_with(config);
    let hanging = common::ring(&sim)[1];
    ask_long(&mut sim, 0);
    sim.run_for(0.5);
    sim.hang_device(hanging);
    assert!(sim.run_until(120.0, |sim| sim.answer(0, 1).is_some()));
    common::stats(sim.answer(0, 1).expect("an answer"));
    assert!(!common::ring(&sim).contains(&hanging));
}

#[test]
fn a_device_that_hangs_in_mid_answer_is_named_too() {
    let mut sim = ready(3);
    ask_long(&mut sim, 0);
    sim.run_for(1.5);
    sim.hang_device(1);
    let message = late_message(&mut sim);
    assert!(message.starts_with("Ben"), "{message}");
}

#[test]
fn a_phone_that_cannot_run_its_stage_is_named_with_the_reason() {
    let reasons =
        [FailureCode::DeviceFailed, FailureCode::OutOfMemory, FailureCode::ModelUnavailable];
    for (lost, reason) in reasons.into_iter().enumerate() {
        let mut sim = ready(3);
        ask_long(&mut sim, 0);
        sim.run_for(0.5);
        sim.fail_stage(lost, 1, reason);
        sim.run_for(0.5);
        let error = sim.view(0).error.expect("an error");
        assert_eq!(error.code, reason.name());
        assert!(error.message.starts_with(common::NAMES[lost]), "{}", error.message);
        // Without the header nothing goes on; without another the answer waits.
        assert_eq!(sim.answer(0, 1).is_some(), lost == 0);
        assert!(sim.is_phase(if lost == 0 { Phase::Failed } else { Phase::Gathering }));
        sim.command(0, Command::Begin(Assignment::Best));
        assert!(sim.run_until(60.0, |sim| sim.is_phase(Phase::Ready)), "it may work again");
    }
}

#[test]
fn a_lost_connection_between_two_others_is_named() {
    let mut sim = ready(3);
    ask_long(&mut sim, 0);
    sim.run_for(0.5);
    let ring = ring(&sim);
    sim.cut(ring[1], ring[2]);
    sim.run_for(0.5);
    let error = sim.view(0).error.expect("an error");
    assert_eq!(error.code, "phone_left");
    assert!(error.message.contains("Ben") && error.message.contains("Cleo"), "{}", error.message);
    sim.command(0, Command::Begin(Assignment::Best));
    sim.run_for(10.0);
    let error = sim.view(0).error.expect("three are needed, and not connected");
    assert_eq!((sim.view(0).phase, error.code), (Phase::Failed, "does_not_fit"));
}

#[test]
fn without_its_coordinator_a_phone_waits() {
    let mut sim = ready(3);
    ask_long(&mut sim, 2);
    sim.run_for(0.5);
    sim.kill(0);
    sim.run_for(0.5);
    for phone in [1, 2] {
        let view = sim.view(phone);
        assert_eq!((view.phase, view.coordinator.as_str()), (Phase::Connecting, ""));
        assert_eq!(view.error, None, "it may be back in a moment");
    }
    sim.run_for(60.0);
    for phone in [1, 2] {
        let error = sim.view(phone).error.expect("an error");
        assert!(error.message.contains("Ada started the room"), "{}", error.message);
    }
    assert_eq!(failure(sim.answer(2, 1).expect("failed")).0.name(), "phone_left");
}

#[test]
fn a_phone_that_finds_no_way_to_the_room_says_so() {
    let mut sim = sim(config(2));
    sim.cut(0, 1);
    sim.run_for(10.0);
    assert_eq!(sim.view(1).error, None, "it still tries");
    sim.run_for(60.0);
    assert_eq!(sim.view(1).error.expect("an error").code, "unreachable");
    assert_eq!(sim.view(0).error, None, "the coordinator misses nobody");
}

#[test]
fn a_phone_that_left_is_named_even_when_its_neighbour_notices_first() {
    let mut sim = ready(3);
    let [_, second, third] = ring(&sim)[..] else { panic!("all three hold a part") };
    sim.cut(second, third);
    sim.run_for(0.5);
    let message = sim.view(0).error.expect("an error").message;
    assert!(message.contains("lost their connection"), "{message}");
    sim.kill(third);
    sim.run_for(0.5);
    let message = sim.view(0).error.expect("an error").message;
    assert!(message.contains("left the room"), "{message}");
}

#[test]
fn a_worn_out_link_is_a_lost_one() {
    let mut config = config(2);
    config.link.cut_after_bytes = Some(2_400_000);
    let mut sim = sim(config);
    assert!(sim.make_ready(), "measuring needs less");
    for number in 0.. {
        let answer = sim.ask(0, number, &toy::prompt(200), LONG);
        if answer.result.is_err() {
            assert_eq!(failure(answer).0.name(), "phone_left");
            return assert_eq!(sim.view(0).peers[1].link, LinkState::Lost);
        }
    }
}

fn is_left(sim: &Sim, name: &str, witnesses: &[usize]) {
    for &phone in witnesses {
        let view = sim.view(phone);
        assert_eq!(view.phase, Phase::Gathering, "phone {phone}");
        assert_eq!(view.plan, None);
        let error = view.error.expect("an error");
        assert_eq!(error.code, "phone_left");
        assert!(error.message.starts_with(&format!("{name} left")), "{}", error.message);
        let measured = view.peers.iter().filter(|peer| peer.name != name);
        assert!(measured.into_iter().all(|peer| peer.flops_per_sec.is_some()), "it stays known");
    }
}
