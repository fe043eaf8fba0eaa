//! Graphs of other shapes than a decoder's, built by hand: what they fall into follows from the edges.

use base::Residual;
use graph::{Caches, Graph, GraphProfiles, Modules, NodeId, Operator, Sees, TensorSpec};

const WIDTH: usize = 8;
const LINEAR: Operator = Operator::Linear { columns: WIDTH };
const ATTENTION: Operator = Operator::Attention {
    heads: 1,
    head_dim: WIDTH,
    kv_values: 2 * WIDTH,
    sees: Sees::Before(None),
};

/// Adds parts of transformers to a graph.
#[derive(Default)]
struct Builder(Graph);

impl Builder {
    fn add(&mut self, name: String, operator: Operator, inputs: &[NodeId]) -> NodeId {
        self.0.add(name, operator, inputs, WIDTH)
    }

    fn embed(&mut self, name: &str) -> NodeId {
        let tokens = self.add(format!("{name}.tokens"), Operator::Tokens, &[]);
        self.add(name.to_owned(), Operator::Lookup, &[tokens])
    }

    fn norm(&mut self, name: String, input: NodeId) -> NodeId {
        self.add(name, Operator::RmsNorm, &[input])
    }

    /// Attention whose keys and values are made of `memory`, or of its own input. Not yet added.
    fn mix(&mut self, part: &str, normed: NodeId, memory: Option<NodeId>) -> NodeId {
        let query = self.add(format!("{part}.query"), LINEAR, &[normed]);
        let [key, value] = ["key", "value"].map(|name| {
            let input = memory.unwrap_or(normed);
            let weights = vec![TensorSpec { name: format!("{part}.{name}"), shape: vec![8, 8] }];
            self.0.add_weighted(format!("{part}.{name}"), LINEAR, &[input], WIDTH, weights)
        });
        let mixed = self.add(format!("{part}.attention"), ATTENTION, &[query, key, value]);
        self.add(format!("{part}.output"), LINEAR, &[mixed])
    }

    fn feed(&mut self, part: &str, normed: NodeId) -> NodeId {
        let [gate, up] =
            ["gate", "up"].map(|name| self.add(format!("{part}.{name}"), LINEAR, &[normed]));
        let product = self.add(format!("{part}.activation"), Operator::SiluMul, &[gate, up]);
        self.add(format!("{part}.down"), LINEAR, &[product])
    }

    fn attend(&mut self, part: String, hidden: NodeId, memory: Option<NodeId>) -> NodeId {
        let normed = self.norm(format!("{part}.norm"), hidden);
        let branch = self.mix(&part, normed, memory);
        self.add(format!("{part}.add"), Operator::Add, &[hidden, branch])
    }

    fn feed_forward(&mut self, part: String, hidden: NodeId) -> NodeId {
        let normed = self.norm(format!("{part}.norm"), hidden);
        let branch = self.feed(&part, normed);
        self.add(format!("{part}.add"), Operator::Add, &[hidden, branch])
    }

    fn head(mut self, hidden: NodeId) -> Modules {
        let normed = self.norm("head.norm".into(), hidden);
        self.add("head.logits".into(), LINEAR, &[normed]);
        Modules::cut(self.0)
    }
}

fn names(modules: &Modules) -> Vec<&str> {
    modules.list.iter().map(|module| module.name.as_str()).collect()
}

fn profiles(modules: &Modules) -> GraphProfiles {
    modules.profiles(&|_| 0, Caches { context_tokens: 16, slots: 1, value_bytes: 4 })
}

/// As in T5: the encoder ends with a norm, which the cross-attention of every decoder layer reads.
fn encoder_decoder(layers: usize) -> Modules {
    let mut builder = Builder::default();
    let mut hidden = builder.embed("embed");
    for layer in 0..layers {
        hidden = builder.attend(format!("encoder_attn.{layer}"), hidden, None);
        hidden = builder.feed_forward(format!("encoder_mlp.{layer}"), hidden);
    }
    let memory = builder.norm(format!("encoder_mlp.{}.last_norm", layers - 1), hidden);
    hidden = builder.embed("decoder_embed");
    for layer in 0..layers {
        hidden = builder.attend(format!("attn.{layer}"), hidden, None);
        hidden = builder.attend(format!("cross.{layer}"), hidden, Some(memory));
        hidden = builder.feed_forward(format!("mlp.{layer}"), hidden);
    }
    builder.head(hidden)
}

