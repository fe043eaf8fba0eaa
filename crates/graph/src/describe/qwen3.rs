//! Qwen3, dense: Llama's layers with an RMS norm over each query and key head.
//! Source: "Qwen3 Technical Report" (arXiv 2505.09388), section 2.

use super::{Positions, Traits, llama};

pub(super) const TRAITS: Traits =
    Traits { name: "qwen3", positions: Positions::RotaryHalves, head_norm: true, ..llama::TRAITS };
