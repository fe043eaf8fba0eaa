//! Weight matrices as the kernels want them, and the products with them.
//!
//! A lane computes four output rows at once. Weights are therefore interleaved
//! over *groups* of four rows: word `w` of group `g` is a `vec4<u32>` that holds,
//! in component `r`, the `w`-th 32-bit word of row `4 g + r`, and neighbouring
//! groups lie next to each other, so that neighbouring lanes read neighbouring
//! words. Each output is summed over the columns in one fixed order with fused
//! multiply-adds, whatever the number of input rows: this is what makes an
//! answer independent of how it was split or batched.

use cubecl::prelude::*;

/// Four `f32`, one for each output row of a group.
pub(crate) type Vec4 = Vector<f32, Const<4>>;
/// Four packed words, one for each output row of a group.
pub(crate) type Words = Vector<u32, Const<4>>;
type Ints = Vector<i32, Const<4>>;

/// How the weights of a matrix are stored on the GPU.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WeightType {
    /// One `f32` a word.
    F32,
    /// Two `f16` a word, the even column in the low half.
    F16,
    /// Four signed bytes a word, the first column in the low byte; each block of
    /// 32 columns has one `f32` scale (the GGUF `Q8_0` block, scale widened).
    Q8_0,
}

impl WeightType {
    /// How many columns one 32-bit word holds.
    pub fn columns_per_word(self) -> usize {
        match self {
            Self::F32 => 1,
            Self::F16 => 2,
            Self::Q8_0 => 4,
        }
    }

    /// Bytes of one row on the GPU.
    pub fn resident_row_bytes(self, columns: usize) -> usize {
        let scales = if self == Self::Q8_0 { columns / BLOCK_COLUMNS } else { 0 };
        4 * (columns / self.columns_per_word() + scales)
    }
}

/// Columns that share one scale in [`WeightType::Q8_0`].
pub const BLOCK_COLUMNS: usize = 32;

/// The shape of a packed matrix, known when its kernels are compiled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MatrixShape {
    /// Input features; a multiple of 32.
    pub columns: usize,
    /// Groups of four output rows.
    pub groups: usize,
    /// Storage of the weights.
    pub weight_type: WeightType,
}

/// How a product reads its input rows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct InputShape {
    /// Input rows that one lane multiplies with each weight it reads.
    pub rows_per_lane: usize,
    /// Bits of the RMSNorm epsilon when the input is normalised first.
    pub norm_epsilon_bits: Option<u32>,
}

/// `output[row] = W · norm(input[row])`, where the input rows are the ones that
/// `row_of` names (or row `i` itself for dispatch row `i` when `gathered` is false).
///
/// # Shapes
/// `input [rows, columns/4]`, `gain [columns/4]`, `output [rows, groups]`, all in `vec4`.
#[cube(launch_unchecked)]
pub(crate) fn linear(
    input: &[Vec4],
    gain: &[Vec4],
    words: &[Words],
    scales: &[Vec4],
    row_of: &[u32],
    output: &mut [Vec4],
    #[comptime] shape: MatrixShape,
    #[comptime] from: InputShape,
    #[comptime] gathered_at: Option<usize>,
) {
    let group = ABSOLUTE_POS_X as usize;
    if group < shape.groups {
        let dispatch_row = CUBE_POS_Y as usize * from.rows_per_lane;
        let first_row = if comptime!(gathered_at.is_some()) {
            row_of[comptime!(gathered_at.unwrap_or(0)) + dispatch_row] as usize
        } else {
            dispatch_row
        };
        let mut sums = Array::<Vec4>::new(from.rows_per_lane);
        products(input, gain, words, scales, first_row, group, &mut sums, shape, from);
        #[unroll]
        for row in 0..from.rows_per_lane {
            output[(dispatch_row + row) * shape.groups + group] = sums[row];
        }
    }
}

