//! Matrices that are larger than one binding.

use crate::{gpu::Gpu, layout::GROUP_ROWS, layout::RowShape, pack::PackedMatrix};

/// A matrix in parts, one below the other, each small enough for a binding. Every part but the last
/// is whole groups of rows.
#[derive(Clone, Debug)]
pub struct Table(Vec<PackedMatrix>);

impl Table {
    /// A table of these parts.
    ///
    /// # Panics
    /// If there are none.
    pub fn new(parts: Vec<PackedMatrix>) -> Self {
        assert!(!parts.is_empty(), "a table has rows");
        Self(parts)
    }

    /// Bytes that it takes on the GPU.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(PackedMatrix::bytes).sum()
    }

    /// Input features.
    pub fn columns(&self) -> usize {
        self.0[0].sections.columns()
    }

    /// Groups of four rows.
    pub(crate) fn groups(&self) -> usize {
        self.0.iter().map(|part| part.sections.groups()).sum()
    }

    /// The parts, and the groups before each.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&PackedMatrix, usize)> {
        self.0.iter().scan(0, |before, part| {
            let first = *before;
            *before += part.sections.groups();
            Some((part, first))
        })
    }
}

impl Gpu {
    /// The most rows of a tensor that one binding can hold: whole groups, or 0.
    pub fn rows_per_binding(&self, shape: RowShape) -> usize {
        let group_bytes = GROUP_ROWS * shape.weight_type.resident_row_bytes(shape.columns);
        let groups = self.max_binding_bytes / group_bytes as u64;
        GROUP_ROWS * usize::try_from(groups).unwrap_or(usize::MAX / GROUP_ROWS)
    }
}
