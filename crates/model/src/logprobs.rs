//! How likely the model found a token.

use crate::sampler::most_likely_first;

/// Natural logarithms of probabilities, of the model's own distribution: before any penalty,
/// temperature or cut. None is over 0 or not a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Logprobs {
    /// Of the token that was chosen.
    pub chosen: f32,
    /// The likeliest tokens with theirs, likeliest first.
    pub alternatives: Vec<(u32, f32)>,
}

impl Logprobs {
    /// Of the token `chosen` and of the `count` likeliest, from `[vocabulary]` logits.
    pub fn of(logits: &[f32], chosen: u32, count: usize) -> Self {
        let scores: Vec<f64> = logits.iter().map(|&logit| logit.into()).collect();
        let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scores.iter().map(|score| (score - highest).exp()).sum();
        let logprob = |token: u32| {
            let score = scores.get(token as usize).copied().unwrap_or(f64::NEG_INFINITY);
            // `max` drops what is not a number.
            f64::NEG_INFINITY.max(score - highest - total.ln()).min(0.0) as f32
        };
        let likeliest = most_likely_first(&scores, count).into_iter();
        Self {
            chosen: logprob(chosen),
            alternatives: likeliest.map(|token| (token, logprob(token))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_torch() {
        let golden = testkit::sampling();
        for (logits, expected) in golden.logits.iter().zip(&golden.log_softmax) {
            let all = Logprobs::of(logits, 7, logits.len());
            assert_eq!(all.alternatives.len(), logits.len());
            for &(token, logprob) in &all.alternatives {
                let expected = expected[token as usize];
                assert!((f64::from(logprob) / expected - 1.0).abs() < 1e-6, "{token}");
            }
            assert_eq!(
                all.alternatives.iter().find(|&&(token, _)| token == 7).unwrap().1,
                all.chosen
            );
            assert!(all.alternatives.is_sorted_by(|a, b| a.1 >= b.1));
            let two = Logprobs::of(logits, 7, 2);
            assert_eq!((two.chosen, &two.alternatives[..]), (all.chosen, &all.alternatives[..2]));
        }
    }

    #[test]
    fn logits_that_are_no_numbers_still_give_logarithms() {
        let of = |logits: &[f32]| Logprobs::of(logits, 1, 2);
        for logits in [&[f32::NAN, 1.0][..], &[f32::INFINITY, 1.0], &[f32::NEG_INFINITY; 2], &[]] {
            let Logprobs { chosen, alternatives } = of(logits);
            assert!(chosen <= 0.0 && alternatives.iter().all(|&(_, logprob)| logprob <= 0.0));
        }
    }
}
