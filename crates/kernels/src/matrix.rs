//! Products with weight matrices, and looking rows up in one.
//!
//! A lane computes four output rows at once, or several times four. Weights are therefore interleaved
//! over *groups* of four rows: word `w` of group `g` is a `vec4<u32>` that holds,
//! in component `r`, the `w`-th 32-bit word of row `4 g + r`, and neighbouring
//! groups lie next to each other, so that neighbouring lanes read neighbouring
//! words. A matrix may have several *sections*, rows of different weight types.
//! Each output is summed over the columns in one fixed order with fused
//! multiply-adds, whatever the number of input rows: this is what makes an
//! answer independent of how it was split or batched.

use cubecl::prelude::*;

use crate::{
    input::InputShape,
    products::products,
    unpack::{Four, WORD_COLUMNS, hold, minimum, scale, unpack},
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

    /// Whether the groups of each section are a multiple of `count`.
    pub(crate) fn are_multiples_of(&self, count: usize) -> bool {
        self.list[..self.count].iter().all(|section| section.groups.is_multiple_of(count))
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
    let first_group = ABSOLUTE_POS_X as usize * from.groups_per_lane;
    let dispatch_row = CUBE_POS_Y as usize * from.rows_per_lane;
    #[unroll]
    for at in 0..sections.count {
        let section = comptime!(sections.list[at]);
        let before = comptime!(sections.groups_before(at));
        if first_group >= before && first_group < comptime!(before + section.groups) {
            let first_row = if comptime!(gathered_at.is_some()) {
                row_of[comptime!(gathered_at.unwrap_or(0)) + dispatch_row] as usize
            } else {
                dispatch_row
            };
            let own = first_group - before;
            let mut sums = Array::<Vec4>::new(comptime!(from.sums()));
            products(input, input, gain, words, scales, first_row, own, &mut sums, section, from);
            let place = dispatch_row * to.groups + comptime!(to.first) + first_group;
            store(&sums, output, place, to.groups, from);
        }
    }
}

/// Writes a lane's `sums [rows, groups]`, the first at `place`, rows of `row_groups` apart.
#[cube]
pub(crate) fn store(
    sums: &Array<Vec4>,
    output: &mut [Vec4],
    place: usize,
    #[comptime] row_groups: usize,
    #[comptime] from: InputShape,
) {
    #[unroll]
    for row in 0..from.rows_per_lane {
        #[unroll]
        for at in 0..from.groups_per_lane {
            output[place + row * row_groups + at] = sums[row * from.groups_per_lane + at];
        }
    }
}

#[cube]
fn with_bias(sum: Vec4, bias: &[Vec4], group: usize, #[comptime] has_bias: bool) -> Vec4 {
    if comptime!(has_bias) { sum + bias[group] } else { sum }
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
    let first_group = ABSOLUTE_POS_X as usize * from.groups_per_lane;
    if first_group < section.groups {
        let first_row = CUBE_POS_Y as usize * from.rows_per_lane;
        let mut sums = Array::<Vec4>::new(comptime!(from.sums()));
        products(
            input,
            input,
            input,
            words,
            scales,
            first_row,
            first_group,
            &mut sums,
            section,
            from,
        );
        #[unroll]
        for row in 0..from.rows_per_lane {
            #[unroll]
            for at in 0..from.groups_per_lane {
                let own = comptime!(row * from.groups_per_lane + at);
                let sum = with_bias(sums[own], bias, first_group + at, has_bias);
                output[(first_row + row) * section.groups + first_group + at] += sum;
            }
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
    let first_group = ABSOLUTE_POS_X as usize * from.groups_per_lane;
    if first_group < section.groups {
        let first_row = CUBE_POS_Y as usize * from.rows_per_lane;
        let mut sums = Array::<Vec4>::new(comptime!(from.sums()));
        products(
            input,
            input,
            gain,
            words,
            scales,
            first_row,
            first_group,
            &mut sums,
            section,
            from,
        );
        #[unroll]
        for row in 0..from.rows_per_lane {
            #[unroll]
            for at in 0..from.groups_per_lane {
                let own = comptime!(row * from.groups_per_lane + at);
                let sum = with_bias(sums[own], bias, first_group + at, has_bias);
                output[(first_row + row) * section.groups + first_group + at] = gelu(sum);
            }
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
    gated(input, input, gain, words, scales, output, gate, up, from, activation);
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
    #[comptime] gate: Section,
    #[comptime] up: Section,
    #[comptime] from: InputShape,
    #[comptime] activation: Activation,
) {
    let first_group = ABSOLUTE_POS_X as usize * from.groups_per_lane;
    if first_group < gate.groups {
        let first_row = CUBE_POS_Y as usize * from.rows_per_lane;
        let mut gates = Array::<Vec4>::new(comptime!(from.sums()));
        let mut ups = Array::<Vec4>::new(comptime!(from.sums()));
        products(
            input,
            branch,
            gain,
            words,
            scales,
            first_row,
            first_group,
            &mut gates,
            gate,
            from,
        );
        products(input, branch, gain, words, scales, first_row, first_group, &mut ups, up, from);
        #[unroll]
        for row in 0..from.rows_per_lane {
            #[unroll]
            for at in 0..from.groups_per_lane {
                let own = comptime!(row * from.groups_per_lane + at);
                let mut active = gates[own];
                if comptime!(matches!(activation, Activation::Silu)) {
                    active = active / (Vec4::new(1.0) + (-active).exp());
                } else {
                    active = gelu(active);
                }
                output[(first_row + row) * gate.groups + first_group + at] = active * ups[own];
            }
        }
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
        for eight in 0..comptime!(BLOCK_COLUMNS / WORD_COLUMNS) {
            let held = hold(words, block, group, eight, section);
            #[unroll]
            for half in 0..2usize {
                let four = unpack(words, block, group, eight, &held, half, section);
                let quad = 2 * eight + half;
                let first = target + 4 * quad;
                #[unroll]
                for at in 0..4usize {
                    let weight = weight(scales, &four, at, block, group, quad, section);
                    let mut value = component(weight, token & 3);
                    if comptime!(lookup.scale_bits.is_some()) {
                        value *= comptime!(f32::from_bits(lookup.scale_bits.unwrap_or(0)));
                    }
                    if comptime!(lookup.has_places) {
                        let place = step[row] as usize * section.columns + block * BLOCK_COLUMNS;
                        value += places[place + 4 * quad + at];
                    }
                    output[first + at] = value;
                }
            }
        }
    }
}

/// The `at`-th of four columns as the file's format defines it.
#[cube]
fn weight(
    scales: &[Words],
    four: &Four,
    #[comptime] at: usize,
    block: usize,
    group: usize,
    quad: usize,
    #[comptime] section: Section,
) -> Vec4 {
    let weight_type = comptime!(section.weight_type);
    let mut weight = four.a;
    if comptime!(at == 1) {
        weight = four.b;
    }
    if comptime!(at == 2) {
        weight = four.c;
    }
    if comptime!(at == 3) {
        weight = four.d;
    }
    if comptime!(weight_type.is_quantised()) {
        let part = quad >> comptime!((weight_type.scale_columns() / 4).ilog2() as usize);
        let unit = Vec4::new(comptime!(weight_type.unit()));
        let offset = Vec4::new(comptime!(weight_type.offset()));
        weight = fma(weight, unit, offset) * scale(scales, block, group, part, section);
    }
    if comptime!(weight_type.has_minimum()) {
        weight -= minimum(scales, block, group, section);
    }
    weight
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
