//! Qwen2 and Qwen2.5: Llama's layers with biases on queries, keys and values.
//! Source: "Qwen2 Technical Report" (arXiv 2407.10671), section 2.2.

use super::{Positions, Traits, llama};

pub(super) const TRAITS: Traits =
    Traits { name: "qwen2", positions: Positions::RotaryHalves, qkv_bias: true, ..llama::TRAITS };
