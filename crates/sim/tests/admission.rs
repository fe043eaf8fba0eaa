//! Who comes into a room: a person is asked, those who were let in are known again, and nobody else is heard.

mod common;

use base::{Identity, PeerId};
use common::{GREEDY, NAMES, config};
use protocol::peer::{Frame, PROTOCOL_VERSION, Phase, Pledge};
use session::{Assignment, Command, DoorConfig, Event, LinkState};
use sim::{PhoneSpec, Sim, toy};

/// A room of so many phones with a door.
fn sim(phones: usize, door: DoorConfig) -> Sim {
    let mut sim = Sim::with_door(config(phones), door, || Box::<toy::ToyModel>::default());
    sim.run_for(1.0);
    sim
}

fn asked(phones: usize) -> Sim {
    sim(phones, DoorConfig::default())
}

fn spec(name: &str) -> PhoneSpec {
    PhoneSpec::new(name, Pledge::Share { factor: 1.3, phones: 2 })
}

/// Whom the person at the first phone is asked about.
fn askers(sim: &Sim) -> Vec<String> {
    let door = sim.view(0).door.expect("the first phone has the door");
    door.askers.into_iter().map(|asker| asker.name).collect()
}

fn let_in(sim: &mut Sim, phone: usize) {
    sim.command(0, Command::LetIn(id(phone)));
    sim.run_for(1.0);
}

fn id(phone: usize) -> PeerId {
    PeerId(phone as u32 + 1)
}

/// Whether two phones are in the same room.
fn are_linked(sim: &Sim, a: usize, b: usize) -> bool {
    let sees = |one, other| {
        let peers = sim.view(one).peers;
        peers.iter().any(|peer| peer.id == id(other) && peer.link == LinkState::Open)
    };
    sees(a, b) && sees(b, a)
}

fn error(sim: &Sim, phone: usize) -> Option<&'static str> {
    sim.view(phone).error.map(|error| error.code)
}

fn is_alone(sim: &Sim, phone: usize) -> bool {
    sim.view(phone).peers.len() == 1
}

#[test]
fn a_person_is_asked_and_lets_a_phone_in() {
    let mut sim = asked(2);
    assert_eq!(askers(&sim), ["Ben"]);
    let (door, asking) = (sim.view(0).door.unwrap(), sim.view(1).asking.expect("it asks"));
    assert_eq!((asking.name.as_str(), asking.identity), ("Ada", sim.identity(0)));
    assert_eq!(asking.pictures, door.askers[0].pictures);
    assert!(is_alone(&sim, 0) && is_alone(&sim, 1), "neither is in the other's room");
    assert_eq!(sim.view(1).coordinator, "");

    let_in(&mut sim, 1);
    assert!(are_linked(&sim, 0, 1));
    assert_eq!((askers(&sim), sim.view(1).asking), (Vec::new(), None));
    assert_eq!(sim.view(0).door.unwrap().admitted, [sim.identity(1)]);
    assert_eq!(sim.view(1).coordinator, sim.view(0).me.to_string());
    assert!(sim.make_ready(), "{:?}", sim.view(0).error);
}

#[test]
fn a_phone_that_is_turned_away_is_told_and_may_ask_again() {
    let mut sim = asked(2);
    sim.command(0, Command::TurnAway(id(1)));
    sim.run_for(5.0);
    assert_eq!(error(&sim, 1), Some("turned_away"));
    assert!(askers(&sim).is_empty() && is_alone(&sim, 0) && is_alone(&sim, 1));
    let again = sim.reload(1);
    sim.run_for(1.0);
    assert_eq!(askers(&sim), ["Ben"]);
    let_in(&mut sim, again);
    assert!(are_linked(&sim, 0, again));
}

#[test]
fn who_asks_in_vain_is_told_after_two_minutes() {
    let mut sim = asked(2);
    sim.run_for(118.0);
    assert_eq!(askers(&sim), ["Ben"], "its link is kept meanwhile");
    sim.run_for(5.0);
    assert_eq!((error(&sim, 1), askers(&sim).len()), (Some("unanswered"), 0));
}

#[test]
fn an_asker_whose_coordinator_says_nothing_gives_up() {
    let mut sim = asked(2);
    sim.freeze(0);
    sim.run_for(70.0);
    assert_eq!(error(&sim, 1), Some("unreachable"));
    assert_eq!(sim.view(1).asking, None);
}

#[test]
fn an_asker_that_leaves_is_forgotten_at_once() {
    let mut sim = asked(2);
    sim.command(1, Command::Leave);
    sim.run_for(1.0);
    assert!(askers(&sim).is_empty() && is_alone(&sim, 0));
    let_in(&mut sim, 1);
    assert!(is_alone(&sim, 0), "it is not there any more");
}

