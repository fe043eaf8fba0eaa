//! From a file's tensors to modules on the GPU.

use super::*;
use crate::file::Tensor;
use graph::Architecture;
use kernels::{AttentionShape, Cache, Norm, PackError, PackedMatrix, RopeStyle};
use modules::{Attention, Head, Mlp};

const EMBEDDING: &str = "token_embd.weight";

/// Loads the modules of one stage.
pub(super) struct Loader<'a, S> {
    gpu: &'a Gpu,
    file: &'a ModelFile<S>,
    options: StageOptions,
    rotary: Buffer,
    /// The embedding table, when it is already on the GPU and the head may share it.
    table: Option<PackedMatrix>,
}

impl<'a, S: ByteSource> Loader<'a, S> {
    pub(super) fn new(gpu: &'a Gpu, file: &'a ModelFile<S>, options: StageOptions) -> Self {
        let rotary = gpu.upload_f32(&rotary_table(file.config(), options.context_tokens));
        Self { gpu, file, options, rotary, table: None }
    }

    pub(super) async fn modules(&mut self, range: ModuleRange) -> Result<Vec<Module>, ModelError> {
        let last = 2 * self.config().layers + 1;
        if range.is_empty() || range.end > last + 1 {
            return Err(ModelError::Step(format!("modules {range} of 0..{}", last + 1)));
        }
        let mut modules = Vec::with_capacity(range.len());
        for module in range.indices() {
            modules.push(match module {
                0 => self.embed().await?,
                _ if module == last => self.head().await?,
                _ if module % 2 == 1 => self.attention((module - 1) / 2).await?,
                _ => self.mlp((module - 2) / 2).await?,
            });
        }
        Ok(modules)
    }

    async fn embed(&mut self) -> Result<Module, ModelError> {
        let table = self.matrix(&[EMBEDDING]).await?;
        self.table = self.config().tied_embeddings.then(|| table.clone());
        Ok(Module::Embed(Box::new(table)))
    }

    async fn attention(&mut self, layer: usize) -> Result<Module, ModelError> {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        let norm = self.norm(&name("attn_norm")).await?;
        let qkv = self.matrix(&[&name("attn_q"), &name("attn_k"), &name("attn_v")]).await?;
        let mut head_gains = vec![0.0; 2 * self.config().head_dim];
        if self.config().qk_norm {
            head_gains = self.vector(&name("attn_q_norm")).await?;
            head_gains.extend(self.vector(&name("attn_k_norm")).await?);
        }
        if self.config().qkv_bias {
            for part in ["attn_q", "attn_k", "attn_v"] {
                head_gains.extend(self.vector(&format!("blk.{layer}.{part}.bias")).await?);
            }
        }
        let output = self.matrix(&[&name("attn_output")]).await?;
        let shape = self.attention_shape();
        let sizes = [self.options.slots, shape.kv_heads, shape.context, shape.head_dim];
        let cache_bytes = sizes.iter().fold(size_of::<f32>(), |bytes, &n| bytes.saturating_mul(n));
        self.check_binding(&format!("KV cache of layer {layer}"), cache_bytes as u64)?;
        let cache =
            Cache { keys: self.gpu.empty(cache_bytes), values: self.gpu.empty(cache_bytes) };
        let head_gains = self.gpu.upload_f32(&head_gains);
        let rotary = self.rotary.clone();
        let module = Attention { norm, qkv, head_gains, rotary, cache, output, shape };
        Ok(Module::Attention(Box::new(module)))
    }

    async fn mlp(&mut self, layer: usize) -> Result<Module, ModelError> {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        let norm = self.norm(&name("ffn_norm")).await?;
        let gate = self.tensor(&name("ffn_gate")).await?;
        let up = self.tensor(&name("ffn_up")).await?;
        let gate_up = PackedMatrix::paired(self.gpu, gate.rows(), up.rows());
        let gate_up = self.packed(&name("ffn_gate"), gate_up)?;
        let down = self.matrix(&[&name("ffn_down")]).await?;
        Ok(Module::Mlp(Box::new(Mlp { norm, gate_up, down })))
    }

    async fn head(&mut self) -> Result<Module, ModelError> {
        let norm = self.norm("output_norm.weight").await?;
        let logits = match self.table.take() {
            Some(table) => table,
            None if self.config().tied_embeddings => self.matrix(&[EMBEDDING]).await?,
            None => self.matrix(&["output.weight"]).await?,
        };
        Ok(Module::Head(Box::new(Head { norm, logits })))
    }

    fn attention_shape(&self) -> AttentionShape {
        let config = self.config();
        AttentionShape {
            heads: config.heads,
            kv_heads: config.kv_heads,
            head_dim: config.head_dim,
            context: self.options.context_tokens,
            rope_style: match config.architecture {
                Architecture::Llama => RopeStyle::Neighbours,
                Architecture::Qwen2 | Architecture::Qwen3 => RopeStyle::Halves,
            },
            head_norm_epsilon_bits: config.qk_norm.then(|| config.rms_epsilon.to_bits()),
            has_bias: config.qkv_bias,
            step_rows: self.options.rows,
        }
    }

    async fn norm(&mut self, name: &str) -> Result<Norm, ModelError> {
        let gain = self.vector(name).await?;
        Ok(Norm { gain: self.gpu.upload_f32(&gain), epsilon: self.config().rms_epsilon })
    }

    async fn vector(&mut self, name: &str) -> Result<Vec<f32>, ModelError> {
        Ok(self.tensor(name).await?.values())
    }

    /// The rows of the named tensors, stacked into one matrix.
    async fn matrix(&mut self, names: &[&str]) -> Result<PackedMatrix, ModelError> {
        let mut tensors = Vec::with_capacity(names.len());
        for name in names {
            tensors.push(self.tensor(name).await?);
        }
        let rows: Vec<_> = tensors.iter().map(Tensor::rows).collect();
        self.packed(names[0], PackedMatrix::stacked(self.gpu, &rows))
    }

    fn packed(
        &self,
        name: &str,
        packed: Result<PackedMatrix, PackError>,
    ) -> Result<PackedMatrix, ModelError> {
        let packed = packed.map_err(|error| ModelError::tensor(name, error.to_string()))?;
        self.check_binding(name, packed.bytes())?;
        Ok(packed)
    }

    fn check_binding(&self, name: &str, needed: u64) -> Result<(), ModelError> {
        let limit = self.gpu.max_binding_bytes;
        if needed > limit {
            return Err(ModelError::TooLarge { tensor: name.to_owned(), needed, limit });
        }
        Ok(())
    }

    async fn tensor(&mut self, name: &str) -> Result<Tensor, ModelError> {
        self.file.tensor(name).await
    }

    fn config(&self) -> &'a ModelConfig {
        self.file.config()
    }
}

/// Cosine and sine of every position and pair, `[context, head_dim / 2, 2]` (RoFormer,
/// arXiv 2104.09864). Computed in 64 bits here: a GPU's own sine is only promised for
/// small angles.
fn rotary_table(config: &ModelConfig, context_tokens: usize) -> Vec<f32> {
    let pairs = config.head_dim / 2;
    let frequency = |pair: usize| {
        f64::from(config.rope_theta).powf(-2.0 * pair as f64 / config.head_dim as f64)
    };
    let frequencies: Vec<f64> = (0..pairs).map(frequency).collect();
    (0..context_tokens)
        .flat_map(|position| {
            frequencies.iter().flat_map(move |frequency| {
                let (sine, cosine) = (position as f64 * frequency).sin_cos();
                [cosine as f32, sine as f32]
            })
        })
        .collect()
}
