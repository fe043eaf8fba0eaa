//! From a scenario's model to what a room is told of it.

use std::collections::BTreeMap;

use base::ModuleRange;
use graph::{
    Caches, Encoder, GraphError, GraphProfiles, ModelConfig, Modules, RelativePositions, Rope,
};
use protocol::peer::{MAX_MODULES, ModelRef};
use session::{EncoderSpec, ModelSpec};

use super::{
    Model, Profiles, ScenarioError, Sizes,
    check::{number, refused, within},
};
use crate::toy;

impl Model {
    /// What the coordinator computes from a model's file.
    ///
    /// # Errors
    /// Figures that no model has, by their place.
    pub(super) fn spec(&self) -> Result<ModelSpec, ScenarioError> {
        within("model.context_tokens", self.context_tokens, 1..=MAX_CONTEXT_TOKENS)?;
        within("model.slots", self.slots, 1..=protocol::peer::MAX_SLOTS)?;
        within("model.name", self.name.chars().count(), 0..=MAX_NAME_CHARS)?;
        let profiles = match (&self.sizes, &self.profiles) {
            (Some(sizes), None) => &sizes.profiles(self.context_tokens, self.slots)?,
            (None, Some(profiles)) => profiles,
            _ => return Err(refused("model", "needs either `sizes` or `profiles`")),
        };
        let row_bytes = profiles.check(self.sizes.as_ref().and_then(Sizes::encoder))?;
        let total_bytes: f64 = profiles.modules.iter().map(|module| module.weights_bytes).sum();
        let model = ModelRef {
            url: "/models/toy.gguf".to_owned(),
            name: self.name.clone(),
            total_bytes: total_bytes as u64,
            context_tokens: self.context_tokens,
            takes_chats: true,
            labels: Vec::new(),
        };
        let Profiles { modules, sequential_bytes, residual, tied } = profiles.clone();
        Ok(ModelSpec {
            model,
            modules,
            sequential_bytes,
            residual,
            tied,
            encoder: self.sizes.as_ref().and_then(Sizes::encoder),
            eos: Vec::new(),
            row_bytes,
            // Parts of the toy never do.
            modules_depend: false,
            slots: self.slots,
        })
    }
}

impl Model {
    /// Operations of each module for a row of a prompt, where that goes through an encoder; else none.
    pub(super) fn prompt_flops(&self) -> Result<Vec<f64>, ScenarioError> {
        let Some(sizes) = self.sizes.as_ref().filter(|sizes| sizes.encoder().is_some()) else {
            return Ok(Vec::new());
        };
        let summary = sizes.figures(self.context_tokens, self.slots)?.summary;
        Ok(summary.iter().map(|module| module.prefill_flops_per_token).collect())
    }
}

impl Sizes {
    fn encoder(&self) -> Option<EncoderSpec> {
        let layers = self.encoder_layers?;
        Some(EncoderSpec { modules: 1 + 2 * layers, first_token: FIRST_TOKEN })
    }

    fn profiles(&self, context_tokens: u32, slots: u16) -> Result<Profiles, ScenarioError> {
        let figures = self.figures(context_tokens, slots)?;
        Ok(Profiles {
            modules: figures.modules,
            sequential_bytes: figures.sequential_bytes,
            residual: figures.residual,
            tied: figures.tied,
        })
    }

    fn figures(&self, context_tokens: u32, slots: u16) -> Result<GraphProfiles, ScenarioError> {
        let most_layers = (MAX_MODULES - 2) / 2;
        within("model.sizes.layers", self.layers, 1..=most_layers)?;
        within("model.sizes.heads", self.heads, 1..=MAX_HEADS)?;
        within("model.sizes.kv_value_bytes", self.kv_value_bytes, 1..=4)?;
        number("model.sizes.weight_bytes", self.weight_bytes, 0.125, 8.0)?;
        if let Some(layers) = self.encoder_layers {
            within("model.sizes.encoder_layers", layers, 1..=most_layers)?;
        }
        let config = self.config(context_tokens);
        let modules = Modules::of(&config).map_err(named)?;
        let all = modules.stage_tensors(ModuleRange::new(0, modules.list.len()));
        let elements: BTreeMap<String, usize> =
            all.into_iter().map(|tensor| (tensor.name.clone(), tensor.elements())).collect();
        let bytes_of = |name: &str| {
            elements.get(name).map_or(0, |&count| (count as f64 * self.weight_bytes) as u64)
        };
        let caches = Caches {
            context_tokens: context_tokens as usize,
            slots: slots.into(),
            value_bytes: self.kv_value_bytes,
        };
        graph::profiles(&config, &bytes_of, caches).map_err(named)
    }