#[test]
fn few_ask_at_once_and_more_are_told_so() {
    let mut sim = asked(7);
    assert_eq!(askers(&sim), NAMES[1..5]);
    sim.run_for(3.0);
    assert_eq!([5, 6].map(|phone| error(&sim, phone)), [Some("crowded"); 2]);
    let_in(&mut sim, 1);
    let again = sim.reload(5);
    sim.run_for(1.0);
    assert_eq!(askers(&sim), ["Cleo", "Dan", "Eve", "Fay"]);
    let_in(&mut sim, again);
    assert!(are_linked(&sim, 1, again), "members meet who is let in later");
}

#[test]
fn nobody_asks_at_a_locked_door() {
    let mut sim = asked(3);
    let_in(&mut sim, 1);
    sim.command(0, Command::Lock(true));
    sim.run_for(5.0);
    assert_eq!((error(&sim, 2), askers(&sim).len()), (Some("locked"), 0));
    let again = sim.reload(2);
    sim.run_for(5.0);
    assert_eq!(error(&sim, again), Some("locked"));
    let back = sim.reload(1);
    sim.run_for(1.0);
    assert!(are_linked(&sim, 0, back), "who was in comes back");
    sim.command(0, Command::Lock(false));
    let third = sim.reload(2);
    sim.run_for(1.0);
    assert_eq!(askers(&sim), ["Cleo"]);
    let_in(&mut sim, third);
    assert!(are_linked(&sim, 0, third));
}

#[test]
fn trusted_phones_come_in_at_once() {
    let mut sim = asked(2);
    sim.command(0, Command::Trust([sim.identity(1)].into()));
    sim.run_for(1.0);
    assert!(are_linked(&sim, 0, 1), "it need not wait any more");
    sim.command(0, Command::Trust([Identity([3; 32])].into()));
    sim.command(0, Command::Lock(true));
    let third = sim.join(spec("Cleo"));
    sim.run_for(1.0);
    assert!(are_linked(&sim, 0, third) && are_linked(&sim, 0, 1), "who is in stays in");
}

#[test]
fn who_was_let_in_comes_back_without_asking() {
    let mut sim = asked(3);
    let_in(&mut sim, 1);
    let_in(&mut sim, 2);
    sim.kill(1);
    let back = sim.reload(1);
    sim.run_for(1.0);
    assert!(are_linked(&sim, 0, back) && are_linked(&sim, 2, back));

    // Also where the page that had let it in is loaded anew.
    sim.kill(0);
    let first = sim.reopen(spec("Ada"));
    sim.run_for(20.0);
    assert!(are_linked(&sim, first, 2) && are_linked(&sim, first, back));
    assert!(are_linked(&sim, 2, back));
    let stranger = sim.join(spec("Eve"));
    sim.run_for(1.0);
    assert_eq!(sim.view(first).door.unwrap().askers.len(), 1);
    assert!(is_alone(&sim, stranger));
}

#[test]
fn who_is_taken_out_is_out_for_everybody_and_has_to_ask() {
    let mut sim = asked(3);
    let_in(&mut sim, 1);
    let_in(&mut sim, 2);
    assert!(sim.make_ready() && are_linked(&sim, 1, 2));
    sim.command(0, Command::Trust([sim.identity(2)].into()));
    sim.command(0, Command::Remove(sim.identity(2)));
    sim.run_for(0.2);
    assert_eq!(error(&sim, 2), Some("removed"));
    assert!(!are_linked(&sim, 0, 2) && !are_linked(&sim, 1, 2) && is_alone(&sim, 2));
    let again = sim.reload(2);
    sim.run_for(1.0);
    assert_eq!(askers(&sim), ["Cleo"]);
    assert!(!are_linked(&sim, 1, again));
    assert!(are_linked(&sim, 0, 1));
}

