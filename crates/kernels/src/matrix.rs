//! Products with weight matrices, and looking rows up in one.
//!
//! A lane computes four output rows at once. Weights are therefore interleaved
//! over *groups* of four rows: word `w` of group `g` is a `vec4<u32>` that holds,
//! in component `r`, the `w`-th 32-bit word of row `4 g + r`, and neighbouring
//! groups lie next to each other, so that neighbouring lanes read neighbouring
//! words. A matrix may have several *sections*, rows of different weight types.
//! Each output is summed over the columns in one fixed order with fused
//! multiply-adds, whatever the number of input rows: this is what makes an
//! answer independent of how it was split or batched.

use cubecl::prelude::*;

use crate::{
    unpack::{minimum, scale, unpack},
    weights::{BLOCK_COLUMNS, WeightType},
};

/// Four `f32`, one for each output row of a group.
pub(crate) type Vec4 = Vector<f32, Const<4>>;
/// Four packed words, one for each output row of a group.
pub(crate) type Words = Vector<u32, Const<4>>;
/// As [`Words`], signed.
pub(crate) type Ints = Vector<i32, Const<4>>;

/// Consecutive rows of a packed matrix that are stored alike; known when its kernels are compiled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Section {
    /// Input features; a multiple of 32.
    pub columns: usize,
    /// Groups of four output rows.
    pub groups: usize,
    /// Storage of the weights.
    pub weight_type: WeightType,
    /// Where its words begin, in `vec4`.
    pub(crate) words_at: usize,
    /// Where its scales begin, in `vec4`.
    pub(crate) scales_at: usize,
}

/// The sections of a matrix, in the order of its rows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Sections {
    /// How many there are.
    pub(crate) count: usize,
    /// The first `count` of them; the others repeat the first.
    pub(crate) list: [Section; MAX_SECTIONS],
}

/// Queries, keys and values may all be stored differently.
pub(crate) const MAX_SECTIONS: usize = 3;

impl Sections {
    /// Groups of four output rows of all sections.
    pub fn groups(&self) -> usize {
        self.list[..self.count].iter().map(|section| section.groups).sum()
    }

