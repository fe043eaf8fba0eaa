//! From logits to a token.

/// How the next token is chosen. The choices are narrowed in the order of Hugging Face's
/// transformers: repetition penalty, temperature, top-k, top-p, min-p.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// What logits of tokens seen before are divided by, or multiplied by below zero (Keskar
    /// et al. 2019, section 4.1); 1 changes nothing. Counts at temperature 0 as well.
    pub repetition_penalty: f32,
    /// 0 takes the most likely token; 1 follows the model's distribution.
    pub temperature: f32,
    /// Only this many most likely tokens are considered; 0 for all.
    pub top_k: u32,
    /// Only the most likely tokens whose probabilities add up to this are considered.
    pub top_p: f32,
    /// Only tokens that are at least this times as likely as the likeliest are considered
    /// (Nguyen et al. 2024); 0 for all.
    pub min_p: f32,
    /// Seed of the choice.
    pub seed: u64,
}

/// Chooses tokens. The choice depends on the logits, the tokens seen, the seed and the number
/// of the step, and on nothing else: wherever the tail of the ring is, the answer is the same.
#[derive(Clone, Copy, Debug)]
pub struct Sampler {
    sampling: Sampling,
}

impl Sampler {
    /// A sampler with these settings.
    pub fn new(sampling: Sampling) -> Self {
        Self { sampling }
    }

    /// The token for step `step` of a completion, after those in `seen`, in any order.
    ///
    /// Ties go to the lower token. An empty slice gives 0.
    pub fn choose(&self, logits: &[f32], seen: &[u32], step: u32) -> u32 {
        let scores = self.scores(logits, seen);
        if self.sampling.temperature <= 0.0 {
            return most_likely(&scores);
        }
        let candidates = self.candidates(&scores);
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

    /// The logits after the repetition penalty.
    fn scores(&self, logits: &[f32], seen: &[u32]) -> Vec<f64> {
        let penalty = f64::from(self.sampling.repetition_penalty);
        let mut scores: Vec<f64> = logits.iter().map(|&logit| logit.into()).collect();
        for &token in seen {
            // From the logit, so that a token counts once however often it was there.
            if let Some(&logit) = logits.get(token as usize) {
                let logit = f64::from(logit);
                scores[token as usize] =
                    if logit < 0.0 { logit * penalty } else { logit / penalty };
            }
        }
        scores
    }

    /// The tokens that may be chosen, most likely first, with their probabilities as parts of
    /// the first one's.
    fn candidates(&self, scores: &[f64]) -> Vec<(u32, f64)> {
        let Sampling { temperature, top_k, top_p, min_p, .. } = self.sampling;
        let count = if top_k == 0 { scores.len() } else { top_k as usize };
        let order = most_likely_first(scores, count);
        let highest = order.first().map_or(0.0, |&token| scores[token as usize]);
        let weight =
            |token: u32| ((scores[token as usize] - highest) / f64::from(temperature)).exp();
        let mut weighted: Vec<(u32, f64)> =
            order.iter().map(|&token| (token, weight(token))).collect();
        weighted.truncate(nucleus(&weighted, top_p.into()));
        let min_p = f64::from(min_p);
        let likely = weighted.iter().take_while(|&&(_, weight)| weight >= min_p).count();
        weighted.truncate(likely.max(1));
        weighted
    }
}

/// How many of the first tokens it takes for a part `top_p` of all weights.
fn nucleus(weighted: &[(u32, f64)], top_p: f64) -> usize {
    let wanted = weighted.iter().map(|&(_, weight)| weight).sum::<f64>() * top_p;
    let mut seen = 0.0;
    let last = weighted.iter().position(|&(_, weight)| {
        seen += weight;
        seen >= wanted
    });
    last.map_or(weighted.len(), |last| last + 1)
}

/// The `count` most likely tokens, or as many as there are, in order.
pub(crate) fn most_likely_first(scores: &[f64], count: usize) -> Vec<u32> {
    let by_score =
        |&a: &u32, &b: &u32| scores[b as usize].total_cmp(&scores[a as usize]).then(a.cmp(&b));
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    if count < order.len() {
        // Sorting a whole vocabulary for a few tokens would take longer than all the rest.
        order.select_nth_unstable_by(count, by_score);
        order.truncate(count);
    }
    order.sort_unstable_by(by_score);
    order
}

fn most_likely(scores: &[f64]) -> u32 {
    let mut best = 0;
    for (token, score) in scores.iter().enumerate() {
        if *score > scores[best] {
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
mod tests;
