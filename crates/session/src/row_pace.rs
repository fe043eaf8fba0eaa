//! What a row by itself takes in a stage, also while rows of several requests go through it together.
//!
//! A pass of several rows takes less than as many passes of one, and how much less depends on the device. Passes of more
//! and of fewer rows follow each other closely wherever several requests are in flight, so it is learned from those.

use std::collections::VecDeque;

use crate::pace::{Pace, median_of};

/// The latest passes of one stage.
#[derive(Debug, Default)]
pub(crate) struct RowPace {
    /// How many rows each had, and how long the device worked on it.
    passes: VecDeque<(usize, f64)>,
    /// What each row after the first takes, as a part of what that one does: the latest findings.
    further: Pace,
}

impl RowPace {
    /// One more pass, of so many rows.
    pub(crate) fn add(&mut self, rows: usize, secs: f64) {
        if self.passes.len() == PASSES_KEPT {
            self.passes.pop_front();
        }
        self.passes.push_back((rows, secs));
        if let Some(further) = self.further_now() {
            self.further.add(further);
        }
    }

    /// What a row by itself takes of late, once there were enough passes.
    pub(crate) fn latest(&self) -> Option<f64> {
        if self.passes.len() < PASSES_NEEDED {
            return None;
        }
        let further = self.further.median().unwrap_or(FURTHER_ROW);
        let latest = self.passes.iter().rev().take(PASSES_NEEDED);
        let one = |&(rows, secs): &(usize, f64)| secs / (1.0 + further * (rows as f64 - 1.0));
        Some(median_of(latest.map(one).collect()))
    }

    /// What the passes that are kept say of a further row, where they are of different numbers of rows.
    fn further_now(&self) -> Option<f64> {
        let secs_of = |rows: usize| {
            let alike = self.passes.iter().filter(|pass| pass.0 == rows).map(|pass| pass.1);
            let alike: Vec<f64> = alike.collect();
            (alike.len() >= PASSES_ALIKE).then(|| median_of(alike))
        };
        let counts = self.passes.iter().map(|pass| pass.0);
        let (fewest, most) = (counts.clone().min()?, counts.max()?);
        let known = |rows: &usize| secs_of(*rows).is_some();
        let fewer = (fewest..most).find(known)?;
        let more = (fewer + 1..=most).rev().find(known)?;
        let (fewer_secs, more_secs) = (secs_of(fewer)?, secs_of(more)?);
        let further_secs = (more_secs - fewer_secs) / (more - fewer) as f64;
        let first_secs = fewer_secs - further_secs * (fewer as f64 - 1.0);
        Some((further_secs / first_secs.max(further_secs)).clamp(0.0, 1.0))
    }
}

const PASSES_KEPT: usize = 16;
const PASSES_NEEDED: usize = 8;
/// Passes of as many rows, to be compared with others.
const PASSES_ALIKE: usize = 3;
/// Until it is known: 32 rows take 11 to 15 times as long as one in this project's kernels.
const FURTHER_ROW: f64 = 0.4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_by_itself_takes_what_it_takes() {
        let mut pace = RowPace::default();
        (0..7).for_each(|_| pace.add(1, 0.01));
        assert_eq!(pace.latest(), None);
        pace.add(1, 0.01);
        assert_eq!(pace.latest(), Some(0.01));
        (0..5).for_each(|_| pace.add(1, 0.03));
        assert_eq!(pace.latest(), Some(0.03), "a change shows soon");
    }

    #[test]
    fn what_a_further_row_takes_is_learned() {
        for further in [0.05, 0.4, 1.0] {
            let mut pace = RowPace::default();
            for pass in 0..40 {
                let rows = 1 + pass % 3;
                pace.add(rows, 0.01 * (1.0 + further * (rows as f64 - 1.0)));
            }
            let latest = pace.latest().unwrap();
            assert!((latest / 0.01 - 1.0).abs() < 1e-9, "{further}: {latest}");
        }
    }

    #[test]
    fn passes_of_several_rows_alone_show_a_slower_device_as_much() {
        let mut pace = RowPace::default();
        (0..20).for_each(|_| pace.add(4, 0.02));
        let before = pace.latest().unwrap();
        (0..8).for_each(|_| pace.add(4, 0.06));
        assert!((pace.latest().unwrap() / before - 3.0).abs() < 1e-9);
    }

    #[test]
    fn any_times_give_a_time() {
        let mut pace = RowPace::default();
        for (rows, secs) in [(1, 0.0), (2, 0.0), (4, 1.0), (2, 9.0), (1, 3.0)].repeat(9) {
            pace.add(rows, secs);
            assert!(pace.latest().is_none_or(|secs| secs.is_finite() && secs >= 0.0));
        }
    }
}
