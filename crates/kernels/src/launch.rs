//! Launchers: from buffers and shapes to dispatches. Each function is one dispatch.

use cubecl::prelude::*;

use crate::{
    attention::{ATTENTION_LANES, AttentionShape, attend, rotate_and_store},
    gpu::{Buffer, Gpu},
    matrix::{InputShape, embed, gate_up, linear, linear_add},
    pack::PackedMatrix,
    step::StepBuffer,
    weights::BLOCK_COLUMNS,
};

/// Lanes of a cube of the matrix and rotary kernels.
const LANES: u32 = 32;
/// Input rows that a lane takes at once when there are enough of them. Buffers of
/// rows must hold a multiple of this many.
const ROWS_PER_LANE: usize = 4;

/// An RMSNorm ahead of a product.
#[derive(Clone, Debug)]
pub struct Norm {
    /// `f32 [columns]`.
    pub gain: Buffer,
    /// Added to the mean square.
    pub epsilon: f32,
}

/// Keys and values of one attention module: `f32 [slots, kv_heads, context, head_dim]` each.
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
    /// `f32 [context, head_dim / 2, 2]`: cosines and sines.
    pub rotary: &'a Buffer,
    /// `f32 [rows, heads, head_dim]`: rotated queries.
    pub queries: &'a Buffer,
    /// The module's cache.
    pub cache: &'a Cache,
    /// `f32 [rows, heads, head_dim]`: the result.
    pub output: &'a Buffer,
}

impl Gpu {
    /// `output[row] = matrix[token of row]` for the step's `rows` rows. The matrix has one section.
    pub fn embed(&self, matrix: &PackedMatrix, step: &StepBuffer, output: &Buffer, rows: usize) {
        self.count_dispatch();
        let section = matrix.sections.list[0];
        // SAFETY: the shapes are the buffers' own; the caller checks the tokens against the rows.
        unsafe {
            embed::launch_unchecked(
                &self.client,
                cubes(section.columns / BLOCK_COLUMNS, rows, 1),
                CubeDim::new_1d(LANES),
                vec4(&matrix.words),
                vec4(&matrix.scales),
                word(&step.buffer),
                word(output),
                section,
                step.tokens_at(),
            );
        }
    }

    /// `output[row] = matrix · norm(input[row])` for `rows` rows.
    pub fn linear(
        &self,
        input: &Buffer,
        norm: &Norm,
        matrix: &PackedMatrix,
        step: &StepBuffer,
        output: &Buffer,
        rows: usize,
    ) {
        self.launch_linear(input, norm, matrix, step, output, rows, rows_per_lane(rows), None);
    }

    /// `output[i] = matrix · norm(input[head row i])` for the step's first `rows` head rows.
    pub fn linear_of_head_rows(
        &self,
        input: &Buffer,
        norm: &Norm,
        matrix: &PackedMatrix,
        step: &StepBuffer,
        output: &Buffer,
        rows: usize,
    ) {
        let gathered_at = Some(step.head_rows_at());
        self.launch_linear(input, norm, matrix, step, output, rows, 1, gathered_at);
    }

    fn launch_linear(
        &self,
        input: &Buffer,
        norm: &Norm,
        matrix: &PackedMatrix,
        step: &StepBuffer,
        output: &Buffer,
        rows: usize,
        rows_per_lane: usize,
        gathered_at: Option<usize>,
    ) {
        self.count_dispatch();
        // SAFETY: the shapes are the buffers' own, so that no lane reads or writes past an end.
        unsafe {
            linear::launch_unchecked(
                &self.client,
                cubes(matrix.sections.groups(), rows, rows_per_lane),
                CubeDim::new_1d(LANES),
                vec4(input),
                vec4(&norm.gain),
                vec4(&matrix.words),
                vec4(&matrix.scales),
                word(&step.buffer),
                vec4(output),
                matrix.sections,
                normed(norm, rows_per_lane),
                gathered_at,
            );
        }
    }

