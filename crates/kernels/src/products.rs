//! Products of input rows with groups of four rows of a matrix, one lane's share.
//!
//! Whatever the tile, a sum is made in the same order. Values are passed on rather than assigned where
//! that can be: a driver without a good optimiser keeps every variable in memory.

use cubecl::prelude::*;

use crate::{
    input::{
        InputNorm, InputShape, across, branch_scale, element, gain_of, normed, rms_scale, row_mean,
        row_scale,
    },
    matrix::{Section, Vec4, Words},
    unpack::{Four, WORD_COLUMNS, hold, minimum, scale, unpack},
    weights::BLOCK_COLUMNS,
};

/// The products of `rows_per_lane` input rows with the four rows of each of `groups_per_lane` groups:
/// `sums [rows, groups]`.
#[cube]
pub(crate) fn products(
    input: &[Vec4],
    branch: &[Vec4],
    gain: &[Vec4],
    words: &[Words],
    scales: &[Words],
    first_row: usize,
    first_group: usize,
    sums: &mut Array<Vec4>,
    #[comptime] section: Section,
    #[comptime] from: InputShape,
) {
    let rows = statistics(input, branch, first_row, from);
    let mut squares = Array::<Vec4>::new(from.rows_per_lane);
    clear(&mut squares, from.rows_per_lane);
    clear(sums, comptime!(from.sums()));
    let eights = comptime!(section.weight_type.scale_columns() / WORD_COLUMNS);
    for block in 0..section.columns / BLOCK_COLUMNS {
        for part in 0..comptime!(section.weight_type.parts()) {
            let mut parts = Array::<Vec4>::new(comptime!(from.sums()));
            let mut input_sums = Array::<Vec4>::new(from.rows_per_lane);
            clear(&mut parts, comptime!(from.sums()));
            clear(&mut input_sums, from.rows_per_lane);
            for at in 0..eights {
                let eight = part * eights + at;
                let mut fours = Array::<Vec4>::new(comptime!(2 * from.rows_per_lane));
                #[unroll]
                for half in 0..2usize {
                    let column =
                        (block * comptime!(BLOCK_COLUMNS / WORD_COLUMNS) + eight) * 2 + half;
                    let own_gain = gain_of(gain, column, from);
                    #[unroll]
                    for row in 0..from.rows_per_lane {
                        let row_at = (first_row + row) * comptime!(from.columns / 4);
                        let branch_scale = rows.branch_scales[row];
                        let raw = element(input, branch, gain, row_at, column, branch_scale, from);
                        let (mean, scale) = (rows.means[row], rows.scales[row]);
                        let four = normed(raw, own_gain, gain, column, mean, scale, from);
                        if comptime!(matches!(from.norm, InputNorm::Rms(_))) {
                            squares[row] = fma(raw, raw, squares[row]);
                        }
                        if comptime!(section.weight_type.needs_input_sums()) {
                            input_sums[row] += four;
                        }
                        fours[2 * row + half] = four;
                    }
                }
                add_eight(words, block, eight, first_group, &fours, &mut parts, section, from);
            }
            add_parts(scales, block, part, first_group, &parts, &input_sums, sums, section, from);
        }
    }
    scale_rows(sums, &squares, from);
}

/// What norms need to know of whole rows: see [`crate::input`].
#[derive(CubeType)]
struct Statistics {
    branch_scales: Array<f32>,
    means: Array<f32>,
    scales: Array<f32>,
}

#[cube]
fn statistics(
    input: &[Vec4],
    branch: &[Vec4],
    first_row: usize,
    #[comptime] from: InputShape,
) -> Statistics {
    let mut branch_scales = Array::<f32>::new(from.rows_per_lane);
    let mut means = Array::<f32>::new(from.rows_per_lane);
    let mut scales = Array::<f32>::new(from.rows_per_lane);
    #[unroll]
    for row in 0..from.rows_per_lane {
        let row_at = (first_row + row) * comptime!(from.columns / 4);
        branch_scales[row] = branch_scale(branch, row_at, from);
        means[row] = row_mean(input, row_at, from);
        scales[row] = row_scale(input, row_at, means[row], from);
    }
    Statistics { branch_scales, means, scales }
}

