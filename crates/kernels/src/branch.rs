//! For architectures that normalise what a module gives before it is added (Gemma 3): kernels that
//! read the hidden state together with such a branch, and write the sum for those that come later.
//!
//! The sum goes to another buffer than it is read from, because other lanes still read that one.

use cubecl::prelude::*;

use crate::{
    input::{InputShape, branch_scale, element, gain_of, normed, root_scale, row_mean, row_scale},
    matrix::{Activation, OutputShape, Section, Sections, Vec4, Words, gated, store},
    products::products,
};

/// As [`crate::matrix::linear`] without gathering; writes the input with its branch to `settled`.
#[cube(launch_unchecked)]
pub(crate) fn linear_settling(
    input: &[Vec4],
    branch: &[Vec4],
    gain: &[Vec4],
    words: &[Words],
    scales: &[Words],
    settled: &mut [Vec4],
    output: &mut [Vec4],
    #[comptime] sections: Sections,
    #[comptime] from: InputShape,
    #[comptime] to: OutputShape,
) {
    let lane = ABSOLUTE_POS_X as usize;
    let first_group = lane * from.groups_per_lane;
    let first_row = CUBE_POS_Y as usize * from.rows_per_lane;
    settle_share(input, branch, gain, settled, first_row, lane, from);
    #[unroll]
    for at in 0..sections.count {
        let section = comptime!(sections.list[at]);
        let before = comptime!(sections.groups_before(at));
        if first_group >= before && first_group < comptime!(before + section.groups) {
            let own = first_group - before;
            let mut sums = Array::<Vec4>::new(comptime!(from.sums()));
            products(input, branch, gain, words, scales, first_row, own, &mut sums, section, from);
            let place = first_row * to.groups + comptime!(to.first) + first_group;
            store(&sums, output, place, to.groups, from);
        }
    }
}

/// As [`crate::matrix::gate_up`]; writes the input with its branch to `settled`.
#[cube(launch_unchecked)]
pub(crate) fn gate_up_settling(
    input: &[Vec4],
    branch: &[Vec4],
    gain: &[Vec4],
    words: &[Words],
    scales: &[Words],
    settled: &mut [Vec4],
    output: &mut [Vec4],
    #[comptime] gate: Section,
    #[comptime] up: Section,
    #[comptime] from: InputShape,
    #[comptime] to: OutputShape,
    #[comptime] activation: Activation,
) {
    let first_row = CUBE_POS_Y as usize * from.rows_per_lane;
    settle_share(input, branch, gain, settled, first_row, ABSOLUTE_POS_X as usize, from);
    gated(input, branch, gain, words, scales, output, gate, up, from, to, activation);
}

/// `settled[row] = input[row] + rms_norm(branch[row])`; the branch's gains are the second half of
/// `gain`.
#[cube(launch_unchecked)]
pub(crate) fn settle(
    input: &[Vec4],
    branch: &[Vec4],
    gain: &[Vec4],
    settled: &mut [Vec4],
    #[comptime] from: InputShape,
) {
    let first_row = CUBE_POS_Y as usize * from.rows_per_lane;
    settle_share(input, branch, gain, settled, first_row, ABSOLUTE_POS_X as usize, from);
}

/// Each of the first lanes writes four columns.
#[cube]
fn settle_share(
    input: &[Vec4],
    branch: &[Vec4],
    gain: &[Vec4],
    settled: &mut [Vec4],
    first_row: usize,
    column: usize,
    #[comptime] from: InputShape,
) {
    if column < comptime!(from.columns / 4) {
        #[unroll]
        for row in 0..from.rows_per_lane {
            let row_at = (first_row + row) * comptime!(from.columns / 4);
            let scale = branch_scale(branch, row_at, from);
            settled[row_at + column] = element(input, branch, gain, row_at, column, scale, from);
        }
    }
}

/// `output[row] = norm(input[row])`, as BLOOM does behind its embedding and T5 behind its encoder.
#[cube(launch_unchecked)]
pub(crate) fn normalise(
    input: &[Vec4],
    gain: &[Vec4],
    output: &mut [Vec4],
    #[comptime] from: InputShape,
) {
    let column = ABSOLUTE_POS_X as usize;
    if column < comptime!(from.columns / 4) {
        let row_at = CUBE_POS_Y as usize * comptime!(from.columns / 4);
        let mean = row_mean(input, row_at, from);
        let scale = row_scale(input, row_at, mean, from);
        let own_gain = gain_of(gain, column, from);
        let four = normed(input[row_at + column], own_gain, gain, column, mean, scale, from);
        output[row_at + column] = four * Vec4::new(root_scale(input, row_at, from));
    }
}