/// `output[row] += W · input[row]`: a projection back onto the residual stream.
///
/// # Shapes
/// `input [rows, columns/4]`, `output [rows, groups]`, in `vec4`.
#[cube(launch_unchecked)]
pub(crate) fn linear_add(
    input: &[Vec4],
    words: &[Words],
    scales: &[Vec4],
    output: &mut [Vec4],
    #[comptime] shape: MatrixShape,
    #[comptime] from: InputShape,
) {
    let group = ABSOLUTE_POS_X as usize;
    if group < shape.groups {
        let first_row = CUBE_POS_Y as usize * from.rows_per_lane;
        let mut sums = Array::<Vec4>::new(from.rows_per_lane);
        products(input, input, words, scales, first_row, group, &mut sums, shape, from);
        #[unroll]
        for row in 0..from.rows_per_lane {
            let at = (first_row + row) * shape.groups + group;
            output[at] += sums[row];
        }
    }
}

/// `output[row] = silu(G · norm(input[row])) * (U · norm(input[row]))`, where the
/// groups of `G` and `U` alternate in one matrix (the SwiGLU of Llama and Qwen).
///
/// # Shapes
/// `input [rows, columns/4]`, `gain [columns/4]`, `output [rows, groups/2]`, in `vec4`.
#[cube(launch_unchecked)]
pub(crate) fn gate_up(
    input: &[Vec4],
    gain: &[Vec4],
    words: &[Words],
    scales: &[Vec4],
    output: &mut [Vec4],
    #[comptime] shape: MatrixShape,
    #[comptime] from: InputShape,
) {
    let pair = ABSOLUTE_POS_X as usize;
    if pair < shape.groups / 2 {
        let first_row = CUBE_POS_Y as usize * from.rows_per_lane;
        let mut gates = Array::<Vec4>::new(from.rows_per_lane);
        let mut ups = Array::<Vec4>::new(from.rows_per_lane);
        products(input, gain, words, scales, first_row, 2 * pair, &mut gates, shape, from);
        products(input, gain, words, scales, first_row, 2 * pair + 1, &mut ups, shape, from);
        #[unroll]
        for row in 0..from.rows_per_lane {
            let gate = gates[row];
            let silu = gate / (Vec4::new(1.0) + (-gate).exp());
            output[(first_row + row) * (shape.groups / 2) + pair] = silu * ups[row];
        }
    }
}

/// `output[row] = W[token of row]`: one row of an embedding table for each row of the step.
///
/// # Shapes
/// `output [rows, columns]`; the tokens are `step[tokens_at ..]`.
#[cube(launch_unchecked)]
pub(crate) fn embed(
    words: &[u32],
    scales: &[f32],
    step: &[u32],
    output: &mut [f32],
    #[comptime] shape: MatrixShape,
    #[comptime] tokens_at: usize,
) {
    let column = ABSOLUTE_POS_X as usize;
    let row = CUBE_POS_Y as usize;
    if column < shape.columns {
        let token = step[tokens_at + row] as usize;
        let per_word = comptime!(shape.weight_type.columns_per_word());
        let word = words[word_at(column / per_word, token, shape)];
        let place = (column % per_word) as u32;
        let mut value = f32::reinterpret(word);
        if comptime!(shape.weight_type == WeightType::F16) {
            value = widen_half(Words::new((word >> (16 * place)) & 0xffff)).extract(0usize);
        } else if comptime!(shape.weight_type == WeightType::Q8_0) {
            let byte = i32::reinterpret(word << (24 - 8 * place)) >> 24;
            value = f32::cast_from(byte) * scales[word_at(column / BLOCK_COLUMNS, token, shape)];
        }
        output[row * shape.columns + column] = value;
    }
}

/// Where the `at`-th word of matrix row `row` lies, counted in single words.
#[cube]
fn word_at(at: usize, row: usize, #[comptime] shape: MatrixShape) -> usize {
    (at * shape.groups + row / 4) * 4 + row % 4
}

