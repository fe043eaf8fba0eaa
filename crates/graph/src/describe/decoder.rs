//! The parts that pre-norm decoders with rotary embedding share. Names of the
//! weights: GGUF's specification, "Standardized tensor names".

use crate::{Graph, ModelConfig, NodeId, Operator, TensorSpec};

/// A graph under construction.
pub(super) struct Decoder<'a> {
    config: &'a ModelConfig,
    graph: Graph,
    rotary_table: NodeId,
}

/// The three projections of one layer's normalised hidden state.
pub(super) struct Heads {
    /// `[heads * head_dim]`
    pub query: NodeId,
    /// `[kv_heads * head_dim]`
    pub key: NodeId,
    /// `[kv_heads * head_dim]`
    pub value: NodeId,
}

impl<'a> Decoder<'a> {
    /// Starts with the rotary table. It depends on the position alone, which every
    /// device knows, so it is recomputed and never sent.
    pub fn new(config: &'a ModelConfig) -> Self {
        let mut graph = Graph::default();
        let positions = graph.add("positions", Operator::Positions, &[], 1);
        let rotary_table =
            graph.add("rotary_table", Operator::RotaryTable, &[positions], config.head_dim);
        graph.recompute(positions);
        graph.recompute(rotary_table);
        Self { config, graph, rotary_table }
    }

    /// Token ids to hidden states `[hidden]`.
    pub fn embed(&mut self) -> NodeId {
        let tokens = self.graph.add("tokens", Operator::Tokens, &[], 1);
        let table = vec![tensor(EMBEDDING_TABLE, &[self.config.vocab, self.config.hidden])];
        let width = self.config.hidden;
        self.graph.add_weighted("embed", Operator::Lookup, &[tokens], width, table)
    }

    /// Norm, then queries, keys and values.
    pub fn project(&mut self, layer: usize, hidden: NodeId) -> Heads {
        let normed = self.norm(format!("attn.{layer}.norm"), block(layer, "attn_norm"), hidden);
        let (query, kv) = (self.config.query_width(), self.config.kv_width());
        Heads {
            query: self.projection(layer, "query", "attn_q", normed, query),
            key: self.projection(layer, "key", "attn_k", normed, kv),
            value: self.projection(layer, "value", "attn_v", normed, kv),
        }
    }

    fn projection(
        &mut self,
        layer: usize,
        name: &str,
        part: &str,
        normed: NodeId,
        rows: usize,
    ) -> NodeId {
        let columns = self.width(normed);
        let mut weights = vec![tensor(block(layer, part), &[rows, columns])];
        if self.config.qkv_bias {
            weights.push(tensor(format!("blk.{layer}.{part}.bias"), &[rows]));
        }
        let name = format!("attn.{layer}.{name}");
        self.graph.add_weighted(name, Operator::Linear { columns }, &[normed], rows, weights)
    }

    /// RMS norm over each head of queries (`part` "q") or keys ("k"), weights `[head_dim]`.
    pub fn norm_heads(&mut self, layer: usize, part: &str, heads: NodeId) -> NodeId {
        let weights = tensor(block(layer, &format!("attn_{part}_norm")), &[self.config.head_dim]);
        let (name, width) = (format!("attn.{layer}.{part}_norm"), self.width(heads));
        self.graph.add_weighted(name, Operator::RmsNorm, &[heads], width, vec![weights])
    }

    /// Rotary embedding of queries or keys.
    pub fn rotate(&mut self, heads: NodeId) -> NodeId {
        let name = format!("{}.rotary", self.graph.nodes[heads.0].name);
        let (inputs, width) = ([heads, self.rotary_table], self.width(heads));
        self.graph.add(name, Operator::Rotary, &inputs, width)
    }

    /// Attention over the cache, the output projection, and the residual addition.
    pub fn attend(&mut self, layer: usize, hidden: NodeId, query_key_value: [NodeId; 3]) -> NodeId {
        let config = self.config;
        let operator = Operator::Attention {
            heads: config.heads,
            head_dim: config.head_dim,
            kv_values: 2 * config.kv_width(),
        };
        let name = format!("attn.{layer}.attention");
        let mixed = self.graph.add(name, operator, &query_key_value, config.query_width());
        let (name, weights) = (format!("attn.{layer}.output"), block(layer, "attn_output"));
        let output = self.linear(name, weights, mixed, config.hidden);
        self.add(format!("attn.{layer}.add"), hidden, output)
    }

    /// Norm, SwiGLU, and the residual addition.
    pub fn feed_forward(&mut self, layer: usize, hidden: NodeId) -> NodeId {
        let ffn = self.config.ffn;
        let normed = self.norm(format!("mlp.{layer}.norm"), block(layer, "ffn_norm"), hidden);
        let gate = self.linear(format!("mlp.{layer}.gate"), block(layer, "ffn_gate"), normed, ffn);
        let up = self.linear(format!("mlp.{layer}.up"), block(layer, "ffn_up"), normed, ffn);
        let name = format!("mlp.{layer}.silu_mul");
        let product = self.graph.add(name, Operator::SiluMul, &[gate, up], ffn);
        let (name, weights) = (format!("mlp.{layer}.down"), block(layer, "ffn_down"));
        let down = self.linear(name, weights, product, self.config.hidden);
        self.add(format!("mlp.{layer}.add"), hidden, down)
    }

    /// The last norm and the logits `[vocab]`; ends the graph.
    pub fn head(mut self, hidden: NodeId) -> Graph {
        let normed = self.norm("head.norm".into(), "output_norm.weight".into(), hidden);
        let table = if self.config.tied_embeddings { EMBEDDING_TABLE } else { "output.weight" };
        self.linear("head.logits".into(), table.into(), normed, self.config.vocab);
        self.graph
    }

    fn norm(&mut self, name: String, weights: String, input: NodeId) -> NodeId {
        let width = self.width(input);
        let weights = vec![tensor(weights, &[width])];
        self.graph.add_weighted(name, Operator::RmsNorm, &[input], width, weights)
    }

    fn linear(&mut self, name: String, weights: String, input: NodeId, rows: usize) -> NodeId {
        let columns = self.width(input);
        let weights = vec![tensor(weights, &[rows, columns])];
        self.graph.add_weighted(name, Operator::Linear { columns }, &[input], rows, weights)
    }

    fn add(&mut self, name: String, left: NodeId, right: NodeId) -> NodeId {
        let width = self.width(left);
        self.graph.add(name, Operator::Add, &[left, right], width)
    }

    fn width(&self, node: NodeId) -> usize {
        self.graph.nodes[node.0].width
    }
}

fn tensor(name: impl Into<String>, shape: &[usize]) -> TensorSpec {
    TensorSpec { name: name.into(), shape: shape.to_vec() }
}

fn block(layer: usize, part: &str) -> String {
    format!("blk.{layer}.{part}.weight")
}

const EMBEDDING_TABLE: &str = "token_embd.weight";
