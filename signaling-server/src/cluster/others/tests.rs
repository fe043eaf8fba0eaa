use base::RoomId;

use super::*;

const A: ServerId = ServerId(1);
const ANNA: PeerId = PeerId(0xa);
const BEN: PeerId = PeerId(0xb);
const LEASE: Duration = Duration::from_secs(4);

fn room(number: u8) -> RoomKey {
    RoomKey::of(&RoomId([number; 16]))
}

/// Knows that Anna is in room 1 of server A, after 3 changes.
fn met(now: Instant) -> Others {
    let mut others = Others::new(3, 2);
    let greeting = others.hello(A, 3, None, now);
    assert_eq!(greeting, Greeting { greets: true, ..Greeting::default() });
    assert!(others.asks(A, now, LEASE) && !others.asks(A, now, LEASE));
    let told = others.state(A, 3, (0, true), vec![(room(1), vec![ANNA])], vec![]);
    assert_eq!(told, [Change::Entered(room(1), ANNA), Change::Met(room(1))]);
    assert!(!others.asks(A, now + LEASE, LEASE));
    others
}

#[test]
fn a_server_is_met_told_and_followed() {
    let mut others = met(Instant::now());
    assert_eq!(others.place(room(1), ANNA), Some(A));
    let entered = Change::Entered(room(1), BEN);
    assert_eq!(others.change(A, 4, entered), Some(entered));
    assert_eq!(others.members(room(1)), BTreeSet::from([ANNA, BEN]));
    assert!(others.is_known_to(A, 4));
    let left = Change::Left(room(1), ANNA);
    assert_eq!(others.change(A, 5, left), Some(left));
    assert_eq!(others.place(room(1), ANNA), None);
}

#[test]
fn a_room_is_lacked_only_where_all_is_known() {
    let now = Instant::now();
    let mut others = met(now);
    assert!(others.lack(room(2)) && !others.lack(room(1)));
    others.hello(ServerId(2), 0, None, now);
    assert!(!others.lack(room(2)), "the second has told nothing yet");
    others.state(ServerId(2), 0, (0, true), vec![], vec![]);
    assert!(others.lack(room(2)));
    others.hello(A, 4, Some(1), now);
    assert!(!others.lack(room(2)), "something of the first is missing");
}

#[test]
fn a_missing_change_makes_it_ask_and_is_made_good() {
    let now = Instant::now();
    let mut others = met(now);
    assert_eq!(others.change(A, 5, Change::Entered(room(2), BEN)), None);
    assert_eq!(others.change(A, 6, Change::Entered(room(3), BEN)), None);
    assert!(!others.is_known_to(A, 6) && others.asks(A, now + LEASE, LEASE));
    let rooms = vec![(room(1), vec![BEN]), (room(3), vec![BEN])];
    let told = others.state(A, 6, (0, true), rooms, vec![]);
    let (left, entered) = (Change::Left(room(1), ANNA), Change::Entered);
    assert_eq!(told, [left, entered(room(1), BEN), entered(room(3), BEN)].sorted_as(&told));
    assert!(others.is_known_to(A, 6));
}

/// They are numbered with the other changes, and told with everything.
#[test]
fn codes_are_known_by_the_server_that_shows_them() {
    let now = Instant::now();
    let mut others = met(now);
    others.code_changed(A, 4, 17, true);
    others.code_changed(A, 5, 18, true);
    others.code_changed(A, 6, 17, false);
    assert_eq!([17, 18].map(|place| others.place_of_code(place)), [None, Some(A)]);
    assert!(others.is_known_to(A, 6));
    others.code_changed(A, 8, 19, true);
    assert_eq!(others.place_of_code(19), None, "something before it is missing");
    assert!(others.asks(A, now + LEASE, LEASE));
    others.state(A, 8, (0, true), vec![], vec![19]);
    assert_eq!([18, 19].map(|place| others.place_of_code(place)), [None, Some(A)]);
    others.forget(A);
    assert_eq!(others.place_of_code(19), None);
}

