//! Descriptions: what an architecture's layers are made of. One file each, which says only what
//! sets the architecture apart; [`decoder`] makes the graph of any of them.

mod bloom;
mod decoder;
mod gemma3;
mod gpt2;
mod llama;
mod qwen2;
mod qwen3;
mod stack;
mod t5;
mod t5_gated;

use crate::Architecture;
pub(crate) use decoder::describe;
pub use decoder::{EMBEDDING_TABLE, LOGITS_MATRIX, POSITION_TABLE, SCORES_MATRIX};
pub use stack::{Stack, is_relative_table};

/// What sets an architecture apart.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Traits {
    /// The name in a GGUF file's `general.architecture`.
    pub name: &'static str,
    /// The norm ahead of every attention, feed-forward part and head.
    pub norm: NormKind,
    /// How a token learns where it is.
    pub positions: Positions,
    /// Whether queries, keys and values are one tensor in the file, in this order.
    pub fused_qkv: bool,
    /// Whether queries, keys and values have a bias each.
    pub qkv_bias: bool,
    /// Whether the projections back onto the hidden state, and the feed-forward part, have biases.
    pub output_bias: bool,
    /// Whether queries and keys are normalised per head, with weights `[head_dim]`.
    pub head_norm: bool,
    /// Whether what attention and the feed-forward part give is normalised before it is added.
    pub branch_norm: bool,
    /// What stands between the projections of the feed-forward part.
    pub feed_forward: FeedForward,
    /// Whether looked-up rows are multiplied with the square root of the hidden width.
    pub scaled_embedding: bool,
    /// Whether looked-up rows are normalised.
    pub embedding_norm: bool,
    /// Every so many layers attend to everything, and the others within a window; where there is a
    /// window and this is none, all layers keep to it.
    pub global_every: Option<usize>,
    /// Whether an encoder comes first, whose output every layer of the decoder attends to.
    pub has_encoder: bool,
}

/// How a vector is normalised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NormKind {
    /// Divided by the root of the mean square, times a gain (arXiv 1910.07467).
    Rms,
    /// Less the mean, divided by the standard deviation, times a gain, plus a bias (arXiv 1607.06450).
    Layer,
}

/// How a token learns where it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Positions {
    /// Rotary embedding of element `i` with `i + head_dim / 2` (RoFormer, arXiv 2104.09864).
    RotaryHalves,
    /// Rotary embedding of element `2 i` with `2 i + 1`: Llama's files reorder rows for it.
    RotaryNeighbours,
    /// A learned vector for each position is added to the embedding.
    Learned,
    /// Scores lose in proportion to the distance (ALiBi, arXiv 2108.12409).
    Linear,
    /// Scores have a bias for each bucket of distances (T5, arXiv 1910.10683), but in attention to an
    /// encoder's output.
    Relative,
}

impl Positions {
    /// Whether queries and keys are turned.
    pub fn is_rotary(self) -> bool {
        matches!(self, Self::RotaryHalves | Self::RotaryNeighbours)
    }
}

/// What stands between the projections of the feed-forward part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FeedForward {
    /// `silu(gate) * up` (arXiv 2002.05202).
    SiluGate,
    /// `gelu(gate) * up`.
    GeluGate,
    /// `gelu(up)`, by the approximation with the hyperbolic tangent (arXiv 1606.08415).
    Gelu,
    /// `max(up, 0)`.
    Relu,
}

impl Architecture {
    /// What sets it apart.
    pub fn traits(self) -> &'static Traits {
        match self {
            Self::Bloom => &bloom::TRAITS,
            Self::Gemma3 => &gemma3::TRAITS,
            Self::Gpt2 => &gpt2::TRAITS,
            Self::Llama => &llama::TRAITS,
            Self::Qwen2 => &qwen2::TRAITS,
            Self::Qwen3 => &qwen3::TRAITS,
            Self::T5 => &t5::TRAITS,
            Self::T5Gated => &t5_gated::TRAITS,
        }
    }
}