/// The products of `rows_per_lane` input rows with the four rows of `group`.
#[cube]
fn products(
    input: &[Vec4],
    gain: &[Vec4],
    words: &[Words],
    scales: &[Vec4],
    first_row: usize,
    group: usize,
    sums: &mut Array<Vec4>,
    #[comptime] shape: MatrixShape,
    #[comptime] from: InputShape,
) {
    let mut squares = Array::<Vec4>::new(from.rows_per_lane);
    #[unroll]
    for row in 0..from.rows_per_lane {
        sums[row] = Vec4::new(0.0);
        squares[row] = Vec4::new(0.0);
    }
    for block in 0..shape.columns / BLOCK_COLUMNS {
        let mut parts = Array::<Vec4>::new(from.rows_per_lane);
        #[unroll]
        for row in 0..from.rows_per_lane {
            parts[row] = Vec4::new(0.0);
        }
        #[unroll]
        for quad in 0..BLOCK_COLUMNS / 4 {
            let column = block * (BLOCK_COLUMNS / 4) + quad;
            let mut weights = Array::<Vec4>::new(4usize);
            unpack(words, column, group, &mut weights, shape);
            #[unroll]
            for row in 0..from.rows_per_lane {
                let mut four = input[(first_row + row) * (shape.columns / 4) + column];
                if comptime!(from.norm_epsilon_bits.is_some()) {
                    squares[row] = fma(four, four, squares[row]);
                    four *= gain[column];
                }
                #[unroll]
                for at in 0..4usize {
                    parts[row] = fma(weights[at], Vec4::new(four.extract(at)), parts[row]);
                }
            }
        }
        #[unroll]
        for row in 0..from.rows_per_lane {
            if comptime!(shape.weight_type == WeightType::Q8_0) {
                let scale = scales[block * shape.groups + group];
                sums[row] = fma(parts[row], scale, sums[row]);
            } else {
                sums[row] += parts[row];
            }
        }
    }
    if comptime!(from.norm_epsilon_bits.is_some()) {
        #[unroll]
        for row in 0..from.rows_per_lane {
            let scale = inverse_rms(squares[row], shape, from);
            sums[row] *= Vec4::new(scale);
        }
    }
}

/// Four consecutive columns of a group, starting at column `4 * column`.
#[cube]
fn unpack(
    words: &[Words],
    column: usize,
    group: usize,
    weights: &mut Array<Vec4>,
    #[comptime] shape: MatrixShape,
) {
    if comptime!(shape.weight_type == WeightType::F32) {
        #[unroll]
        for at in 0..4usize {
            weights[at] = Vec4::reinterpret(words[(column * 4 + at) * shape.groups + group]);
        }
    } else if comptime!(shape.weight_type == WeightType::F16) {
        #[unroll]
        for at in 0..2usize {
            let pair = words[(column * 2 + at) * shape.groups + group];
            weights[2 * at] = widen_half(pair & Words::new(0xffff));
            weights[2 * at + 1] = widen_half(pair >> Words::new(16));
        }
    } else {
        let word = Ints::reinterpret(words[column * shape.groups + group]);
        #[unroll]
        for at in 0..4usize {
            let shift = comptime!(24 - 8 * at as i32);
            weights[at] = Vec4::cast_from((word << Ints::new(shift)) >> Ints::new(24));
        }
    }
}

/// The exact value of the half-precision numbers in the low 16 bits of each word.
/// Subnormal halves go through integers, since a GPU may flush subnormal floats.
#[cube]
fn widen_half(bits: Words) -> Vec4 {
    let sign = (bits & Words::new(0x8000)) << Words::new(16);
    let magnitude = bits & Words::new(0x7fff);
    // A half's exponent is biased by 15 and a float's by 127.
    let rebias = Vec4::new(f32::new(comptime!(2f32.powi(127 - 15))));
    let unit = Vec4::new(f32::new(comptime!(2f32.powi(-24))));
    let shifted = Words::reinterpret(Vec4::reinterpret(magnitude << Words::new(13)) * rebias);
    let subnormal = Words::reinterpret(Vec4::cast_from(magnitude) * unit);
    let value = select_many(magnitude.less_than(&Words::new(0x400)), subnormal, shifted);
    Vec4::reinterpret(value | sign)
}

#[cube]
fn inverse_rms(squares: Vec4, #[comptime] shape: MatrixShape, #[comptime] from: InputShape) -> f32 {
    let total = (squares.extract(0usize) + squares.extract(1usize))
        + (squares.extract(2usize) + squares.extract(3usize));
    let epsilon = comptime!(f32::from_bits(from.norm_epsilon_bits.unwrap_or(0)));
    f32::new(1.0) / (total / comptime!(shape.columns as f32) + epsilon).sqrt()
}
