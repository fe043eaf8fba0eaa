//! The hyper-parameters that fix a transformer's shapes.

use serde::{Deserialize, Serialize};

use crate::GraphError;

/// The families of models that have a description here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// BLOOM.
    Bloom,
    /// Gemma 3, text.
    Gemma3,
    /// GPT-2.
    Gpt2,
    /// Llama 2 and 3, and what shares their graph.
    Llama,
    /// Qwen2 and Qwen2.5.
    Qwen2,
    /// Qwen3, dense.
    Qwen3,
}

impl Architecture {
    /// All that are supported.
    pub const ALL: [Self; 6] =
        [Self::Bloom, Self::Gemma3, Self::Gpt2, Self::Llama, Self::Qwen2, Self::Qwen3];

    /// The name in a GGUF file's `general.architecture`.
    pub fn name(self) -> &'static str {
        self.traits().name
    }

    /// The architecture of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|architecture| architecture.name() == name)
    }
}

/// How rotary embedding turns pairs. Without effect where an architecture has none.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Rope {
    /// Base of the frequencies.
    pub theta: f32,
    /// Base in layers that attend within a window.
    pub local_theta: f32,
    /// Positions are divided by this, but in layers that attend within a window.
    pub factor: f32,
    /// Whether the file divides each frequency by a number of its own (Llama 3).
    pub has_divisors: bool,
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
    /// How rotary embedding turns pairs.
    pub rope: Rope,
    /// What scores are multiplied with; usually `1 / sqrt(head_dim)`.
    pub score_scale: f32,
    /// Positions that a layer with a window sees, the token's own included.
    pub window: Option<usize>,
    /// Added to the mean square or the variance in every norm.
    pub norm_epsilon: f32,
    /// Whether the head multiplies with the embedding table.
    pub tied_embeddings: bool,
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

    /// Whether a layer attends within the window alone.
    pub fn is_local(&self, layer: usize) -> bool {
        let every = self.architecture.traits().global_every;
        self.window.is_some() && every.is_none_or(|every| !(layer + 1).is_multiple_of(every))
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
            ("window", self.window.unwrap_or(1), MAX_CONTEXT_TOKENS),
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
        let over = |limit: f32| move |value: f32| value.is_finite() && value > limit;
        let rules: [(_, f32, &dyn Fn(f32) -> bool, _); 5] = [
            ("rope.theta", self.rope.theta, &over(1.0), "finite and over 1"),
            ("rope.local_theta", self.rope.local_theta, &over(1.0), "finite and over 1"),
            ("rope.factor", self.rope.factor, &over(0.0), "finite and over 0"),
            ("score_scale", self.score_scale, &over(0.0), "finite and over 0"),
            (
                "norm_epsilon",
                self.norm_epsilon,
                &|value| (0.0..1.0).contains(&value),
                "at least 0 and under 1",
            ),
        ];
        match rules.into_iter().find(|(_, value, is_right, _)| !is_right(*value)) {
            Some((field, value, _, expected)) => {
                Err(GraphError::Constant { field, value, expected })
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
            rope: Rope { theta: 10_000.0, local_theta: 10_000.0, factor: 1.0, has_divisors: false },
            score_scale: 0.25,
            window: None,
            norm_epsilon: 1e-5,
            tied_embeddings,
        }
    }

    #[test]
    fn sensible_configs_pass() {
        for architecture in Architecture::ALL {
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
            (|c| c.window = Some(0), "window is 0"),
            (|c| c.rope.theta = f32::NAN, "rope.theta is NaN"),
            (|c| c.rope.factor = 0.0, "rope.factor is 0"),
            (|c| c.norm_epsilon = -1.0, "norm_epsilon is -1"),
            (|c| c.norm_epsilon = f32::INFINITY, "norm_epsilon is inf"),
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
