//! Qwen3, dense: Llama's graph with an RMS norm over each query and key head.
//! Source: "Qwen3 Technical Report" (arXiv 2505.09388), section 2.

use super::decoder::Decoder;
use crate::{Graph, ModelConfig};

pub(super) fn describe(config: &ModelConfig) -> Graph {
    let mut decoder = Decoder::new(config);
    let mut hidden = decoder.embed();
    for layer in 0..config.layers {
        let heads = decoder.project(layer, hidden);
        let query = decoder.norm_heads(layer, "q", heads.query);
        let key = decoder.norm_heads(layer, "k", heads.key);
        let (query, key) = (decoder.rotate(query), decoder.rotate(key));
        hidden = decoder.attend(layer, hidden, [query, key, heads.value]);
        hidden = decoder.feed_forward(layer, hidden);
    }
    decoder.head(hidden)
}
