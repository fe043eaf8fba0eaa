//! What the modules cost and send each other, in the planner's own types.

use std::collections::{BTreeMap, BTreeSet};

use base::{ModuleProfile, Residual, Tied};
use serde::Serialize;

use crate::{GraphError, ModelConfig, Modules, cuts::streams};

/// The planner's view of a model; the fields' names are those of [`base::PlanInput`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct GraphProfiles {
    /// The modules, in order: operations for a decoded token, bytes of the weights and of the
    /// KV cache of the asked context in every slot.
    pub modules: Vec<ModuleProfile>,
    /// What each module is made of.
    pub summary: Vec<ModuleSummary>,
    /// Sequential dependency map: bytes from each module to the next, for one token.
    pub sequential_bytes: Vec<f64>,
    /// Residual dependency map: tensors that skip modules.
    pub residual: Vec<Residual>,
    /// Resident tensors that two modules share.
    pub tied: Vec<Tied>,
    /// All tensors that several modules read, by name.
    pub shared: Vec<SharedTensor>,
    /// Resident bytes of all modules; a shared tensor counts in each that reads it.
    pub total_bytes: f64,
}

/// One module's figures, apart.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ModuleSummary {
    /// `embed`, `attn.3`, `mlp.3`, `head`.
    pub name: String,
    /// Operations for a decoded token, on average over a full context; none in an encoder.
    pub decode_flops_per_token: f64,
    /// Operations for a token of a prompt that fills the context: the last module, which makes the
    /// logits, runs for the last token alone; of a decoder behind an encoder, only keys and values are made
    /// of the encoder's output.
    pub prefill_flops_per_token: f64,
    /// How many weights it reads.
    pub weight_elements: usize,
    /// Bytes of those that are resident: of all but the tables that rows are looked up in.
    pub weight_bytes: u64,
    /// Bytes that each token of context leaves in the KV cache: one of the prompt where an encoder's output
    /// is attended to.
    pub kv_bytes_per_token: usize,
    /// Bytes of its output for one token.
    pub output_bytes: usize,
}

/// A tensor that several modules read.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SharedTensor {
    /// Its GGUF name.
    pub name: String,
    /// The modules that read it.
    pub modules: Vec<usize>,
    /// Those of them where it is resident, and not a table that rows are looked up in.
    pub resident: Vec<usize>,
    /// Its resident bytes on one device.
    pub bytes: u64,
}

/// What the KV caches of a model make room for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caches {
    /// The longest request: prompt and completion.
    pub context_tokens: usize,
    /// Requests in flight: each has caches of its own.
    pub slots: usize,
    /// Bytes of each value: 4, or 2.
    pub value_bytes: usize,
}

/// Figures of every module of a model, and what they send each other.
///
/// `bytes_of` gives a tensor's resident bytes by its name. A table that rows are looked up in is not
/// resident: its rows are read where the file is.
///
/// # Errors
/// A config that is not valid; a context of 0 or beyond the model's.
pub fn profiles(
    config: &ModelConfig,
    bytes_of: &dyn Fn(&str) -> u64,
    caches: Caches,
) -> Result<GraphProfiles, GraphError> {
    let modules = Modules::of(config)?;
    check("context_tokens", caches.context_tokens, config.context_tokens)?;
    check("slots", caches.slots, MAX_SLOTS)?;
    Ok(modules.profiles(bytes_of, caches))
}

impl Modules {
    /// As [`profiles`], for any graph.
    pub fn profiles(&self, bytes_of: &dyn Fn(&str) -> u64, caches: Caches) -> GraphProfiles {
        let summary: Vec<_> =
            (0..self.list.len()).map(|i| self.summary(i, bytes_of, caches)).collect();
        let kv_tokens = caches.context_tokens as f64 * caches.slots as f64;
        let modules: Vec<_> = summary.iter().map(|module| module.profile(kv_tokens)).collect();
        let (sequential_bytes, residual) = self.dependencies();
        let shared = self.shared(bytes_of);
        GraphProfiles {
            total_bytes: modules.iter().map(ModuleProfile::resident_bytes).sum(),
            modules,
            summary,
            sequential_bytes,
            residual,
            tied: shared.iter().flat_map(SharedTensor::tied).collect(),
            shared,
        }
    }

