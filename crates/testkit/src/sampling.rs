//! What is left of random logits, as transformers' logits processors leave it
//! (`golden/sampling.py`).

use serde::Deserialize;

/// Every case of `golden/sampling.json`.
pub fn sampling() -> SamplingGolden {
    serde_json::from_str(include_str!("../golden/sampling.json"))
        .expect("sampling.json is written by sampling.py in this form")
}

/// Logits, and what is left of them.
#[derive(Clone, Debug, Deserialize)]
pub struct SamplingGolden {
    /// `[rows, vocabulary]`.
    pub logits: Vec<Vec<f32>>,
    /// `[rows, vocabulary]`: logarithms of the probabilities of all tokens.
    pub log_softmax: Vec<Vec<f64>>,
    /// Each for one of the rows.
    pub cases: Vec<SamplingCase>,
}

/// One way to narrow the choice.
#[derive(Clone, Debug, Deserialize)]
pub struct SamplingCase {
    /// Which logits.
    pub row: usize,
    /// Tokens that were there before; some of them several times.
    pub seen: Vec<u32>,
    /// 1 for none.
    pub repetition_penalty: f32,
    /// Over 0.
    pub temperature: f32,
    /// 0 for none.
    pub top_k: u32,
    /// 1 for none.
    pub top_p: f32,
    /// 0 for none.
    pub min_p: f32,
    /// The tokens that are left, likeliest first.
    pub tokens: Vec<u32>,
    /// Their probabilities, in the same order.
    pub probabilities: Vec<f64>,
}
