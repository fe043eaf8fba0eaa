//! Qwen2 and Qwen2.5: Llama's graph; the projections of queries, keys and values have biases
//! ([`ModelConfig::qkv_bias`]). Source: "Qwen2 Technical Report" (arXiv 2407.10671), section 2.2.

use super::llama;
use crate::{Graph, ModelConfig};

pub(super) fn describe(config: &ModelConfig) -> Graph {
    llama::describe(config)
}
