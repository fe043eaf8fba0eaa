//! BLOOM: GPT-2's layers with linear biases for positions and a norm behind the embedding.
//! Source: "BLOOM" (arXiv 2211.05100), section 3.2.

use super::{Positions, Traits, gpt2};

pub(super) const TRAITS: Traits =
    Traits { name: "bloom", positions: Positions::Linear, embedding_norm: true, ..gpt2::TRAITS };
