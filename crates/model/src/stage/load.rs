//! From a file's tensors to modules on the GPU.

use std::ops::Range;

use super::*;
use graph::{FeedForward, NormKind, Positions, Traits};
use kernels::{
    Activation, AttentionShape, Cache, Corner, Layout, Norm, PackError, PackedMatrix, Packing,
    RowShape, Table,
};
use modules::{Attention, Embed, Head, Mlp, Output, Settle, Stream, Up};
use positions::{rotary_table, slopes};

const EMBEDDING: &str = "token_embd.weight";

/// Loads the modules of one stage.
pub(super) struct Loader<'a, S> {
    gpu: &'a Gpu,
    file: &'a ModelFile<S>,
    traits: &'static Traits,
    options: StageOptions,
    /// Rotary tables or slopes, for layers that see everything and those with a window.
    positions: [Option<Buffer>; 2],
    /// The embedding table, when it is already on the GPU and the head may share it.
    table: Option<Table>,
    /// Where the residual stream is, as an index of [`Shared::hidden`].
    pub(super) stream: usize,
    /// Gains of the norm of what the last module gave, until somebody adds that.
    branch: Option<Vec<f32>>,
}

impl<'a, S: ByteSource> Loader<'a, S> {
    pub(super) fn new(gpu: &'a Gpu, file: &'a ModelFile<S>, options: StageOptions) -> Self {
        let traits = file.config().architecture.traits();
        Self {
            gpu,
            file,
            traits,
            options,
            positions: [None, None],
            table: None,
            stream: 0,
            branch: None,
        }
    }

    pub(super) async fn modules(&mut self, range: ModuleRange) -> Result<Vec<Module>, ModelError> {
        let last = 2 * self.config().layers + 1;
        if range.is_empty() || range.end > last + 1 {
            return Err(ModelError::Step(format!("modules {range} of 0..{}", last + 1)));
        }
        let mut modules = Vec::with_capacity(range.len());
        for module in range.indices() {
            if module == last {
                modules.extend(self.settle());
            }
            modules.push(match module {
                0 => self.embed().await?,
                _ if module == last => self.head().await?,
                _ if module % 2 == 1 => self.attention((module - 1) / 2).await?,
                _ => self.mlp((module - 2) / 2).await?,
            });
        }
        modules.extend(self.settle());
        Ok(modules)
    }

    async fn embed(&mut self) -> Result<Module, ModelError> {
        let table = self.table(EMBEDDING).await?;
        self.table = self.config().tied_embeddings.then(|| table.clone());
        let places = match self.traits.positions {
            Positions::Learned => Some(self.places().await?),
            _ => None,
        };
        let norm = match self.traits.embedding_norm {
            true => Some(self.norm("token_embd_norm").await?),
            false => None,
        };
        let root = (self.config().hidden as f32).sqrt();
        let scale = self.traits.scaled_embedding.then_some(root);
        Ok(Module::Embed(Box::new(Embed { table, scale, places, norm })))
    }

    /// The learned vectors of the positions that there will be.
    async fn places(&mut self) -> Result<Buffer, ModelError> {
        let name = "position_embd.weight";
        let mut values = Vec::new();
        let wanted = self.options.context_tokens.min(self.file.row_shape(name)?.rows);
        for piece in self.file.pieces(name, 0..wanted)? {
            let rows = self.file.piece(name, &piece).await?;
            let source = rows.source();
            values.extend((0..source.rows).flat_map(|row| source.widened_row(row)));
        }
        self.check_binding(name, (values.len() * size_of::<f32>()) as u64)?;
        Ok(self.gpu.upload_f32(&values))
    }