    fn config(&self, context_tokens: u32) -> ModelConfig {
        let head_dim = self.hidden / self.heads;
        let theta = 10_000.0;
        ModelConfig {
            architecture: self.architecture,
            layers: self.layers,
            hidden: self.hidden,
            ffn: self.ffn.unwrap_or(self.hidden.saturating_mul(4)),
            heads: self.heads,
            kv_heads: self.kv_heads.unwrap_or(self.heads),
            head_dim,
            vocab: self.vocab,
            context_tokens: context_tokens as usize,
            rope: Rope { theta, local_theta: theta, factor: 1.0, has_divisors: false },
            score_scale: 1.0 / (head_dim.max(1) as f32).sqrt(),
            window: None,
            norm_epsilon: 1e-5,
            tied_embeddings: true,
            labels: Vec::new(),
            encoder: self.encoder_layers.map(|layers| Encoder { layers, first_token: FIRST_TOKEN }),
            relative: self
                .encoder_layers
                .map(|_| RelativePositions { buckets: 32, max_distance: 128 }),
            logits_scale: 1.0,
        }
    }
}

/// The graph's complaint, with the field's place.
fn named(error: GraphError) -> ScenarioError {
    match error {
        GraphError::Size { field, value, limit } => refused(
            &format!("model.sizes.{field}"),
            format!("is {value}, and must be 1 to {limit}"),
        ),
        other => refused("model.sizes", other),
    }
}

impl Profiles {
    /// Gives the bytes of a row of hidden states.
    fn check(&self, encoder: Option<EncoderSpec>) -> Result<u32, ScenarioError> {
        within("model.profiles.modules", self.modules.len(), 1..=MAX_MODULES)?;
        for (index, module) in self.modules.iter().enumerate() {
            let at = |field: &str| format!("model.profiles.modules[{index}].{field}");
            number(&at("flops"), module.flops, 0.0, MOST)?;
            number(&at("weights_bytes"), module.weights_bytes, 0.0, MOST)?;
            number(&at("kv_bytes"), module.kv_bytes, 0.0, MOST)?;
        }
        let expected = self.modules.len() - 1;
        within(
            "model.profiles.sequential_bytes",
            self.sequential_bytes.len(),
            expected..=expected,
        )?;
        let row_bytes = self.sequential_bytes.first().copied().unwrap_or(toy::ROW_BYTES.into());
        // What an encoder gives goes past the module behind it.
        let gap = encoder.map(|encoder| encoder.modules - 1);
        let sequential = self.sequential_bytes.iter().enumerate();
        for (index, &bytes) in sequential.filter(|(index, _)| Some(*index) != gap) {
            let place = format!("model.profiles.sequential_bytes[{index}]");
            number(&place, bytes, toy::ROW_BYTES.into(), MAX_ROW_BYTES)?;
            if bytes != row_bytes || bytes % 4.0 != 0.0 {
                let problem =
                    "must be a multiple of 4, the same for all modules: a row of hidden states";
                return Err(refused(&place, problem));
            }
        }
        self.check_maps()?;
        Ok(row_bytes as u32)
    }

    fn check_maps(&self) -> Result<(), ScenarioError> {
        let modules = self.modules.len();
        within("model.profiles.residual", self.residual.len(), 0..=MAX_MODULES)?;
        within("model.profiles.tied", self.tied.len(), 0..=MAX_MODULES)?;
        for (index, tensor) in self.residual.iter().enumerate() {
            let place = format!("model.profiles.residual[{index}]");
            number(&format!("{place}.bytes"), tensor.bytes, 0.0, MAX_ROW_BYTES)?;
            if tensor.to.iter().any(|&to| to <= tensor.from + 1 || to >= modules) {
                return Err(refused(&place, "must go to modules behind the next one"));
            }
        }
        for (index, tied) in self.tied.iter().enumerate() {
            let place = format!("model.profiles.tied[{index}]");
            number(&place, tied.2, 0.0, MOST)?;
            if tied.0 >= tied.1 || tied.1 >= modules {
                return Err(refused(&place, "must name two modules, the earlier one first"));
            }
        }
        Ok(())
    }
}

/// Which token answers begin behind is all the same to the toy.
const FIRST_TOKEN: u32 = 0;
/// Operations or bytes of one module.
const MOST: f64 = 1e15;
const MAX_HEADS: usize = 1024;
const MAX_NAME_CHARS: usize = 100;
const MAX_CONTEXT_TOKENS: u32 = 16 << 10;
/// Of one row of hidden states: a chunk of them still fits a frame.
const MAX_ROW_BYTES: f64 = (256 << 10) as f64;
