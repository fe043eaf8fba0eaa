//! The hyper-parameters that fix a transformer's shapes.

use serde::{Deserialize, Serialize};

use crate::GraphError;

/// The families of models that have a description here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// Llama 2 and 3, and what shares their graph.
    Llama,
    /// Qwen2 and Qwen2.5: Llama's graph with biases on queries, keys and values.
    Qwen2,
    /// Qwen3, dense: Llama's graph with normalised queries and keys.
    Qwen3,
}

impl Architecture {
    /// The name in a GGUF file's `general.architecture`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }
}

/// Hyper-parameters of one decoder-only model. Shapes elsewhere are given in
/// these fields' names, row-major: `[rows, columns]`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Which operators there are, and in which order.
    pub architecture: Architecture,
    /// Transformer layers; each becomes two modules.
    pub layers: usize,
    /// Width of the hidden state: `[hidden]` for each token.
    pub hidden: usize,
    /// Width of the feed-forward part: gate and up are `[ffn, hidden]`, down is `[hidden, ffn]`.
    pub ffn: usize,
    /// Query heads: the query projection is `[heads * head_dim, hidden]`.
    pub heads: usize,
    /// Key and value heads, shared by `heads / kv_heads` query heads each.
    pub kv_heads: usize,
    /// Width of one head; even, since rotary embedding turns pairs.
    pub head_dim: usize,
    /// Tokens in the vocabulary: the embedding table is `[vocab, hidden]`.
    pub vocab: usize,
    /// Positions that the model was trained for.
    pub context_tokens: usize,
    /// Base of the rotary embedding's frequencies.
    pub rope_theta: f32,
    /// Added to the mean square in every RMS norm.
    pub rms_epsilon: f32,
    /// Whether the head multiplies with the embedding table.
    pub tied_embeddings: bool,
    /// Whether queries and keys are normalised per head, with weights `[head_dim]`.
    pub qk_norm: bool,
    /// Whether queries, keys and values have a bias each.
    pub qkv_bias: bool,
}

impl ModelConfig {
    /// Width of all query heads together.
    pub fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of all key heads together, and of all value heads.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Refuses configs that no graph should be built from.
    ///
    /// # Errors
    /// The first field that is zero, absurdly large, not in whole pieces, or not
    /// what the architecture has.
    pub fn validate(&self) -> Result<(), GraphError> {
        self.check_sizes()?;
        self.check_multiples()?;
        self.check_constants()
    }

    fn check_sizes(&self) -> Result<(), GraphError> {
        let bounds = [
            ("layers", self.layers, MAX_LAYERS),
            ("hidden", self.hidden, MAX_WIDTH),
            ("ffn", self.ffn, MAX_WIDTH),
            ("heads", self.heads, MAX_HEADS),
            ("kv_heads", self.kv_heads, MAX_HEADS),
            ("head_dim", self.head_dim, MAX_HEAD_DIM),
            ("vocab", self.vocab, MAX_VOCAB),
            ("context_tokens", self.context_tokens, MAX_CONTEXT_TOKENS),
        ];
        match bounds.into_iter().find(|&(_, value, limit)| value == 0 || value > limit) {
            Some((field, value, limit)) => Err(GraphError::Size { field, value, limit }),
            None => Ok(()),
        }
    }

    fn check_multiples(&self) -> Result<(), GraphError> {
        let blocks = "weights are quantised in blocks";
        let rules = [
            ("hidden", self.hidden, QUANT_BLOCK, blocks),
            ("ffn", self.ffn, QUANT_BLOCK, blocks),
            ("heads * head_dim", self.query_width(), QUANT_BLOCK, blocks),
            ("head_dim", self.head_dim, 2, "rotary embedding turns pairs"),
            ("heads", self.heads, self.kv_heads, "every key head serves as many query heads"),
        ];
        match rules.into_iter().find(|&(_, value, multiple_of, _)| value % multiple_of != 0) {
            Some((field, value, multiple_of, reason)) => {
                Err(GraphError::Multiple { field, value, multiple_of, reason })
            }
            None => Ok(()),
        }
    }

