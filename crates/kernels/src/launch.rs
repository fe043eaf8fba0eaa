//! Launchers: from buffers and shapes to dispatches. Each function is one dispatch, or one for each
//! part of its matrix.

use cubecl::prelude::*;

mod attention;
mod branch;

pub use attention::{AttentionBuffers, Cache};
pub use branch::Branch;

use crate::{
    gpu::{Buffer, Gpu},
    input::{InputNorm, InputShape, Tile},
    matrix::{Activation, OutputShape, Sections, gate_up, linear, linear_add, up},
    pack::PackedMatrix,
    parts::Matrix,
    step::StepBuffer,
};

/// Lanes of a cube of the matrix and rotary kernels.
const LANES: u32 = 32;
/// Input rows that a lane takes at once when there are enough of them. Buffers of
/// rows must hold a multiple of this many.
const ROWS_PER_LANE: usize = 4;

/// A norm ahead of a product.
#[derive(Clone, Debug)]
pub struct Norm {
    /// How it is computed.
    pub kind: NormKind,
    /// `f32 [columns]`; then the biases of a layer norm, or the gains of a branch's norm where the
    /// product reads a [`Branch`].
    pub gain: Buffer,
    /// Added to the mean square or the variance.
    pub epsilon: f32,
}

/// How a vector is normalised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NormKind {
    /// Divided by the root of the mean square, times a gain.
    Rms,
    /// Less the mean, divided by the standard deviation, times a gain, plus a bias.
    Layer,
}

impl Gpu {
    /// `output[row] = matrix · norm(input[row])` for `rows` rows.
    pub fn linear(
        &self,
        input: &Buffer,
        norm: &Norm,
        matrix: &Matrix,
        step: &StepBuffer,
        output: &Buffer,
        rows: usize,
    ) {
        for (part, to) in matrix.parts() {
            let from = input_shape(norm, part, self.tile(part, rows));
            self.launch_linear(input, &norm.gain, part, step, output, rows, from, to, None);
        }
    }

    /// `output[row] = matrix · input[row]` for `rows` rows.
    pub fn linear_plain(
        &self,
        input: &Buffer,
        matrix: &Matrix,
        step: &StepBuffer,
        output: &Buffer,
        rows: usize,
    ) {
        for (part, to) in matrix.parts() {
            let from = InputShape::plain(part.sections.columns(), self.tile(part, rows));
            self.launch_linear(input, input, part, step, output, rows, from, to, None);
        }
    }

    /// `output[i] = matrix · norm(input[head row i])` for the step's first `rows` head rows.
    pub fn linear_of_head_rows(
        &self,
        input: &Buffer,
        norm: &Norm,
        matrix: &Matrix,
        step: &StepBuffer,
        output: &Buffer,
        rows: usize,
    ) {
        let gathered_at = Some(step.head_rows_at());
        for (part, to) in matrix.parts() {
            let from = input_shape(norm, part, self.tile(part, 1));
            self.launch_linear(input, &norm.gain, part, step, output, rows, from, to, gathered_at);
        }
    }

    fn launch_linear(
        &self,
        input: &Buffer,
        gain: &Buffer,
        matrix: &PackedMatrix,
        step: &StepBuffer,
        output: &Buffer,
        rows: usize,
        from: InputShape,
        to: OutputShape,
        gathered_at: Option<usize>,
    ) {
        self.count_dispatch();
        // SAFETY: the shapes are the buffers' own, so that no lane reads or writes past an end.
        unsafe {
            linear::launch_unchecked(
                &self.client,
                self.product_cubes(matrix.sections.groups() / from.groups_per_lane, rows, from),
                self.product_cube(),
                vec4(input),
                vec4(gain),
                vec4(&matrix.words),
                vec4(&matrix.scales),
                word(&step.buffer),
                vec4(output),
                matrix.sections,
                from,
                to,
                gathered_at,
            );
        }
    }

    /// `output[row] += matrix · input[row] + bias` for `rows` rows. Every part has one section.
    pub fn linear_add(
        &self,
        input: &Buffer,
        matrix: &Matrix,
        bias: Option<&Buffer>,
        output: &Buffer,
        rows: usize,
    ) {
        for (part, to) in matrix.parts() {
            self.count_dispatch();
            let section = part.sections.list[0];
            let from = InputShape::plain(section.columns, self.tile(part, rows));
            // SAFETY: as in `launch_linear`.
            unsafe {
                linear_add::launch_unchecked(
                    &self.client,
                    self.product_cubes(section.groups / from.groups_per_lane, rows, from),
                    self.product_cube(),
                    vec4(input),
                    vec4(&part.words),
                    vec4(&part.scales),
                    vec4(bias.unwrap_or(input)),
                    vec4(output),
                    section,
                    from,
                    to,
                    bias.is_some(),
                );
            }
        }
    }

