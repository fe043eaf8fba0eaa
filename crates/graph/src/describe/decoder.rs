//! The graph of a pre-norm decoder with the traits of its architecture, and of the encoder before it if
//! there is one. Names of the weights: GGUF's specification, "Standardized tensor names".

use super::{FeedForward, NormKind, Positions, Stack, Traits};
use crate::{Graph, ModelConfig, NodeId, Operator, Sees, TensorSpec};

/// The operator graph of a config that has been validated.
pub(crate) fn describe(config: &ModelConfig) -> Graph {
    let mut layers = Layers::new(config);
    let memory = config.encoder.map(|encoder| layers.encoder(encoder.layers));
    let mut hidden = layers.embed(if memory.is_some() { "decoder_" } else { "" });
    for layer in 0..config.layers {
        hidden = layers.attend(layer, hidden);
        if let Some(memory) = memory {
            hidden = layers.attend_to(memory, layer, hidden);
        }
        hidden = layers.feed_forward(layer, hidden);
    }
    layers.head(hidden)
}

/// A graph under construction.
struct Layers<'a> {
    config: &'a ModelConfig,
    traits: &'static Traits,
    /// Where the layers that are added belong.
    stack: Stack,
    graph: Graph,
    positions: NodeId,
    rotary_table: Option<NodeId>,
}

impl<'a> Layers<'a> {
    /// Starts with the positions and what follows from them alone.
    fn new(config: &'a ModelConfig) -> Self {
        let (mut graph, traits) = (Graph::default(), config.architecture.traits());
        let positions = graph.add("positions", Operator::Positions, &[], 1);
        let rotary_table = traits.positions.is_rotary().then(|| {
            let (operator, width) = (Operator::RotaryTable, config.head_dim);
            graph.add("rotary_table", operator, &[positions], width)
        });
        let stack = Stack::decoder(config.architecture);
        Self { config, traits, stack, graph, positions, rotary_table }
    }

    /// Token ids to the encoder's output `[hidden]`.
    fn encoder(&mut self, layers: usize) -> NodeId {
        let decoder = std::mem::replace(&mut self.stack, Stack::ENCODER);
        let mut hidden = self.embed("");
        for layer in 0..layers {
            hidden = self.attend(layer, hidden);
            hidden = self.feed_forward(layer, hidden);
        }
        let name = format!("{}.last_norm", self.module("mlp", layers - 1));
        let memory = self.norm(name, self.stack.last_norm, hidden);
        self.stack = decoder;
        memory
    }

    /// Token ids to hidden states `[hidden]`.
    fn embed(&mut self, part: &str) -> NodeId {
        let width = self.config.hidden;
        let tokens = self.graph.add(format!("{part}tokens"), Operator::Tokens, &[], 1);
        let table = vec![tensor(EMBEDDING_TABLE, &[self.config.vocab, width])];
        let (name, operator) = (format!("{part}embed"), Operator::Lookup);
        let mut hidden = self.graph.add_weighted(name, operator, &[tokens], width, table);
        if self.traits.positions == Positions::Learned {
            let table = vec![tensor(POSITION_TABLE, &[self.config.context_tokens, width])];
            let positions = [self.positions];
            let place =
                self.graph.add_weighted("embed.place", Operator::Lookup, &positions, width, table);
            hidden = self.graph.add("embed.sum", Operator::Add, &[hidden, place], width);
        }
        if self.traits.embedding_norm {
            hidden = self.norm("embed.norm".into(), EMBEDDING_NORM, hidden);
        }
        hidden
    }

    /// Norm, queries, keys and values, attention, output projection and addition.
    fn attend(&mut self, layer: usize, hidden: NodeId) -> NodeId {
        let (config, module) = (self.config, self.module("attn", layer));
        let normed = self.norm(format!("{module}.norm"), &self.part(layer, "attn_norm"), hidden);
        let inputs = self.query_key_value(layer, normed);
        let is_causal = self.stack != Stack::ENCODER;
        let window = config.window.filter(|_| config.is_local(layer));
        let sees = if is_causal { Sees::Before(window) } else { Sees::Prompt };
        let mut biases = Vec::new();
        if let Some(relative) = config.relative {
            biases.push(tensor(self.stack.relative_table(), &[relative.buckets, config.heads]));
        }
        let mixed = self.mix(&module, sees, is_causal, &inputs, biases);
        let (name, bias) = (self.part(layer, self.stack.attention_output), self.traits.output_bias);
        let mut output = self.linear(format!("{module}.output"), &name, mixed, config.hidden, bias);
        if self.traits.branch_norm {
            let name = self.part(layer, "post_attention_norm");
            output = self.norm(format!("{module}.post_norm"), &name, output);
        }
        self.add(format!("{module}.add"), hidden, output)
    }

