//! `config.json`: the fields of transformers, and the sizes they stand for.

use graph::{Architecture, FeedForward, ModelConfig, NormKind};
use serde_json::{Map, Value};

use super::{
    fields::Fields,
    rope::{self, RopeSettings},
};
use crate::error::ModelError;

/// What the settings say.
pub(super) struct Settings {
    /// The model's sizes. That they fit each other and the tensors is checked elsewhere.
    pub(super) config: ModelConfig,
    /// What each rotary frequency is divided by, `[head_dim / 2]`, where they differ.
    pub(super) rope_divisors: Option<Vec<f32>>,
}

pub(super) fn read(object: &Map<String, Value>) -> Result<Settings, ModelError> {
    let fields = Fields { object, prefix: "" };
    let family = family(&fields)?;
    refuse_unsupported(&fields, family.architecture)?;
    let (hidden, heads) = (fields.size(HIDDEN)?, fields.size(HEADS)?);
    let shared = hidden.checked_div(heads).unwrap_or(0);
    let head_dim = fields.optional_size(&["head_dim"])?.unwrap_or(shared);
    let RopeSettings { rope, divisors } = rope::read(&fields, head_dim, family.architecture)?;
    let epsilon = match family.architecture.traits().norm {
        NormKind::Rms => fields.number(&["rms_norm_eps"])?,
        NormKind::Layer => fields.number(&["layer_norm_epsilon"])?,
    };
    let scaled_for = fields.optional_number(&["query_pre_attn_scalar"])?;
    let config = ModelConfig {
        architecture: family.architecture,
        layers: fields.size(&["num_hidden_layers", "n_layer"])?,
        hidden,
        ffn: feed_forward_width(&fields, family.architecture, hidden)?,
        heads,
        kv_heads: fields.optional_size(&["num_key_value_heads"])?.unwrap_or(heads),
        head_dim,
        vocab: fields.size(&["vocab_size"])?,
        context_tokens: context_tokens(&fields, family.architecture)?,
        rope,
        score_scale: (1.0 / scaled_for.unwrap_or(head_dim as f64).sqrt()) as f32,
        window: match family.has_window {
            true => fields.optional_size(&["sliding_window"])?,
            false => None,
        },
        norm_epsilon: epsilon as f32,
        tied_embeddings: fields
            .optional_flag(&["tie_word_embeddings"])?
            .unwrap_or(family.is_tied_unless_said),
    };
    check_layer_types(&fields, &config)?;
    Ok(Settings { config, rope_divisors: divisors })
}

/// What follows from `model_type`.
struct Family {
    architecture: Architecture,
    /// Whether `sliding_window` holds; others have the field and do not use it.
    has_window: bool,
    /// transformers leaves fields out that have its default.
    is_tied_unless_said: bool,
}

fn family(fields: &Fields<'_>) -> Result<Family, ModelError> {
    let names = &["model_type"];
    let name = fields.optional_text(names)?.ok_or_else(|| fields.wrong(names, "is missing"))?;
    let (architecture, has_window, is_tied_unless_said) = match name {
        "bloom" => (Architecture::Bloom, false, true),
        "gemma3_text" => (Architecture::Gemma3, true, true),
        "gpt2" => (Architecture::Gpt2, false, true),
        "llama" => (Architecture::Llama, false, false),
        "mistral" => (Architecture::Llama, true, false),
        "qwen2" => (Architecture::Qwen2, false, false),
        "qwen3" => (Architecture::Qwen3, false, false),
        "gemma3" => {
            let problem = "`gemma3` reads pictures, too, and is not supported; gemma3_text is";
            return Err(fields.wrong(names, problem));
        }
        other => {
            let known = "bloom, gemma3_text, gpt2, llama, mistral, qwen2 and qwen3";
            return Err(fields.wrong(names, format!("`{other}` is not supported; {known} are")));
        }
    };
    Ok(Family { architecture, has_window, is_tied_unless_said })
}

fn feed_forward_width(
    fields: &Fields<'_>,
    architecture: Architecture,
    hidden: usize,
) -> Result<usize, ModelError> {
    match architecture {
        Architecture::Bloom | Architecture::Gpt2 => {
            let inner = fields.optional_size(&["n_inner"])?;
            Ok(inner.unwrap_or(hidden.saturating_mul(4)))
        }
        _ => fields.size(&["intermediate_size"]),
    }
}

fn context_tokens(fields: &Fields<'_>, architecture: Architecture) -> Result<usize, ModelError> {
    let names = &["max_position_embeddings", "n_positions", "seq_length"];
    match (fields.optional_size(names)?, architecture) {
        (Some(tokens), _) => Ok(tokens),
        (None, Architecture::Bloom) => Ok(BLOOM_CONTEXT),
        (None, _) => Err(fields.wrong(names, "is missing")),
    }
}

/// Refuses what changes the result and is not computed here.
fn refuse_unsupported(fields: &Fields<'_>, architecture: Architecture) -> Result<(), ModelError> {
    for name in [
        "use_sliding_window",
        "apply_residual_connection_post_layernorm",
        "scale_attn_by_inverse_layer_idx",
        "add_cross_attention",
        "use_bidirectional_attention",
    ] {
        if fields.optional_flag(&[name])? == Some(true) {
            return Err(fields.wrong(&[name], "is not supported"));
        }
    }
    if fields.optional_flag(&["scale_attn_weights"])? == Some(false) {
        return Err(fields.wrong(&["scale_attn_weights"], "must be true"));
    }
    for name in ["attn_logit_softcapping", "final_logit_softcapping"] {
        if fields.get(&[name]).is_some() {
            return Err(fields.wrong(&[name], "is not supported"));
        }
    }
    let (names, known): (&[&str], &[&str]) = match architecture.traits().feed_forward {
        FeedForward::SiluGate => (&["hidden_act"], &["silu", "swish"]),
        FeedForward::GeluGate => (&["hidden_activation", "hidden_act"], TANH_GELU),
        FeedForward::Gelu => (&["activation_function"], TANH_GELU),
    };
    match fields.optional_text(names)? {
        Some(other) if !known.contains(&other) => {
            let problem = format!("`{other}` is not supported; {} is", known[0]);
            Err(fields.wrong(names, problem))
        }
        _ => Ok(()),
    }
}

/// The layers that attend within a window are those that this engine takes.
fn check_layer_types(fields: &Fields<'_>, config: &ModelConfig) -> Result<(), ModelError> {
    let names = &["sliding_window_pattern", "_sliding_window_pattern"];
    let every = config.architecture.traits().global_every;
    if let (Some(found), Some(every)) = (fields.optional_size(names)?, every)
        && found != every
    {
        return Err(fields.wrong(names, format!("is {found}; only {every} is supported")));
    }
    let names = &["layer_types"];
    let Some(types) = fields.get(names).and_then(Value::as_array) else { return Ok(()) };
    for (layer, kind) in types.iter().enumerate().take(config.layers) {
        let expected = if config.is_local(layer) { "sliding_attention" } else { "full_attention" };
        if kind != expected {
            let problem = format!("layer {layer} has {kind}; only {expected} is supported there");
            return Err(fields.wrong(names, problem));
        }
    }
    Ok(())
}

const HIDDEN: &[&str] = &["hidden_size", "n_embd", "n_embed"];
const HEADS: &[&str] = &["num_attention_heads", "n_head"];
/// Names of the approximation with the hyperbolic tangent.
const TANH_GELU: &[&str] = &["gelu_pytorch_tanh", "gelu_new"];
/// BLOOM has no limit and was trained with so many (arXiv 2211.05100, table 3).
const BLOOM_CONTEXT: usize = 2048;
