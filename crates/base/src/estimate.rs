//! Figures that were measured several times.

use serde::{Deserialize, Serialize};

/// The mean of some rounds of measuring, and how far they lie apart; both in the figure's unit.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Estimate {
    /// Of the rounds.
    pub mean: f64,
    /// Their standard deviation; 0 for one round, or where nothing was measured.
    pub spread: f64,
}

impl Estimate {
    /// A figure without rounds.
    pub fn exact(value: f64) -> Self {
        Self { mean: value, spread: 0.0 }
    }

    /// The average of the rounds without the least and the greatest, where there are at least five: on a phone that
    /// does something else for a moment, one round in five is far from all others. Of none it is 0.
    pub fn of(rounds: &[f64]) -> Self {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let ends = usize::from(rounds.len() >= 5);
        let middle = &sorted[ends..rounds.len() - ends];
        let average = |values: &mut dyn Iterator<Item = f64>, count: usize| {
            values.sum::<f64>() / count.max(1) as f64
        };
        let mean = average(&mut middle.iter().copied(), middle.len());
        let squares = &mut rounds.iter().map(|round| (round - mean).powi(2));
        Self { mean, spread: average(squares, rounds.len()).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_averaged_and_their_spread_kept() {
        assert_eq!(Estimate::of(&[1.0, 3.0, 1.0, 3.0]), Estimate { mean: 2.0, spread: 1.0 });
        assert_eq!(Estimate::of(&[2.0, 2.0, 9.0, 2.0, 2.0]).mean, 2.0);
        assert_eq!(Estimate::of(&[4.0]), Estimate::exact(4.0));
        assert_eq!(Estimate::of(&[]), Estimate::exact(0.0));
    }
}