    fn check_constants(&self) -> Result<(), GraphError> {
        let (theta, epsilon) = (self.rope_theta, self.rms_epsilon);
        if !(theta.is_finite() && theta > 1.0) {
            let expected = "finite and over 1";
            return Err(GraphError::Constant { field: "rope_theta", value: theta, expected });
        }
        if !(0.0..1.0).contains(&epsilon) {
            let expected = "at least 0 and under 1";
            return Err(GraphError::Constant { field: "rms_epsilon", value: epsilon, expected });
        }
        let switches = [
            ("qk_norm", self.qk_norm, Architecture::Qwen3),
            ("qkv_bias", self.qkv_bias, Architecture::Qwen2),
        ];
        let is_wrong = |&(_, value, of): &(_, bool, _)| value != (self.architecture == of);
        match switches.into_iter().find(is_wrong) {
            Some((field, value, _)) => {
                let architecture = self.architecture.name();
                Err(GraphError::Switch { field, value, architecture })
            }
            None => Ok(()),
        }
    }
}

/// Values in one block of the quantised formats.
const QUANT_BLOCK: usize = 32;
const MAX_LAYERS: usize = 512;
const MAX_WIDTH: usize = 1 << 18;
const MAX_HEADS: usize = 1024;
const MAX_HEAD_DIM: usize = 1024;
const MAX_VOCAB: usize = 1 << 22;
const MAX_CONTEXT_TOKENS: usize = 1 << 24;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Two layers, two query heads on one key head, eleven tokens.
    pub(crate) fn tiny(architecture: Architecture, tied_embeddings: bool) -> ModelConfig {
        ModelConfig {
            architecture,
            layers: 2,
            hidden: 32,
            ffn: 64,
            heads: 2,
            kv_heads: 1,
            head_dim: 16,
            vocab: 11,
            context_tokens: 128,
            rope_theta: 10_000.0,
            rms_epsilon: 1e-5,
            tied_embeddings,
            qk_norm: architecture == Architecture::Qwen3,
            qkv_bias: architecture == Architecture::Qwen2,
        }
    }

    #[test]
    fn sensible_configs_pass() {
        for architecture in [Architecture::Llama, Architecture::Qwen2, Architecture::Qwen3] {
            assert_eq!(tiny(architecture, true).validate(), Ok(()));
        }
    }

    #[test]
    fn nonsense_is_refused_by_field() {
        type Spoil = fn(&mut ModelConfig);
        let cases: [(Spoil, &str); 14] = [
            (|c| c.layers = 0, "layers is 0"),
            (|c| c.layers = 513, "layers is 513"),
            (|c| c.hidden = 48, "hidden is 48: must be a multiple of 32"),
            (|c| c.ffn = usize::MAX, "ffn is"),
            (|c| c.kv_heads = 0, "kv_heads is 0"),
            (|c| c.kv_heads = 3, "heads is 2: must be a multiple of 3"),
            (|c| c.head_dim = 17, "heads * head_dim is 34"),
            (|c| c.vocab = 0, "vocab is 0"),
            (|c| c.context_tokens = usize::MAX, "context_tokens is"),
            (|c| c.rope_theta = f32::NAN, "rope_theta is NaN"),
            (|c| c.rms_epsilon = -1.0, "rms_epsilon is -1"),
            (|c| c.rms_epsilon = f32::INFINITY, "rms_epsilon is inf"),
            (|c| c.qk_norm = true, "qk_norm is true: llama models always have it false"),
            (|c| c.qkv_bias = true, "qkv_bias is true: llama models always have it false"),
        ];
        for (spoil, message) in cases {
            let mut config = tiny(Architecture::Llama, false);
            spoil(&mut config);
            let error = config.validate().expect_err(message).to_string();
            assert!(error.starts_with(message), "{error} should start with {message}");
        }
    }

    #[test]
    fn odd_heads_are_refused_even_when_their_sum_fits() {
        let mut config = tiny(Architecture::Llama, false);
        (config.heads, config.head_dim) = (32, 17);
        let error = config.validate().expect_err("odd head").to_string();
        assert!(error.starts_with("head_dim is 17"), "{error}");
    }
}
