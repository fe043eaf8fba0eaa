//! The hyper-parameters that fix a transformer's shapes.

use base::{MAX_LABEL_CHARS, MAX_LABELS};
use serde::{Deserialize, Serialize};

use crate::{EMBEDDING_TABLE, GraphError, LOGITS_MATRIX, Positions, SCORES_MATRIX};

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
    /// T5.
    T5,
    /// T5 1.1, and so FLAN-T5.
    T5Gated,
}

impl Architecture {
    /// All that are supported.
    pub const ALL: [Self; 8] = [
        Self::Bloom,
        Self::Gemma3,
        Self::Gpt2,
        Self::Llama,
        Self::Qwen2,
        Self::Qwen3,
        Self::T5,
        Self::T5Gated,
    ];

    /// The name in a GGUF file's `general.architecture`.
    pub fn name(self) -> &'static str {
        self.traits().name
    }

    /// The architecture of that name; both kinds of T5 have one, and the first of them is meant.
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

/// The encoder ahead of a decoder.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Encoder {
    /// Its layers; each becomes two modules.
    pub layers: usize,
    /// The token that every answer begins behind: the decoder's at position 0.
    pub first_token: u32,
}

/// How distances between positions are told apart (T5, arXiv 1910.10683, section 2.1): each of the
/// buckets has a bias for every head.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RelativePositions {
    /// How many buckets there are; an encoder has half of them for either side.
    pub buckets: usize,
    /// All distances from this one on are in the last.
    pub max_distance: usize,
}

