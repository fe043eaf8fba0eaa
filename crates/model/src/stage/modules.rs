//! The four kinds of modules and their dispatches.

use super::*;
use kernels::{AttentionBuffers, AttentionShape, Cache, Norm, PackedMatrix};

/// What all modules of a stage use: the rows on their way through, and scratch space.
#[derive(Debug)]
pub(super) struct Shared {
    /// Positions, slots, head rows and tokens of the step.
    pub(super) step: StepBuffer,
    /// `[rows, hidden]`: the residual stream.
    pub(super) hidden: Buffer,
    /// `[rows, query + 2 key/value widths]`.
    qkv: Buffer,
    /// `[rows, query width]`.
    queries: Buffer,
    /// `[rows, query width]`.
    mixed: Buffer,
    /// `[rows, ffn]`.
    gated: Buffer,
    /// `[head rows, vocab]`, rows padded to multiples of 4; next to nothing without the head.
    pub(super) logits: Buffer,
}

impl Shared {
    pub(super) fn new(
        gpu: &Gpu,
        config: &ModelConfig,
        options: StageOptions,
        has_head: bool,
    ) -> Self {
        let vocab = if has_head { config.vocab.next_multiple_of(4) } else { 4 };
        let rows = |columns: usize| gpu.empty(rows_bytes(options.rows, columns));
        Self {
            step: StepBuffer::new(gpu, options.rows),
            hidden: rows(config.hidden),
            qkv: rows(config.query_width() + 2 * config.kv_width()),
            queries: rows(config.query_width()),
            mixed: rows(config.query_width()),
            gated: rows(config.ffn),
            logits: gpu.empty(HEAD_ROWS * vocab * size_of::<f32>()),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let buffers = [&self.hidden, &self.qkv, &self.queries, &self.mixed, &self.gated];
        buffers.into_iter().chain([&self.logits]).map(Buffer::bytes).sum()
    }
}

/// A module with its weights on the GPU.
#[derive(Debug)]
pub(super) enum Module {
    /// Looks tokens up.
    Embed(Box<PackedMatrix>),
    /// Attention with its residual connection.
    Attention(Box<Attention>),
    /// The gated feed-forward layer with its residual connection.
    Mlp(Box<Mlp>),
    /// The last norm and the logits.
    Head(Box<Head>),
}

/// Weights and cache of an attention module.
#[derive(Debug)]
pub(super) struct Attention {
    pub(super) norm: Norm,
    pub(super) qkv: PackedMatrix,
    pub(super) head_gains: Buffer,
    pub(super) rotary: Buffer,
    pub(super) cache: Cache,
    pub(super) output: PackedMatrix,
    pub(super) shape: AttentionShape,
}

/// Weights of a feed-forward module.
#[derive(Debug)]
pub(super) struct Mlp {
    pub(super) norm: Norm,
    pub(super) gate_up: PackedMatrix,
    pub(super) down: PackedMatrix,
}

/// Weights of the head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) norm: Norm,
    pub(super) logits: PackedMatrix,
}

impl Module {
    pub(super) fn launch(&self, gpu: &Gpu, shared: &Shared, step: &Step) {
        match self {
            Self::Embed(table) => gpu.embed(table, &shared.step, &shared.hidden, step.rows()),
            Self::Attention(attention) => attention.launch(gpu, shared, step.rows()),
            Self::Mlp(mlp) => mlp.launch(gpu, shared, step.rows()),
            Self::Head(head) => head.launch(gpu, shared, step.head_rows.len()),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Embed(table) => table.bytes(),
            Self::Attention(attention) => attention.bytes(),
            Self::Mlp(mlp) => mlp.gate_up.bytes() + mlp.down.bytes(),
            Self::Head(head) => head.logits.bytes(),
        }
    }
}

impl Attention {
    fn launch(&self, gpu: &Gpu, shared: &Shared, rows: usize) {
        let buffers = AttentionBuffers {
            qkv: &shared.qkv,
            head_gains: &self.head_gains,
            rotary: &self.rotary,
            queries: &shared.queries,
            cache: &self.cache,
            output: &shared.mixed,
        };
        gpu.linear(&shared.hidden, &self.norm, &self.qkv, &shared.step, &shared.qkv, rows);
        gpu.rotate_and_store(buffers, &shared.step, self.shape, rows);
        gpu.attend(buffers, &shared.step, self.shape, rows);
        gpu.linear_add(&shared.mixed, &self.output, &shared.hidden, rows);
    }

    fn bytes(&self) -> u64 {
        let cache = self.cache.keys.bytes() + self.cache.values.bytes();
        self.qkv.bytes() + self.output.bytes() + cache
    }
}

impl Mlp {
    fn launch(&self, gpu: &Gpu, shared: &Shared, rows: usize) {
        gpu.gate_up(&shared.hidden, &self.norm, &self.gate_up, &shared.gated, rows);
        gpu.linear_add(&shared.gated, &self.down, &shared.hidden, rows);
    }
}

impl Head {
    fn launch(&self, gpu: &Gpu, shared: &Shared, rows: usize) {
        if rows > 0 {
            let (hidden, logits) = (&shared.hidden, &shared.logits);
            gpu.linear_of_head_rows(hidden, &self.norm, &self.logits, &shared.step, logits, rows);
        }
    }
}
