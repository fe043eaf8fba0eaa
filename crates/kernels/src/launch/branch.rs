//! Launchers for what is normalised before it is added.

use cubecl::prelude::*;

use super::{LANES, Norm, cubes, vec4};
use crate::{
    branch::{gate_up_settling, linear_settling, normalise, settle},
    gpu::{Buffer, Gpu},
    input::{InputNorm, InputShape, Tile},
    matrix::Activation,
    parts::Matrix,
};

/// The hidden state with something that has yet to be normalised and added to it, and where the sum
/// goes. `f32 [rows, columns]` each; they are three different buffers.
#[derive(Clone, Copy, Debug)]
pub struct Branch<'a> {
    /// The hidden state.
    pub hidden: &'a Buffer,
    /// What is to be added.
    pub branch: &'a Buffer,
    /// The sum.
    pub settled: &'a Buffer,
}

impl Gpu {
    /// `output[row] = matrix · norm(hidden[row] + branch_norm(branch[row]))` for `rows` rows; the sum
    /// is kept. Every part of the matrix writes the same sum.
    pub fn linear_settling(
        &self,
        from: Branch<'_>,
        norm: &Norm,
        matrix: &Matrix,
        output: &Buffer,
        rows: usize,
    ) {
        for (part, to) in matrix.parts() {
            self.count_dispatch();
            let shape = branch_shape(norm, part.sections.columns(), self.tile(part, rows));
            let lanes = settling_lanes(part.sections.groups(), shape);
            // SAFETY: as in `launch_linear`.
            unsafe {
                linear_settling::launch_unchecked(
                    &self.client,
                    self.product_cubes(lanes, rows, shape),
                    self.product_cube(),
                    vec4(from.hidden),
                    vec4(from.branch),
                    vec4(&norm.gain),
                    vec4(&part.words),
                    vec4(&part.scales),
                    vec4(from.settled),
                    vec4(output),
                    part.sections,
                    shape,
                    to,
                );
            }
        }
    }

    /// As [`Gpu::gate_up`] with `hidden[row] + branch_norm(branch[row])` for the input; the sum is kept.
    pub fn gate_up_settling(
        &self,
        from: Branch<'_>,
        norm: &Norm,
        matrix: &Matrix,
        activation: Activation,
        output: &Buffer,
        rows: usize,
    ) {
        for (part, to) in matrix.pairs() {
            self.count_dispatch();
            let shape = branch_shape(norm, part.sections.columns(), self.tile(part, rows));
            let [gate, up, ..] = part.sections.list;
            let lanes = settling_lanes(gate.groups, shape);
            // SAFETY: as in `launch_linear`.
            unsafe {
                gate_up_settling::launch_unchecked(
                    &self.client,
                    self.product_cubes(lanes, rows, shape),
                    self.product_cube(),
                    vec4(from.hidden),
                    vec4(from.branch),
                    vec4(&norm.gain),
                    vec4(&part.words),
                    vec4(&part.scales),
                    vec4(from.settled),
                    vec4(output),
                    gate,
                    up,
                    shape,
                    to,
                    activation,
                );
            }
        }
    }

    /// `settled[row] = hidden[row] + branch_norm(branch[row])` for `rows` rows of `columns`; the gains
    /// are the second half of the norm's.
    pub fn settle(&self, from: Branch<'_>, norm: &Norm, columns: usize, rows: usize) {
        self.count_dispatch();
        // SAFETY: as in `launch_linear`.
        unsafe {
            settle::launch_unchecked(
                &self.client,
                cubes(columns / 4, rows),
                CubeDim::new_1d(LANES),
                vec4(from.hidden),
                vec4(from.branch),
                vec4(&norm.gain),
                vec4(from.settled),
                branch_shape(norm, columns, Tile::ONE),
            );
        }
    }

    /// `output[row] = norm(input[row])` for `rows` rows of `columns`.
    pub fn normalise(
        &self,
        input: &Buffer,
        norm: &Norm,
        columns: usize,
        output: &Buffer,
        rows: usize,
    ) {
        self.count_dispatch();
        // SAFETY: as in `launch_linear`.
        unsafe {
            normalise::launch_unchecked(
                &self.client,
                cubes(columns / 4, rows),
                CubeDim::new_1d(LANES),
                vec4(input),
                vec4(&norm.gain),
                vec4(output),
                norm.shape(InputShape::plain(columns, Tile::ONE)),
            );
        }
    }
}

/// A lane for each tile of the product, and at least one for each four columns of the sum.
fn settling_lanes(groups: usize, shape: InputShape) -> usize {
    (groups / shape.groups_per_lane).max(shape.columns / 4)
}

/// Rows with a branch ahead of an RMS norm.
fn branch_shape(norm: &Norm, columns: usize, tile: Tile) -> InputShape {
    let bits = norm.epsilon.to_bits();
    InputShape {
        norm: InputNorm::Rms(bits),
        branch_epsilon_bits: Some(bits),
        ..InputShape::plain(columns, tile)
    }
}
