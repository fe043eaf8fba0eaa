//! What the other crates test against: tiny models with golden tensors, scalar
//! references of every operation, deterministic pseudo-random data and damaged
//! model files. A development dependency only, so it may panic on its own files.
//!
//! Its one law: an expectation here never comes from the code under test. The
//! golden files are written by the scripts in `golden/` with torch and
//! transformers, and the references are plain scalar Rust in `f64`.

pub mod corrupt;
pub mod reference;

mod buckets;
mod classifiers;
mod files;
mod golden;
mod image;
mod large;
mod random;
mod sampling;
mod tokenizers;
mod vectors;

pub use buckets::{Buckets, buckets};
pub use classifiers::{Classified, Classifier, classifiers};
pub use files::{Files, Quantised, folder, quantised, split};
pub use golden::{Chat, ENCODER_DECODERS, Golden, MODELS, Message, Prompt, Tokenized, golden};
pub use large::with_vocabulary;
pub use random::Random;
pub use sampling::{SamplingCase, SamplingGolden, sampling};
pub use tokenizers::{
    Chats, Encoded, JsonStyle, Rewritten, Style, Talk, TokenizerVectors, rewritten, tokenizer_file,
    tokenizer_json, tokenizer_vectors,
};
pub use vectors::{
    AttentionVector, F16Vector, MatvecVector, Q8Vector, RmsNormVector, RopeVector, SiluGateVector,
    Vectors, vectors,
};

/// Largest [`relative_error`] that logits may show against a golden file, on
/// any adapter, with f32 activations. transformers itself is within 2e-6 of
/// its float64 run on these models (see [`Golden::float64_error`]), and the
/// gap between the two best logits is several times the tolerance.
pub const LOGITS_TOLERANCE: f32 = 1e-4;

/// Largest [`relative_error`] that the hidden states between layers may show.
pub const HIDDEN_TOLERANCE: f32 = 1e-4;

/// Largest [`relative_error`] of one kernel against [`mod@reference`].
pub const KERNEL_TOLERANCE: f32 = 1e-4;

/// Largest absolute difference over the largest expected magnitude. Infinite
/// when a value is not a number or everything expected is zero but not `values`.
///
/// # Panics
/// When the lengths differ.
pub fn relative_error(values: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(values.len(), expected.len(), "lengths differ");
    let scale = expected.iter().fold(0.0f32, |most, e| most.max(e.abs()));
    let worst = values.iter().zip(expected).map(|(v, e)| (v - e).abs()).fold(0.0, nan_or_max);
    match worst {
        0.0 => 0.0,
        worst if worst.is_nan() || scale == 0.0 => f32::INFINITY,
        worst => worst / scale,
    }
}

/// `f32::max` drops a NaN; here it must win.
fn nan_or_max(most: f32, next: f32) -> f32 {
    if most.is_nan() || next.is_nan() { f32::NAN } else { most.max(next) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_error_is_relative_to_the_largest() {
        assert_eq!(relative_error(&[1.0, -3.5], &[1.0, -4.0]), 0.125);
        assert_eq!(relative_error(&[0.0], &[0.0]), 0.0);
        assert_eq!(relative_error(&[0.1], &[0.0]), f32::INFINITY);
        assert_eq!(relative_error(&[f32::NAN, 1.0], &[1.0, 1.0]), f32::INFINITY);
    }
}