    fn summary(
        &self,
        index: usize,
        bytes_of: &dyn Fn(&str) -> u64,
        caches: Caches,
    ) -> ModuleSummary {
        let [decode_flops, prefill_flops] = self.flops(index, caches.context_tokens);
        let kv_values: usize = self.nodes(index).map(|node| node.kv_values_per_token()).sum();
        let (tensors, resident) = (self.tensors(index), self.resident_tensors(index));
        ModuleSummary {
            name: self.list[index].name.clone(),
            decode_flops_per_token: decode_flops,
            prefill_flops_per_token: prefill_flops,
            weight_elements: tensors.iter().map(|tensor| tensor.elements()).sum(),
            weight_bytes: resident.iter().map(|tensor| bytes_of(&tensor.name)).sum(),
            kv_bytes_per_token: kv_values * caches.value_bytes,
            output_bytes: self.nodes(index).last().map_or(0, |node| node.output_bytes()),
        }
    }

    /// Operations for a token of an answer and for one of a prompt.
    ///
    /// With an encoder, what depends on its tokens alone runs for those of a prompt, and what depends on the
    /// decoder's for those of an answer. Without, all runs for both, but the last module for a prompt's last.
    fn flops(&self, index: usize, context_tokens: usize) -> [f64; 2] {
        let streams = streams(&self.graph);
        let last = streams.iter().flatten().max();
        let sum = |is_wanted: &dyn Fn(usize) -> bool| -> f64 {
            let ids = self.list[index].nodes.iter().filter(|id| is_wanted(id.0));
            ids.map(|id| self.graph.nodes[id.0].flops(context_tokens)).sum()
        };
        if last.is_some_and(|&last| last > 0) {
            let is_prompts = |id: usize| streams[id].as_ref() < last && streams[id].is_some();
            return [sum(&|id| !is_prompts(id)), sum(&is_prompts)];
        }
        let is_last = index + 1 == self.list.len();
        let prompt_tokens_for_one_run = if is_last { context_tokens as f64 } else { 1.0 };
        let flops = sum(&|_| true);
        [flops, flops / prompt_tokens_for_one_run]
    }

    /// Both dependency maps. A tensor that the next module reads is sequential; its
    /// readers further on make it residual as well.
    fn dependencies(&self) -> (Vec<f64>, Vec<Residual>) {
        let mut sequential = vec![0.0; self.list.len().saturating_sub(1)];
        let mut residual = Vec::new();
        for (producer, readers) in self.readers() {
            let Some(from) = self.module_of[producer] else { continue };
            let bytes = self.graph.nodes[producer].output_bytes() as f64;
            let (next, further): (Vec<_>, Vec<_>) =
                readers.into_iter().filter(|&to| to > from).partition(|&to| to == from + 1);
            if !next.is_empty() {
                sequential[from] += bytes;
            }
            if !further.is_empty() {
                residual.push(Residual { from, to: further, bytes });
            }
        }
        (sequential, residual)
    }

    /// The modules that read each node's output.
    fn readers(&self) -> BTreeMap<usize, BTreeSet<usize>> {
        let mut readers: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (producer, consumer) in self.graph.edges() {
            if let Some(module) = self.module_of[consumer.0] {
                readers.entry(producer.0).or_default().insert(module);
            }
        }
        readers
    }

    /// Tensors of more than one module.
    fn shared(&self, bytes_of: &dyn Fn(&str) -> u64) -> Vec<SharedTensor> {
        let mut readers = BTreeMap::<String, [Vec<usize>; 2]>::new();
        for module in 0..self.list.len() {
            for (kind, tensors) in
                [self.tensors(module), self.resident_tensors(module)].into_iter().enumerate()
            {
                for tensor in tensors {
                    readers.entry(tensor.name).or_default()[kind].push(module);
                }
            }
        }
        readers
            .into_iter()
            .filter(|(_, [modules, _])| modules.len() > 1)
            .map(|(name, [modules, resident])| {
                let bytes = bytes_of(&name);
                SharedTensor { name, modules, resident, bytes }
            })
            .collect()
    }
}

impl SharedTensor {
    /// Each pair of modules in a row where it is resident shares it.
    fn tied(&self) -> impl Iterator<Item = Tied> {
        self.resident.windows(2).map(|pair| Tied(pair[0], pair[1], self.bytes as f64))
    }
}

