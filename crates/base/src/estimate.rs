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

    /// Of at least one round; of none it is 0.
    pub fn of(rounds: &[f64]) -> Self {
        let count = rounds.len().max(1) as f64;
        let mean = rounds.iter().sum::<f64>() / count;
        let squares: f64 = rounds.iter().map(|round| (round - mean).powi(2)).sum();
        Self { mean, spread: (squares / count).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_averaged_and_their_spread_kept() {
        assert_eq!(Estimate::of(&[1.0, 3.0, 1.0, 3.0]), Estimate { mean: 2.0, spread: 1.0 });
        assert_eq!(Estimate::of(&[4.0]), Estimate::exact(4.0));
        assert_eq!(Estimate::of(&[]), Estimate::exact(0.0));
    }
}
