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
    input::{
        InputNorm, InputShape, across, branch_scale, element, normed, rms_scale, row_mean,
        row_scale,
    },
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

    /// Input features, the same for all.
    pub fn columns(&self) -> usize {
        self.list[0].columns
    }

    /// Groups before a section.
    pub(crate) fn groups_before(&self, at: usize) -> usize {
        self.list[..at].iter().map(|section| section.groups).sum()
    }
}

/// `output[row] = W · norm(input[row])`, where the input rows are the ones that
/// `row_of` names (or row `i` itself for dispatch row `i` when nothing is gathered).
///
/// # Shapes
/// `input [rows, columns/4]`, `gain [columns/4]`, `output [rows, to.groups]`, all in `vec4`.
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
    #[comptime] to: OutputShape,
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
            products(input, input, gain, words, scales, first_row, own, &mut sums, section, from);
            #[unroll]
            for row in 0..from.rows_per_lane {
                let place = (dispatch_row + row) * to.groups + comptime!(to.first) + group;
                output[place] = sums[row];
            }
        }
    }
}

/// Where a matrix's groups are in an output row, which is longer where the matrix is one part of
/// several.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct OutputShape {
    /// Groups of a row.
    pub groups: usize,
    /// Those before the matrix's own.
    pub first: usize,
}

/// `output[row] += W · input[row] + bias`: a projection back onto the residual stream.
///
/// # Shapes
/// `input [rows, columns/4]`, `bias [groups]` where there is one, `output [rows, groups]`, in `vec4`.
#[cube(launch_unchecked)]
pub(crate) fn linear_add(
    input: &[Vec4],
    words: &[Words],
    scales: &[Words],
    bias: &[Vec4],
    output: &mut [Vec4],
    #[comptime] section: Section,
    #[comptime] from: InputShape,
    #[comptime] has_bias: bool,
) {
    let group = ABSOLUTE_POS_X as usize;
    if group < section.groups {
        let first_row = CUBE_POS_Y as usize * from.rows_per_lane;
        let mut sums = Array::<Vec4>::new(from.rows_per_lane);
        products(input, input, input, words, scales, first_row, group, &mut sums, section, from);
        #[unroll]
        for row in 0..from.rows_per_lane {
            let at = (first_row + row) * section.groups + group;
            let mut sum = sums[row];
            if comptime!(has_bias) {
                sum += bias[group];
            }
            output[at] += sum;
        }
    }
}

/// `output[row] = gelu(W · norm(input[row]) + bias)`: the feed-forward part without a gate.
///
/// # Shapes
/// As for [`linear_add`].
#[cube(launch_unchecked)]
pub(crate) fn up(
    input: &[Vec4],
    gain: &[Vec4],
    words: &[Words],
    scales: &[Words],
    bias: &[Vec4],
    output: &mut [Vec4],
    #[comptime] section: Section,
    #[comptime] from: InputShape,
    #[comptime] has_bias: bool,
) {
    let group = ABSOLUTE_POS_X as usize;
    if group < section.groups {
        let first_row = CUBE_POS_Y as usize * from.rows_per_lane;
        let mut sums = Array::<Vec4>::new(from.rows_per_lane);
        products(input, input, gain, words, scales, first_row, group, &mut sums, section, from);
        #[unroll]
        for row in 0..from.rows_per_lane {
            let mut sum = sums[row];
            if comptime!(has_bias) {
                sum += bias[group];
            }
            output[(first_row + row) * section.groups + group] = gelu(sum);
        }
    }
}

/// `output[row] = act(G · norm(input[row])) * (U · norm(input[row]))`, where `G` and `U` are
/// two sections of one matrix and `act` is SiLU (Llama and Qwen) or GELU.
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
    #[comptime] activation: Activation,
) {
    let group = ABSOLUTE_POS_X as usize;
    if group < gate.groups {
        gated(input, input, gain, words, scales, output, group, gate, up, from, activation);
    }
}

/// One lane's share of [`gate_up`].
#[cube]
pub(crate) fn gated(
    input: &[Vec4],
    branch: &[Vec4],
    gain: &[Vec4],
    words: &[Words],
    scales: &[Words],
    output: &mut [Vec4],
    group: usize,
    #[comptime] gate: Section,
    #[comptime] up: Section,
    #[comptime] from: InputShape,
    #[comptime] activation: Activation,
) {
    let first_row = CUBE_POS_Y as usize * from.rows_per_lane;
    let mut gates = Array::<Vec4>::new(from.rows_per_lane);
    let mut ups = Array::<Vec4>::new(from.rows_per_lane);
    products(input, branch, gain, words, scales, first_row, group, &mut gates, gate, from);
    products(input, branch, gain, words, scales, first_row, group, &mut ups, up, from);
    #[unroll]
    for row in 0..from.rows_per_lane {
        let mut active = gates[row];
        if comptime!(matches!(activation, Activation::Silu)) {
            active = active / (Vec4::new(1.0) + (-active).exp());
        } else {
            active = gelu(active);
        }
        output[(first_row + row) * gate.groups + group] = active * ups[row];
    }
}

/// What stands between the projections of a feed-forward part.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Activation {
    /// `x / (1 + exp(-x))`.
    Silu,
    /// The approximation with the hyperbolic tangent (arXiv 1606.08415).
    Gelu,
}