    async fn attention(&mut self, layer: usize) -> Result<Module, ModelError> {
        let part = |part: &str| format!("blk.{layer}.{part}");
        let (stream, norm) = self.entrance(&part("attn_norm")).await?;
        let projections: &[&str] =
            if self.traits.fused_qkv { &["attn_qkv"] } else { &["attn_q", "attn_k", "attn_v"] };
        let projections: Vec<String> = projections.iter().map(|name| part(name)).collect();
        let weights: Vec<String> =
            projections.iter().map(|name| format!("{name}.weight")).collect();
        let qkv = self.matrix(&weights.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        let mut head_gains = vec![0.0; 2 * self.config().head_dim];
        if self.traits.head_norm {
            head_gains = self.vector(&format!("{}.weight", part("attn_q_norm"))).await?;
            head_gains.extend(self.vector(&format!("{}.weight", part("attn_k_norm"))).await?);
        }
        if self.traits.qkv_bias {
            for projection in &projections {
                head_gains.extend(self.vector(&format!("{projection}.bias")).await?);
            }
        }
        let head_gains = self.gpu.upload_f32(&head_gains);
        let shape = self.attention_shape(layer);
        let cache = self.cache(layer, shape)?;
        let rotary = self.positions(layer, &head_gains).await?;
        let output = self.output(&part("attn_output"), &part("post_attention_norm")).await?;
        let module = Attention { stream, norm, qkv, head_gains, rotary, cache, output, shape };
        Ok(Module::Attention(Box::new(module)))
    }

    fn cache(&self, layer: usize, shape: AttentionShape) -> Result<Cache, ModelError> {
        let sizes = [self.options.slots, shape.kv_heads, shape.context, shape.head_dim];
        let bytes = sizes.iter().fold(shape.cache.bytes(), |bytes, &n| bytes.saturating_mul(n));
        self.check_binding(&format!("KV cache of layer {layer}"), bytes as u64)?;
        Ok(Cache { keys: self.gpu.empty(bytes), values: self.gpu.empty(bytes) })
    }

    /// What the layer's kernels know of positions; `none` where they know nothing.
    async fn positions(&mut self, layer: usize, none: &Buffer) -> Result<Buffer, ModelError> {
        let (config, is_local) = (self.config(), self.config().is_local(layer));
        if let Some(buffer) = &self.positions[usize::from(is_local)] {
            return Ok(buffer.clone());
        }
        let values = match self.traits.positions {
            Positions::Learned => return Ok(none.clone()),
            Positions::Linear => slopes(config.heads),
            Positions::RotaryHalves | Positions::RotaryNeighbours => {
                let divisors = self.file.rope_divisors().await?.filter(|_| !is_local);
                rotary_table(config, self.options.context_tokens, is_local, divisors.as_deref())
            }
        };
        let buffer = self.gpu.upload_f32(&values);
        self.positions[usize::from(is_local)] = Some(buffer.clone());
        Ok(buffer)
    }

    async fn mlp(&mut self, layer: usize) -> Result<Module, ModelError> {
        let part = |part: &str| format!("blk.{layer}.{part}");
        let (stream, norm) = self.entrance(&part("ffn_norm")).await?;
        let up = match self.traits.feed_forward {
            FeedForward::SiluGate => self.gate_up(layer, Activation::Silu).await?,
            FeedForward::GeluGate => self.gate_up(layer, Activation::Gelu).await?,
            FeedForward::Gelu => {
                let up = self.matrix(&[&format!("{}.weight", part("ffn_up"))]).await?;
                Up::Plain(up, self.bias(&part("ffn_up")).await?)
            }
        };
        let down = self.output(&part("ffn_down"), &part("post_ffw_norm")).await?;
        Ok(Module::Mlp(Box::new(Mlp { stream, norm, up, down })))
    }

    async fn gate_up(&mut self, layer: usize, activation: Activation) -> Result<Up, ModelError> {
        let [gate, up] = ["gate", "up"].map(|name| format!("blk.{layer}.ffn_{name}.weight"));
        let layout = Layout::paired(self.file.row_shape(&gate)?, self.file.row_shape(&up)?);
        Ok(Up::Gated(self.packed(&[&gate, &up], layout).await?, activation))
    }

    async fn head(&mut self) -> Result<Module, ModelError> {
        let (from, norm) = (self.stream, self.norm("output_norm").await?);
        let logits = match self.table.take() {
            Some(table) => table,
            None if self.config().tied_embeddings => self.table(EMBEDDING).await?,
            None => self.table("output.weight").await?,
        };
        Ok(Module::Head(Box::new(Head { from, norm, logits })))
    }

    /// Adds a branch that is left over.
    fn settle(&mut self) -> Option<Module> {
        let branch = self.branch.take()?;
        let columns = branch.len();
        let mut gain = vec![0.0; columns];
        gain.extend(branch);
        let (from, to) = (self.stream, 1 - self.stream);
        self.stream = to;
        let norm = self.norm_of(kernels::NormKind::Rms, &gain);
        Some(Module::Settle(Box::new(Settle { from, to, norm, columns })))
    }

    /// The norm at the beginning of a module, and where the module finds the residual stream.
    async fn entrance(&mut self, part: &str) -> Result<(Stream, Norm), ModelError> {
        let from = self.stream;
        let Some(branch) = self.branch.take() else {
            return Ok((Stream { from, settled: None }, self.norm(part).await?));
        };
        self.stream = 1 - from;
        let mut gain = self.vector(&format!("{part}.weight")).await?;
        gain.extend(branch);
        let stream = Stream { from, settled: Some(self.stream) };
        Ok((stream, self.norm_of(kernels::NormKind::Rms, &gain)))
    }

    /// A projection back onto the residual stream, and the norm behind it.
    async fn output(&mut self, part: &str, post_norm: &str) -> Result<Output, ModelError> {
        let matrix = self.matrix(&[&format!("{part}.weight")]).await?;
        let (bias, is_branch) = (self.bias(part).await?, self.traits.branch_norm);
        if is_branch {
            self.branch = Some(self.vector(&format!("{post_norm}.weight")).await?);
        }
        Ok(Output { matrix, bias, is_branch })
    }

    async fn bias(&mut self, part: &str) -> Result<Option<Buffer>, ModelError> {
        if !self.traits.output_bias {
            return Ok(None);
        }
        let bias = self.vector(&format!("{part}.bias")).await?;
        Ok(Some(self.gpu.upload_f32(&bias)))
    }

    fn attention_shape(&self, layer: usize) -> AttentionShape {
        let config = self.config();
        AttentionShape {
            heads: config.heads,
            kv_heads: config.kv_heads,
            head_dim: config.head_dim,
            context: self.options.context_tokens,
            rope_style: self.traits.positions.is_rotary().then(|| self.file.rope_style()),
            has_slopes: self.traits.positions == Positions::Linear,
            window: config.window.filter(|_| config.is_local(layer)),
            score_scale_bits: config.score_scale.to_bits(),
            head_norm_epsilon_bits: self.traits.head_norm.then(|| config.norm_epsilon.to_bits()),
            has_bias: self.traits.qkv_bias,
            cache: self.file.cache_type(),
            step_rows: self.options.rows,
        }
    }

    async fn norm(&mut self, part: &str) -> Result<Norm, ModelError> {
        let mut gain = self.vector(&format!("{part}.weight")).await?;
        let kind = match self.traits.norm {
            NormKind::Rms => kernels::NormKind::Rms,
            NormKind::Layer => {
                gain.extend(self.vector(&format!("{part}.bias")).await?);
                kernels::NormKind::Layer
            }
        };
        Ok(self.norm_of(kind, &gain))
    }

    fn norm_of(&self, kind: kernels::NormKind, gain: &[f32]) -> Norm {
        Norm { kind, gain: self.gpu.upload_f32(gain), epsilon: self.config().norm_epsilon }
    }

    async fn vector(&mut self, name: &str) -> Result<Vec<f32>, ModelError> {
        self.file.vector(name).await
    }

    /// The rows of the named tensors, stacked into one matrix.
    async fn matrix(&mut self, names: &[&str]) -> Result<PackedMatrix, ModelError> {
        let shapes: Result<Vec<_>, _> =
            names.iter().map(|name| self.file.row_shape(name)).collect();
        self.packed(names, Layout::stacked(&shapes?)).await
    }

    /// A tensor in as many parts as it takes.
    async fn table(&mut self, name: &str) -> Result<Table, ModelError> {
        let shape = self.file.row_shape(name)?;
        let most = self.gpu.rows_per_binding(shape);
        if most == 0 {
            self.check_binding(name, shape.row_bytes() as u64)?;
        }
        let mut parts = Vec::new();
        for first in (0..shape.rows).step_by(most.max(1)) {
            let rows = first..shape.rows.min(first + most);
            let layout = Layout::stacked(&[RowShape { rows: rows.len(), ..shape }]);
            let wrong = |error: PackError| ModelError::tensor(name, error.to_string());
            let packing = Packing::new(self.gpu, layout.map_err(wrong)?);
            self.fill(&packing, 0, name, rows).await?;
            parts.push(packing.finish());
        }
        Ok(Table::new(parts))
    }

    /// The named tensors in their layout, read and packed piece by piece.
    async fn packed(
        &self,
        names: &[&str],
        layout: Result<Layout, PackError>,
    ) -> Result<PackedMatrix, ModelError> {
        let wrong = |error: PackError| ModelError::tensor(names[0], error.to_string());
        let layout = layout.map_err(wrong)?;
        self.check_binding(names[0], layout.bytes())?;
        let packing = Packing::new(self.gpu, layout);
        for (tensor, name) in names.iter().enumerate() {
            let rows = 0..self.file.row_shape(name)?.rows;
            self.fill(&packing, tensor, name, rows).await?;
        }
        Ok(packing.finish())
    }

    /// Reads rows of a tensor piece by piece and packs them as all rows of the layout's `tensor`.
    async fn fill(
        &self,
        packing: &Packing<'_>,
        tensor: usize,
        name: &str,
        rows: Range<usize>,
    ) -> Result<(), ModelError> {
        for piece in self.file.pieces(name, rows.clone())? {
            let corner = Corner { row: piece.rows.start - rows.start, column: piece.columns.start };
            let read = self.file.piece(name, &piece).await?;
            let packed = packing.write(tensor, corner, &read.source());
            packed.map_err(|error| ModelError::tensor(name, error.to_string()))?;
        }
        Ok(())
    }

    fn check_binding(&self, name: &str, needed: u64) -> Result<(), ModelError> {
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