    /// `output[row] += matrix · input[row]` for `rows` rows. The matrix has one section.
    pub fn linear_add(&self, input: &Buffer, matrix: &PackedMatrix, output: &Buffer, rows: usize) {
        self.count_dispatch();
        let section = matrix.sections.list[0];
        let rows_per_lane = rows_per_lane(rows);
        // SAFETY: as in `launch_linear`.
        unsafe {
            linear_add::launch_unchecked(
                &self.client,
                cubes(section.groups, rows, rows_per_lane),
                CubeDim::new_1d(LANES),
                vec4(input),
                vec4(&matrix.words),
                vec4(&matrix.scales),
                vec4(output),
                section,
                InputShape { rows_per_lane, norm_epsilon_bits: None },
            );
        }
    }

    /// `output[row] = silu(gate · norm(input[row])) * (up · norm(input[row]))` for a
    /// matrix made by [`PackedMatrix::paired`].
    pub fn gate_up(
        &self,
        input: &Buffer,
        norm: &Norm,
        matrix: &PackedMatrix,
        output: &Buffer,
        rows: usize,
    ) {
        self.count_dispatch();
        let rows_per_lane = rows_per_lane(rows);
        let [gate, up, ..] = matrix.sections.list;
        // SAFETY: as in `launch_linear`.
        unsafe {
            gate_up::launch_unchecked(
                &self.client,
                cubes(gate.groups, rows, rows_per_lane),
                CubeDim::new_1d(LANES),
                vec4(input),
                vec4(&norm.gain),
                vec4(&matrix.words),
                vec4(&matrix.scales),
                vec4(output),
                gate,
                up,
                normed(norm, rows_per_lane),
            );
        }
    }

    /// Normalises and rotates queries and keys of `rows` rows; stores keys and values.
    pub fn rotate_and_store(
        &self,
        buffers: AttentionBuffers<'_>,
        step: &StepBuffer,
        shape: AttentionShape,
        rows: usize,
    ) {
        self.count_dispatch();
        let pairs = (shape.heads + 2 * shape.kv_heads) * shape.head_dim / 2;
        // SAFETY: as in `launch_linear`; positions and slots are checked by the caller.
        unsafe {
            rotate_and_store::launch_unchecked(
                &self.client,
                cubes(pairs, rows, 1),
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

    /// Attention of `rows` rows over the cache, each up to its own position.
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
                CubeDim::new_1d(ATTENTION_LANES),
                vec4(buffers.queries),
                vec4(&buffers.cache.keys),
                vec4(&buffers.cache.values),
                word(&step.buffer),
                vec4(buffers.output),
                shape,
            );
        }
    }
}

/// Bytes of a buffer for `rows` rows of `columns` `f32`, rounded up to whole lanes' rows.
pub fn rows_bytes(rows: usize, columns: usize) -> usize {
    rows.next_multiple_of(ROWS_PER_LANE) * columns * size_of::<f32>()
}

fn rows_per_lane(rows: usize) -> usize {
    if rows == 1 { 1 } else { ROWS_PER_LANE }
}

fn cubes(lanes: usize, rows: usize, rows_per_lane: usize) -> CubeCount {
    CubeCount::Static((lanes as u32).div_ceil(LANES), rows.div_ceil(rows_per_lane) as u32, 1)
}

fn normed(norm: &Norm, rows_per_lane: usize) -> InputShape {
    InputShape { rows_per_lane, norm_epsilon_bits: Some(norm.epsilon.to_bits()) }
}

/// The buffer as `vec4` of 32-bit elements.
fn vec4(buffer: &Buffer) -> BufferArg {
    // SAFETY: the length is the buffer's own.
    unsafe { BufferArg::from_raw_parts(buffer.0.clone(), buffer.bytes() as usize / 16) }
}

/// The buffer as 32-bit elements.
fn word(buffer: &Buffer) -> BufferArg {
    // SAFETY: the length is the buffer's own.
    unsafe { BufferArg::from_raw_parts(buffer.0.clone(), buffer.bytes() as usize / 4) }
}
