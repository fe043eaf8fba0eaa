//! The draw itself, and what transformers leaves of the same logits.

use testkit::SamplingCase;

use super::*;

const WARM: Sampling = Sampling {
    repetition_penalty: 1.0,
    temperature: 1.0,
    top_k: 0,
    top_p: 1.0,
    min_p: 0.0,
    seed: 7,
};

#[test]
fn candidates_are_those_of_transformers() {
    let golden = testkit::sampling();
    for case in &golden.cases {
        let sampler = Sampler::new(sampling(case));
        let scores = sampler.scores(&golden.logits[case.row], &case.seen);
        let candidates = sampler.candidates(&scores);
        let tokens: Vec<u32> = candidates.iter().map(|&(token, _)| token).collect();
        assert_eq!(tokens, case.tokens, "{case:?}");
        let total: f64 = candidates.iter().map(|&(_, weight)| weight).sum();
        for (&(_, weight), expected) in candidates.iter().zip(&case.probabilities) {
            assert!((weight / total / expected - 1.0).abs() < 1e-6, "{case:?}");
        }
    }
    assert!(golden.cases.iter().any(|case| case.tokens.len() == 1));
    assert!(golden.cases.iter().any(|case| case.tokens.len() == golden.logits[0].len()));
}

fn sampling(case: &SamplingCase) -> Sampling {
    let &SamplingCase { repetition_penalty, temperature, top_k, top_p, min_p, .. } = case;
    Sampling { repetition_penalty, temperature, top_k, top_p, min_p, ..WARM }
}

#[test]
fn zero_temperature_takes_the_first_of_the_most_likely() {
    let sampler = Sampler::new(Sampling { temperature: 0.0, ..WARM });
    assert_eq!(sampler.choose(&[0.0, 3.0, 1.0, 3.0], &[], 0), 1);
    assert_eq!(sampler.choose(&[], &[], 0), 0);
}

#[test]
fn a_repetition_penalty_counts_at_zero_temperature_and_once() {
    let sampler = Sampler::new(Sampling { temperature: 0.0, repetition_penalty: 1.5, ..WARM });
    assert_eq!(sampler.choose(&[3.0, 2.5, 1.0], &[0], 0), 1);
    assert_eq!(sampler.choose(&[3.0, 1.5, 1.0], &[0, 0, 0], 0), 0);
    assert_eq!(sampler.choose(&[-3.0, -2.5], &[1, 900], 0), 0);
}

#[test]
fn frequencies_follow_the_distribution() {
    let logits = [0.0, 2f32.ln(), 5f32.ln()];
    let mut counts = [0u32; 3];
    for step in 0..8000 {
        counts[Sampler::new(WARM).choose(&logits, &[], step) as usize] += 1;
    }
    for (count, share) in counts.iter().zip([1.0, 2.0, 5.0]) {
        assert!((f64::from(*count) / 1000.0 - share).abs() < 0.15, "{counts:?}");
    }
}

#[test]
fn of_equal_tokens_the_lower_stay() {
    let top_k = Sampler::new(Sampling { top_k: 2, ..WARM }).candidates(&[1.0, 4.0, 4.0, 4.0]);
    assert_eq!(top_k, [(1, 1.0), (2, 1.0)]);
}

#[test]
fn the_same_seed_and_step_choose_the_same() {
    let logits: Vec<f32> = (0..50).map(|at| (at as f32 * 0.37).sin()).collect();
    let run = |seed| -> Vec<u32> {
        let sampler = Sampler::new(Sampling { seed, ..WARM });
        (0..20).map(|step| sampler.choose(&logits, &[], step)).collect()
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}
