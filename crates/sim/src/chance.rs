//! What differs from one step or frame to the next, drawn from a seed.

/// Draws factors around 1. The same seed gives the same factors.
#[derive(Debug)]
pub(crate) struct Chance {
    state: u64,
    /// How far a factor may be from 1.
    spread: f64,
}

impl Chance {
    /// Every factor is 1.
    pub(crate) fn none() -> Self {
        Self::new(0, 0.0)
    }

    /// Factors from `1 - spread` to `1 + spread`, those around 1 most often.
    pub(crate) fn new(seed: u64, spread: f64) -> Self {
        Self { state: seed, spread }
    }

    pub(crate) fn factor(&mut self) -> f64 {
        if self.spread == 0.0 {
            return 1.0;
        }
        1.0 + self.spread * (self.unit() + self.unit() - 1.0)
    }

    /// From 0 to 1, by SplitMix64 (Steele, Lea and Flood, 2014).
    fn unit(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ word >> 31) as f64 / u64::MAX as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_around_one_and_the_seeds() {
        let draw = |seed| {
            let mut chance = Chance::new(seed, 0.2);
            (0..1000).map(|_| chance.factor()).collect::<Vec<f64>>()
        };
        let factors = draw(1);
        assert!(factors.iter().all(|factor| (0.8..=1.2).contains(factor)));
        assert!((factors.iter().sum::<f64>() / 1000.0 - 1.0).abs() < 0.01);
        assert_eq!(factors, draw(1));
        assert_ne!(factors, draw(2));
        assert_eq!(Chance::none().factor(), 1.0);
    }
}
