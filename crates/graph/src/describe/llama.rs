//! Llama 2 and 3, and what shares their graph (TinyLlama, SmolLM2, Mistral): RMS norm, rotary
//! embedding, grouped-query attention, SwiGLU. Source: "Llama 2" (arXiv 2307.09288), section 2.2.

use super::{FeedForward, NormKind, Positions, Traits};

pub(super) const TRAITS: Traits = Traits {
    name: "llama",
    norm: NormKind::Rms,
    positions: Positions::RotaryNeighbours,
    fused_qkv: false,
    qkv_bias: false,
    output_bias: false,
    head_norm: false,
    branch_norm: false,
    feed_forward: FeedForward::SiluGate,
    scaled_embedding: false,
    embedding_norm: false,
    global_every: None,
    has_encoder: false,
};
