//! Llama 2 and 3: RMS norm, rotary embedding, grouped-query attention, SwiGLU.
//! Source: "Llama 2" (arXiv 2307.09288), section 2.2.

use super::decoder::Decoder;
use crate::{Graph, ModelConfig};

pub(super) fn describe(config: &ModelConfig) -> Graph {
    let mut decoder = Decoder::new(config);
    let mut hidden = decoder.embed();
    for layer in 0..config.layers {
        let heads = decoder.project(layer, hidden);
        let (query, key) = (decoder.rotate(heads.query), decoder.rotate(heads.key));
        hidden = decoder.attend(layer, hidden, [query, key, heads.value]);
        hidden = decoder.feed_forward(layer, hidden);
    }
    decoder.head(hidden)
}
