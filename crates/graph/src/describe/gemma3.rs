//! Gemma 3, text: norms before and after attention and feed-forward part, a norm over each query and
//! key head, and five layers with a window for each that sees everything.
//! Source: "Gemma 3 Technical Report" (arXiv 2503.19786), section 2.

use super::{FeedForward, Positions, Traits, llama};

pub(super) const TRAITS: Traits = Traits {
    name: "gemma3",
    positions: Positions::RotaryHalves,
    head_norm: true,
    branch_norm: true,
    feed_forward: FeedForward::GeluGate,
    scaled_embedding: true,
    global_every: Some(6),
    ..llama::TRAITS
};
