//! How two peers give a link another way when one of them has come into another network: the link's certificates stay, and
//! with them what both have proved and whatever is under way.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// What two peers tell each other to restart a link's ICE (RFC 8839, section 4.4.1.1.1); only ever sent sealed. The peer
/// with the smaller id offers, so that offers never cross; the other may ask for one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Restart {
    /// An offer is wanted.
    Ask {
        /// Of the latest restart that the sender has answered, 0 before the first.
        number: u32,
    },
    /// Another way is offered.
    Offer {
        /// Higher than that of every offer before to the same peer.
        number: u32,
        /// With other credentials than the last, and the same fingerprints.
        sdp: String,
    },
    /// The offer of this number is taken.
    Answer {
        /// The offer's.
        number: u32,
        /// The same.
        sdp: String,
    },
}

/// The numbers of one peer's restarts, for as long as both have their ids. What is old is refused, and so are more than
/// [`RESTARTS_PER_MINUTE`].
#[derive(Clone, PartialEq, Default, Debug)]
pub struct RestartNumbers {
    offered: u32,
    answered: u32,
    /// When offers were made or taken, those of the last minute.
    at_secs: VecDeque<f64>,
}

/// Most offers of another way for one link in a minute. A phone that walks through a house changes its network less often.
pub const RESTARTS_PER_MINUTE: usize = 8;

impl RestartNumbers {
    /// For another offer, if there may be one.
    pub fn next_offer(&mut self, now_secs: f64) -> Option<u32> {
        self.is_within_bound(now_secs).then(|| {
            self.offered = self.offered.saturating_add(1);
            self.offered
        })
    }

    /// Whether an offer of the other end is newer than all before, and not one too many; from now on it is not new.
    pub fn takes_offer(&mut self, number: u32, now_secs: f64) -> bool {
        let is_new = number > self.answered;
        self.answered = self.answered.max(number);
        is_new && self.is_within_bound(now_secs)
    }

    /// Whether an answer is that to our last offer; a second one is not.
    pub fn takes_answer(&mut self, number: u32) -> bool {
        let is_due = number == self.offered && number > self.answered;
        if is_due {
            self.answered = number;
        }
        is_due
    }

    /// Whether our last offer was not answered.
    pub fn awaits_answer(&self) -> bool {
        self.offered > self.answered
    }

    /// Whether who asks has not been given a newer way than it knows.
    pub fn takes_ask(&self, number: u32) -> bool {
        number >= self.answered
    }

    /// For asking.
    pub fn answered(&self) -> u32 {
        self.answered
    }

    /// Whether there may be one more now; then it counts.
    fn is_within_bound(&mut self, now_secs: f64) -> bool {
        while self.at_secs.front().is_some_and(|at_secs| now_secs - at_secs > 60.0) {
            self.at_secs.pop_front();
        }
        let is_within = self.at_secs.len() < RESTARTS_PER_MINUTE;
        if is_within {
            self.at_secs.push_back(now_secs);
        }
        is_within
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{
        BODY_MAX_BYTES, Invitation, SignalBody, SignalError,
        message::{parse, write},
    };

    const LIMIT: usize = 1000;

    #[test]
    fn json_of_restarts() {
        let sdp = "v=0\r\n".to_owned();
        let cases = [
            (Restart::Ask { number: 3 }, r#"{"type":"restart","kind":"ask","number":3}"#),
            (
                Restart::Offer { number: 4, sdp: sdp.clone() },
                r#"{"type":"restart","kind":"offer","number":4,"sdp":"v=0\r\n"}"#,
            ),
            (
                Restart::Answer { number: 4, sdp },
                r#"{"type":"restart","kind":"answer","number":4,"sdp":"v=0\r\n"}"#,
            ),
        ];
        for (restart, json) in cases {
            let body = SignalBody::Restart(restart);
            assert_eq!(write(&body), json);
            assert_eq!(parse("a body", json, LIMIT), Ok(body));
        }
    }

    #[test]
    fn other_restarts_are_refused() {
        for json in [
            r#"{"type":"restart"}"#,
            r#"{"type":"restart","kind":"ask"}"#,
            r#"{"type":"restart","kind":"ask","number":-1}"#,
            r#"{"type":"restart","kind":"ask","number":4294967296}"#,
            r#"{"type":"restart","kind":"ask","number":1,"sdp":""}"#,
            r#"{"type":"restart","kind":"offer","number":1}"#,
            r#"{"type":"restart","kind":"offer","number":1,"sdp":null}"#,
            r#"{"type":"restart","kind":"end","number":1,"sdp":""}"#,
        ] {
            let refused = parse::<SignalBody>("a body", json, LIMIT);
            assert!(matches!(refused, Err(SignalError::Malformed { .. })), "{json}: {refused:?}");
        }
    }

    #[test]
    fn long_restarts_are_not_sealed() {
        let mut sealer = Invitation::from_secret([7; 32]).sealer(base::PeerId(1));
        let mut sealed = |chars| {
            let body = Restart::Offer { number: 1, sdp: "v".repeat(chars) };
            sealer.seal(base::PeerId(2), &SignalBody::Restart(body))
        };
        assert!(sealed(BODY_MAX_BYTES - 100).is_ok());
        assert!(matches!(sealed(BODY_MAX_BYTES), Err(SignalError::TooLarge { .. })));
    }

    #[test]
    fn old_offers_and_answers_are_refused() {
        let (mut one, mut other) = (RestartNumbers::default(), RestartNumbers::default());
        assert_eq!(one.next_offer(0.0), Some(1));
        assert!(other.takes_offer(1, 0.0));
        assert!(!other.takes_offer(1, 0.0) && !other.takes_offer(0, 0.0));
        assert_eq!(one.next_offer(0.0), Some(2));
        assert!(!one.takes_answer(1), "a newer offer is on its way");
        assert!(other.takes_offer(2, 0.0));
        assert!(!one.takes_answer(3));
        assert!(one.takes_answer(2) && !one.takes_answer(2));
    }

    #[test]
    fn whoever_asks_before_it_has_heard_of_the_last_restart_is_not_heard() {
        let (mut one, mut other) = (RestartNumbers::default(), RestartNumbers::default());
        assert!(one.takes_ask(other.answered()));
        let asked = other.answered();
        let number = one.next_offer(0.0).unwrap();
        assert!(one.takes_ask(asked), "the offer may have been lost");
        assert!(other.takes_offer(number, 0.0) && one.takes_answer(number));
        assert!(!one.takes_ask(asked));
        assert!(one.takes_ask(other.answered()));
    }

    #[test]
    fn numbers_end_without_a_second_life() {
        let mut numbers =
            RestartNumbers { offered: u32::MAX, answered: u32::MAX, ..RestartNumbers::default() };
        assert_eq!(numbers.next_offer(0.0), Some(u32::MAX));
        assert!(!numbers.takes_answer(u32::MAX) && !numbers.takes_offer(u32::MAX, 0.0));
    }

    #[test]
    fn restarts_of_a_minute_are_bounded() {
        let (mut one, mut other) = (RestartNumbers::default(), RestartNumbers::default());
        let made = (0..100).filter_map(|_| one.next_offer(5.0));
        assert_eq!(made.count(), RESTARTS_PER_MINUTE);
        let taken = (1..=100).filter(|&number| other.takes_offer(number, 5.0));
        assert_eq!(taken.count(), RESTARTS_PER_MINUTE);
        assert_eq!(one.next_offer(64.0), None);
        assert!(one.next_offer(66.0).is_some() && other.takes_offer(101, 66.0));
    }
}
