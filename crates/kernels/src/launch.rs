//! Launchers: from buffers and shapes to dispatches. Each function is one dispatch.

use cubecl::prelude::*;

mod attention;
mod branch;

pub use attention::{AttentionBuffers, Cache};
pub use branch::Branch;

use crate::{
    gpu::{Buffer, Gpu},
    input::{InputNorm, InputShape, Tile},
    layout::GROUP_ROWS,
    matrix::{Activation, Lookup, OutputShape, Sections, embed, gate_up, linear, linear_add, up},
    pack::PackedMatrix,
    step::StepBuffer,
    table::Table,
    weights::BLOCK_COLUMNS,
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

/// What is done to looked-up rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Placing<'a> {
    /// What they are multiplied with, if with anything.
    pub scale: Option<f32>,
    /// `f32 [context, columns]`: what is added at each position, if anything is.
    pub places: Option<&'a Buffer>,
}

impl Gpu {
    /// `output[row] = table[token of row]`, placed, for the step's `rows` rows. One dispatch for each
    /// part of the table; every part has one section.
    pub fn embed(
        &self,
        table: &Table,
        placing: Placing<'_>,
        step: &StepBuffer,
        output: &Buffer,
        rows: usize,
    ) {
        for (part, first) in table.parts() {
            self.count_dispatch();
            let section = part.sections.list[0];
            let lookup = Lookup {
                tokens_at: step.tokens_at(),
                first_row: GROUP_ROWS * first,
                scale_bits: placing.scale.map(f32::to_bits),
                has_places: placing.places.is_some(),
            };
            // SAFETY: the shapes are the buffers' own; the caller checks tokens and positions.
            unsafe {
                embed::launch_unchecked(
                    &self.client,
                    cubes(section.columns / BLOCK_COLUMNS, rows),
                    CubeDim::new_1d(LANES),
                    vec4(&part.words),
                    vec4(&part.scales),
                    word(placing.places.unwrap_or(&part.scales)),
                    word(&step.buffer),
                    word(output),
                    section,
                    lookup,
                );
            }
        }
    }

    /// `output[row] = matrix · norm(input[row])` for `rows` rows.
    pub fn linear(
        &self,
        input: &Buffer,
        norm: &Norm,
        matrix: &PackedMatrix,
        step: &StepBuffer,
        output: &Buffer,
        rows: usize,
    ) {
        let from = input_shape(norm, matrix, self.tile(matrix, rows));
        let to = OutputShape { groups: matrix.sections.groups(), first: 0 };
        self.launch_linear(input, &norm.gain, matrix, step, output, rows, from, to, None);
    }

    /// `output[row] = matrix · input[row]` for `rows` rows.
    pub fn linear_plain(
        &self,
        input: &Buffer,
        matrix: &PackedMatrix,
        step: &StepBuffer,
        output: &Buffer,
        rows: usize,
    ) {
        let from = InputShape::plain(matrix.sections.columns(), self.tile(matrix, rows));
        let to = OutputShape { groups: matrix.sections.groups(), first: 0 };
        self.launch_linear(input, input, matrix, step, output, rows, from, to, None);
    }

    /// `output[i] = table · norm(input[head row i])` for the step's first `rows` head rows. One
    /// dispatch for each part of the table.
    pub fn linear_of_head_rows(
        &self,
        input: &Buffer,
        norm: &Norm,
        table: &Table,
        step: &StepBuffer,
        output: &Buffer,
        rows: usize,
    ) {
        let gathered_at = Some(step.head_rows_at());
        for (part, first) in table.parts() {
            let (from, to) = (
                input_shape(norm, part, self.tile(part, 1)),
                OutputShape { groups: table.groups(), first },
            );
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

    /// `output[row] += matrix · input[row] + bias` for `rows` rows. The matrix has one section.
    pub fn linear_add(
        &self,
        input: &Buffer,
        matrix: &PackedMatrix,
        bias: Option<&Buffer>,
        output: &Buffer,
        rows: usize,
    ) {
        self.count_dispatch();
        let section = matrix.sections.list[0];
        let from = InputShape::plain(section.columns, self.tile(matrix, rows));
        // SAFETY: as in `launch_linear`.
        unsafe {
            linear_add::launch_unchecked(
                &self.client,
                self.product_cubes(section.groups / from.groups_per_lane, rows, from),
                self.product_cube(),
                vec4(input),
                vec4(&matrix.words),
                vec4(&matrix.scales),
                vec4(bias.unwrap_or(input)),
                vec4(output),
                section,
                from,
                bias.is_some(),
            );
        }
    }

    /// `output[row] = gelu(matrix · norm(input[row]) + bias)` for `rows` rows. The matrix has one
    /// section.
    pub fn up(
        &self,
        input: &Buffer,
        norm: &Norm,
        matrix: &PackedMatrix,
        bias: Option<&Buffer>,
        output: &Buffer,
        rows: usize,
    ) {
        self.count_dispatch();
        let section = matrix.sections.list[0];
        let from = input_shape(norm, matrix, self.tile(matrix, rows));
        // SAFETY: as in `launch_linear`.
        unsafe {
            up::launch_unchecked(
                &self.client,
                self.product_cubes(section.groups / from.groups_per_lane, rows, from),
                self.product_cube(),
                vec4(input),
                vec4(&norm.gain),
                vec4(&matrix.words),
                vec4(&matrix.scales),
                vec4(bias.unwrap_or(input)),
                vec4(output),
                section,
                from,
                bias.is_some(),
            );
        }
    }

    /// `output[row] = act(gate · norm(input[row])) * (up · norm(input[row]))` for a
    /// matrix made by [`PackedMatrix::paired`].
    pub fn gate_up(
        &self,
        input: &Buffer,
        norm: &Norm,
        matrix: &PackedMatrix,
        activation: Activation,
        output: &Buffer,
        rows: usize,
    ) {
        self.count_dispatch();
        let from = input_shape(norm, matrix, self.tile(matrix, rows));
        let [gate, up, ..] = matrix.sections.list;
        // SAFETY: as in `launch_linear`.
        unsafe {
            gate_up::launch_unchecked(
                &self.client,
                self.product_cubes(gate.groups / from.groups_per_lane, rows, from),
                self.product_cube(),
                vec4(input),
                vec4(&norm.gain),
                vec4(&matrix.words),
                vec4(&matrix.scales),
                vec4(output),
                gate,
                up,
                from,
                activation,
            );
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
    let bits = norm.epsilon.to_bits();
    let norm = match norm.kind {
        NormKind::Rms => InputNorm::Rms(bits),
        NormKind::Layer => InputNorm::Layer(bits),
    };
    InputShape { norm, ..InputShape::plain(matrix.sections.columns(), tile) }
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
