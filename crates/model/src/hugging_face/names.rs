//! What transformers calls the tensors that this engine knows by GGUF's names.

/// Names of the tensors outside the layers, without their `.weight`.
const OUTSIDE: [(&str, &str); 3] =
    [("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output")];

/// Names of the parts of a layer, without `.weight` or `.bias`.
const PARTS: [(&str, &str); 11] = [
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

/// Our name of a tensor: `model.layers.2.mlp.up_proj.weight` is `blk.2.ffn_up.weight`.
pub(super) fn our_name(theirs: &str) -> Option<String> {
    let (stem, kind) = theirs.rsplit_once('.')?;
    if !matches!(kind, "weight" | "bias") {
        return None;
    }
    let find = |list: &[(&str, &'static str)], name: &str| {
        list.iter().find(|(theirs, _)| *theirs == name).map(|(_, ours)| *ours)
    };
    if let Some(ours) = find(&OUTSIDE, stem) {
        return Some(format!("{ours}.{kind}"));
    }
    let (layer, part) = stem.strip_prefix("model.layers.")?.split_once('.')?;
    Some(format!("blk.{}.{}.{kind}", layer.parse::<u16>().ok()?, find(&PARTS, part)?))
}

/// Whether old files have the tensor though it can be computed.
pub(super) fn is_computed(theirs: &str) -> bool {
    theirs.ends_with(".rotary_emb.inv_freq")
}

#[cfg(test)]
mod tests {
    use super::our_name;

    #[test]
    fn names_are_translated_or_unknown() {
        for (theirs, ours) in [
            ("model.embed_tokens.weight", "token_embd.weight"),
            ("lm_head.weight", "output.weight"),
            ("model.layers.0.input_layernorm.weight", "blk.0.attn_norm.weight"),
            ("model.layers.11.self_attn.q_proj.bias", "blk.11.attn_q.bias"),
        ] {
            assert_eq!(our_name(theirs).as_deref(), Some(ours));
        }
        for unknown in ["lm_head", "model.layers.x.mlp.up_proj.weight", "model.layers.0.weight", ""]
        {
            assert_eq!(our_name(unknown), None, "{unknown}");
        }
    }
}
