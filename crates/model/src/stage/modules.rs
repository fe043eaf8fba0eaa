//! The kinds of modules and their dispatches.

use super::*;
use cross::Cross;
use kernels::{Activation, AttentionBuffers, AttentionShape, Branch, Cache, Matrix, Norm};

/// What all modules of a stage use: the rows on their way through, and scratch space.
#[derive(Debug)]
pub(super) struct Shared {
    /// Positions, slots and head rows of the step.
    pub(super) step: StepBuffer,
    /// `[rows, hidden]`: the residual stream, and where its next state goes while other lanes still
    /// read this one; next to nothing where that never happens.
    pub(super) hidden: [Buffer; 2],
    /// `[rows, hidden]`: what a module gave, where that is normalised before it is added.
    branch: Buffer,
    /// `[rows, query + 2 key/value widths]`.
    pub(super) qkv: Buffer,
    /// `[rows, query width]`.
    pub(super) queries: Buffer,
    /// `[rows, query width]`.
    pub(super) mixed: Buffer,
    /// `[rows, ffn]`.
    gated: Buffer,
    /// Keys and values of a prompt that is on its way through the encoder, one layer after the other; next
    /// to nothing where no layer of an encoder is.
    prompt: Cache,
    /// `[head rows, scores]`, rows padded to multiples of 4; next to nothing without the head.
    pub(super) logits: Buffer,
}

impl Shared {
    pub(super) fn new(
        gpu: &Gpu,
        config: &ModelConfig,
        options: StageOptions,
        [has_encoder, has_head]: [bool; 2],
    ) -> Self {
        let scores = if has_head { config.head_rows().next_multiple_of(4) } else { 4 };
        let prompt_width = if has_encoder { config.kv_width() } else { 4 };
        let rows = |columns: usize| gpu.empty(rows_bytes(options.rows, columns));
        let optional = |is_used: bool| rows(if is_used { config.hidden } else { 4 });
        let traits = config.architecture.traits();
        let moves = traits.branch_norm || traits.embedding_norm || has_encoder;
        Self {
            step: StepBuffer::new(gpu, options.rows),
            hidden: [rows(config.hidden), optional(moves)],
            branch: optional(traits.branch_norm),
            qkv: rows(config.query_width() + 2 * config.kv_width()),
            queries: rows(config.query_width()),
            mixed: rows(config.query_width()),
            gated: rows(config.ffn),
            prompt: Cache { keys: rows(prompt_width), values: rows(prompt_width) },
            logits: gpu.empty(HEAD_ROWS * scores * size_of::<f32>()),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let buffers = [&self.branch, &self.qkv, &self.queries, &self.mixed, &self.gated];
        let others = [&self.logits, &self.prompt.keys, &self.prompt.values];
        let all = buffers.into_iter().chain(&self.hidden).chain(others);
        all.map(Buffer::bytes).sum()
    }

    /// Whether modules leave branches.
    pub(super) fn has_branch(&self) -> bool {
        self.branch.bytes() >= self.hidden[0].bytes()
    }

    /// The branch that was left, to be added to the residual stream, which moves with it.
    fn branch(&self, flow: &mut Flow) -> Branch<'_> {
        let from = flow.stream;
        (flow.stream, flow.has_branch) = (1 - from, false);
        Branch {
            hidden: &self.hidden[from],
            branch: &self.branch,
            settled: &self.hidden[flow.stream],
        }
    }
}

/// How far a step has come.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Flow {
    /// Where the residual stream is, as an index of [`Shared::hidden`].
    pub(super) stream: usize,
    /// Whether the module before left a branch that is still to be added.
    has_branch: bool,
}

/// A module with its weights on the GPU.
#[derive(Debug)]
pub(super) enum Module {
    /// What was looked up, normalised where the model does that.
    Embed(Option<Box<Normalise>>),
    /// Attention with its residual connection.
    Attention(Box<Attention>),
    /// Attention to the encoder's output, with its residual connection.
    Cross(Box<Cross>),
    /// The feed-forward part with its residual connection, and the norm behind an encoder.
    Mlp(Box<Mlp>),
    /// The last norm and the logits.
    Head(Box<Head>),
}