impl ModuleSummary {
    fn profile(&self, kv_tokens: f64) -> ModuleProfile {
        ModuleProfile {
            name: self.name.clone(),
            flops: self.decode_flops_per_token,
            weights_bytes: self.weight_bytes as f64,
            kv_bytes: self.kv_bytes_per_token as f64 * kv_tokens,
        }
    }
}

fn check(field: &'static str, value: usize, limit: usize) -> Result<(), GraphError> {
    let fits = (1..=limit).contains(&value);
    if fits { Ok(()) } else { Err(GraphError::Size { field, value, limit }) }
}

/// More requests in flight than any room of phones will have.
const MAX_SLOTS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Architecture, Graph, NodeId, Operator, TensorSpec,
        config::tests::{decoders, tiny},
    };

    /// Every weight as a 32-bit float.
    fn float_bytes(config: &ModelConfig) -> impl Fn(&str) -> u64 {
        let modules = Modules::of(config).expect("valid");
        let tensors = modules.stage_tensors(base::ModuleRange::new(0, modules.list.len()));
        move |name| {
            let found = tensors.iter().find(|tensor| tensor.name == name);
            4 * found.expect("a tensor of the model").elements() as u64
        }
    }

    fn of(config: &ModelConfig, context_tokens: usize, slots: usize) -> GraphProfiles {
        let caches = Caches { context_tokens, slots, value_bytes: 4 };
        profiles(config, &float_bytes(config), caches).expect("valid")
    }

    #[test]
    fn flops_are_those_counted_by_hand() {
        let profiles = of(&tiny(Architecture::Llama, true), 3, 1);
        let flops: Vec<_> = profiles.modules.iter().map(|module| module.flops).collect();
        // Norm 4 * 32; q 2*32*32, k and v 2*32*16 each; rotary 3 * (32 + 16); two
        // tokens attended to on average by 2 heads of 4*16 + 4; output 2*32*32; add 32.
        let attention = 128 + 2048 + 1024 + 1024 + 144 + 2 * 2 * 68 + 2048 + 32;
        // Norm 4 * 32; gate, up and down 2*32*64 each; silu 5 * 64; add 32.
        let mlp = 128 + 3 * 4096 + 320 + 32;
        // Norm 4 * 32; logits 2*32*11.
        let head = 128 + 704;
        let expected = [32, attention, mlp, attention, mlp, head].map(f64::from);
        assert_eq!(flops, expected);
    }

    #[test]
    fn of_a_prompt_the_last_token_alone_gives_logits() {
        for module in &of(&tiny(Architecture::Llama, true), 8, 1).summary {
            let runs_for = if module.name == "head" { 8.0 } else { 1.0 };
            assert_eq!(module.decode_flops_per_token, runs_for * module.prefill_flops_per_token);
        }
    }

    #[test]
    fn a_window_bounds_what_is_attended_to() {
        let whole = tiny(Architecture::Llama, true);
        let flops = |window| of(&ModelConfig { window, ..whole.clone() }, 8, 1).modules[1].flops;
        // 1 + 2 + 3 + 3 * 5 of 36 tokens, by 2 heads of 4 * 16 + 4.
        assert_eq!(flops(None) - flops(Some(3)), (36.0 - 21.0) / 8.0 * 136.0);
        assert_eq!(flops(None), flops(Some(100)));
    }

    /// Three layers, then a decoder of two. In both, heads of the width of the hidden state.
    #[test]
    fn an_encoder_runs_for_the_prompt_and_the_decoder_for_the_answer() {
        let profiles = of(&tiny(Architecture::T5, true), 8, 1);
        let of_name = |name: &str| {
            let found = profiles.summary.iter().find(|module| module.name == name);
            let module = found.expect("a module of that name");
            [module.decode_flops_per_token, module.prefill_flops_per_token]
        };
        // Queries, keys, values and the projection behind; scores and sums over 8 tokens, or 4.5.
        let (projections, kv) = (2048.0 + 1024.0 + 1024.0 + 2048.0, 2048.0);
        let around = 128.0 + 32.0;
        assert_eq!(of_name("encoder_attn.2"), [0.0, projections + 8.0 * 136.0 + around]);
        assert_eq!(of_name("attn.1"), [projections + 4.5 * 136.0 + around, 0.0]);
        assert_eq!(of_name("cross.1"), [projections - kv + 8.0 * 136.0 + around, kv]);
        let mlp = around + 2.0 * 4096.0 + 64.0;
        assert_eq!(of_name("mlp.0"), [mlp, 0.0]);
        assert_eq!(
            [of_name("encoder_mlp.0"), of_name("encoder_mlp.2")],
            [[0.0, mlp], [0.0, mlp + 128.0]]
        );
        assert_eq!(of_name("head"), [128.0 + 2.0 * 32.0 * 11.0, 0.0]);
    }

    #[test]
    fn an_encoders_output_goes_past_modules_and_its_keys_are_not_kept() {
        let profiles = of(&tiny(Architecture::T5Gated, false), 8, 2);
        let crosses = vec![9, 12];
        assert_eq!(profiles.residual, [Residual { from: 6, to: crosses.clone(), bytes: 128.0 }]);
        let mut sequential = [128.0; 14];
        sequential[6] = 0.0;
        assert_eq!(profiles.sequential_bytes, sequential);
        for (number, module) in profiles.summary.iter().enumerate() {
            let keeps = crosses.contains(&number) || module.name.starts_with("attn");
            assert_eq!(module.kv_bytes_per_token, if keeps { 128 } else { 0 }, "{}", module.name);
        }
        assert_eq!(profiles.modules[9].kv_bytes, 128.0 * 8.0 * 2.0);
        let shared: Vec<_> = profiles.shared.iter().map(|tensor| tensor.name.as_str()).collect();
        let tables = ["dec.blk.0.attn_rel_b.weight", "enc.blk.0.attn_rel_b.weight"];
        assert_eq!(shared, [&tables[..], &["token_embd.weight"]].concat());
        assert_eq!(profiles.shared[1].modules, [1, 3, 5]);
        assert_eq!(profiles.tied.iter().map(|tied| tied.2).sum::<f64>(), 3.0 * 4.0 * 8.0 * 2.0);
        assert_eq!(profiles.shared[2].resident, []);
    }

    #[test]
    fn norms_of_query_and_key_heads_count() {
        let llama = of(&tiny(Architecture::Llama, true), 3, 1);
        let qwen = of(&tiny(Architecture::Qwen3, true), 3, 1);
        assert_eq!(qwen.modules[1].flops - llama.modules[1].flops, 4.0 * (32.0 + 16.0));
        assert_eq!(qwen.modules[1].weights_bytes - llama.modules[1].weights_bytes, 4.0 * 32.0);
    }

    #[test]
    fn bytes_are_those_counted_by_hand() {
        let profiles = of(&tiny(Architecture::Llama, true), 100, 2);
        let bytes: Vec<_> = profiles.modules.iter().map(ModuleProfile::resident_bytes).collect();
        let table = 4 * 11 * 32;
        let kv = 4 * (16 + 16) * 100 * 2;
        let attention = 4 * (32 + 32 * 32 + 2 * 16 * 32 + 32 * 32) + kv;
        let mlp = 4 * (32 + 3 * 32 * 64);
        // The table is the head's; the embedding reads its rows where the file is.
        let expected = [0, attention, mlp, attention, mlp, 4 * 32 + table];
        assert_eq!(bytes, expected.map(f64::from));
        assert_eq!(profiles.summary[0].weight_elements, 11 * 32);
        assert_eq!(profiles.total_bytes, f64::from(expected.iter().sum::<i32>()));
        assert_eq!(profiles.modules[1].kv_bytes, f64::from(kv));
        assert_eq!(profiles.summary[1].kv_bytes_per_token, 128);
        assert_eq!(profiles.summary[2].kv_bytes_per_token, 0);
        assert_eq!(profiles.summary[2].weight_elements, 32 + 3 * 32 * 64);
    }

    #[test]
    fn halves_take_half_the_cache() {
        let config = tiny(Architecture::Llama, true);
        let caches = Caches { context_tokens: 100, slots: 2, value_bytes: 2 };
        let halves = profiles(&config, &float_bytes(&config), caches).expect("valid");
        assert_eq!(2.0 * halves.modules[1].kv_bytes, of(&config, 100, 2).modules[1].kv_bytes);
        assert_eq!(halves.summary[1].kv_bytes_per_token, 64);
    }

    #[test]
    fn only_hidden_states_cross_between_a_decoders_modules() {
        for architecture in decoders() {
            let profiles = of(&tiny(architecture, true), 8, 1);
            assert_eq!(profiles.sequential_bytes, [128.0; 5]);
            assert_eq!(profiles.residual, []);
        }
    }

    #[test]
    fn a_table_that_rows_are_looked_up_in_is_not_resident_and_shared_with_nobody() {
        for is_tied in [true, false] {
            let profiles = of(&tiny(Architecture::Gpt2, is_tied), 8, 1);
            assert_eq!(profiles.modules[0].weights_bytes, 0.0);
            assert_eq!(profiles.tied, []);
            let shared = profiles.shared.iter().map(|tensor| (&tensor.modules, &tensor.resident));
            let expected = is_tied.then_some((vec![0, 5], vec![5]));
            let expected = expected.iter().map(|(modules, resident)| (modules, resident));
            assert!(shared.eq(expected));
        }
    }

    #[test]
    fn modules_that_multiply_with_one_tensor_share_it() {
        let table = || vec![TensorSpec { name: "table".into(), shape: vec![4, 4] }];
        let mut graph = Graph::default();
        let tokens = graph.add("tokens", Operator::Tokens, &[], 1);
        let mut hidden = graph.add("embed", Operator::Lookup, &[tokens], 4);
        for layer in 0..2 {
            let (name, linear) = (format!("mix.{layer}.a"), Operator::Linear { columns: 4 });
            let mixed = graph.add_weighted(name, linear, &[hidden], 4, table());
            hidden = graph.add(format!("mix.{layer}.b"), Operator::Add, &[hidden, mixed], 4);
        }
        let caches = Caches { context_tokens: 8, slots: 1, value_bytes: 4 };
        let profiles = Modules::cut(graph).profiles(&|_| 64, caches);
        assert_eq!(profiles.tied, [Tied(1, 2, 64.0)]);
        assert_eq!((&profiles.shared[0].modules, profiles.shared[0].bytes), (&vec![1, 2], 64));
    }

    /// Layers that read a mask, computed from the positions with so many operations for each of its 6 values.
    fn masked(flops: usize) -> Modules {
        let mut graph = Graph::default();
        let positions = graph.add("positions", Operator::Positions, &[], 1);
        let mask = Operator::Linear { columns: flops / 2 };
        let mask = graph.add("mask", mask, &[positions], 6);
        let tokens = graph.add("tokens", Operator::Tokens, &[], 1);
        let mut hidden = graph.add("embed", Operator::Lookup, &[tokens], 4);
        for layer in 0..3 {
            let mixed = graph.add(format!("mix.{layer}.a"), Operator::Rotary, &[hidden, mask], 4);
            hidden = graph.add(format!("mix.{layer}.b"), Operator::Add, &[hidden, mixed], 4);
        }
        graph.add("head.logits", Operator::Linear { columns: 4 }, &[hidden], 9);
        Modules::cut(graph)
    }

    #[test]
    fn what_takes_longer_to_compute_than_to_send_is_sent_past_the_modules_between() {
        let (sequential, residual) = masked(1000).dependencies();
        assert_eq!(sequential, [16.0, 16.0 + 24.0, 16.0, 16.0], "the mask goes on from mix.0");
        assert_eq!(residual, [Residual { from: 1, to: vec![3], bytes: 24.0 }]);
        let (sequential, residual) = masked(10).dependencies();
        assert_eq!((sequential, residual), (vec![16.0; 4], vec![]));
    }

    #[test]
    fn a_graph_without_forks_is_one_module() {
        let mut graph = Graph::default();
        let tokens = graph.add("tokens", Operator::Tokens, &[], 1);
        let first = graph.add("chain.a", Operator::Lookup, &[tokens], 4);
        graph.add("chain.b", Operator::Linear { columns: 4 }, &[first], 4);
        let modules = Modules::cut(graph);
        assert_eq!(modules.list.len(), 1);
        assert_eq!(modules.list[0].nodes, [NodeId(0), NodeId(1), NodeId(2)]);
    }

    #[test]
    fn contexts_that_the_model_does_not_have_are_refused() {
        let config = tiny(Architecture::Llama, true);
        for (context_tokens, slots) in [(0, 1), (129, 1), (8, 0), (8, 1025)] {
            let caches = Caches { context_tokens, slots, value_bytes: 4 };
            assert!(profiles(&config, &|_| 0, caches).is_err(), "{caches:?}");
        }
    }
}
