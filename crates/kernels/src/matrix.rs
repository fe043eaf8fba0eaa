//! Products with weight matrices.
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

use crate::{input::InputShape, products::products, weights::WeightType};

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
/// `input [rows, columns/4]`, `bias [groups]` where there is one, `output [rows, to.groups]`, in `vec4`.
#[cube(launch_unchecked)]
pub(crate) fn linear_add(
    input: &[Vec4],
    words: &[Words],
    scales: &[Words],
    bias: &[Vec4],
    output: &mut [Vec4],
    #[comptime] section: Section,
    #[comptime] from: InputShape,
    #[comptime] to: OutputShape,
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
                let group = comptime!(to.first) + first_group + at;
                let sum = with_bias(sums[own], bias, group, has_bias);
                output[(first_row + row) * to.groups + group] += sum;
            }
        }
    }
}

/// `output[row] = act(W · norm(input[row]) + bias)`: the feed-forward part without a gate.
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
    #[comptime] to: OutputShape,
    #[comptime] has_bias: bool,
    #[comptime] activation: Activation,
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
                let group = comptime!(to.first) + first_group + at;
                let sum = with_bias(sums[own], bias, group, has_bias);
                output[(first_row + row) * to.groups + group] = active(sum, activation);
            }
        }
    }
}

/// `output[row] = act(G · norm(input[row])) * (U · norm(input[row]))`, where `G` and `U` are
/// two sections of one matrix and `act` is SiLU (Llama and Qwen) or GELU.
///
/// # Shapes
/// `input [rows, columns/4]`, `gain [columns/4]`, `output [rows, to.groups]`, in `vec4`.
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
    #[comptime] to: OutputShape,
    #[comptime] activation: Activation,
) {
    gated(input, input, gain, words, scales, output, gate, up, from, to, activation);
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
    #[comptime] to: OutputShape,
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
                let gate = active(gates[own], activation);
                let group = comptime!(to.first) + first_group + at;
                output[(first_row + row) * to.groups + group] = gate * ups[own];
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
    /// `max(x, 0)`.
    Relu,
}

#[cube]
fn active(x: Vec4, #[comptime] activation: Activation) -> Vec4 {
    if comptime!(matches!(activation, Activation::Silu)) {
        x / (Vec4::new(1.0) + (-x).exp())
    } else if comptime!(matches!(activation, Activation::Gelu)) {
        gelu(x)
    } else {
        max(x, Vec4::new(0.0))
    }
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
