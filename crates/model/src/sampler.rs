//! From logits to a token.

/// How the next token is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// 0 takes the most likely token; 1 follows the model's distribution.
    pub temperature: f32,
    /// Only this many most likely tokens are considered; 0 for all.
    pub top_k: u32,
    /// Only the most likely tokens whose probabilities add up to this are considered.
    pub top_p: f32,
    /// Seed of the choice.
    pub seed: u64,
}

/// Chooses tokens. The choice depends on the logits, the seed and the number of the
/// step, and on nothing else: wherever the tail of the ring is, the answer is the same.
#[derive(Clone, Copy, Debug)]
pub struct Sampler {
    sampling: Sampling,
}

impl Sampler {
    /// A sampler with these settings.
    pub fn new(sampling: Sampling) -> Self {
        Self { sampling }
    }

    /// The token for step `step` of a completion.
    ///
    /// Ties go to the lower token. An empty slice gives 0.
    pub fn choose(&self, logits: &[f32], step: u32) -> u32 {
        if self.sampling.temperature <= 0.0 {
            return most_likely(logits);
        }
        let candidates = self.candidates(logits);
        let total: f64 = candidates.iter().map(|&(_, weight)| weight).sum();
        let mut left = uniform(self.sampling.seed, step) * total;
        for &(token, weight) in &candidates {
            left -= weight;
            if left < 0.0 {
                return token;
            }
        }
        candidates.last().map_or(0, |&(token, _)| token)
    }

    /// The tokens that may be chosen, most likely first, with unnormalised probabilities.
    fn candidates(&self, logits: &[f32]) -> Vec<(u32, f64)> {
        let Sampling { temperature, top_k, top_p, .. } = self.sampling;
        let mut order: Vec<u32> = (0..logits.len() as u32).collect();
        order.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b)));
        if top_k > 0 {
            order.truncate(top_k as usize);
        }
        let highest = order.first().map_or(0.0, |&token| f64::from(logits[token as usize]));
        let weight = |token: u32| {
            ((f64::from(logits[token as usize]) - highest) / f64::from(temperature)).exp()
        };
        let weighted: Vec<(u32, f64)> = order.iter().map(|&token| (token, weight(token))).collect();
        let wanted = weighted.iter().map(|&(_, weight)| weight).sum::<f64>() * f64::from(top_p);
        let mut seen = 0.0;
        let kept = weighted.iter().position(|&(_, weight)| {
            seen += weight;
            seen >= wanted
        });
        let keep = kept.map_or(weighted.len(), |last| last + 1);
        weighted.into_iter().take(keep).collect()
    }
}

fn most_likely(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (token, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = token;
        }
    }
    best as u32
}

/// A number in `0..1` from a seed and a step (SplitMix64, Steele et al. 2014).
fn uniform(seed: u64, step: u32) -> f64 {
    let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(u64::from(step) + 1));
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^= state >> 31;
    (state >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const WARM: Sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, seed: 7 };

    #[test]
    fn zero_temperature_takes_the_first_of_the_most_likely() {
        let sampler = Sampler::new(Sampling { temperature: 0.0, ..WARM });
        assert_eq!(sampler.choose(&[0.0, 3.0, 1.0, 3.0], 0), 1);
        assert_eq!(sampler.choose(&[], 0), 0);
    }

    #[test]
    fn frequencies_follow_the_distribution() {
        let logits = [0.0, 2f32.ln(), 5f32.ln()];
        let mut counts = [0u32; 3];
        for step in 0..8000 {
            counts[Sampler::new(WARM).choose(&logits, step) as usize] += 1;
        }
        for (count, share) in counts.iter().zip([1.0, 2.0, 5.0]) {
            assert!((f64::from(*count) / 1000.0 - share).abs() < 0.15, "{counts:?}");
        }
    }

    #[test]
    fn top_k_and_top_p_cut_the_tail() {
        let logits = [1.0, 2.0, 3.0, 4.0];
        for step in 0..200 {
            let top_k = Sampler::new(Sampling { top_k: 2, ..WARM }).choose(&logits, step);
            assert!(top_k >= 2);
            let top_p = Sampler::new(Sampling { top_p: 0.5, ..WARM }).choose(&logits, step);
            assert_eq!(top_p, 3);
        }
    }

    #[test]
    fn the_same_seed_and_step_choose_the_same() {
        let logits: Vec<f32> = (0..50).map(|at| (at as f32 * 0.37).sin()).collect();
        let run = |seed| -> Vec<u32> {
            let sampler = Sampler::new(Sampling { seed, ..WARM });
            (0..20).map(|step| sampler.choose(&logits, step)).collect()
        };
        assert_eq!(run(3), run(3));
        assert_ne!(run(3), run(4));
    }
}