    /// As [`Self::attend`], to what the encoder gives: keys and values are made of that.
    fn attend_to(&mut self, memory: NodeId, layer: usize, hidden: NodeId) -> NodeId {
        let (config, module) = (self.config, self.module("cross", layer));
        let normed =
            self.norm(format!("{module}.norm"), &self.part(layer, "cross_attn_norm"), hidden);
        let (query, kv) = (config.query_width(), config.kv_width());
        let projections = [("query", normed, query), ("key", memory, kv), ("value", memory, kv)];
        let inputs = projections.map(|(name, from, rows)| {
            let weights = self.part(layer, &format!("cross_attn_{}", &name[..1]));
            self.linear(format!("{module}.{name}"), &weights, from, rows, false)
        });
        let mixed = self.mix(&module, Sees::Prompt, true, &inputs, Vec::new());
        let name = self.part(layer, "cross_attn_o");
        let output = self.linear(format!("{module}.output"), &name, mixed, config.hidden, false);
        self.add(format!("{module}.add"), hidden, output)
    }

    /// Attention itself; keys and values are kept for later tokens where there are any.
    fn mix(
        &mut self,
        module: &str,
        sees: Sees,
        is_kept: bool,
        inputs: &[NodeId],
        biases: Vec<TensorSpec>,
    ) -> NodeId {
        let config = self.config;
        let kv_values = if is_kept { 2 * config.kv_width() } else { 0 };
        let (heads, head_dim) = (config.heads, config.head_dim);
        let operator = Operator::Attention { heads, head_dim, kv_values, sees };
        let (name, width) = (format!("{module}.attention"), config.query_width());
        self.graph.add_weighted(name, operator, inputs, width, biases)
    }

    fn query_key_value(&mut self, layer: usize, normed: NodeId) -> Vec<NodeId> {
        let (query, kv) = (self.config.query_width(), self.config.kv_width());
        let (module, bias) = (self.module("attn", layer), self.traits.qkv_bias);
        if self.traits.fused_qkv {
            let (name, weights) = (format!("{module}.qkv"), self.part(layer, "attn_qkv"));
            return vec![self.linear(name, &weights, normed, query + 2 * kv, bias)];
        }
        let mut project = |name: &str, letter: &str, rows: usize| {
            let weights = self.part(layer, &format!("attn_{letter}"));
            self.linear(format!("{module}.{name}"), &weights, normed, rows, bias)
        };
        let [query, key, value] =
            [project("query", "q", query), project("key", "k", kv), project("value", "v", kv)];
        let [query, key] = [("q", query), ("k", key)].map(|(letter, mut heads)| {
            if self.traits.head_norm {
                heads = self.norm_heads(layer, letter, heads);
            }
            self.rotate(layer, heads)
        });
        vec![query, key, value]
    }

    /// RMS norm over each head of queries (`letter` "q") or keys ("k"), weights `[head_dim]`.
    fn norm_heads(&mut self, layer: usize, letter: &str, heads: NodeId) -> NodeId {
        let name = format!("{}.weight", self.part(layer, &format!("attn_{letter}_norm")));
        let weights = vec![tensor(name, &[self.config.head_dim])];
        let module = self.module("attn", layer);
        let (name, width) = (format!("{module}.{letter}_norm"), self.width(heads));
        self.graph.add_weighted(name, Operator::RmsNorm, &[heads], width, weights)
    }

    /// Rotary embedding of queries or keys.
    fn rotate(&mut self, layer: usize, heads: NodeId) -> NodeId {
        let Some(table) = self.rotary_table else { return heads };
        let name = format!("{}.rotary", self.graph.nodes[heads.0].name);
        let mut weights = Vec::new();
        if self.config.rope.has_divisors && !self.config.is_local(layer) {
            weights.push(tensor(ROTARY_DIVISORS, &[self.config.head_dim / 2]));
        }
        let width = self.width(heads);
        self.graph.add_weighted(name, Operator::Rotary, &[heads, table], width, weights)
    }

