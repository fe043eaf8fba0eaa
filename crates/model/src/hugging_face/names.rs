//! What transformers calls the tensors that this engine knows by GGUF's names, and how it holds them.

use graph::{Architecture, ModelConfig};

use crate::arrangement::Arrangement;

/// Names of a family's tensors: theirs and ours, without `.weight` or `.bias`.
struct Names {
    /// What some files put before all names but the head's.
    model: &'static str,
    /// What stands before the number of a layer.
    layers: &'static str,
    outside: &'static [(&'static str, &'static str)],
    /// Where lists differ, the first that has a name is right.
    parts: &'static [&'static [(&'static str, &'static str)]],
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
    layers: "layers.",
    outside: &[("embed_tokens", "token_embd"), ("norm", "output_norm"), ("lm_head", "output")],
    parts: &[LLAMA_PARTS],
};

const GEMMA_NORMS: &[(&str, &str)] = &[
    ("post_attention_layernorm", "post_attention_norm"),
    ("pre_feedforward_layernorm", "ffn_norm"),
    ("post_feedforward_layernorm", "post_ffw_norm"),
];

const GEMMA: Names = Names { parts: &[GEMMA_NORMS, LLAMA_PARTS], ..LLAMA };

const GPT2: Names = Names {
    model: "transformer.",
    layers: "h.",
    outside: &[
        ("wte", "token_embd"),
        ("wpe", "position_embd"),
        ("ln_f", "output_norm"),
        ("lm_head", "output"),
    ],
    parts: &[&[
        ("ln_1", "attn_norm"),
        ("attn.c_attn", "attn_qkv"),
        ("attn.c_proj", "attn_output"),
        ("ln_2", "ffn_norm"),
        ("mlp.c_fc", "ffn_up"),
        ("mlp.c_proj", "ffn_down"),
    ]],
};

const BLOOM: Names = Names {
    model: "transformer.",
    layers: "h.",
    outside: &[
        ("word_embeddings", "token_embd"),
        ("word_embeddings_layernorm", "token_embd_norm"),
        ("ln_f", "output_norm"),
        ("lm_head", "output"),
    ],
    parts: &[&[
        ("input_layernorm", "attn_norm"),
        ("self_attention.query_key_value", "attn_qkv"),
        ("self_attention.dense", "attn_output"),
        ("post_attention_layernorm", "ffn_norm"),
        ("mlp.dense_h_to_4h", "ffn_up"),
        ("mlp.dense_4h_to_h", "ffn_down"),
    ]],
};

fn names(architecture: Architecture) -> &'static Names {
    match architecture {
        Architecture::Bloom => &BLOOM,
        Architecture::Gemma3 => &GEMMA,
        Architecture::Gpt2 => &GPT2,
        Architecture::Llama | Architecture::Qwen2 | Architecture::Qwen3 => &LLAMA,
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
    let (layer, part) = stem.strip_prefix(names.layers)?.split_once('.')?;
    let ours = names.parts.iter().find_map(|list| find(list, part))?;
    Some(format!("blk.{}.{ours}.{kind}", layer.parse::<u16>().ok()?))
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

/// Whether old files have the tensor though it can be computed: frequencies, masks.
pub(super) fn is_computed(theirs: &str) -> bool {
    [".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias"]
        .iter()
        .any(|ending| theirs.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_translated_or_unknown() {
        use Architecture::{Bloom, Gemma3, Gpt2, Llama};
        for (architecture, theirs, ours) in [
            (Llama, "model.embed_tokens.weight", "token_embd.weight"),
            (Llama, "lm_head.weight", "output.weight"),
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