    /// `output[row] = act(matrix · norm(input[row]) + bias)` for `rows` rows. Every part has one
    /// section.
    pub fn up(
        &self,
        input: &Buffer,
        norm: &Norm,
        matrix: &Matrix,
        bias: Option<&Buffer>,
        activation: Activation,
        output: &Buffer,
        rows: usize,
    ) {
        for (part, to) in matrix.parts() {
            self.count_dispatch();
            let section = part.sections.list[0];
            let from = input_shape(norm, part, self.tile(part, rows));
            // SAFETY: as in `launch_linear`.
            unsafe {
                up::launch_unchecked(
                    &self.client,
                    self.product_cubes(section.groups / from.groups_per_lane, rows, from),
                    self.product_cube(),
                    vec4(input),
                    vec4(&norm.gain),
                    vec4(&part.words),
                    vec4(&part.scales),
                    vec4(bias.unwrap_or(input)),
                    vec4(output),
                    section,
                    from,
                    to,
                    bias.is_some(),
                    activation,
                );
            }
        }
    }

    /// `output[row] = act(gate · norm(input[row])) * (up · norm(input[row]))` for a matrix whose
    /// parts are made by [`PackedMatrix::paired`].
    pub fn gate_up(
        &self,
        input: &Buffer,
        norm: &Norm,
        matrix: &Matrix,
        activation: Activation,
        output: &Buffer,
        rows: usize,
    ) {
        for (part, to) in matrix.pairs() {
            self.count_dispatch();
            let from = input_shape(norm, part, self.tile(part, rows));
            let [gate, up, ..] = part.sections.list;
            // SAFETY: as in `launch_linear`.
            unsafe {
                gate_up::launch_unchecked(
                    &self.client,
                    self.product_cubes(gate.groups / from.groups_per_lane, rows, from),
                    self.product_cube(),
                    vec4(input),
                    vec4(&norm.gain),
                    vec4(&part.words),
                    vec4(&part.scales),
                    vec4(output),
                    gate,
                    up,
                    from,
                    to,
                    activation,
                );
            }
        }
    }

    /// What a lane takes of `rows` rows and a matrix. Every section is whole tiles.
    fn tile(&self, matrix: &PackedMatrix, rows: usize) -> Tile {
        let rows_per_lane = if rows == 1 { 1 } else { ROWS_PER_LANE };
        let mut groups_per_lane = self.tiling.groups;
        while groups_per_lane > 1 && !self.can_take(&matrix.sections, groups_per_lane) {
            groups_per_lane /= 2;
        }
        Tile { rows_per_lane, groups_per_lane }
    }

    fn can_take(&self, sections: &Sections, groups: usize) -> bool {
        sections.are_multiples_of(groups) && sections.groups() / groups >= self.tiling.least_lanes
    }

    /// Fewer lanes where each may have more to do, so that there is a cube for every processor.
    fn product_cube(&self) -> CubeDim {
        CubeDim::new_1d(LANES / self.tiling.groups as u32)
    }

    /// So many lanes for each of the tile's rows.
    fn product_cubes(&self, lanes: usize, rows: usize, from: InputShape) -> CubeCount {
        let width = (lanes as u32).div_ceil(self.product_cube().x);
        CubeCount::Static(width, rows.div_ceil(from.rows_per_lane) as u32, 1)
    }
}

/// Bytes of a buffer for `rows` rows of `columns` `f32`, rounded up to whole lanes' rows.
pub fn rows_bytes(rows: usize, columns: usize) -> usize {
    rows.next_multiple_of(ROWS_PER_LANE) * columns * size_of::<f32>()
}

/// A lane for each row of each column.
fn cubes(lanes: usize, rows: usize) -> CubeCount {
    CubeCount::Static((lanes as u32).div_ceil(LANES), rows as u32, 1)
}

fn input_shape(norm: &Norm, matrix: &PackedMatrix, tile: Tile) -> InputShape {
    norm.shape(InputShape::plain(matrix.sections.columns(), tile))
}

impl Norm {
    /// Rows that go through it.
    fn shape(&self, rows: InputShape) -> InputShape {
        let bits = self.epsilon.to_bits();
        let norm = match self.kind {
            NormKind::Rms => InputNorm::Rms(bits),
            NormKind::Layer => InputNorm::Layer(bits),
        };
        InputShape { norm, ..rows }
    }
}

/// The buffer as `vec4` of 32-bit elements.
pub(crate) fn vec4(buffer: &Buffer) -> BufferArg {
    // SAFETY: the length is the buffer's own.
    unsafe { BufferArg::from_raw_parts(buffer.0.clone(), buffer.bytes() as usize / 16) }
}

/// The buffer as 32-bit elements.
fn word(buffer: &Buffer) -> BufferArg {
    // SAFETY: the length is the buffer's own.
    unsafe { BufferArg::from_raw_parts(buffer.0.clone(), buffer.bytes() as usize / 4) }
}
