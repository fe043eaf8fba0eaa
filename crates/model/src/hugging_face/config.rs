//! `config.json`: the fields of transformers, and the sizes they stand for.

use graph::{Architecture, ModelConfig, Rope};
use serde::Deserialize;

use crate::error::ModelError;

/// The fields that are read; others change nothing that is computed here.
#[derive(Deserialize)]
pub(super) struct Fields {
    model_type: String,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    vocab_size: usize,
    max_position_embeddings: usize,
    rms_norm_eps: f64,
    rope_theta: Option<f64>,
    rope_scaling: Option<RopeFields>,
    /// What `rope_theta` and `rope_scaling` have become.
    rope_parameters: Option<RopeFields>,
    #[serde(default)]
    tie_word_embeddings: bool,
    hidden_act: Option<String>,
    #[serde(default)]
    use_sliding_window: bool,
}

#[derive(Deserialize)]
struct RopeFields {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f64>,
}

/// The model's sizes. That they fit each other and the tensors is checked elsewhere.
pub(super) fn model_config(fields: Fields) -> Result<ModelConfig, ModelError> {
    let architecture = architecture(&fields.model_type)?;
    refuse_unsupported(&fields)?;
    let heads = fields.num_attention_heads;
    let rope_theta = fields.rope_parameters.as_ref().and_then(|rope| rope.rope_theta);
    let shared = || fields.hidden_size.checked_div(heads).unwrap_or(0);
    let head_dim = fields.head_dim.unwrap_or_else(shared);
    Ok(ModelConfig {
        architecture,
        layers: fields.num_hidden_layers,
        hidden: fields.hidden_size,
        ffn: fields.intermediate_size,
        heads,
        kv_heads: fields.num_key_value_heads.unwrap_or(heads),
        head_dim,
        vocab: fields.vocab_size,
        context_tokens: fields.max_position_embeddings,
        rope: Rope {
            theta: rope_theta.or(fields.rope_theta).unwrap_or(DEFAULT_ROPE_THETA) as f32,
            local_theta: DEFAULT_ROPE_THETA as f32,
            factor: 1.0,
            has_divisors: false,
        },
        score_scale: (1.0 / (head_dim as f64).sqrt()) as f32,
        window: None,
        norm_epsilon: fields.rms_norm_eps as f32,
        tied_embeddings: fields.tie_word_embeddings,
    })
}

fn architecture(model_type: &str) -> Result<Architecture, ModelError> {
    match model_type {
        "llama" => Ok(Architecture::Llama),
        "qwen2" => Ok(Architecture::Qwen2),
        "qwen3" => Ok(Architecture::Qwen3),
        other => {
            let problem = format!("`{other}` is not supported; llama, qwen2 and qwen3 are");
            Err(ModelError::field("model_type", problem))
        }
    }
}

fn refuse_unsupported(fields: &Fields) -> Result<(), ModelError> {
    let ropes =
        [("rope_scaling", &fields.rope_scaling), ("rope_parameters", &fields.rope_parameters)];
    for (field, rope) in ropes {
        let kind = rope.as_ref().and_then(|rope| rope.rope_type.as_deref()).unwrap_or("default");
        if kind != "default" {
            return Err(ModelError::field(field, format!("`{kind}` is not supported yet")));
        }
    }
    let activation = fields.hidden_act.as_deref().unwrap_or("silu");
    if activation != "silu" {
        return Err(ModelError::field(
            "hidden_act",
            format!("`{activation}` is not supported yet"),
        ));
    }
    if fields.use_sliding_window {
        return Err(ModelError::field("use_sliding_window", "is not supported yet"));
    }
    Ok(())
}

/// Where a file gives no base, the original one holds (RoFormer, arXiv 2104.09864).
const DEFAULT_ROPE_THETA: f64 = 10_000.0;
