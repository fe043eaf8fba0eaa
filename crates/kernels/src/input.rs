//! The input rows of a product: as they are, or normalised, or with a *branch* still to be added.
//!
//! Where an architecture normalises what a module gives before it is added to the hidden state, the
//! module leaves its output as a branch, and whoever reads the hidden state next adds
//! `rms_norm(branch)` to it; see [`crate::branch`].

use cubecl::prelude::*;

use crate::matrix::Vec4;

/// What one lane multiplies with each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Tile {
    /// Input rows.
    pub rows_per_lane: usize,
    /// Groups of four output rows.
    pub groups_per_lane: usize,
}

impl Tile {
    /// One row and one group.
    pub(crate) const ONE: Self = Self { rows_per_lane: 1, groups_per_lane: 1 };
}

/// How a product reads its input rows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct InputShape {
    /// Elements of a row.
    pub columns: usize,
    /// Input rows that one lane multiplies with each weight it reads.
    pub rows_per_lane: usize,
    /// Groups of output rows that one lane multiplies with each input it reads.
    pub groups_per_lane: usize,
    /// What is done to a row first.
    pub norm: InputNorm,
    /// Bits of the epsilon of a branch's norm, where there is a branch.
    pub branch_epsilon_bits: Option<u32>,
}

impl InputShape {
    /// Rows as they are.
    pub(crate) fn plain(columns: usize, tile: Tile) -> Self {
        let Tile { rows_per_lane, groups_per_lane } = tile;
        let (norm, branch_epsilon_bits) = (InputNorm::None, None);
        Self { columns, rows_per_lane, groups_per_lane, norm, branch_epsilon_bits }
    }

    /// Vectors of four sums that a lane has.
    pub(crate) fn sums(&self) -> usize {
        self.rows_per_lane * self.groups_per_lane
    }
}

/// What is done to an input row ahead of a product; the numbers are the bits of its epsilon.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum InputNorm {
    /// Nothing.
    None,
    /// An RMS norm with gains `[columns]`, and, where there is a branch, those of its norm behind them.
    Rms(u32),
    /// A layer norm with gains `[columns]` and then biases `[columns]`.
    Layer(u32),
}

impl InputNorm {
    fn epsilon(self) -> f32 {
        match self {
            Self::None => 0.0,
            Self::Rms(bits) | Self::Layer(bits) => f32::from_bits(bits),
        }
    }
}

/// What the branch's norm multiplies its row with; 0 where there is no branch. `row_at` is where the
/// row begins.
#[cube]
pub(crate) fn branch_scale(branch: &[Vec4], row_at: usize, #[comptime] from: InputShape) -> f32 {
    let mut scale = f32::new(0.0);
    if comptime!(from.branch_epsilon_bits.is_some()) {
        let mut squares = Vec4::new(0.0);
        for column in 0..comptime!(from.columns / 4) {
            let four = branch[row_at + column];
            squares = fma(four, four, squares);
        }
        let epsilon = comptime!(f32::from_bits(from.branch_epsilon_bits.unwrap_or(0)));
        scale = inverse_root_of_mean(squares, epsilon, from.columns);
    }
    scale
}

/// The row's mean, for a layer norm.
#[cube]
pub(crate) fn row_mean(input: &[Vec4], row_at: usize, #[comptime] from: InputShape) -> f32 {
    let mut mean = f32::new(0.0);
    if comptime!(matches!(from.norm, InputNorm::Layer(_))) {
        let mut sums = Vec4::new(0.0);
        for column in 0..comptime!(from.columns / 4) {
            sums += input[row_at + column];
        }
        mean = across(sums) / comptime!(from.columns as f32);
    }
    mean
}

/// One over the row's deviation, for a layer norm.
#[cube]
pub(crate) fn row_scale(
    input: &[Vec4],
    row_at: usize,
    mean: f32,
    #[comptime] from: InputShape,
) -> f32 {
    let mut scale = f32::new(0.0);
    if comptime!(matches!(from.norm, InputNorm::Layer(_))) {
        let mut squares = Vec4::new(0.0);
        for column in 0..comptime!(from.columns / 4) {
            let difference = input[row_at + column] - Vec4::new(mean);
            squares = fma(difference, difference, squares);
        }
        scale = inverse_root_of_mean(squares, comptime!(from.norm.epsilon()), from.columns);
    }
    scale
}

/// What an RMS norm multiplies the row with, and 1 for any other.
#[cube]
pub(crate) fn root_scale(input: &[Vec4], row_at: usize, #[comptime] from: InputShape) -> f32 {
    let mut scale = f32::new(1.0);
    if comptime!(matches!(from.norm, InputNorm::Rms(_))) {
        let mut squares = Vec4::new(0.0);
        for column in 0..comptime!(from.columns / 4) {
            let four = input[row_at + column];
            squares = fma(four, four, squares);
        }
        scale = rms_scale(squares, from);
    }
    scale
}

/// Four elements of a row, with the branch's, before any norm.
#[cube]
pub(crate) fn element(
    input: &[Vec4],
    branch: &[Vec4],
    gain: &[Vec4],
    row_at: usize,
    column: usize,
    branch_scale: f32,
    #[comptime] from: InputShape,
) -> Vec4 {
    let four = input[row_at + column];
    if comptime!(from.branch_epsilon_bits.is_some()) {
        let own = branch[row_at + column] * Vec4::new(branch_scale);
        fma(own, gain[column + comptime!(from.columns / 4)], four)
    } else {
        four
    }
}

/// The norm's gains of four columns.
#[cube]
pub(crate) fn gain_of(gain: &[Vec4], column: usize, #[comptime] from: InputShape) -> Vec4 {
    if comptime!(matches!(from.norm, InputNorm::None)) { Vec4::new(1.0) } else { gain[column] }
}

/// Four elements with the norm's gain: all of a layer norm, and an RMS norm up to its scale.
#[cube]
pub(crate) fn normed(
    four: Vec4,
    own_gain: Vec4,
    gain: &[Vec4],
    column: usize,
    mean: f32,
    scale: f32,
    #[comptime] from: InputShape,
) -> Vec4 {
    if comptime!(matches!(from.norm, InputNorm::Layer(_))) {
        let centred = (four - Vec4::new(mean)) * Vec4::new(scale);
        let bias = gain[column + comptime!(from.columns / 4)];
        fma(centred, own_gain, bias)
    } else if comptime!(matches!(from.norm, InputNorm::Rms(_))) {
        four * own_gain
    } else {
        four
    }
}

/// What an RMS norm multiplies a row with whose squares add up to `squares`.
#[cube]
pub(crate) fn rms_scale(squares: Vec4, #[comptime] from: InputShape) -> f32 {
    inverse_root_of_mean(squares, comptime!(from.norm.epsilon()), from.columns)
}

#[cube]
fn inverse_root_of_mean(
    squares: Vec4,
    #[comptime] epsilon: f32,
    #[comptime] columns: usize,
) -> f32 {
    f32::new(1.0) / (across(squares) / comptime!(columns as f32) + epsilon).sqrt()
}

/// The sum of the four components.
#[cube]
pub(crate) fn across(four: Vec4) -> f32 {
    (four.extract(0usize) + four.extract(1usize)) + (four.extract(2usize) + four.extract(3usize))
}