#[cube]
fn clear(sums: &mut Array<Vec4>, #[comptime] count: usize) {
    #[unroll]
    for at in 0..count {
        sums[at] = Vec4::new(0.0);
    }
}

/// The unscaled products of eight columns, whose inputs are `fours [rows, 2]`.
#[cube]
fn add_eight(
    words: &[Words],
    block: usize,
    eight: usize,
    first_group: usize,
    fours: &Array<Vec4>,
    parts: &mut Array<Vec4>,
    #[comptime] section: Section,
    #[comptime] from: InputShape,
) {
    #[unroll]
    for group in 0..from.groups_per_lane {
        let own_group = first_group + group;
        let held = hold(words, block, own_group, eight, section);
        let left = unpack(words, block, own_group, eight, &held, 0usize, section);
        let right = unpack(words, block, own_group, eight, &held, 1usize, section);
        #[unroll]
        for row in 0..from.rows_per_lane {
            let own = comptime!(row * from.groups_per_lane + group);
            let sum = with_four(&left, fours[2 * row], parts[own]);
            parts[own] = with_four(&right, fours[2 * row + 1], sum);
        }
    }
}

/// Adds what a block's `part` of unscaled products comes to.
#[cube]
fn add_parts(
    scales: &[Words],
    block: usize,
    part: usize,
    first_group: usize,
    parts: &Array<Vec4>,
    input_sums: &Array<Vec4>,
    sums: &mut Array<Vec4>,
    #[comptime] section: Section,
    #[comptime] from: InputShape,
) {
    #[unroll]
    for group in 0..from.groups_per_lane {
        let own_group = first_group + group;
        #[unroll]
        for row in 0..from.rows_per_lane {
            let own = comptime!(row * from.groups_per_lane + group);
            let (sum, inputs) = (sums[own], input_sums[row]);
            sums[own] = with_part(scales, block, own_group, sum, parts[own], inputs, part, section);
        }
    }
}

/// The second half of an RMS norm: its scale comes out of the product.
#[cube]
fn scale_rows(sums: &mut Array<Vec4>, squares: &Array<Vec4>, #[comptime] from: InputShape) {
    if comptime!(matches!(from.norm, InputNorm::Rms(_))) {
        #[unroll]
        for row in 0..from.rows_per_lane {
            let scale = Vec4::new(rms_scale(squares[row], from));
            #[unroll]
            for group in 0..from.groups_per_lane {
                sums[row * from.groups_per_lane + group] *= scale;
            }
        }
    }
}

/// `sum` and the products of four columns.
#[cube]
fn with_four(weights: &Four, four: Vec4, sum: Vec4) -> Vec4 {
    let first = fma(weights.a, Vec4::new(four.extract(0usize)), sum);
    let second = fma(weights.b, Vec4::new(four.extract(1usize)), first);
    let third = fma(weights.c, Vec4::new(four.extract(2usize)), second);
    fma(weights.d, Vec4::new(four.extract(3usize)), third)
}

/// `sum` and what a block's `part` of unscaled products comes to.
#[cube]
fn with_part(
    scales: &[Words],
    block: usize,
    group: usize,
    sum: Vec4,
    products: Vec4,
    inputs: Vec4,
    part: usize,
    #[comptime] section: Section,
) -> Vec4 {
    let weight_type = comptime!(section.weight_type);
    if comptime!(!weight_type.is_quantised()) {
        sum + products
    } else {
        let unit = Vec4::new(comptime!(weight_type.unit()));
        let own_scale = scale(scales, block, group, part, section) * unit;
        if comptime!(!weight_type.needs_input_sums()) {
            fma(products, own_scale, sum)
        } else {
            let total = Vec4::new(across(inputs));
            let offset = Vec4::new(comptime!(weight_type.offset() / weight_type.unit()));
            let scaled = fma(fma(total, offset, products), own_scale, sum);
            if comptime!(weight_type.has_minimum()) {
                fma(minimum(scales, block, group, section), -total, scaled)
            } else {
                scaled
            }
        }
    }
}