trait SortedAs {
    fn sorted_as(self, other: &[Change]) -> Vec<Change>;
}

impl SortedAs for [Change; 3] {
    /// Rooms are in the order of digests.
    fn sorted_as(self, other: &[Change]) -> Vec<Change> {
        let mut own = self.to_vec();
        own.sort_by_key(|change| other.iter().position(|one| one == change));
        own
    }
}

#[test]
fn a_hello_with_another_number_makes_it_ask() {
    let now = Instant::now();
    let mut others = met(now);
    assert_eq!(others.hello(A, 4, Some(1), now), Greeting::default());
    assert!(others.asks(A, now + LEASE, LEASE));
}

#[test]
fn a_silent_server_is_gone_with_its_phones_and_is_met_again() {
    let now = Instant::now();
    let mut others = met(now);
    assert_eq!(others.silent(LEASE, now + LEASE), []);
    assert_eq!(others.silent(LEASE, now + 2 * LEASE), [A]);
    assert_eq!(others.forget(A), [Change::Left(room(1), ANNA)]);
    assert!(others.hello(A, 3, Some(1), now).greets);
    assert_eq!(others.known(), [(A, 2)]);
}

#[test]
fn a_server_that_tells_anything_is_there() {
    let now = Instant::now();
    let mut others = met(now);
    others.heard(A, now + LEASE);
    others.heard(ServerId(2), now + LEASE);
    assert_eq!(others.silent(LEASE, now + 2 * LEASE), []);
    assert_eq!(others.ids().collect::<Vec<_>>(), [A], "nobody is met by it");
}

/// Two servers, of which one has lost the other: the other one learns of that by the number, and neither forgets again.
#[test]
fn who_was_lost_learns_of_it_once() {
    let now = Instant::now();
    let mut others = met(now);
    let greeting = others.hello(A, 3, Some(2), now);
    let changes = vec![Change::Left(room(1), ANNA)];
    assert_eq!(greeting, Greeting { changes, greets: true, ..Greeting::default() });
    assert_eq!(others.known(), [(A, 2)]);
    assert_eq!(others.hello(A, 3, Some(2), now), Greeting::default());
}

#[test]
fn what_a_server_can_make_us_keep_is_bounded() {
    let now = Instant::now();
    let mut others = met(now);
    for (number, room_number) in (4..).zip(2..9) {
        others.change(A, number, Change::Entered(room(room_number), ANNA));
    }
    for (number, peer) in (11..).zip(100..109) {
        others.change(A, number, Change::Entered(room(1), PeerId(peer)));
    }
    assert_eq!(others.servers[&A].members.as_ref().unwrap().len(), 3);
    assert_eq!(others.members(room(1)).len(), 2);
    let hellos = (2..100).map(|id| others.hello(ServerId(id), 0, None, now));
    let told = hellos.filter(|greeting| greeting.is_first_too_many).count();
    assert_eq!(told, 1, "the operator is told once");
    assert_eq!(others.ids().count(), SERVERS_MAX);
    let rooms = (1..9).map(|number| (room(number), vec![ANNA, BEN, PeerId(7)])).collect();
    others.state(A, 99, (0, true), rooms, vec![]);
    assert_eq!(others.servers[&A].members.as_ref().unwrap().len(), 3);
    assert_eq!(others.members(room(1)).len(), 2);
}

#[test]
fn parts_come_in_their_order_or_not_at_all() {
    let mut others = met(Instant::now());
    let part = |number: u8| vec![(room(number), vec![BEN])];
    assert_eq!(others.state(A, 9, (0, false), part(1), vec![]), []);
    assert_eq!(others.state(A, 9, (2, true), part(2), vec![]), []);
    assert_eq!(others.members(room(2)), BTreeSet::new());
    assert_eq!(others.state(A, 9, (1, true), part(2), vec![]).len(), 3);
    assert_eq!(others.members(room(2)), BTreeSet::from([BEN]));
}
