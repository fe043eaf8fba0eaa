//! Attention of an answer to its prompt: what the encoder gave of that is kept as keys and values.

use super::modules::{Flow, Output, Shared};
use kernels::{AttentionBuffers, AttentionShape, Buffer, Cache, Gpu, Matrix, Norm};

/// Weights and cache of a module that attends to the encoder's output.
#[derive(Debug)]
pub(super) struct Cross {
    pub(super) norm: Norm,
    pub(super) query: Matrix,
    /// Keys and values, one below the other.
    pub(super) memory: Matrix,
    /// Any buffer: there is nothing to know of positions.
    pub(super) nothing: Buffer,
    pub(super) cache: Cache,
    pub(super) output: Output,
    pub(super) shape: AttentionShape,
}

impl Cross {
    pub(super) fn launch(&self, gpu: &Gpu, shared: &Shared, rows: usize, flow: &mut Flow) {
        let (hidden, queries) = (&shared.hidden[flow.stream], &shared.queries);
        gpu.linear(hidden, &self.norm, &self.query, &shared.step, queries, rows);
        gpu.attend(self.buffers(shared), &shared.step, self.shape, rows);
        self.output.launch(gpu, shared, &shared.mixed, rows, flow);
    }

    /// Makes keys and values of `rows` rows of the encoder's output, `input`, at the step's positions.
    pub(super) fn remember(&self, gpu: &Gpu, shared: &Shared, input: &Buffer, rows: usize) {
        gpu.linear_plain(input, &self.memory, &shared.step, &shared.qkv, rows);
        let only_kept = AttentionShape { heads: 0, ..self.shape };
        gpu.rotate_and_store(self.buffers(shared), &shared.step, only_kept, rows);
    }

    fn buffers<'a>(&'a self, shared: &'a Shared) -> AttentionBuffers<'a> {
        AttentionBuffers {
            qkv: &shared.qkv,
            head_gains: &self.nothing,
            rotary: &self.nothing,
            queries: &shared.queries,
            cache: &self.cache,
            output: &shared.mixed,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let cache = self.cache.keys.bytes() + self.cache.values.bytes();
        self.query.bytes() + self.memory.bytes() + self.output.matrix.bytes() + cache
    }
}
