//! `config.json`: the fields of transformers, and the sizes they stand for.

use graph::{
    Architecture, Encoder, FeedForward, ModelConfig, NormKind, Positions, RelativePositions,
};
use serde_json::{Map, Value};

use super::{
    fields::Fields,
    labels,
    rope::{self, RopeSettings},
};
use crate::{
    config::{RELATIVE_MAX_DISTANCE, logits_scale},
    error::ModelError,
};

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
    let head_dim = fields.optional_size(&["head_dim", "d_kv"])?.unwrap_or(shared);
    let RopeSettings { rope, divisors } = rope::read(&fields, head_dim, family.architecture)?;
    let epsilon = match family.architecture.traits().norm {
        NormKind::Rms => fields.number(&["rms_norm_eps", "layer_norm_epsilon"])?,
        NormKind::Layer => fields.number(&["layer_norm_epsilon"])?,
    };
    let labels = labels::read(&fields)?;
    let tied_embeddings = labels.is_empty() && is_tied(&fields, &family)?;
    let first_stack_layers = fields.size(&["num_hidden_layers", "n_layer", "num_layers"])?;
    let later_layers = fields.optional_size(&["num_decoder_layers"])?;
    let config = ModelConfig {
        architecture: family.architecture,
        layers: later_layers.unwrap_or(first_stack_layers),
        encoder: encoder(&fields, family.architecture, first_stack_layers)?,
        hidden,
        ffn: feed_forward_width(&fields, family.architecture, hidden)?,
        heads,
        kv_heads: fields.optional_size(&["num_key_value_heads"])?.unwrap_or(heads),
        head_dim,
        vocab: fields.size(&["vocab_size"])?,
        context_tokens: context_tokens(&fields, family.architecture)?,
        rope,
        relative: relative(&fields, family.architecture)?,
        score_scale: score_scale(&fields, family.architecture, head_dim)?,
        logits_scale: logits_scale(family.architecture, tied_embeddings, hidden),
        window: match family.has_window {
            true => fields.optional_size(&["sliding_window"])?,
            false => None,
        },
        norm_epsilon: epsilon as f32,
        tied_embeddings,
        labels,
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
        "t5" if has_gate(fields)? => (Architecture::T5Gated, false, true),
        "t5" => (Architecture::T5, false, true),
        "gemma3" => {
            let problem = "`gemma3` reads pictures, too, and is not supported; gemma3_text is";
            return Err(fields.wrong(names, problem));
        }
        other => {
            let known = "bloom, gemma3_text, gpt2, llama, mistral, qwen2, qwen3 and t5";
            return Err(fields.wrong(names, format!("`{other}` is not supported; {known} are")));
        }
    };
    Ok(Family { architecture, has_window, is_tied_unless_said })
}

fn has_gate(fields: &Fields<'_>) -> Result<bool, ModelError> {
    let projection = fields.optional_text(FEED_FORWARD)?;
    Ok(projection.is_some_and(|name| name.starts_with("gated-")))
}

/// transformers 5 writes that all T5 are tied, and whether that is so in another field.
fn is_tied(fields: &Fields<'_>, family: &Family) -> Result<bool, ModelError> {
    let said = fields.optional_flag(&["tie_word_embeddings"])?;
    let has_own_head = fields.optional_flag(&["scale_decoder_outputs"])? == Some(false);
    Ok(said.unwrap_or(family.is_tied_unless_said) && !has_own_head)
}

fn encoder(
    fields: &Fields<'_>,
    architecture: Architecture,
    layers: usize,
) -> Result<Option<Encoder>, ModelError> {
    if !architecture.traits().has_encoder {
        return Ok(None);
    }
    let names = &["decoder_start_token_id", "pad_token_id"];
    let token = u32::try_from(fields.optional_size(names)?.unwrap_or(0));
    let first_token = token.map_err(|_| fields.wrong(names, "is not a token"))?;
    Ok(Some(Encoder { layers, first_token }))
}

fn relative(
    fields: &Fields<'_>,
    architecture: Architecture,
) -> Result<Option<RelativePositions>, ModelError> {
    if architecture.traits().positions != Positions::Relative {
        return Ok(None);
    }
    let buckets = fields.optional_size(&["relative_attention_num_buckets"])?;
    let farthest = fields.optional_size(&["relative_attention_max_distance"])?;
    Ok(Some(RelativePositions {
        buckets: buckets.unwrap_or(RELATIVE_BUCKETS),
        max_distance: farthest.unwrap_or(RELATIVE_MAX_DISTANCE),
    }))
}

fn score_scale(
    fields: &Fields<'_>,
    architecture: Architecture,
    head_dim: usize,
) -> Result<f32, ModelError> {
    if architecture.traits().positions == Positions::Relative {
        return Ok(1.0);
    }
    let scaled_for = fields.optional_number(&["query_pre_attn_scalar"])?;
    Ok((1.0 / scaled_for.unwrap_or(head_dim as f64).sqrt()) as f32)
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
        _ => fields.size(&["intermediate_size", "d_ff"]),
    }
}

fn context_tokens(fields: &Fields<'_>, architecture: Architecture) -> Result<usize, ModelError> {
    let names = &["max_position_embeddings", "n_positions", "seq_length"];
    match (fields.optional_size(names)?, architecture) {
        (Some(tokens), _) => Ok(tokens),
        (None, Architecture::Bloom) => Ok(BLOOM_CONTEXT),
        (None, Architecture::T5 | Architecture::T5Gated) => Ok(T5_CONTEXT),
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
    let is_t5 = architecture.traits().has_encoder;
    let (names, known): (&[&str], &[&str]) = match architecture.traits().feed_forward {
        FeedForward::GeluGate if is_t5 => (FEED_FORWARD, GATED_GELU),
        FeedForward::Relu => (FEED_FORWARD, &["relu"]),
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

const HIDDEN: &[&str] = &["hidden_size", "n_embd", "n_embed", "d_model"];
const HEADS: &[&str] = &["num_attention_heads", "n_head", "num_heads"];
/// T5's activation, with `gated-` before it where there is a gate.
const FEED_FORWARD: &[&str] = &["feed_forward_proj"];
/// All of them are the approximation with the hyperbolic tangent.
const GATED_GELU: &[&str] = &["gated-gelu", "gated-gelu_new"];
/// What transformers takes where nothing is said.
const RELATIVE_BUCKETS: usize = 32;
/// T5 has no limit and was trained with so many (arXiv 1910.10683, section 3.1.2).
const T5_CONTEXT: usize = 512;
/// Names of the approximation with the hyperbolic tangent.
const TANH_GELU: &[&str] = &["gelu_pytorch_tanh", "gelu_new"];
/// BLOOM has no limit and was trained with so many (arXiv 2211.05100, table 3).
const BLOOM_CONTEXT: usize = 2048;
