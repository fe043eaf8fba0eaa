//! GPT-2: layer norm, learned positions, biases everywhere.
//! Source: "Language Models are Unsupervised Multitask Learners" (Radford et al. 2019), section 2.3.

use super::{FeedForward, NormKind, Positions, Traits, llama};

pub(super) const TRAITS: Traits = Traits {
    name: "gpt2",
    norm: NormKind::Layer,
    positions: Positions::Learned,
    fused_qkv: true,
    qkv_bias: true,
    output_bias: true,
    feed_forward: FeedForward::Gelu,
    ..llama::TRAITS
};
