//! The pieces that a graph falls into, with their names and tensors.
//!
//! For a decoder these are `embed`, two modules a layer, and `head`: 2 * layers + 2. An encoder adds
//! `embed` and two modules a layer, and one to each layer of the decoder.

use std::collections::BTreeSet;

use base::ModuleRange;

use crate::{
    Graph, GraphError, ModelConfig, Node, NodeId, Operator, TensorSpec, cuts::assign,
    describe::describe,
};

/// The smallest movable piece of a model.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Module {
    /// `embed`, `attn.3`, `mlp.3`, `head`: what the names of its operators share.
    pub name: String,
    /// Its operators, in the order in which they run.
    pub nodes: Vec<NodeId>,
}

impl Module {
    /// What it is and of which layer: `attn` and 3; 0 for what is not of a layer.
    pub fn part(&self) -> (&str, usize) {
        let layered = self.name.rsplit_once('.');
        let layered = layered.and_then(|(part, layer)| Some((part, layer.parse().ok()?)));
        layered.unwrap_or((&self.name, 0))
    }
}

/// A graph and the modules it falls into.
#[derive(Clone, PartialEq, Debug)]
pub struct Modules {
    /// The model's operators.
    pub graph: Graph,
    /// The modules, in order.
    pub list: Vec<Module>,
    /// The module of each node; none for one that is recomputed where it is read.
    pub module_of: Vec<Option<usize>>,
}

/// The tensors that a device needs to run one module, each named once.
///
/// # Errors
/// A config that is not valid, or a module that the model does not have.
pub fn module_tensors(config: &ModelConfig, index: usize) -> Result<Vec<TensorSpec>, GraphError> {
    let modules = Modules::of(config)?;
    let count = modules.list.len();
    if index >= count {
        return Err(GraphError::NoSuchModule { index, count });
    }
    Ok(modules.tensors(index))
}

impl Modules {
    /// Builds the graph of a config and cuts it.
    ///
    /// # Errors
    /// A config that is not valid.
    pub fn of(config: &ModelConfig) -> Result<Self, GraphError> {
        config.validate()?;
        Ok(Self::cut(describe(config)))
    }

    /// Cuts a graph wherever it can be cut, once it is decided what is sent and what is recomputed.
    pub fn cut(mut graph: Graph) -> Self {
        graph.recompute_what_is_cheaper();
        let module_of = assign(&graph);
        let count = module_of.iter().flatten().max().map_or(0, |last| last + 1);
        let mut members = vec![Vec::new(); count];
        for (node, module) in module_of.iter().enumerate() {
            if let Some(module) = *module {
                members[module].push(NodeId(node));
            }
        }
        let list = members
            .into_iter()
            .map(|nodes| Module { name: common_name(&graph, &nodes), nodes })
            .collect();
        Self { graph, list, module_of }
    }

    /// How many modules an encoder has: those ahead of the decoder's first. 0 where there is none.
    pub fn encoder_modules(&self) -> usize {
        let tokens = self.graph.nodes.iter().rposition(|node| node.operator == Operator::Tokens);
        tokens.and_then(|node| self.module_of[node]).unwrap_or(0)
    }

    /// The tensors of one module, in the order in which they are read, each once.
    ///
    /// # Panics
    /// If there is no such module.
    pub fn tensors(&self, index: usize) -> Vec<TensorSpec> {
        tensors_of(self.nodes(index))
    }

    /// Those of them that are resident: all but the tables that rows are looked up in.
    pub(crate) fn resident_tensors(&self, index: usize) -> Vec<TensorSpec> {
        tensors_of(self.nodes(index).filter(|node| node.operator != Operator::Lookup))
    }

    /// The tensors that a stage needs, each once though modules share it.
    ///
    /// # Panics
    /// If the range goes past the last module.
    pub fn stage_tensors(&self, stage: ModuleRange) -> Vec<TensorSpec> {
        let mut seen = BTreeSet::new();
        stage
            .indices()
            .flat_map(|module| self.tensors(module))
            .filter(|tensor| seen.insert(tensor.name.clone()))
            .collect()
    }

    /// The operators of one module.
    pub(crate) fn nodes(&self, index: usize) -> impl Iterator<Item = &Node> {
        self.list[index].nodes.iter().map(|&id| &self.graph.nodes[id.0])
    }
}

/// What the nodes read, each tensor once.
fn tensors_of<'a>(nodes: impl Iterator<Item = &'a Node>) -> Vec<TensorSpec> {
    let mut seen = BTreeSet::new();
    nodes
        .flat_map(|node| &node.weights)
        .filter(|tensor| seen.insert(tensor.name.as_str()))
        .cloned()
        .collect()
}

