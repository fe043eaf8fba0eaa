//! How likely the model found what the tail has chosen.

use serde::{Deserialize, Serialize};

use super::{DecodeError, MAX_ALTERNATIVES, bounds};

/// Natural logarithms of probabilities: of a token, and of the likeliest in its place. They are
/// of the model's own distribution, before penalty, temperature and cuts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TokenLogprobs {
    /// Of the token that was chosen.
    pub chosen: f32,
    /// The likeliest tokens, likeliest first; the chosen one may be among them. At most 5.
    pub alternatives: Vec<Alternative>,
}

/// A token that might have been chosen.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Alternative {
    /// Which.
    pub token: u32,
    /// At most 0.
    pub logprob: f32,
}

impl TokenLogprobs {
    pub(super) fn check(&self) -> Result<(), DecodeError> {
        bounds::list("alternatives", &self.alternatives, MAX_ALTERNATIVES.into())?;
        let logprobs = self.alternatives.iter().map(|alternative| alternative.logprob);
        let are_logarithms = logprobs.chain([self.chosen]).all(|logprob| logprob <= 0.0);
        bounds::within("logprobs", are_logarithms)
    }
}
