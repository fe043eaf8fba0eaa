//! Matrices that are larger than one binding.

use crate::{
    gpu::Gpu, layout::GROUP_ROWS, layout::RowShape, matrix::OutputShape, pack::PackedMatrix,
};

/// A matrix in parts, one below the other, each small enough for a binding. Every part but the last
/// is whole groups of rows.
#[derive(Clone, Debug)]
pub struct Matrix(Vec<PackedMatrix>);

impl Matrix {
    /// A matrix of these parts.
    ///
    /// # Panics
    /// If there are none.
    pub fn new(parts: Vec<PackedMatrix>) -> Self {
        assert!(!parts.is_empty(), "a matrix has rows");
        Self(parts)
    }

    /// Bytes that it takes on the GPU.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(PackedMatrix::bytes).sum()
    }

    /// The parts, and where the outputs of each are.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&PackedMatrix, OutputShape)> {
        self.placed(|part| part.sections.groups())
    }

    /// The same for parts of which each is a pair of sections that make one output.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&PackedMatrix, OutputShape)> {
        self.placed(|part| part.sections.list[0].groups)
    }

    fn placed(
        &self,
        groups_of: fn(&PackedMatrix) -> usize,
    ) -> impl Iterator<Item = (&PackedMatrix, OutputShape)> {
        let groups = self.0.iter().map(groups_of).sum();
        self.0.iter().scan(0, move |before, part| {
            let first = *before;
            *before += groups_of(part);
            Some((part, OutputShape { groups, first }))
        })
    }
}

impl From<PackedMatrix> for Matrix {
    fn from(whole: PackedMatrix) -> Self {
        Self(vec![whole])
    }
}

impl Gpu {
    /// The most rows of these tensors, as many of each, that one binding can hold: whole groups.
    ///
    /// # Errors
    /// The bytes of one group, where a binding does not hold even that.
    pub fn rows_per_binding(&self, shapes: &[RowShape]) -> Result<usize, u64> {
        let row_bytes = |shape: &RowShape| shape.weight_type.resident_row_bytes(shape.columns);
        let group_bytes = (GROUP_ROWS * shapes.iter().map(row_bytes).sum::<usize>()) as u64;
        match self.max_binding_bytes / group_bytes {
            0 => Err(group_bytes),
            groups => Ok(GROUP_ROWS * groups as usize),
        }
    }
}