    /// Groups before a section.
    pub(crate) fn groups_before(&self, at: usize) -> usize {
        self.list[..at].iter().map(|section| section.groups).sum()
    }
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
/// `row_of` names (or row `i` itself for dispatch row `i` when nothing is gathered).
///
/// # Shapes
/// `input [rows, columns/4]`, `gain [columns/4]`, `output [rows, groups]`, all in `vec4`.
#[cube(launch_unchecked)]
pub(crate) fn linear(
    input: &[Vec4],
    gain: &[Vec4],
    words: &[Words],
    scales: &[Words],
    row_of: &[u32],
    output: &mut [Vec4],
    #[comptime] sections: Sections,
    #[comptime] from: InputShape,
    #[comptime] gathered_at: Option<usize>,
) {
    let group = ABSOLUTE_POS_X as usize;
    let dispatch_row = CUBE_POS_Y as usize * from.rows_per_lane;
    #[unroll]
    for at in 0..sections.count {
        let section = comptime!(sections.list[at]);
        let before = comptime!(sections.groups_before(at));
        if group >= before && group < comptime!(before + section.groups) {
            let first_row = if comptime!(gathered_at.is_some()) {
                row_of[comptime!(gathered_at.unwrap_or(0)) + dispatch_row] as usize
            } else {
                dispatch_row
            };
            let own = group - before;
            let mut sums = Array::<Vec4>::new(from.rows_per_lane);
            products(input, gain, words, scales, first_row, own, &mut sums, section, from);
            #[unroll]
            for row in 0..from.rows_per_lane {
                output[(dispatch_row + row) * comptime!(sections.groups()) + group] = sums[row];
            }
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
    scales: &[Words],
    output: &mut [Vec4],
    #[comptime] section: Section,
    #[comptime] from: InputShape,
) {
    let group = ABSOLUTE_POS_X as usize;
    if group < section.groups {
        let first_row = CUBE_POS_Y as usize * from.rows_per_lane;
        let mut sums = Array::<Vec4>::new(from.rows_per_lane);
        products(input, input, words, scales, first_row, group, &mut sums, section, from);
        #[unroll]
        for row in 0..from.rows_per_lane {
            let at = (first_row + row) * section.groups + group;
            output[at] += sums[row];
        }
    }
}

/// `output[row] = silu(G · norm(input[row])) * (U · norm(input[row]))`, where `G` and `U` are
/// two sections of one matrix (the SwiGLU of Llama and Qwen).
///
/// # Shapes
/// `input [rows, columns/4]`, `gain [columns/4]`, `output [rows, groups of G]`, in `vec4`.
#[cube(launch_unchecked)]
pub(crate) fn gate_up(
    input: &[Vec4],
    gain: &[Vec4],
    words: &[Words],
    scales: &[Words],
    output: &mut [Vec4],
    #[comptime] gate: Section,
    #[comptime] up: Section,
    #[comptime] from: InputShape,
) {
    let group = ABSOLUTE_POS_X as usize;
    if group < gate.groups {
        let first_row = CUBE_POS_Y as usize * from.rows_per_lane;
        let mut gates = Array::<Vec4>::new(from.rows_per_lane);
        let mut ups = Array::<Vec4>::new(from.rows_per_lane);
        products(input, gain, words, scales, first_row, group, &mut gates, gate, from);
        products(input, gain, words, scales, first_row, group, &mut ups, up, from);
        #[unroll]
        for row in 0..from.rows_per_lane {
            let gate_value = gates[row];
            let silu = gate_value / (Vec4::new(1.0) + (-gate_value).exp());
            output[(first_row + row) * gate.groups + group] = silu * ups[row];
        }
    }
}

/// `output[row] = W[token of row]`: one row of an embedding table for each row of the step. A lane
/// writes 32 columns.
///
/// # Shapes
/// `output [rows, columns]`; the tokens are `step[tokens_at ..]`.
#[cube(launch_unchecked)]
pub(crate) fn embed(
    words: &[Words],
    scales: &[Words],
    step: &[u32],
    output: &mut [f32],
    #[comptime] section: Section,
    #[comptime] tokens_at: usize,
) {
    let block = ABSOLUTE_POS_X as usize;
    let row = CUBE_POS_Y as usize;
    if block < comptime!(section.columns / BLOCK_COLUMNS) {
        let token = step[tokens_at + row] as usize;
        let group = token / 4;
        let target = row * section.columns + block * BLOCK_COLUMNS;
        #[unroll]
        for quad in 0..comptime!(BLOCK_COLUMNS / 4) {
            let part = comptime!(4 * quad / section.weight_type.scale_columns());
            let mut weights = Array::<Vec4>::new(4usize);
            unpack(words, block, group, &mut weights, quad, section);
            #[unroll]
            for at in 0..4usize {
                let mut four = weights[at];
                if comptime!(section.weight_type.is_quantised()) {
                    four *= scale(scales, block, group, part, section);
                }
                if comptime!(section.weight_type.has_minimum()) {
                    four -= minimum(scales, block, group, section);
                }
                output[target + comptime!(4 * quad + at)] = component(four, token % 4);
            }
        }
    }
}

#[cube]
fn component(four: Vec4, at: usize) -> f32 {
    let mut value = four.extract(0usize);
    if at == 1 {
        value = four.extract(1usize);
    }
    if at == 2 {
        value = four.extract(2usize);
    }
    if at == 3 {
        value = four.extract(3usize);
    }
    value
}

/// The products of `rows_per_lane` input rows with the four rows of `group`.
#[cube]
fn products(
    input: &[Vec4],
    gain: &[Vec4],
    words: &[Words],
    scales: &[Words],
    first_row: usize,
    group: usize,
    sums: &mut Array<Vec4>,
    #[comptime] section: Section,
    #[comptime] from: InputShape,
) {
    let quads = comptime!(section.weight_type.scale_columns() / 4);
    let mut squares = Array::<Vec4>::new(from.rows_per_lane);
    #[unroll]
    for row in 0..from.rows_per_lane {
        sums[row] = Vec4::new(0.0);
        squares[row] = Vec4::new(0.0);
    }
    for block in 0..section.columns / BLOCK_COLUMNS {
        #[unroll]
        for part in 0..comptime!(BLOCK_COLUMNS / 4 / quads) {
            let mut parts = Array::<Vec4>::new(from.rows_per_lane);
            let mut inputs = Array::<Vec4>::new(from.rows_per_lane);
            #[unroll]
            for row in 0..from.rows_per_lane {
                parts[row] = Vec4::new(0.0);
                inputs[row] = Vec4::new(0.0);
            }
            #[unroll]
            for quad in 0..quads {
                let own = comptime!(part * quads + quad);
                let column = block * comptime!(BLOCK_COLUMNS / 4) + own;
                let mut weights = Array::<Vec4>::new(4usize);
                unpack(words, block, group, &mut weights, own, section);
                #[unroll]
                for row in 0..from.rows_per_lane {
                    let mut four = input[(first_row + row) * (section.columns / 4) + column];
                    if comptime!(from.norm_epsilon_bits.is_some()) {
                        squares[row] = fma(four, four, squares[row]);
                        four *= gain[column];
                    }
                    if comptime!(section.weight_type.has_minimum()) {
                        inputs[row] += four;
                    }
                    #[unroll]
                    for at in 0..4usize {
                        parts[row] = fma(weights[at], Vec4::new(four.extract(at)), parts[row]);
                    }
                }
            }
            #[unroll]
            for row in 0..from.rows_per_lane {
                sums[row] =
                    scaled(scales, block, group, sums[row], parts[row], inputs[row], part, section);
            }
        }
    }
    if comptime!(from.norm_epsilon_bits.is_some()) {
        #[unroll]
        for row in 0..from.rows_per_lane {
            let scale = inverse_rms(squares[row], section, from);
            sums[row] *= Vec4::new(scale);
        }
    }
}

/// `sum` and what a block's `part` of unscaled products comes to.
#[cube]
fn scaled(
    scales: &[Words],
    block: usize,
    group: usize,
    sum: Vec4,
    products: Vec4,
    inputs: Vec4,
    #[comptime] part: usize,
    #[comptime] section: Section,
) -> Vec4 {
    let mut result = if comptime!(section.weight_type.is_quantised()) {
        fma(products, scale(scales, block, group, part, section), sum)
    } else {
        sum + products
    };
    if comptime!(section.weight_type.has_minimum()) {
        let total = Vec4::new(-across(inputs));
        result = fma(minimum(scales, block, group, section), total, result);
    }
    result
}

/// The sum of the four components.
#[cube]
fn across(four: Vec4) -> f32 {
    (four.extract(0usize) + four.extract(1usize)) + (four.extract(2usize) + four.extract(3usize))
}

#[cube]
fn inverse_rms(squares: Vec4, #[comptime] section: Section, #[comptime] from: InputShape) -> f32 {
    let epsilon = comptime!(f32::from_bits(from.norm_epsilon_bits.unwrap_or(0)));
    f32::new(1.0) / (across(squares) / comptime!(section.columns as f32) + epsilon).sqrt()
}
