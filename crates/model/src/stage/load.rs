//! From a file's tensors to modules on the GPU.

mod attention;

use std::collections::BTreeMap;

use super::*;
use graph::{EMBEDDING_TABLE, FeedForward, NormKind, POSITION_TABLE, Positions, Stack, Traits};
use kernels::{Activation, Norm};
use lookup::Table as LookupTable;
use modules::{Head, Mlp, Normalise, Output, Settle, Up};

/// Loads the modules of one stage.
pub(super) struct Loader<'a, S: ByteSource> {
    pub(super) gpu: &'a Gpu,
    pub(super) file: &'a ModelFile<S>,
    traits: &'static Traits,
    pub(super) options: StageOptions,
    /// Rotary tables or slopes, for layers that see everything and those with a window; or biases, for the
    /// decoder and the encoder.
    positions: [Option<Buffer>; 2],
    /// What `embed` looks up.
    pub(super) lookup: Option<Lookup<S::Local>>,
    /// Modules that are on the GPU already.
    held: BTreeMap<usize, Module>,
    /// How long the prompt is whose keys and values each slot has there.
    pub(super) prompts: Vec<u32>,
    /// Gains of the norm of what the last module gave, until somebody adds that.
    branch: Option<Vec<f32>>,
}

impl<'a, S: ByteSource> Loader<'a, S> {
    pub(super) fn new(gpu: &'a Gpu, file: &'a ModelFile<S>, options: StageOptions) -> Self {
        let traits = file.config().architecture.traits();
        let (positions, lookup, branch) = ([None, None], None, None);
        let (held, prompts) = (BTreeMap::new(), vec![0; options.slots]);
        Self { gpu, file, traits, options, positions, lookup, held, prompts, branch }
    }

    /// Takes over what a stage of the same file holds of `wanted`, and frees the rest.
    pub(super) fn keep(&mut self, stage: Stage<S::Local>, wanted: ModuleRange) {
        // A norm may have the gains of the module before.
        let can_keep = stage.options == self.options && !self.traits.branch_norm;
        let held = stage.resident.indices().zip(stage.modules);
        self.held.extend(held.filter(|&(module, _)| can_keep && wanted.contains(module)));
        if self.lookup.is_none() {
            self.lookup = stage.lookup.filter(|_| self.held.values().any(Module::embeds));
        }
        if can_keep {
            let longest = |(mine, of_stage): (&mut u32, u32)| *mine = (*mine).max(of_stage);
            self.prompts.iter_mut().zip(stage.prompts).for_each(longest);
        }
        let all = self.file.modules().list;
        for (&module, kept) in &self.held {
            if let Module::Attention(attention) = kept {
                let (part, layer) = all[module].part();
                let place = self.place_of(part == "encoder_attn", layer);
                self.positions[place] = Some(attention.rotary.clone());
            }
        }
    }

    /// Whether all of `wanted` is on the GPU already.
    pub(super) fn has_all(&self, wanted: ModuleRange) -> bool {
        wanted.indices().all(|module| self.held.contains_key(&module))
    }

    pub(super) async fn modules(&mut self, range: ModuleRange) -> Result<Vec<Module>, ModelError> {
        let all = self.file.modules().list;
        if range.is_empty() || range.end > all.len() {
            return Err(ModelError::Step(format!("modules {range} of 0..{}", all.len())));
        }
        let mut modules = Vec::with_capacity(range.len());
        for module in range.indices() {
            if let Some(kept) = self.held.remove(&module) {
                modules.push(kept);
                continue;
            }
            // Before more is fetched for a device that has no room for it.
            self.gpu.check()?;
            modules.push(self.module(all[module].part()).await?);
        }
        Ok(modules)
    }

    async fn module(&mut self, (part, layer): (&str, usize)) -> Result<Module, ModelError> {
        let decoder = Stack::decoder(self.config().architecture);
        match part {
            "embed" | "decoder_embed" => self.embed().await,
            "encoder_attn" => self.attention(Stack::ENCODER, layer).await,
            "encoder_mlp" => self.mlp(Stack::ENCODER, layer).await,
            "attn" => self.attention(decoder, layer).await,
            "cross" => self.cross(decoder, layer).await,
            "mlp" => self.mlp(decoder, layer).await,
            "head" => self.head(decoder).await,
            other => Err(ModelError::Step(format!("a module {other}, which is not known here"))),
        }
    }

    /// Brings what is looked up onto this device. A norm behind it runs on the GPU.
    async fn embed(&mut self) -> Result<Module, ModelError> {
        if self.lookup.is_none() {
            self.lookup = Some(self.look_up().await?);
        }
        if !self.traits.embedding_norm {
            return Ok(Module::Embed(None));
        }
        let (norm, columns) = (self.norm("token_embd_norm").await?, self.config().hidden);
        Ok(Module::Embed(Some(Box::new(Normalise { norm, columns }))))
    }

    async fn look_up(&self) -> Result<Lookup<S::Local>, ModelError> {
        let tokens = LookupTable::of(self.file, EMBEDDING_TABLE).await?;
        let places = match self.traits.positions {
            Positions::Learned => Some(LookupTable::of(self.file, POSITION_TABLE).await?),
            _ => None,
        };
        let root = (self.config().hidden as f32).sqrt();
        let scale = self.traits.scaled_embedding.then_some(root);
        Ok(Lookup { tokens, scale, places })
    }

