use std::collections::VecDeque;

use base::{PeerId, RoomId};

use super::*;

const A: ServerId = ServerId(1);
const B: ServerId = ServerId(2);

fn claim(ticket: u64) -> Claim {
    let room = RoomKey::of(&RoomId([7; 16]));
    Claim { ticket, room, peer: PeerId(ticket as u32), opens: true }
}

fn tickets(claims: &Claims, ticket: u64) -> Vec<u64> {
    claims.before(&claim(ticket)).map(|rival| rival.ticket).collect()
}

/// Whatever comes first, the wish or the answer: exactly one of two finds nobody before itself.
#[test]
fn of_two_servers_one_is_first() {
    for (here, there) in [(5, 7), (7, 5)] {
        let (mut a, mut b) = (Claims::default(), Claims::default());
        a.begin(claim(here), [B].into_iter());
        b.begin(claim(there), [A].into_iter());
        let to_b = a.heard(claim(there));
        let to_a = b.heard(claim(here));
        a.answered((claim(here).room, here), B, None, to_a);
        b.answered((claim(there).room, there), A, None, to_b);
        assert_ne!(tickets(&a, here).is_empty(), tickets(&b, there).is_empty());
        assert_eq!(tickets(&a, here).is_empty(), here < there);
    }
}

#[test]
fn of_two_at_one_server_one_is_first() {
    let mut claims = Claims::default();
    claims.begin(claim(5), [].into_iter());
    claims.begin(claim(7), [].into_iter());
    assert_eq!((tickets(&claims, 5), tickets(&claims, 7)), (vec![], vec![5]));
    claims.end(&claim(5));
    assert_eq!(tickets(&claims, 7), [0_u64; 0]);
}

#[tokio::test]
async fn only_who_is_asked_answers_and_who_is_gone_is_not_waited_for() {
    let mut claims = Claims::default();
    let answered = claims.begin(claim(5), [A, B].into_iter());
    let place = (claim(5).room, 5);
    claims.answered(place, ServerId(3), Some(1), vec![claim(1)]);
    claims.answered(place, A, Some(60), vec![claim(2)]);
    claims.answered(place, A, Some(1), vec![claim(3)]);
    assert_eq!((tickets(&claims, 5), claims.left_secs(&claim(5))), (vec![2], Some(60)));
    claims.forget(B);
    answered.notified().await;
}

#[test]
fn rivals_are_bounded() {
    let mut claims = Claims::default();
    claims.begin(claim(u64::MAX), [].into_iter());
    for ticket in 0..2 * RIVALS_MAX as u64 {
        claims.heard(claim(ticket));
    }
    assert_eq!(tickets(&claims, u64::MAX).len(), RIVALS_MAX);
}

/// A server of the simulation below.
#[derive(Default)]
struct Side {
    claims: Claims,
    ticket: u64,
    answered: Option<Arc<Notify>>,
    is_in: bool,
    /// Whether the other is in the room, as it told.
    sees_other: bool,
    inbox: VecDeque<Told>,
}

enum Told {
    Claim(Claim),
    Answer(Vec<Claim>),
    Entered,
}

impl Side {
    fn begin(&mut self, other: ServerId) -> Told {
        self.answered = Some(self.claims.begin(claim(self.ticket), [other].into_iter()));
        Told::Claim(claim(self.ticket))
    }

    fn hear(&mut self, from: ServerId, told: Told) -> Option<Told> {
        match told {
            Told::Claim(theirs) => return Some(Told::Answer(self.claims.heard(theirs))),
            Told::Answer(rivals) => {
                let place = (claim(self.ticket).room, self.ticket);
                self.claims.answered(place, from, None, rivals);
            }
            Told::Entered => self.sees_other = true,
        }
        None
    }

    /// Whether it has just entered.
    fn decide(&mut self) -> bool {
        let claim = claim(self.ticket);
        self.is_in = self.claims.before(&claim).next().is_none() && !self.sees_other;
        self.claims.end(&claim);
        self.answered = None;
        self.is_in
    }
}

/// However fast either server is, one of two who open a room does.
#[tokio::test]
async fn in_any_order_of_events_exactly_one_opens() {
    for seed in 0..20_000_u64 {
        let mut random = seed;
        let mut choose = |choices: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % choices
        };
        let first = 1 + choose(2);
        let mut sides = [first, 3 - first].map(|ticket| Side { ticket, ..Side::default() });
        let mut to_begin = [true, true];
        let is_busy = |sides: &[Side; 2], to_begin: [bool; 2]| {
            let open = |side: &Side| side.answered.is_some() || !side.inbox.is_empty();
            to_begin.contains(&true) || sides.iter().any(open)
        };
        while is_busy(&sides, to_begin) {
            let (me, action) = (choose(2) as usize, choose(3));
            let other = 1 - me;
            let told = match action {
                0 if std::mem::take(&mut to_begin[me]) => {
                    Some(sides[me].begin(ServerId(other as u64)))
                }
                1 => match sides[me].inbox.pop_front() {
                    Some(told) => sides[me].hear(ServerId(other as u64), told),
                    None => None,
                },
                2 if is_answered(&sides[me]) => sides[me].decide().then_some(Told::Entered),
                _ => None,
            };
            sides[other].inbox.extend(told);
        }
        assert_ne!(sides[0].is_in, sides[1].is_in, "seed {seed}");
    }
}

fn is_answered(side: &Side) -> bool {
    let waits_for = |pending: &Pending| !pending.waits_for.is_empty();
    side.answered.is_some() && !side.claims.own.values().any(waits_for)
}