/// The dotted prefix that the operators' names share; inputs do not count.
fn common_name(graph: &Graph, nodes: &[NodeId]) -> String {
    let mut names = nodes
        .iter()
        .map(|id| &graph.nodes[id.0])
        .filter(|node| !node.inputs.is_empty())
        .map(|node| node.name.split('.').collect::<Vec<_>>());
    let first = names.next().unwrap_or_default();
    let shared = names.fold(first, |shared, name| {
        let same = shared.iter().zip(&name).take_while(|(a, b)| a == b).count();
        shared[..same].to_vec()
    });
    shared.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Architecture,
        config::tests::{decoders, tiny, tiny_classifier},
    };

    #[test]
    fn decoders_fall_into_two_modules_a_layer_and_the_ends() {
        for architecture in decoders() {
            let modules = Modules::of(&tiny(architecture, true)).expect("valid");
            let names: Vec<_> = modules.list.iter().map(|module| module.name.as_str()).collect();
            assert_eq!(names, ["embed", "attn.0", "mlp.0", "attn.1", "mlp.1", "head"]);
            assert_eq!(modules.encoder_modules(), 0);
        }
    }

    #[test]
    fn an_encoder_decoder_falls_into_two_and_three_modules_a_layer() {
        let config = tiny(Architecture::T5, true);
        let modules = Modules::of(&config).expect("valid");
        let parts: Vec<_> = modules.list.iter().map(Module::part).collect();
        let encoder = (0..3).flat_map(|layer| [("encoder_attn", layer), ("encoder_mlp", layer)]);
        let decoder = (0..2).flat_map(|layer| ["attn", "cross", "mlp"].map(|part| (part, layer)));
        let expected = [("embed", 0)].into_iter().chain(encoder);
        let expected = expected.chain([("decoder_embed", 0)]).chain(decoder).chain([("head", 0)]);
        assert_eq!(parts, expected.collect::<Vec<_>>());
        assert_eq!(modules.encoder_modules(), 7);
        let tensors = |module: usize| -> Vec<String> {
            modules.tensors(module).into_iter().map(|tensor| tensor.name).collect()
        };
        let cross = ["norm", "q", "k", "v", "o"];
        assert_eq!(tensors(9), cross.map(|part| format!("dec.blk.0.cross_attn_{part}.weight")));
        let own = ["norm", "q", "k", "v", "rel_b", "o"]
            .map(|part| format!("dec.blk.1.attn_{part}.weight"));
        let table = "dec.blk.0.attn_rel_b.weight".to_owned();
        assert_eq!(tensors(11), [&own[..4], &[table], &own[5..]].concat());
        let last = ["blk.2.ffn_norm", "blk.2.ffn_up", "blk.2.ffn_down", "output_norm"];
        assert_eq!(tensors(6), last.map(|part| format!("enc.{part}.weight")));
        assert_eq!(tensors(14), ["dec.output_norm.weight", "token_embd.weight"]);
    }

    #[test]
    fn every_module_has_its_tensors_in_gguf_naming() {
        let names = |config: &ModelConfig, index| -> Vec<String> {
            let tensors = module_tensors(config, index).expect("valid");
            tensors.into_iter().map(|tensor| tensor.name).collect()
        };
        let llama = tiny(Architecture::Llama, false);
        assert_eq!(names(&llama, 0), ["token_embd.weight"]);
        let attention = ["attn_norm", "attn_q", "attn_k", "attn_v", "attn_output"];
        assert_eq!(names(&llama, 1), attention.map(|part| format!("blk.0.{part}.weight")));
        let mlp = ["ffn_norm", "ffn_gate", "ffn_up", "ffn_down"];
        assert_eq!(names(&llama, 4), mlp.map(|part| format!("blk.1.{part}.weight")));
        assert_eq!(names(&llama, 5), ["output_norm.weight", "output.weight"]);
        let classifier = tiny_classifier(Architecture::Llama, &["no", "so-so", "yes"]);
        assert_eq!(names(&classifier, 5), ["output_norm.weight", "cls.output.weight"]);
        assert_eq!(module_tensors(&classifier, 5).expect("valid")[1].shape, [3, 32]);
        assert_eq!(names(&classifier, 0), names(&llama, 0));
        let bloom = tiny(Architecture::Bloom, true);
        let ends = |part: &str| [format!("{part}.weight"), format!("{part}.bias")];
        let embedding = ["token_embd.weight".to_owned()].into_iter().chain(ends("token_embd_norm"));
        assert_eq!(names(&bloom, 0), embedding.collect::<Vec<_>>());
        let fused =
            ["attn_norm", "attn_qkv", "attn_output"].map(|part| ends(&format!("blk.0.{part}")));
        assert_eq!(names(&bloom, 1), fused.concat());
        let gemma = names(&tiny(Architecture::Gemma3, true), 2);
        assert_eq!(gemma.last().expect("tensors"), "blk.0.post_ffw_norm.weight");
        let qwen = tiny(Architecture::Qwen3, true);
        assert_eq!(names(&qwen, 5), ["output_norm.weight", "token_embd.weight"]);
        assert!(names(&qwen, 3).contains(&"blk.1.attn_q_norm.weight".to_owned()));
    }

    #[test]
    fn shapes_are_rows_by_columns() {
        let config = tiny(Architecture::Qwen3, true);
        let tensors = module_tensors(&config, 1).expect("valid");
        let shape = |part: &str| {
            let name = format!("blk.0.{part}.weight");
            tensors.iter().find(|tensor| tensor.name == name).expect("present").shape.clone()
        };
        assert_eq!(shape("attn_q"), [32, 32]);
        assert_eq!(shape("attn_k"), [16, 32]);
        assert_eq!(shape("attn_output"), [32, 32]);
        assert_eq!(shape("attn_q_norm"), [16]);
        assert_eq!(module_tensors(&config, 2).expect("valid")[3].shape, [32, 64]);
        assert_eq!(module_tensors(&config, 0).expect("valid")[0].shape, [11, 32]);
    }

    #[test]
    fn a_stage_fetches_a_shared_table_once() {
        let modules = Modules::of(&tiny(Architecture::Llama, true)).expect("valid");
        let tensors = modules.stage_tensors(ModuleRange::new(0, 6));
        let tables = tensors.iter().filter(|tensor| tensor.name == "token_embd.weight").count();
        assert_eq!(tables, 1);
        assert_eq!(tensors.len(), 2 + 2 * 9);
    }

    #[test]
    fn a_module_past_the_last_is_refused() {
        let error = module_tensors(&tiny(Architecture::Llama, true), 6).expect_err("six modules");
        assert_eq!(error, GraphError::NoSuchModule { index: 6, count: 6 });
        assert!(error.to_string().contains("0 to 5"));
    }
}