/// `x / (1 + exp(-2 u))` with `u = sqrt(2 / pi) (x + 0.044715 x^3)`, which is
/// `x (1 + tanh(u)) / 2`.
#[cube]
fn gelu(x: Vec4) -> Vec4 {
    let cubic = fma(x * x * x, Vec4::new(0.044_715), x);
    // The exponential of what is far below would not be finite; the quotient is 0 long before.
    let exponent = min(cubic * Vec4::new(-1.595_769), Vec4::new(80.0));
    x / (Vec4::new(1.0) + exponent.exp())
}

/// `output[row] = scale W[token of row] + places[position of row]`: one row of an embedding table for
/// each row of the step, and of a table of places where there is one. Rows whose token is in another
/// part of the table are left alone. A lane writes 32 columns.
///
/// # Shapes
/// `places [context, columns]`, `output [rows, columns]`; the tokens are `step[tokens_at ..]`, the
/// positions come first.
#[cube(launch_unchecked)]
pub(crate) fn embed(
    words: &[Words],
    scales: &[Words],
    places: &[f32],
    step: &[u32],
    output: &mut [f32],
    #[comptime] section: Section,
    #[comptime] lookup: Lookup,
) {
    let block = ABSOLUTE_POS_X as usize;
    let row = CUBE_POS_Y as usize;
    let asked = step[lookup.tokens_at + row] as usize;
    let is_own =
        asked >= lookup.first_row && asked < comptime!(lookup.first_row + 4 * section.groups);
    if is_own && block < comptime!(section.columns / BLOCK_COLUMNS) {
        let token = asked - lookup.first_row;
        let group = token >> 2;
        let target = row * section.columns + block * BLOCK_COLUMNS;
        for quad in 0..comptime!(BLOCK_COLUMNS / 4) {
            let part =
                quad >> comptime!((section.weight_type.scale_columns() / 4).ilog2() as usize);
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
                let mut value = component(four, token & 3);
                if comptime!(lookup.scale_bits.is_some()) {
                    value *= comptime!(f32::from_bits(lookup.scale_bits.unwrap_or(0)));
                }
                if comptime!(lookup.has_places) {
                    let place = step[row] as usize * section.columns + block * BLOCK_COLUMNS;
                    value += places[place + 4 * quad + at];
                }
                output[target + 4 * quad + at] = value;
            }
        }
    }
}

/// How rows are looked up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Lookup {
    /// Where the step's tokens are.
    pub tokens_at: usize,
    /// The token of the table's first row.
    pub first_row: usize,
    /// Bits of what the rows are multiplied with, if with anything.
    pub scale_bits: Option<u32>,
    /// Whether positions have vectors of their own.
    pub has_places: bool,
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
pub(crate) fn products(
    input: &[Vec4],
    branch: &[Vec4],
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
    let row_quads = comptime!(section.columns / 4);
    let mut squares = Array::<Vec4>::new(from.rows_per_lane);
    let mut branch_scales = Array::<f32>::new(from.rows_per_lane);
    let mut means = Array::<f32>::new(from.rows_per_lane);
    let mut row_scales = Array::<f32>::new(from.rows_per_lane);
    #[unroll]
    for row in 0..from.rows_per_lane {
        sums[row] = Vec4::new(0.0);
        squares[row] = Vec4::new(0.0);
        let row_at = (first_row + row) * row_quads;
        branch_scales[row] = branch_scale(branch, row_at, from);
        means[row] = row_mean(input, row_at, from);
        row_scales[row] = row_scale(input, row_at, means[row], from);
    }
    for block in 0..section.columns / BLOCK_COLUMNS {
        for part in 0..comptime!(BLOCK_COLUMNS / 4 / quads) {
            let mut parts = Array::<Vec4>::new(from.rows_per_lane);
            let mut inputs = Array::<Vec4>::new(from.rows_per_lane);
            #[unroll]
            for row in 0..from.rows_per_lane {
                parts[row] = Vec4::new(0.0);
                inputs[row] = Vec4::new(0.0);
            }
            for quad in 0..quads {
                let own = part * quads + quad;
                let column = block * comptime!(BLOCK_COLUMNS / 4) + own;
                let mut weights = Array::<Vec4>::new(4usize);
                unpack(words, block, group, &mut weights, own, section);
                #[unroll]
                for row in 0..from.rows_per_lane {
                    let row_at = (first_row + row) * row_quads;
                    let scale = branch_scales[row];
                    let raw = element(input, branch, gain, row_at, column, scale, from);
                    if comptime!(matches!(from.norm, InputNorm::Rms(_))) {
                        squares[row] = fma(raw, raw, squares[row]);
                    }
                    let four = normed(raw, gain, column, means[row], row_scales[row], from);
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
    scale_rows(sums, &squares, from);
}

/// The second half of an RMS norm: its scale comes out of the product.
#[cube]
fn scale_rows(sums: &mut Array<Vec4>, squares: &Array<Vec4>, #[comptime] from: InputShape) {
    if comptime!(matches!(from.norm, InputNorm::Rms(_))) {
        #[unroll]
        for row in 0..from.rows_per_lane {
            sums[row] *= Vec4::new(rms_scale(squares[row], from));
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
    part: usize,
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
