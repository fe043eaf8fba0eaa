//! T5: an encoder that sees the whole prompt and a decoder that also attends to what it gives; a bias for
//! each bucket of distances, scores that are not scaled, heads together wider or narrower than the hidden
//! state. Source: "Exploring the Limits of Transfer Learning" (arXiv 1910.10683), section 2.1.

use super::{FeedForward, Positions, Traits, llama};

pub(super) const TRAITS: Traits = Traits {
    name: "t5",
    positions: Positions::Relative,
    feed_forward: FeedForward::Relu,
    has_encoder: true,
    ..llama::TRAITS
};