    /// Norm, the feed-forward part, and the residual addition.
    fn feed_forward(&mut self, layer: usize, hidden: NodeId) -> NodeId {
        let (ffn, traits) = (self.config.ffn, self.traits);
        let (module, bias) = (self.module("mlp", layer), traits.output_bias);
        let normed = self.norm(format!("{module}.norm"), &self.part(layer, "ffn_norm"), hidden);
        let mut project = |name: &str| {
            let weights = self.part(layer, &format!("ffn_{name}"));
            self.linear(format!("{module}.{name}"), &weights, normed, ffn, bias)
        };
        let (operator, inputs) = match traits.feed_forward {
            FeedForward::SiluGate => (Operator::SiluMul, vec![project("gate"), project("up")]),
            FeedForward::GeluGate => (Operator::GeluMul, vec![project("gate"), project("up")]),
            FeedForward::Gelu => (Operator::Gelu, vec![project("up")]),
            FeedForward::Relu => (Operator::Relu, vec![project("up")]),
        };
        let product = self.graph.add(format!("{module}.activation"), operator, &inputs, ffn);
        let (name, width) = (self.part(layer, "ffn_down"), self.config.hidden);
        let mut output = self.linear(format!("{module}.down"), &name, product, width, bias);
        if traits.branch_norm {
            let name = self.part(layer, "post_ffw_norm");
            output = self.norm(format!("{module}.post_norm"), &name, output);
        }
        self.add(format!("{module}.add"), hidden, output)
    }

    /// The last norm and the logits `[head_rows]`; ends the graph.
    fn head(mut self, hidden: NodeId) -> Graph {
        let normed = self.norm("head.norm".into(), self.stack.last_norm, hidden);
        let (rows, columns) = (self.config.head_rows(), self.config.hidden);
        let weights = vec![tensor(self.config.head_matrix(), &[rows, columns])];
        let operator = Operator::Linear { columns };
        self.graph.add_weighted("head.logits", operator, &[normed], rows, weights);
        self.graph
    }

    fn norm(&mut self, name: String, part: &str, input: NodeId) -> NodeId {
        let width = self.width(input);
        let mut weights = vec![tensor(format!("{part}.weight"), &[width])];
        let operator = match self.traits.norm {
            NormKind::Rms => Operator::RmsNorm,
            NormKind::Layer => {
                weights.push(tensor(format!("{part}.bias"), &[width]));
                Operator::LayerNorm
            }
        };
        self.graph.add_weighted(name, operator, &[input], width, weights)
    }

    fn linear(
        &mut self,
        name: String,
        part: &str,
        input: NodeId,
        rows: usize,
        has_bias: bool,
    ) -> NodeId {
        let columns = self.width(input);
        let mut weights = vec![tensor(format!("{part}.weight"), &[rows, columns])];
        if has_bias {
            weights.push(tensor(format!("{part}.bias"), &[rows]));
        }
        self.graph.add_weighted(name, Operator::Linear { columns }, &[input], rows, weights)
    }

    fn add(&mut self, name: String, left: NodeId, right: NodeId) -> NodeId {
        let width = self.width(left);
        self.graph.add(name, Operator::Add, &[left, right], width)
    }

    fn width(&self, node: NodeId) -> usize {
        self.graph.nodes[node.0].width
    }

    /// A module's name.
    fn module(&self, part: &str, layer: usize) -> String {
        format!("{}{part}.{layer}", self.stack.modules)
    }

    /// A tensor's name without its ending.
    fn part(&self, layer: usize, part: &str) -> String {
        self.stack.part(layer, part)
    }
}

fn tensor(name: impl Into<String>, shape: &[usize]) -> TensorSpec {
    TensorSpec { name: name.into(), shape: shape.to_vec() }
}

/// The tensor of tokens' embeddings, `[vocab, hidden]`.
pub const EMBEDDING_TABLE: &str = "token_embd.weight";
/// The head's own tensor where it gives tokens, `[vocab, hidden]`.
pub const LOGITS_MATRIX: &str = "output.weight";
/// The head's tensor where it gives labels, `[labels, hidden]`.
pub const SCORES_MATRIX: &str = "cls.output.weight";
const EMBEDDING_NORM: &str = "token_embd_norm";
/// The tensor of learned positions, `[context, hidden]`.
pub const POSITION_TABLE: &str = "position_embd.weight";
/// What Llama 3's rotary frequencies are divided by.
const ROTARY_DIVISORS: &str = "rope_freqs.weight";