/// Hyper-parameters of one model. Shapes elsewhere are given in
/// these fields' names, row-major: `[rows, columns]`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Which operators there are, and in which order.
    pub architecture: Architecture,
    /// Transformer layers, of the decoder where there are two stacks; each becomes two modules, or three
    /// behind an encoder.
    pub layers: usize,
    /// The encoder, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<Encoder>,
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
    /// How distances are told apart, where scores have a bias for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative: Option<RelativePositions>,
    /// What scores are multiplied with; usually `1 / sqrt(head_dim)`.
    pub score_scale: f32,
    /// What logits are multiplied with; usually 1.
    pub logits_scale: f32,
    /// Positions that a layer with a window sees, the token's own included.
    pub window: Option<usize>,
    /// Added to the mean square or the variance in every norm.
    pub norm_epsilon: f32,
    /// Whether the head multiplies with the embedding table.
    pub tied_embeddings: bool,
    /// Names of the labels that a classifier tells texts apart by; none where the head gives tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
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

    /// What the head scores: labels of a classifier, else tokens.
    pub fn head_rows(&self) -> usize {
        if self.labels.is_empty() { self.vocab } else { self.labels.len() }
    }

    /// The tensor `[head_rows, hidden]` that the head multiplies with.
    pub fn head_matrix(&self) -> &'static str {
        match (self.tied_embeddings, self.labels.is_empty()) {
            (true, _) => EMBEDDING_TABLE,
            (false, true) => LOGITS_MATRIX,
            (false, false) => SCORES_MATRIX,
        }
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
        self.check_constants()?;
        self.check_parts()?;
        self.check_labels()
    }

    fn check_sizes(&self) -> Result<(), GraphError> {
        let first_token = self.encoder.map_or(0, |encoder| encoder.first_token as usize);
        let relative = self.relative.unwrap_or(RelativePositions { buckets: 4, max_distance: 4 });
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
            ("encoder.layers", self.encoder.map_or(1, |encoder| encoder.layers), MAX_LAYERS),
            ("encoder.first_token + 1", first_token.saturating_add(1), self.vocab),
            ("relative.buckets", relative.buckets, MAX_BUCKETS),
            ("relative.max_distance", relative.max_distance, MAX_DISTANCE),
        ];
        match bounds.into_iter().find(|&(_, value, limit)| value == 0 || value > limit) {
            Some((field, value, limit)) => Err(GraphError::Size { field, value, limit }),
            None => Ok(()),
        }
    }

    fn check_multiples(&self) -> Result<(), GraphError> {
        let blocks = "weights are quantised in blocks";
        let buckets = self.relative.map_or(0, |relative| relative.buckets);
        let rules = [
            ("hidden", self.hidden, QUANT_BLOCK, blocks),
            ("ffn", self.ffn, QUANT_BLOCK, blocks),
            ("heads * head_dim", self.query_width(), QUANT_BLOCK, blocks),
            ("head_dim", self.head_dim, 2, "rotary embedding turns pairs"),
            ("heads", self.heads, self.kv_heads, "every key head serves as many query heads"),
            (
                "relative.buckets",
                buckets,
                4,
                "half are for single distances, and half for either side",
            ),
        ];
        match rules.into_iter().find(|&(_, value, multiple_of, _)| value % multiple_of != 0) {
            Some((field, value, multiple_of, reason)) => {
                Err(GraphError::Multiple { field, value, multiple_of, reason })
            }
            None => Ok(()),
        }
    }

    /// What the architecture has is there, and nothing else.
    fn check_parts(&self) -> Result<(), GraphError> {
        let traits = self.architecture.traits();
        let has_relative = traits.positions == Positions::Relative;
        let farthest = self.relative.map_or(usize::MAX, |relative| relative.max_distance);
        let nearest = self.relative.map_or(0, |relative| relative.buckets / 2);
        let rules = [
            (
                "encoder",
                self.encoder.is_some() == traits.has_encoder,
                "there is one or there is none",
            ),
            (
                "relative",
                self.relative.is_some() == has_relative,
                "scores have a bias or have none",
            ),
            ("relative.max_distance", farthest > nearest, "some buckets are for single distances"),
        ];
        match rules.into_iter().find(|(_, is_right, _)| !is_right) {
            Some((field, _, reason)) => {
                let architecture = traits.name;
                Err(GraphError::Part { field, architecture, reason })
            }
            None => Ok(()),
        }
    }

    /// A classifier has a choice, names that a frame takes, and a matrix of its own behind a decoder alone.
    fn check_labels(&self) -> Result<(), GraphError> {
        if self.labels.is_empty() {
            return Ok(());
        }
        let is_name =
            |label: &String| !label.trim().is_empty() && label.chars().count() <= MAX_LABEL_CHARS;
        let rules = [
            ((2..=MAX_LABELS).contains(&self.labels.len()), "a text is one of 2 to 256"),
            (self.labels.iter().all(is_name), "each is called something, in at most 80 characters"),
            (!self.tied_embeddings, "they are no tokens of the embedding's table"),
            (self.encoder.is_none(), "only a decoder alone is read at a text's last token"),
        ];
        match rules.into_iter().find(|&(is_right, _)| !is_right) {
            Some((_, reason)) => {
                let architecture = self.architecture.traits().name;
                Err(GraphError::Part { field: "labels", architecture, reason })
            }
            None => Ok(()),
        }
    }

    fn check_constants(&self) -> Result<(), GraphError> {
        let over = |limit: f32| move |value: f32| value.is_finite() && value > limit;
        let rules: [(_, f32, &dyn Fn(f32) -> bool, _); 6] = [
            ("rope.theta", self.rope.theta, &over(1.0), "finite and over 1"),
            ("rope.local_theta", self.rope.local_theta, &over(1.0), "finite and over 1"),
            ("rope.factor", self.rope.factor, &over(0.0), "finite and over 0"),
            ("score_scale", self.score_scale, &over(0.0), "finite and over 0"),
            ("logits_scale", self.logits_scale, &over(0.0), "finite and over 0"),
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
const MAX_BUCKETS: usize = 1 << 10;
const MAX_DISTANCE: usize = 1 << 14;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Those without an encoder.
    pub(crate) fn decoders() -> impl Iterator<Item = Architecture> {
        Architecture::ALL.into_iter().filter(|architecture| !architecture.traits().has_encoder)
    }

    /// Two layers, two query heads on one key head, eleven tokens.
    pub(crate) fn tiny(architecture: Architecture, tied_embeddings: bool) -> ModelConfig {
        let traits = architecture.traits();
        let relative = RelativePositions { buckets: 8, max_distance: 20 };
        ModelConfig {
            architecture,
            layers: 2,
            encoder: traits.has_encoder.then_some(Encoder { layers: 3, first_token: 1 }),
            hidden: 32,
            ffn: 64,
            heads: 2,
            kv_heads: 1,
            head_dim: 16,
            vocab: 11,
            context_tokens: 128,
            rope: Rope { theta: 10_000.0, local_theta: 10_000.0, factor: 1.0, has_divisors: false },
            relative: (traits.positions == Positions::Relative).then_some(relative),
            score_scale: 0.25,
            logits_scale: 1.0,
            window: None,
            norm_epsilon: 1e-5,
            tied_embeddings,
            labels: Vec::new(),
        }
    }

    /// The same, telling texts apart.
    pub(crate) fn tiny_classifier(architecture: Architecture, labels: &[&str]) -> ModelConfig {
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        ModelConfig { labels, ..tiny(architecture, false) }
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
    fn nonsense_about_an_encoder_is_refused_by_field() {
        type Spoil = fn(&mut ModelConfig);
        let cases: [(Spoil, &str); 10] = [
            (|c| c.encoder = None, "encoder does not fit t5"),
            (|c| c.relative = None, "relative does not fit t5"),
            (|c| c.encoder = Some(Encoder { layers: 0, first_token: 0 }), "encoder.layers is 0"),
            (
                |c| c.encoder = Some(Encoder { layers: 1, first_token: 11 }),
                "encoder.first_token + 1 is 12",
            ),
            (|c| c.relative = relative(0, 20), "relative.buckets is 0"),
            (|c| c.relative = relative(usize::MAX, 20), "relative.buckets is"),
            (|c| c.relative = relative(6, 20), "relative.buckets is 6: must be a multiple of 4"),
            (|c| c.relative = relative(8, 4), "relative.max_distance does not fit t5"),
            (|c| c.relative = relative(8, usize::MAX), "relative.max_distance is"),
            (|c| c.logits_scale = f32::NAN, "logits_scale is NaN"),
        ];
        for (spoil, message) in cases {
            let mut config = tiny(Architecture::T5, true);
            spoil(&mut config);
            let error = config.validate().expect_err(message).to_string();
            assert!(error.starts_with(message), "{error} should start with {message}");
        }
        let encoder = tiny(Architecture::T5, true).encoder;
        let config = ModelConfig { encoder, ..tiny(Architecture::Llama, true) };
        assert!(matches!(config.validate(), Err(GraphError::Part { field: "encoder", .. })));
    }

    #[test]
    fn labels_are_a_choice_of_names_behind_a_decoder() {
        for architecture in decoders() {
            let config = tiny_classifier(architecture, &["no", "yes"]);
            assert_eq!((config.validate(), config.head_rows()), (Ok(()), 2));
        }
        let (long, many) = ("a".repeat(81), vec!["a"; 257]);
        let tied = |config| ModelConfig { tied_embeddings: true, ..config };
        for wrong in [
            tiny_classifier(Architecture::Llama, &["alone"]),
            tiny_classifier(Architecture::Llama, &many),
            tiny_classifier(Architecture::Llama, &["no", " "]),
            tiny_classifier(Architecture::Llama, &["no", &long]),
            tied(tiny_classifier(Architecture::Llama, &["no", "yes"])),
            tiny_classifier(Architecture::T5, &["no", "yes"]),
        ] {
            let error = wrong.validate().expect_err("it is no classifier").to_string();
            assert!(error.starts_with("labels does not fit"), "{error}");
        }
    }

    fn relative(buckets: usize, max_distance: usize) -> Option<RelativePositions> {
        Some(RelativePositions { buckets, max_distance })
    }

    #[test]
    fn odd_heads_are_refused_even_when_their_sum_fits() {
        let mut config = tiny(Architecture::Llama, false);
        (config.heads, config.head_dim) = (32, 17);
        let error = config.validate().expect_err("odd head").to_string();
        assert!(error.starts_with("head_dim is 17"), "{error}");
    }
}