#[test]
fn who_is_taken_out_in_the_middle_of_an_answer_changes_nothing_of_it() {
    let pledge = Pledge::Share { factor: 2.5, phones: 3 };
    let mut room = config(3);
    room.phones.iter_mut().for_each(|phone| phone.pledge = pledge);
    let answers = [false, true].map(|removes| {
        let door = DoorConfig { admits_all: true, ..DoorConfig::default() };
        let mut sim = Sim::with_door(room.clone(), door, || Box::<toy::ToyModel>::default());
        assert!(sim.make_ready());
        let options = protocol::peer::AskOptions::from(GREEDY);
        let messages = vec![base::Message::user(toy::prompt(3))];
        sim.command(0, Command::Ask { ask: 1, messages, options });
        sim.run_until(100.0, |sim| sim.text(0, 1).len() > 4);
        let staged = sim.view(0).plan.expect("it is planned").stages;
        let last = staged.last().expect("it has stages").peer;
        if removes {
            assert_ne!(last, id(0), "somebody else has a part");
            sim.command(0, Command::Remove(Identity([last.0 as u8; 32])));
        }
        sim.run_until(300.0, |sim| sim.answer(0, 1).is_some());
        let answer = sim.answer(0, 1).expect("it ends");
        answer.result.expect("it is complete").tokens
    });
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn an_invitation_that_is_too_old_is_refused() {
    let door = DoorConfig { ticket: b"old".to_vec(), ..DoorConfig::default() };
    let mut sim = sim(2, door);
    sim.run_for(3.0);
    assert_eq!((error(&sim, 1), askers(&sim).len()), (Some("expired"), 0));
}

#[test]
fn another_phone_than_the_expected_one_is_not_followed() {
    let door = DoorConfig { coordinator: Some(Identity([9; 32])), ..DoorConfig::default() };
    let mut sim = sim(2, door);
    assert!(is_alone(&sim, 1) && askers(&sim).is_empty());
    sim.run_for(60.0);
    assert_eq!(error(&sim, 1), Some("unreachable"));
    assert!(complaints(&sim, 1)[0].contains("not the phone that started the room"));
}

#[test]
fn members_follow_nobody_else() {
    let mut sim = asked(2);
    let_in(&mut sim, 1);
    let pretender = sim.pretend(spec("Mallory"));
    sim.run_for(5.0);
    assert!(are_linked(&sim, 0, 1) && !are_linked(&sim, 1, pretender));
    sim.kill(0);
    sim.run_for(70.0);
    assert_eq!(sim.view(1).coordinator, "");
    assert_eq!(error(&sim, 1), Some("phone_left"));
}

/// Every kind of frame whose body may be so many bytes of one value.
fn frames() -> Vec<Frame> {
    let mut frames = Vec::new();
    for tag in 0..=u8::MAX {
        let bodies = [0, 1].map(|byte| (0..200).map(move |len| vec![byte; len]));
        let of_tag = bodies.into_iter().flatten().filter_map(|body| {
            let bytes = [&[PROTOCOL_VERSION, tag][..], &body].concat();
            Frame::decode(&bytes).ok()
        });
        frames.extend(of_tag.take(3));
    }
    let is_heard = |frame: &Frame| {
        matches!(
            frame,
            Frame::Hello(_)
                | Frame::Admission(_)
                | Frame::Ping(_)
                | Frame::Pong(_)
                | Frame::Leave(_)
        )
    };
    frames.retain(|frame| !is_heard(frame));
    frames
}

#[test]
fn a_phone_that_is_not_in_changes_nothing_and_hears_nothing() {
    let mut room = config(3);
    room.phones.iter_mut().for_each(|phone| phone.pledge = spec("").pledge);
    let mut sim = Sim::with_door(room, DoorConfig::default(), || Box::<toy::ToyModel>::default());
    sim.run_for(1.0);
    let_in(&mut sim, 1);
    sim.command(0, Command::SetModel(sim.model().clone()));
    sim.command(0, Command::Begin(Assignment::Best));
    let is_ready = |sim: &Sim| [0, 1].iter().all(|&phone| sim.view(phone).phase == Phase::Ready);
    assert!(sim.run_until(60.0, is_ready), "{:?}", sim.view(0).error);
    let before = [0, 1].map(|phone| without_counters(&sim, phone));
    let kinds: std::collections::BTreeSet<u8> = frames().iter().map(Frame::tag).collect();
    assert!(kinds.len() >= 25, "{kinds:?}");
    for frame in frames() {
        for to in [0, 1] {
            let complaints_before = complaints(&sim, to).len();
            sim.forge(2, to, &frame);
            sim.run_for(0.05);
            let all = complaints(&sim, to);
            assert_eq!(all.len(), complaints_before + 1, "{}", frame.name());
            assert!(all.last().is_some_and(|it| it.contains("was not let in")), "{all:?}");
        }
    }
    assert_eq!([0, 1].map(|phone| without_counters(&sim, phone)), before);
    let answer = sim.ask(1, 1, &toy::prompt(3), GREEDY);
    assert!(answer.result.is_ok(), "{answer:?}");
    let to_stranger = sim.trace().iter().filter(|line| line.contains(&format!("-> {} ", id(2))));
    let heard: std::collections::BTreeSet<&str> =
        to_stranger.filter_map(|line| line.split(' ').nth(4)).collect();
    assert_eq!(heard.into_iter().collect::<Vec<_>>(), ["Admission", "Hello", "Ping"]);
    assert_eq!(askers(&sim), ["Cleo"]);
}

/// What a page shows, without what is counted anyway.
fn without_counters(sim: &Sim, phone: usize) -> session::RoomView {
    let mut view = sim.view(phone);
    for peer in &mut view.peers {
        peer.counters = protocol::peer::Counters::default();
    }
    view
}

fn complaints(sim: &Sim, phone: usize) -> Vec<String> {
    let complaint = |event: &Event| match event {
        Event::Misbehaved { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    sim.events(phone).iter().filter_map(complaint).collect()
}

#[test]
fn strangers_take_no_place_from_those_who_were_in() {
    let mut sim = asked(4);
    let_in(&mut sim, 1);
    sim.kill(1);
    sim.run_for(20.0);
    // Some ask, others are linked and never do.
    for _ in 0..5 {
        sim.pretend(spec("Mallory"));
    }
    sim.run_for(1.0);
    let back = sim.reload(1);
    sim.run_for(1.0);
    assert!(are_linked(&sim, 0, back));
}
