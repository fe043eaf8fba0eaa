//! How many answers the header sends around the ring together.
//!
//! Rows that go through a device in one pass share what a pass costs besides them, and all weights that are read. But
//! requests that travel together leave the other phones without work meanwhile. What is best depends on the phones,
//! the links and what else a header does for a token, so the numbers are tried, and the one with the most tokens a
//! second is kept.

use std::collections::BTreeMap;

/// What the header has tried in this epoch.
#[derive(Debug, Default)]
pub(crate) struct Grouping {
    trial: Option<Trial>,
    /// Tokens a second, and in which trial, by requests at once and rows in a pass.
    rates: BTreeMap<(usize, usize), (f64, u32)>,
    trials: u32,
}

/// So many rows in a pass, for some tokens.
#[derive(Debug)]
struct Trial {
    requests: usize,
    rows: usize,
    tokens: usize,
    since_secs: f64,
}

impl Grouping {
    /// How many rows of answers a pass of the header has at most, while so many requests share so many phones.
    pub(crate) fn most_rows(&mut self, requests: usize, phones: usize, now_secs: f64) -> usize {
        if requests < 2 {
            self.trial = None;
            return 1;
        }
        match &self.trial {
            Some(trial) if trial.requests == requests => trial.rows,
            _ => self.begin(requests, phones, now_secs),
        }
    }

    /// A token has come out of the ring.
    pub(crate) fn token_came(&mut self, phones: usize, now_secs: f64) {
        let Some(trial) = &mut self.trial else { return };
        let (requests, rows) = (trial.requests, trial.rows);
        trial.tokens += 1;
        if trial.tokens == requests * SETTLING_ROUNDS {
            trial.since_secs = now_secs;
        }
        let took_secs = now_secs - trial.since_secs;
        if trial.tokens < requests * (SETTLING_ROUNDS + COUNTED_ROUNDS) || took_secs <= 0.0 {
            return;
        }
        let rate = (requests * COUNTED_ROUNDS) as f64 / took_secs;
        self.rates.insert((requests, rows), (rate, self.trials));
        self.begin(requests, phones, now_secs);
    }

    fn begin(&mut self, requests: usize, phones: usize, now_secs: f64) -> usize {
        let rows = self.next_rows(requests, phones);
        self.trials += 1;
        self.trial = Some(Trial { requests, rows, tokens: 0, since_secs: now_secs });
        rows
    }

    /// What is next to the best so far, if that has not been tried of late; else the best.
    fn next_rows(&self, requests: usize, phones: usize) -> usize {
        let tried = self.rates.range((requests, 1)..=(requests, requests));
        let best = tried.max_by(|(_, (one, _)), (_, (other, _))| one.total_cmp(other));
        let Some((&(_, best), _)) = best else { return requests.div_ceil(phones.max(1)) };
        let is_new = |&rows: &usize| match self.rates.get(&(requests, rows)) {
            Some((_, trial)) => self.trials - trial > TRIALS_KEPT,
            None => true,
        };
        let near = [best + 1, best - 1, best].into_iter();
        near.filter(|&rows| (1..=requests).contains(&rows)).find(is_new).unwrap_or(best)
    }
}

/// Tokens of each request that say nothing yet of a number just changed.
const SETTLING_ROUNDS: usize = 1;
/// Tokens of each request that are counted then.
const COUNTED_ROUNDS: usize = 4;
/// A rate is believed for so many trials.
const TRIALS_KEPT: u32 = 40;

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers tried, where a round of all requests takes so long with each.
    fn tried(round_secs: impl Fn(usize) -> f64, rounds: usize) -> Vec<usize> {
        let (mut grouping, mut now_secs) = (Grouping::default(), 0.0);
        let mut tried = Vec::new();
        for _ in 0..rounds {
            let rows = grouping.most_rows(4, 3, now_secs);
            tried.push(rows);
            now_secs += round_secs(rows);
            (0..4).for_each(|_| grouping.token_came(3, now_secs));
        }
        tried
    }

    #[test]
    fn the_best_number_of_rows_is_found_and_kept() {
        for best in 1..=4_usize {
            let round_secs = |rows: usize| 1.0 + rows.abs_diff(best) as f64 * 0.1;
            let tried = tried(round_secs, 100);
            assert_eq!(tried[0], 2, "as many as give each phone its share");
            assert!(tried[25..].iter().all(|&rows| rows == best), "{best}: {tried:?}");
        }
    }

    #[test]
    fn what_was_tried_long_ago_is_tried_again() {
        let now_slow = std::cell::Cell::new(0);
        let tried = tried(
            |rows| {
                now_slow.set(now_slow.get() + 1);
                if (rows == 2) == (now_slow.get() < 100) { 1.0 } else { 2.0 }
            },
            1000,
        );
        assert_eq!((tried[50], tried[999] == 2), (2, false), "{tried:?}");
    }

    #[test]
    fn one_request_needs_no_trial() {
        let mut grouping = Grouping::default();
        assert_eq!(grouping.most_rows(1, 3, 0.0), 1);
        grouping.token_came(3, 1.0);
        assert!(grouping.rates.is_empty());
    }
}
