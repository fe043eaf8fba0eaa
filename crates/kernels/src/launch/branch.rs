//! Launchers for what is normalised before it is added.

use cubecl::prelude::*;

use super::{LANES, Norm, cubes, rows_per_lane, vec4};
use crate::{
    branch::{gate_up_settling, linear_settling, normalise, settle},
    gpu::{Buffer, Gpu},
    input::{InputNorm, InputShape},
    matrix::Activation,
    pack::PackedMatrix,
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
    /// is kept.
    pub fn linear_settling(
        &self,
        from: Branch<'_>,
        norm: &Norm,
        matrix: &PackedMatrix,
        output: &Buffer,
        rows: usize,
    ) {
        self.count_dispatch();
        let shape = branch_shape(norm, matrix.sections.columns(), rows_per_lane(rows));
        let lanes = matrix.sections.groups().max(shape.columns / 4);
        // SAFETY: as in `launch_linear`.
        unsafe {
            linear_settling::launch_unchecked(
                &self.client,
                cubes(lanes, rows, shape.rows_per_lane),
                CubeDim::new_1d(LANES),
                vec4(from.hidden),
                vec4(from.branch),
                vec4(&norm.gain),
                vec4(&matrix.words),
                vec4(&matrix.scales),
                vec4(from.settled),
                vec4(output),
                matrix.sections,
                shape,
            );
        }
    }

    /// As [`Gpu::gate_up`] with `hidden[row] + branch_norm(branch[row])` for the input; the sum is kept.
    pub fn gate_up_settling(
        &self,
        from: Branch<'_>,
        norm: &Norm,
        matrix: &PackedMatrix,
        activation: Activation,
        output: &Buffer,
        rows: usize,
    ) {
        self.count_dispatch();
        let shape = branch_shape(norm, matrix.sections.columns(), rows_per_lane(rows));
        let [gate, up, ..] = matrix.sections.list;
        // SAFETY: as in `launch_linear`.
        unsafe {
            gate_up_settling::launch_unchecked(
                &self.client,
                cubes(gate.groups.max(shape.columns / 4), rows, shape.rows_per_lane),
                CubeDim::new_1d(LANES),
                vec4(from.hidden),
                vec4(from.branch),
                vec4(&norm.gain),
                vec4(&matrix.words),
                vec4(&matrix.scales),
                vec4(from.settled),
                vec4(output),
                gate,
                up,
                shape,
                activation,
            );
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
                cubes(columns / 4, rows, 1),
                CubeDim::new_1d(LANES),
                vec4(from.hidden),
                vec4(from.branch),
                vec4(&norm.gain),
                vec4(from.settled),
                branch_shape(norm, columns, 1),
            );
        }
    }

    /// `output[row] = norm(input[row])`, a layer norm, for `rows` rows of `columns`.
    pub fn normalise(
        &self,
        input: &Buffer,
        norm: &Norm,
        columns: usize,
        output: &Buffer,
        rows: usize,
    ) {
        self.count_dispatch();
        let norm_shape = InputNorm::Layer(norm.epsilon.to_bits());
        // SAFETY: as in `launch_linear`.
        unsafe {
            normalise::launch_unchecked(
                &self.client,
                cubes(columns / 4, rows, 1),
                CubeDim::new_1d(LANES),
                vec4(input),
                vec4(&norm.gain),
                vec4(output),
                InputShape { norm: norm_shape, ..InputShape::plain(columns, 1) },
            );
        }
    }
}

/// Rows with a branch ahead of an RMS norm.
fn branch_shape(norm: &Norm, columns: usize, rows_per_lane: usize) -> InputShape {
    let bits = norm.epsilon.to_bits();
    InputShape {
        columns,
        rows_per_lane,
        norm: InputNorm::Rms(bits),
        branch_epsilon_bits: Some(bits),
    }
}
