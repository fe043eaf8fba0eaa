//! Operators and the tensors they read: the graph that everything else is computed from.

use serde::Serialize;

use crate::VALUE_BYTES;

/// A weight tensor, as the model file names it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TensorSpec {
    /// GGUF name, such as `blk.0.attn_q.weight`.
    pub name: String,
    /// Row-major, slowest dimension first: `[rows, columns]` or `[width]`.
    /// A GGUF header lists the same sizes the other way round.
    pub shape: Vec<usize>,
}

impl TensorSpec {
    /// How many values the tensor has.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A node's index in [`Graph::nodes`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(transparent)]
pub struct NodeId(pub usize);

/// What a node computes from its inputs, for one token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// The token ids: where a token enters the model.
    Tokens,
    /// The token's position in its request.
    Positions,
    /// A row of a table, by token id or position. The table need not be resident: rows are read where
    /// the file is.
    Lookup,
    /// Sines and cosines of a position.
    RotaryTable,
    /// Root-mean-square norm with a weight for each value.
    RmsNorm,
    /// Norm of mean and variance with a weight and a bias for each value.
    LayerNorm,
    /// `[width, columns]` weights times a vector `[columns]`.
    Linear {
        /// Width of the input.
        columns: usize,
    },
    /// Rotary embedding of a query or key.
    Rotary,
    /// Attention of one query.
    Attention {
        /// Query heads.
        heads: usize,
        /// Width of one head.
        head_dim: usize,
        /// Values that each token leaves in the KV cache; none where all that is attended to comes at once.
        kv_values: usize,
        /// What a token attends to.
        sees: Sees,
    },
    /// Sum of two vectors.
    Add,
    /// `silu(gate) * up`.
    SiluMul,
    /// `gelu(gate) * up`.
    GeluMul,
    /// `gelu(up)`.
    Gelu,
    /// `max(up, 0)`.
    Relu,
}

/// What a token attends to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sees {
    /// Itself and the tokens before it: all, or so many together.
    Before(Option<usize>),
    /// A whole prompt: its own, or that of the answer that it is part of.
    Prompt,
}

/// One operator, what it reads and what it is made of.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Node {
    /// What the description calls it, such as `attn.0.query`.
    pub name: String,
    /// What it computes.
    pub operator: Operator,
    /// The nodes it reads, each earlier in the graph.
    pub inputs: Vec<NodeId>,
    /// Values of its output for one token.
    pub width: usize,
    /// The weights it reads.
    pub weights: Vec<TensorSpec>,
    /// Whether every device that reads the output computes it itself: it depends on nothing but what all devices
    /// know, and takes less than sending it would. Known once the graph is cut.
    pub recomputed: bool,
}

/// Operators in an order in which they can run, an encoder before its decoder; the last one is the
/// model's output.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Graph {
    /// Every node comes after those it reads.
    pub nodes: Vec<Node>,
}

impl Node {
    /// Floating-point operations for one token, on average over a request of so many tokens, whether
    /// they come one by one or in a prompt.
    pub fn flops(&self, context_tokens: usize) -> f64 {
        let width = self.width as f64;
        match self.operator {
            Operator::Tokens | Operator::Positions => 0.0,
            // A product, and about twenty for a sine or a cosine.
            Operator::RotaryTable => 21.0 * width,
            // One multiplication each undoes the quantisation.
            Operator::Lookup => width,
            // Square, sum, scale and weight.
            Operator::RmsNorm => 4.0 * width,
            // Besides those, the mean is summed and subtracted, and a bias added.
            Operator::LayerNorm => 7.0 * width,
            Operator::Linear { columns } => 2.0 * columns as f64 * width,
            // A pair takes four products and two sums.
            Operator::Rotary => 3.0 * width,
            // A score and a weighted sum over the head, and four steps of softmax.
            Operator::Attention { heads, head_dim, sees, .. } => {
                let attended_tokens = sees.tokens(context_tokens);
                attended_tokens * heads as f64 * (4.0 * head_dim as f64 + 4.0)
            }
            Operator::Add | Operator::Relu => width,
            // Negate, exponential, sum, quotient and product.
            Operator::SiluMul => 5.0 * width,
            // The cubic polynomial takes five, the tangent about four, and three go round it.
            Operator::Gelu => 12.0 * width,
            Operator::GeluMul => 13.0 * width,
        }
    }

    /// Values that each token of context leaves in the KV cache.
    pub fn kv_values_per_token(&self) -> usize {
        match self.operator {
            Operator::Attention { kv_values, .. } => kv_values,
            _ => 0,
        }
    }

    /// Bytes of its output for one token.
    pub fn output_bytes(&self) -> usize {
        self.width * VALUE_BYTES
    }
}

impl Sees {
    /// How many tokens one attends to on average: token t to t of them, itself included, or to a window.
    fn tokens(self, context_tokens: usize) -> f64 {
        let context = context_tokens as f64;
        match self {
            Self::Prompt => context,
            Self::Before(window) => {
                let window = window.map_or(context, |window| context.min(window as f64));
                window - window * (window - 1.0) / (2.0 * context)
            }
        }
    }
}

impl Graph {
    /// Appends a node without weights and returns its id.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        operator: Operator,
        inputs: &[NodeId],
        width: usize,
    ) -> NodeId {
        self.add_weighted(name, operator, inputs, width, Vec::new())
    }

    /// Appends a node that reads `weights` and returns its id.
    ///
    /// # Panics
    /// If an input is not already in the graph: a mistake in a description.
    pub fn add_weighted(
        &mut self,
        name: impl Into<String>,
        operator: Operator,
        inputs: &[NodeId],
        width: usize,
        weights: Vec<TensorSpec>,
    ) -> NodeId {
        let id = NodeId(self.nodes.len());
        assert!(inputs.iter().all(|&input| input < id), "a node reads only earlier ones");
        let (name, inputs) = (name.into(), inputs.to_vec());
        self.nodes.push(Node { name, operator, inputs, width, weights, recomputed: false });
        id
    }

    /// Every edge that carries a tensor between operators, as (producer, consumer),
    /// without those that are recomputed where they are read.
    pub fn edges(&self) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
        let sent = |&(producer, _): &(NodeId, NodeId)| !self.nodes[producer.0].recomputed;
        self.nodes
            .iter()
            .enumerate()
            .flat_map(|(consumer, node)| {
                node.inputs.iter().map(move |&producer| (producer, NodeId(consumer)))
            })
            .filter(sent)
    }
}