    async fn mlp(&mut self, stack: Stack, layer: usize) -> Result<Module, ModelError> {
        let part = |part: &str| stack.part(layer, part);
        let norm = self.entrance(&part("ffn_norm")).await?;
        let [gate, up] = ["ffn_gate", "ffn_up"].map(|name| format!("{}.weight", part(name)));
        let up = match self.traits.feed_forward {
            FeedForward::SiluGate => Up::Gated(self.pair([&gate, &up]).await?, Activation::Silu),
            FeedForward::GeluGate => Up::Gated(self.pair([&gate, &up]).await?, Activation::Gelu),
            plain => {
                let is_relu = plain == FeedForward::Relu;
                let activation = if is_relu { Activation::Relu } else { Activation::Gelu };
                let bias = self.bias(&part("ffn_up")).await?;
                Up::Plain(self.matrix(&[&up]).await?, bias, activation)
            }
        };
        let down = self.output(&part("ffn_down"), &part("post_ffw_norm")).await?;
        let encoder_layers = self.config().encoder.map_or(0, |encoder| encoder.layers);
        let mut last_norm = None;
        if stack == Stack::ENCODER && layer + 1 == encoder_layers {
            let (norm, columns) = (self.norm(stack.last_norm).await?, self.config().hidden);
            last_norm = Some(Normalise { norm, columns });
        }
        Ok(Module::Mlp(Box::new(Mlp { norm, up, down, last_norm })))
    }

    async fn head(&mut self, stack: Stack) -> Result<Module, ModelError> {
        let (settle, scale) = (self.settle(), self.config().logits_scale);
        let norm = self.scaled_norm(stack.last_norm, scale).await?;
        let matrix = self.config().head_matrix();
        let logits = match &self.lookup {
            // It is on this device already.
            Some(lookup) if self.config().tied_embeddings => {
                self.single(&lookup.tokens.file, matrix).await?
            }
            _ => self.single(self.file, matrix).await?,
        };
        Ok(Module::Head(Box::new(Head { norm, settle, logits })))
    }

    /// Adds the branch of the module before, if it leaves one.
    fn settle(&self) -> Option<Settle> {
        let branch = self.branch.as_ref()?;
        let columns = branch.len();
        let mut gain = vec![0.0; columns];
        gain.extend(branch);
        Some(Settle { norm: self.norm_of(kernels::NormKind::Rms, &gain), columns })
    }

    /// The norm at the beginning of a module, behind it the gains of the branch that comes before.
    async fn entrance(&mut self, part: &str) -> Result<Norm, ModelError> {
        let Some(branch) = self.branch.take() else { return self.norm(part).await };
        let mut gain = self.vector(&format!("{part}.weight")).await?;
        gain.extend(branch);
        Ok(self.norm_of(kernels::NormKind::Rms, &gain))
    }

    /// A projection back onto the residual stream, and the norm behind it.
    async fn output(&mut self, part: &str, post_norm: &str) -> Result<Output, ModelError> {
        let matrix = self.matrix(&[&format!("{part}.weight")]).await?;
        let bias = self.bias(part).await?;
        if self.traits.branch_norm {
            self.branch = Some(self.vector(&format!("{post_norm}.weight")).await?);
        }
        Ok(Output { matrix, bias, settle: self.settle() })
    }

    async fn bias(&mut self, part: &str) -> Result<Option<Buffer>, ModelError> {
        if !self.traits.output_bias {
            return Ok(None);
        }
        let bias = self.vector(&format!("{part}.bias")).await?;
        Ok(Some(self.gpu.upload_f32(&bias)))
    }

    async fn norm(&mut self, part: &str) -> Result<Norm, ModelError> {
        self.scaled_norm(part, 1.0).await
    }

    /// A norm whose output is multiplied with `scale`.
    async fn scaled_norm(&mut self, part: &str, scale: f32) -> Result<Norm, ModelError> {
        let mut gain = self.vector(&format!("{part}.weight")).await?;
        let kind = match self.traits.norm {
            NormKind::Rms => kernels::NormKind::Rms,
            NormKind::Layer => {
                gain.extend(self.vector(&format!("{part}.bias")).await?);
                kernels::NormKind::Layer
            }
        };
        gain.iter_mut().for_each(|gain| *gain *= scale);
        Ok(self.norm_of(kind, &gain))
    }

    fn norm_of(&self, kind: kernels::NormKind, gain: &[f32]) -> Norm {
        Norm { kind, gain: self.gpu.upload_f32(gain), epsilon: self.config().norm_epsilon }
    }

    async fn vector(&mut self, name: &str) -> Result<Vec<f32>, ModelError> {
        self.file.vector(name).await
    }

    pub(super) fn check_binding(&self, name: &str, needed: u64) -> Result<(), ModelError> {
        let limit = self.gpu.max_binding_bytes;
        if needed > limit {
            return Err(ModelError::TooLarge { tensor: name.to_owned(), needed, limit });
        }
        Ok(())
    }

    fn config(&self) -> &'a ModelConfig {
        self.file.config()
    }
}
