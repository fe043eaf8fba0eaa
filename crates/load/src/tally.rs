//! Counting what came of pairings.

use std::{collections::BTreeMap, time::Duration};

use tokio::task::JoinError;

use crate::{Error, pairing::Paired};

/// What came of pairings.
#[derive(Default)]
pub(crate) struct Tally {
    /// For as long as pairings were begun.
    pub(crate) secs: f64,
    /// Those that ended well within that time.
    pub(crate) in_time: u64,
    /// From a relayed message's sending to its arrival.
    pub(crate) relays: Vec<Duration>,
    /// From when a pairing was due to its end.
    pub(crate) took: Vec<Duration>,
    pub(crate) failures: Failures,
}

impl Tally {
    pub(crate) fn add(&mut self, ended: Result<Result<Paired, Error>, JoinError>) {
        match ended.map_err(Error::Task).flatten() {
            Ok(paired) => {
                self.relays.extend(paired.relays.as_flattened());
                self.took.push(paired.took);
            }
            Err(error) => self.failures.add(&error),
        }
    }
}

/// How often each thing went wrong.
#[derive(Default)]
pub(crate) struct Failures(pub(crate) BTreeMap<String, u64>);

impl Failures {
    pub(crate) fn add(&mut self, error: &Error) {
        let message = error.to_string();
        let is_new = !self.0.contains_key(&message);
        let others = || "something else".to_owned();
        let kept = if is_new && self.0.len() >= KINDS_MAX { others() } else { message };
        *self.0.entry(kept).or_default() += 1;
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (message, count) in other.0 {
            *self.0.entry(message).or_default() += count;
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// The least that so many hundredths of all do not exceed, in milliseconds; 0 of none.
pub(crate) fn percentile_millis(sorted: &[Duration], hundredths: usize) -> f64 {
    let at = (sorted.len() * hundredths).div_ceil(100).saturating_sub(1);
    sorted.get(at).map_or(0.0, |duration| duration.as_secs_f64() * 1e3)
}

/// Kinds of failures that are told apart.
const KINDS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let millis: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(
            [0, 50, 99, 100].map(|of| percentile_millis(&millis, of)),
            [1.0, 100.0, 198.0, 200.0]
        );
        assert_eq!(percentile_millis(&millis[..1], 99), 1.0);
        assert_eq!(percentile_millis(&[], 99), 0.0);
    }

    #[test]
    fn failures_are_counted_and_their_kinds_bounded() {
        let mut failures = Failures::default();
        (0..2).for_each(|_| failures.add(&Error::Late("it")));
        (0..100).for_each(|number| failures.add(&Error::Crowded(number)));
        assert_eq!((failures.total(), failures.0.len()), (102, KINDS_MAX + 1));
        assert_eq!(failures.0["it did not come in time"], 2);
    }
}
