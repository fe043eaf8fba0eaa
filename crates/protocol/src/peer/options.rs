//! What an asker may wish of an answer.

use serde::{Deserialize, Serialize};

use super::{
    DecodeError, MAX_ALTERNATIVES, MAX_COMPLETION_TOKENS, MAX_STOP_BYTES, MAX_STOPS, bounds,
};

/// What an answer is to be like.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AskOptions {
    /// How tokens are picked.
    pub sampling: Sampling,
    /// The answer's text ends before the first of these that it comes to. At most 4, each of
    /// 1 to 64 bytes.
    pub stop: Vec<String>,
}

/// How the tail picks tokens. With the same seed and logits, the same tokens. The choices
/// are narrowed in this order: repetition penalty, temperature, top-k, top-p, min-p.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sampling {
    /// 0 always takes the likeliest token.
    pub temperature: f32,
    /// How many of the likeliest tokens are considered; 0 means all.
    pub top_k: u32,
    /// The considered tokens' share of probability; 1 means all.
    pub top_p: f32,
    /// How likely a considered token is at least, as a part of the likeliest's probability;
    /// at most 1, 0 means all.
    pub min_p: f32,
    /// What logits of tokens seen before are divided by, or multiplied by below zero; over 0,
    /// 1 changes nothing. Seen are the completion and the [`super::MAX_SEEN_TOKENS`] tokens
    /// before it.
    pub repetition_penalty: f32,
    /// Start of the random numbers.
    pub seed: u64,
    /// Longest completion, at most 16 Ki.
    pub max_tokens: u32,
    /// How many alternatives come with each token's log probability, at most 5; none where no
    /// log probabilities are wanted.
    pub logprobs: Option<u8>,
}

impl From<Sampling> for AskOptions {
    fn from(sampling: Sampling) -> Self {
        Self { sampling, stop: Vec::new() }
    }
}

impl AskOptions {
    /// Whether the stop strings are within their bounds.
    pub fn stops_fit(&self) -> bool {
        self.stop.len() <= MAX_STOPS
            && self.stop.iter().all(|stop| (1..=MAX_STOP_BYTES).contains(&stop.len()))
    }

    pub(super) fn check(&self) -> Result<(), DecodeError> {
        bounds::within("stop", self.stops_fit())?;
        self.sampling.check()
    }
}

impl Sampling {
    /// Whether tokens seen before are less (or more) likely than the model says.
    pub fn counts_seen(&self) -> bool {
        self.repetition_penalty != 1.0
    }

    pub(super) fn check(&self) -> Result<(), DecodeError> {
        bounds::figure("temperature", self.temperature.into())?;
        bounds::figure("top_p", self.top_p.into())?;
        bounds::within("min_p", (0.0..=1.0).contains(&self.min_p))?;
        let penalty = self.repetition_penalty;
        bounds::within("repetition_penalty", penalty.is_finite() && penalty > 0.0)?;
        bounds::within("max_tokens", self.max_tokens <= MAX_COMPLETION_TOKENS)?;
        bounds::within("logprobs", self.logprobs.is_none_or(|count| count <= MAX_ALTERNATIVES))
    }
}