impl Module {
    /// Whether it is what begins with looked-up rows.
    pub(super) fn embeds(&self) -> bool {
        matches!(self, Self::Embed(_))
    }
}

/// The norm of looked-up rows, or of an encoder's output.
#[derive(Debug)]
pub(super) struct Normalise {
    pub(super) norm: Norm,
    pub(super) columns: usize,
}

/// A projection back onto the residual stream.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) matrix: Matrix,
    pub(super) bias: Option<Buffer>,
    /// Adds it to the stream, where it goes to the branch and no module follows that does.
    pub(super) settle: Option<Settle>,
}

/// Weights and cache of an attention module.
#[derive(Debug)]
pub(super) struct Attention {
    /// Of the stream, and behind its gains those of the branch that may come before.
    pub(super) norm: Norm,
    pub(super) qkv: Matrix,
    pub(super) head_gains: Buffer,
    /// Cosines and sines, slopes or biases; see [`AttentionBuffers::rotary`].
    pub(super) rotary: Buffer,
    /// None where all that is attended to comes in one step.
    pub(super) cache: Option<Cache>,
    pub(super) output: Output,
    pub(super) shape: AttentionShape,
}

/// Weights of a feed-forward module.
#[derive(Debug)]
pub(super) struct Mlp {
    /// As [`Attention::norm`].
    pub(super) norm: Norm,
    pub(super) up: Up,
    pub(super) down: Output,
    /// What an encoder ends with.
    pub(super) last_norm: Option<Normalise>,
}

/// The first half of a feed-forward part.
#[derive(Debug)]
pub(super) enum Up {
    /// Two projections, one of them through an activation.
    Gated(Matrix, Activation),
    /// One, with its bias, through an activation.
    Plain(Matrix, Option<Buffer>, Activation),
}

/// The norm of a branch; its gains are the second half of the norm's.
#[derive(Debug)]
pub(super) struct Settle {
    pub(super) norm: Norm,
    pub(super) columns: usize,
}

/// Weights of the head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) norm: Norm,
    /// Adds the branch that the module before left.
    pub(super) settle: Option<Settle>,
    pub(super) logits: Matrix,
}

impl Module {
    pub(super) fn launch(&self, gpu: &Gpu, shared: &Shared, step: &Step, flow: &mut Flow) {
        match self {
            Self::Embed(None) => {}
            Self::Embed(Some(normalise)) => {
                let [hidden, other] = &shared.hidden;
                normalise.launch(gpu, other, hidden, step.rows());
            }
            Self::Attention(attention) => attention.launch(gpu, shared, step.rows(), flow),
            Self::Cross(cross) => cross.launch(gpu, shared, step.rows(), flow),
            Self::Mlp(mlp) => mlp.launch(gpu, shared, step.rows(), flow),
            Self::Head(head) => head.launch(gpu, shared, step, flow),
        }
    }

    /// Adds the branch that it left.
    pub(super) fn settle(&self, gpu: &Gpu, shared: &Shared, step: &Step, flow: &mut Flow) {
        if let Some(settle) = self.own_settle() {
            settle.launch(gpu, shared, step.rows(), flow);
        }
    }

    fn own_settle(&self) -> Option<&Settle> {
        match self {
            Self::Attention(attention) => attention.output.settle.as_ref(),
            Self::Mlp(mlp) => mlp.down.settle.as_ref(),
            Self::Embed(_) | Self::Cross(_) | Self::Head(_) => None,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Attention(attention) => attention.bytes(),
            Self::Cross(cross) => cross.bytes(),
            Self::Mlp(mlp) => mlp.up.bytes() + mlp.down.matrix.bytes(),
            Self::Embed(_) => 0,
            Self::Head(head) => head.logits.bytes(),
        }
    }
}