#[test]
fn an_encoder_decoder_falls_into_two_and_three_modules_a_layer() {
    let modules = encoder_decoder(2);
    let expected = [
        "embed",
        "encoder_attn.0",
        "encoder_mlp.0",
        "encoder_attn.1",
        "encoder_mlp.1",
        "decoder_embed",
        "attn.0",
        "cross.0",
        "mlp.0",
        "attn.1",
        "cross.1",
        "mlp.1",
        "head",
    ];
    assert_eq!(names(&modules), expected);
    for layers in [1, 12] {
        let count = 1 + 2 * layers + 1 + 3 * layers + 1;
        assert_eq!(encoder_decoder(layers).list.len(), count);
    }
}

#[test]
fn the_encoders_output_goes_to_every_cross_attention() {
    let modules = encoder_decoder(2);
    let profiles = profiles(&modules);
    let row = 4.0 * WIDTH as f64;
    assert_eq!(profiles.residual, [Residual { from: 4, to: vec![7, 10], bytes: row }]);
    let mut sequential = [row; 12];
    sequential[4] = 0.0;
    assert_eq!(profiles.sequential_bytes, sequential, "the decoder begins with tokens of its own");
    assert_eq!(profiles.summary[4].output_bytes, 4 * WIDTH);
}

#[test]
fn keys_and_values_of_the_encoders_output_are_made_where_they_are_read() {
    let modules = encoder_decoder(2);
    for (module, part) in [(7, "cross.0"), (10, "cross.1")] {
        let tensors = modules.tensors(module).into_iter().map(|tensor| tensor.name);
        let expected = ["key", "value"].map(|name| format!("{part}.{name}"));
        assert_eq!(tensors.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_tensor_that_every_layer_reads_again_is_sent_past_the_modules_between() {
    let mut builder = Builder::default();
    let first = builder.embed("embed");
    let mut hidden = builder.attend("attn.0".into(), first, None);
    hidden = builder.feed_forward("mlp.0".into(), hidden);
    for layer in 1..3 {
        let part = format!("attn.{layer}");
        let normed = builder.norm(format!("{part}.norm"), hidden);
        let branch = builder.mix(&part, normed, None);
        hidden = builder.add(format!("{part}.add"), Operator::Add, &[hidden, branch, first]);
        hidden = builder.feed_forward(format!("mlp.{layer}"), hidden);
    }
    let modules = builder.head(hidden);
    let expected = ["embed", "attn.0", "mlp.0", "attn.1", "mlp.1", "attn.2", "mlp.2", "head"];
    assert_eq!(names(&modules), expected);
    let residual = Residual { from: 0, to: vec![3, 5], bytes: 4.0 * WIDTH as f64 };
    assert_eq!(profiles(&modules).residual, [residual]);
}

#[test]
fn attention_and_feed_forward_side_by_side_are_two_modules() {
    let mut builder = Builder::default();
    let mut hidden = builder.embed("embed");
    for layer in 0..2 {
        let [attention, feed] = ["attn", "mlp"].map(|part| format!("{part}.{layer}"));
        let attended = builder.attend(attention, hidden, None);
        let normed = builder.norm(format!("{feed}.norm"), hidden);
        let branch = builder.feed(&feed, normed);
        hidden = builder.add(format!("{feed}.add"), Operator::Add, &[attended, branch]);
    }
    let modules = builder.head(hidden);
    assert_eq!(names(&modules), ["embed", "attn.0", "mlp.0", "attn.1", "mlp.1", "head"]);
    let skipping = |from: usize| Residual { from, to: vec![from + 2], bytes: 32.0 };
    assert_eq!(profiles(&modules).residual, [skipping(0), skipping(2)]);
}

#[test]
fn a_norm_behind_an_addition_belongs_to_what_is_added() {
    let mut builder = Builder::default();
    let mut hidden = builder.embed("embed");
    for layer in 0..2 {
        let [attention, feed] = ["attn", "mlp"].map(|part| format!("{part}.{layer}"));
        let branch = builder.mix(&attention, hidden, None);
        hidden = builder.add(format!("{attention}.add"), Operator::Add, &[hidden, branch]);
        hidden = builder.norm(format!("{attention}.norm"), hidden);
        let branch = builder.feed(&feed, hidden);
        hidden = builder.add(format!("{feed}.add"), Operator::Add, &[hidden, branch]);
        // What is behind the last addition is the head.
        let last = if layer == 1 { "head" } else { &feed };
        hidden = builder.norm(format!("{last}.norm"), hidden);
    }
    builder.add("head.logits".into(), LINEAR, &[hidden]);
    let modules = Modules::cut(builder.0);
    assert_eq!(names(&modules), ["embed", "attn.0", "mlp.0", "attn.1", "mlp.1", "head"]);
}
