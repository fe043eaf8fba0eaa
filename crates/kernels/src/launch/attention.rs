//! Attention's launchers.

use cubecl::prelude::*;

use super::{LANES, cubes, vec4, word};
use crate::{
    attend::attend,
    attention::{AttentionShape, rotate_and_store},
    gpu::{Buffer, Gpu},
    step::StepBuffer,
};

/// Keys and values of one attention module: `[slots, kv_heads, context, head_dim]` each, in
/// [`AttentionShape::cache`]'s type.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Rotated keys.
    pub keys: Buffer,
    /// Values.
    pub values: Buffer,
}

/// What [`Gpu::rotate_and_store`] and [`Gpu::attend`] bind.
#[derive(Clone, Copy, Debug)]
pub struct AttentionBuffers<'a> {
    /// `f32 [rows, (heads + 2 kv_heads) head_dim]`.
    pub qkv: &'a Buffer,
    /// `f32 [2, head_dim]`: gains of the query and key norms; then, where there are biases, those of
    /// queries, keys and values. Any buffer where there is neither.
    pub head_gains: &'a Buffer,
    /// `f32 [context, head_dim / 2, 2]`: cosines and sines; or `f32 [heads]`: what a score loses for
    /// each position of distance; or `f32 [heads, 2 farthest + 1]`: what is added to a score for each
    /// distance, from keys that are farthest before a query to those farthest behind it. Any buffer where
    /// there is none.
    pub rotary: &'a Buffer,
    /// `f32 [rows, heads, head_dim]`: rotated queries.
    pub queries: &'a Buffer,
    /// The module's cache.
    pub cache: &'a Cache,
    /// `f32 [rows, heads, head_dim]`: the result.
    pub output: &'a Buffer,
}

impl Gpu {
    /// Normalises and rotates queries and keys of `rows` rows; stores keys and values. Without query heads,
    /// keys and values are all that there is.
    pub fn rotate_and_store(
        &self,
        buffers: AttentionBuffers<'_>,
        step: &StepBuffer,
        shape: AttentionShape,
        rows: usize,
    ) {
        self.count_dispatch();
        let couples = (shape.heads + 2 * shape.kv_heads) * shape.head_dim / 4;
        // SAFETY: as in `launch_linear`; positions and slots are checked by the caller.
        unsafe {
            rotate_and_store::launch_unchecked(
                &self.client,
                cubes(couples, rows),
                CubeDim::new_1d(LANES),
                word(buffers.qkv),
                word(buffers.head_gains),
                word(buffers.rotary),
                word(&step.buffer),
                word(buffers.queries),
                word(&buffers.cache.keys),
                word(&buffers.cache.values),
                shape,
            );
        }
    }

    /// Attention of `rows` rows over the cache, each to what it sees.
    pub fn attend(
        &self,
        buffers: AttentionBuffers<'_>,
        step: &StepBuffer,
        shape: AttentionShape,
        rows: usize,
    ) {
        self.count_dispatch();
        // SAFETY: as in `rotate_and_store`.
        unsafe {
            attend::launch_unchecked(
                &self.client,
                CubeCount::Static(shape.heads as u32, rows as u32, 1),
                CubeDim::new_1d(shape.lanes() as u32),
                vec4(buffers.queries),
                vec4(&buffers.cache.keys),
                vec4(&buffers.cache.values),
                word(buffers.rotary),
                word(&step.buffer),
                vec4(buffers.output),
                shape,
            );
        }
    }
}