impl Normalise {
    fn launch(&self, gpu: &Gpu, input: &Buffer, output: &Buffer, rows: usize) {
        gpu.normalise(input, &self.norm, self.columns, output, rows);
    }
}

impl Attention {
    fn launch(&self, gpu: &Gpu, shared: &Shared, rows: usize, flow: &mut Flow) {
        let buffers = AttentionBuffers {
            qkv: &shared.qkv,
            head_gains: &self.head_gains,
            rotary: &self.rotary,
            queries: &shared.queries,
            cache: self.cache.as_ref().unwrap_or(&shared.prompt),
            output: &shared.mixed,
        };
        let (step, qkv) = (&shared.step, &shared.qkv);
        if flow.has_branch {
            gpu.linear_settling(shared.branch(flow), &self.norm, &self.qkv, qkv, rows);
        } else {
            let hidden = &shared.hidden[flow.stream];
            gpu.linear(hidden, &self.norm, &self.qkv, step, qkv, rows);
        }
        gpu.rotate_and_store(buffers, step, self.shape, rows);
        gpu.attend(buffers, step, self.shape, rows);
        self.output.launch(gpu, shared, &shared.mixed, rows, flow);
    }

    fn bytes(&self) -> u64 {
        let bytes = |cache: &Cache| cache.keys.bytes() + cache.values.bytes();
        let cache = self.cache.as_ref().map_or(0, bytes);
        self.qkv.bytes() + self.output.matrix.bytes() + cache
    }
}

impl Mlp {
    fn launch(&self, gpu: &Gpu, shared: &Shared, rows: usize, flow: &mut Flow) {
        let (hidden, gated) = (&shared.hidden[flow.stream], &shared.gated);
        match &self.up {
            Up::Plain(up, bias, activation) => {
                gpu.up(hidden, &self.norm, up, bias.as_ref(), *activation, gated, rows);
            }
            Up::Gated(gate_up, activation) if flow.has_branch => {
                let branch = shared.branch(flow);
                gpu.gate_up_settling(branch, &self.norm, gate_up, *activation, gated, rows);
            }
            Up::Gated(gate_up, activation) => {
                gpu.gate_up(hidden, &self.norm, gate_up, *activation, gated, rows);
            }
        }
        self.down.launch(gpu, shared, gated, rows, flow);
        if let Some(normalise) = &self.last_norm {
            let hidden = &shared.hidden[flow.stream];
            flow.stream = 1 - flow.stream;
            normalise.launch(gpu, hidden, &shared.hidden[flow.stream], rows);
        }
    }
}

impl Up {
    fn bytes(&self) -> u64 {
        let (Self::Gated(matrix, _) | Self::Plain(matrix, ..)) = self;
        matrix.bytes()
    }
}

impl Output {
    pub(super) fn launch(
        &self,
        gpu: &Gpu,
        shared: &Shared,
        input: &Buffer,
        rows: usize,
        flow: &mut Flow,
    ) {
        flow.has_branch = self.settle.is_some();
        if flow.has_branch {
            gpu.linear_plain(input, &self.matrix, &shared.step, &shared.branch, rows);
        } else {
            let hidden = &shared.hidden[flow.stream];
            gpu.linear_add(input, &self.matrix, self.bias.as_ref(), hidden, rows);
        }
    }
}

impl Settle {
    fn launch(&self, gpu: &Gpu, shared: &Shared, rows: usize, flow: &mut Flow) {
        if flow.has_branch {
            gpu.settle(shared.branch(flow), &self.norm, self.columns, rows);
        }
    }
}

impl Head {
    fn launch(&self, gpu: &Gpu, shared: &Shared, step: &Step, flow: &mut Flow) {
        if let Some(settle) = &self.settle {
            settle.launch(gpu, shared, step.rows(), flow);
        }
        let rows = step.head_rows.len();
        if rows > 0 {
            let (hidden, logits) = (&shared.hidden[flow.stream], &shared.logits);
            gpu.linear_of_head_rows(hidden, &self.norm, &self.logits, &shared.step, logits, rows);
        }
    }
}
