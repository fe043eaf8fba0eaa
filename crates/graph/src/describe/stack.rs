//! The names that a stack of layers has.

use crate::Architecture;

/// A stack of layers: what its modules and its tensors are called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stack {
    /// What stands before the names of its modules.
    pub modules: &'static str,
    /// What stands before a layer's number in the names of tensors: `blk` in `blk.3.attn_q.weight`.
    pub layers: &'static str,
    /// What its projection behind attention is called: `attn_output`.
    pub attention_output: &'static str,
    /// The norm behind its last layer, without `.weight`.
    pub last_norm: &'static str,
}

impl Stack {
    /// The layers that attend to a whole prompt.
    pub const ENCODER: Self = Self {
        modules: "encoder_",
        layers: "enc.blk",
        attention_output: "attn_o",
        last_norm: "enc.output_norm",
    };

    /// The layers that make the logits.
    pub fn decoder(architecture: Architecture) -> Self {
        if architecture.traits().has_encoder { Self::BEHIND_ENCODER } else { Self::ALONE }
    }

    /// A tensor's name without its ending.
    pub fn part(&self, layer: usize, part: &str) -> String {
        format!("{}.{layer}.{part}", self.layers)
    }

    /// The table of biases `[buckets, heads]`, which the file has once, beside the first layer.
    pub fn relative_table(&self) -> String {
        format!("{}.weight", self.part(0, RELATIVE))
    }

    const ALONE: Self = Self {
        modules: "",
        layers: "blk",
        attention_output: "attn_output",
        last_norm: "output_norm",
    };

    const BEHIND_ENCODER: Self = Self {
        modules: "",
        layers: "dec.blk",
        attention_output: "attn_o",
        last_norm: "dec.output_norm",
    };
}

/// Whether a tensor is a table of biases for relative positions.
pub fn is_relative_table(name: &str) -> bool {
    name.strip_suffix(".weight").and_then(|name| name.rsplit('.').next()) == Some(RELATIVE)
}

const RELATIVE: &str = "attn_rel_b";
