//! What transformers calls the tensors that this engine knows by GGUF's names, and how it holds them.

use graph::{Architecture, ModelConfig};

use crate::arrangement::Arrangement;

/// Names of a family's tensors: theirs and ours, without `.weight` or `.bias`.
struct Names {
    /// What some files put before all names but the head's.
    model: &'static str,
    outside: Pairs,
    stacks: &'static [Layers],
}

type Pairs = &'static [(&'static str, &'static str)];

/// Names of a stack of layers.
struct Layers {
    /// What stands before the number of a layer, theirs and ours.
    before: (&'static str, &'static str),
    /// Where lists differ, the first that has a name is right.
    parts: &'static [Pairs],
}

const LLAMA_PARTS: &[(&str, &str)] = &[
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("self_attn.o_proj", "attn_output"),
    ("post_attention_layernorm", "ffn_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];

const LLAMA: Names = Names {
    model: "model.",
    outside: &[
        ("embed_tokens", "token_embd"),
        ("norm", "output_norm"),
        ("lm_head", "output"),
        ("score", "cls.output"),
    ],
    stacks: &[Layers { before: ("layers.", "blk"), parts: &[LLAMA_PARTS] }],
};

const GEMMA_NORMS: &[(&str, &str)] = &[
    ("post_attention_layernorm", "post_attention_norm"),
    ("pre_feedforward_layernorm", "ffn_norm"),
    ("post_feedforward_layernorm", "post_ffw_norm"),
];

const GEMMA: Names = Names {
    stacks: &[Layers { before: ("layers.", "blk"), parts: &[GEMMA_NORMS, LLAMA_PARTS] }],
    ..LLAMA
};

const GPT2: Names = Names {
    model: "transformer.",
    outside: &[
        ("wte", "token_embd"),
        ("wpe", "position_embd"),
        ("ln_f", "output_norm"),
        ("lm_head", "output"),
        ("score", "cls.output"),
    ],
    stacks: &[Layers {
        before: ("h.", "blk"),
        parts: &[&[
            ("ln_1", "attn_norm"),
            ("attn.c_attn", "attn_qkv"),
            ("attn.c_proj", "attn_output"),
            ("ln_2", "ffn_norm"),
            ("mlp.c_fc", "ffn_up"),
            ("mlp.c_proj", "ffn_down"),
        ]],
    }],
};

const BLOOM: Names = Names {
    model: "transformer.",
    outside: &[
        ("word_embeddings", "token_embd"),
        ("word_embeddings_layernorm", "token_embd_norm"),
        ("ln_f", "output_norm"),
        ("lm_head", "output"),
        ("score", "cls.output"),
    ],
    stacks: &[Layers {
        before: ("h.", "blk"),
        parts: &[&[
            ("input_layernorm", "attn_norm"),
            ("self_attention.query_key_value", "attn_qkv"),
            ("self_attention.dense", "attn_output"),
            ("post_attention_layernorm", "ffn_norm"),
            ("mlp.dense_h_to_4h", "ffn_up"),
            ("mlp.dense_4h_to_h", "ffn_down"),
        ]],
    }],
};

/// Attention of both stacks to their own rows.
const T5_SELF: Pairs = &[
    ("layer.0.layer_norm", "attn_norm"),
    ("layer.0.SelfAttention.q", "attn_q"),
    ("layer.0.SelfAttention.k", "attn_k"),
    ("layer.0.SelfAttention.v", "attn_v"),
    ("layer.0.SelfAttention.o", "attn_o"),
    ("layer.0.SelfAttention.relative_attention_bias", "attn_rel_b"),
];

const T5_ENCODER: Pairs = &[
    ("layer.1.layer_norm", "ffn_norm"),
    ("layer.1.DenseReluDense.wi", "ffn_up"),
    ("layer.1.DenseReluDense.wi_0", "ffn_gate"),
    ("layer.1.DenseReluDense.wi_1", "ffn_up"),
    ("layer.1.DenseReluDense.wo", "ffn_down"),
];

const T5_DECODER: Pairs = &[
    ("layer.1.layer_norm", "cross_attn_norm"),
    ("layer.1.EncDecAttention.q", "cross_attn_q"),
    ("layer.1.EncDecAttention.k", "cross_attn_k"),
    ("layer.1.EncDecAttention.v", "cross_attn_v"),
    ("layer.1.EncDecAttention.o", "cross_attn_o"),
    ("layer.2.layer_norm", "ffn_norm"),
    ("layer.2.DenseReluDense.wi", "ffn_up"),
    ("layer.2.DenseReluDense.wi_0", "ffn_gate"),
    ("layer.2.DenseReluDense.wi_1", "ffn_up"),
    ("layer.2.DenseReluDense.wo", "ffn_down"),
];

const T5: Names = Names {
    model: "",
    outside: &[
        ("shared", EMBEDDING),
        ("encoder.embed_tokens", EMBEDDING),
        ("decoder.embed_tokens", EMBEDDING),
        ("encoder.final_layer_norm", "enc.output_norm"),
        ("decoder.final_layer_norm", "dec.output_norm"),
        ("lm_head", "output"),
    ],
    stacks: &[
        Layers { before: ("encoder.block.", "enc.blk"), parts: &[T5_SELF, T5_ENCODER] },
        Layers { before: ("decoder.block.", "dec.blk"), parts: &[T5_SELF, T5_DECODER] },
    ],
};

const EMBEDDING: &str = "token_embd";

fn names(architecture: Architecture) -> &'static Names {
    match architecture {
        Architecture::Bloom => &BLOOM,
        Architecture::Gemma3 => &GEMMA,
        Architecture::Gpt2 => &GPT2,
        Architecture::Llama | Architecture::Qwen2 | Architecture::Qwen3 => &LLAMA,
        Architecture::T5 | Architecture::T5Gated => &T5,
    }
}

/// Our name of a tensor: `model.layers.2.mlp.up_proj.weight` is `blk.2.ffn_up.weight`.
pub(super) fn our_name(architecture: Architecture, theirs: &str) -> Option<String> {
    let names = names(architecture);
    let (stem, kind) = theirs.rsplit_once('.')?;
    if !matches!(kind, "weight" | "bias") {
        return None;
    }
    let stem = stem.strip_prefix(names.model).unwrap_or(stem);
    let find = |list: &[(&str, &'static str)], name: &str| {
        list.iter().find(|(theirs, _)| *theirs == name).map(|(_, ours)| *ours)
    };
    if let Some(ours) = find(names.outside, stem) {
        return Some(format!("{ours}.{kind}"));
    }
    let in_stack = |stack: &'static Layers| Some((stem.strip_prefix(stack.before.0)?, stack));
    let (rest, stack) = names.stacks.iter().find_map(in_stack)?;
    let (layer, part) = rest.split_once('.')?;
    let ours = stack.parts.iter().find_map(|list| find(list, part))?;
    Some(format!("{}.{}.{ours}.{kind}", stack.before.1, layer.parse::<u16>().ok()?))
}

/// Whether a family's files may have the tensor of our `name` several times: T5's have the embedding's
/// table under up to three names.
pub(super) fn may_repeat(config: &ModelConfig, name: &str) -> bool {
    config.architecture.traits().has_encoder && name.starts_with(EMBEDDING)
}

/// How the file holds the tensor of our `name`.
pub(super) fn arrangement(config: &ModelConfig, name: &str) -> Arrangement {
    let (stem, kind) = name.rsplit_once('.').unwrap_or((name, ""));
    let part = stem.rsplit('.').next().unwrap_or(stem);
    match (config.architecture, part) {
        (Architecture::Bloom, "attn_qkv") => Arrangement::ByHead { head_dim: config.head_dim },
        (Architecture::Gemma3, _) if part.ends_with("_norm") => Arrangement::LessOne,
        (Architecture::Gpt2, "attn_qkv" | "attn_output" | "ffn_up" | "ffn_down")
            if kind == "weight" =>
        {
            Arrangement::Columns
        }
        _ => Arrangement::Rows,
    }
}

/// Whether old files have the tensor though it can be computed (frequencies, masks) or is not used (T5's
/// biases for the distances from an answer to its prompt).
pub(super) fn is_computed(theirs: &str) -> bool {
    [".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias", UNUSED_BIAS]
        .iter()
        .any(|ending| theirs.ends_with(ending))
}

const UNUSED_BIAS: &str = ".EncDecAttention.relative_attention_bias.weight";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_translated_or_unknown() {
        use Architecture::{Bloom, Gemma3, Gpt2, Llama, T5, T5Gated};
        for (architecture, theirs, ours) in [
            (Llama, "model.embed_tokens.weight", "token_embd.weight"),
            (Llama, "lm_head.weight", "output.weight"),
            (Bloom, "score.weight", "cls.output.weight"),
            (Llama, "model.layers.0.post_attention_layernorm.weight", "blk.0.ffn_norm.weight"),
            (Llama, "model.layers.11.self_attn.q_proj.bias", "blk.11.attn_q.bias"),
            (
                Gemma3,
                "model.layers.0.post_attention_layernorm.weight",
                "blk.0.post_attention_norm.weight",
            ),
            (Gpt2, "transformer.h.3.attn.c_proj.bias", "blk.3.attn_output.bias"),
            (Gpt2, "h.3.mlp.c_proj.weight", "blk.3.ffn_down.weight"),
            (Bloom, "word_embeddings_layernorm.bias", "token_embd_norm.bias"),
            (T5, "encoder.block.2.layer.1.layer_norm.weight", "enc.blk.2.ffn_norm.weight"),
            (T5, "decoder.block.2.layer.1.layer_norm.weight", "dec.blk.2.cross_attn_norm.weight"),
            (T5, "decoder.block.0.layer.2.DenseReluDense.wi.weight", "dec.blk.0.ffn_up.weight"),
            (
                T5Gated,
                "encoder.block.0.layer.1.DenseReluDense.wi_0.weight",
                "enc.blk.0.ffn_gate.weight",
            ),
            (T5Gated, "decoder.embed_tokens.weight", "token_embd.weight"),
        ] {
            assert_eq!(our_name(architecture, theirs).as_deref(), Some(ours));
        }
        for unknown in [
            "lm_head",
            "model.layers.x.mlp.up_proj.weight",
            "model.layers.0.weight",
            "h.0.ln_1.weight",
            "",
        ] {
            assert_eq!(our_name(Llama, unknown), None, "{unknown}");
        }
    }
}
