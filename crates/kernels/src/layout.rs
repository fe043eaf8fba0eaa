//! Where the rows of several tensors lie in one packed matrix.

use crate::{
    matrix::{MAX_SECTIONS, Section, Sections},
    weights::{BLOCK_COLUMNS, WeightType},
};

/// Output rows that a lane computes at once, whose words are interleaved.
pub const GROUP_ROWS: usize = 4;

/// How many rows a tensor has and how they are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RowShape {
    /// How the rows are stored.
    pub weight_type: WeightType,
    /// Output features.
    pub rows: usize,
    /// Input features; a multiple of 32 and of the type's blocks.
    pub columns: usize,
}

/// Where a piece of a tensor begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Corner {
    /// Its first row; a multiple of [`GROUP_ROWS`].
    pub row: usize,
    /// Its first column; a multiple of 32 and of the type's blocks.
    pub column: usize,
}

impl Corner {
    /// Whether a piece that begins here can be put into rows of so many columns. High bits of a row
    /// lie behind all its low bits, so that rows that have them come whole.
    pub(crate) fn fits(self, piece: RowShape, columns: usize) -> bool {
        let block = piece.weight_type.block_columns().max(BLOCK_COLUMNS);
        let is_whole = (self.column, piece.columns) == (0, columns);
        let is_part = self.column + piece.columns <= columns && piece.weight_type.high_bits() == 0;
        self.row.is_multiple_of(GROUP_ROWS)
            && self.column.is_multiple_of(block)
            && (is_whole || is_part)
    }
}

/// Tensors that do not make a packed matrix, or bytes that are not their rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// Columns are not whole blocks.
    #[error("rows of {columns} columns cannot be packed; the number must be a multiple of {of}")]
    Columns {
        /// Columns of the tensor.
        columns: usize,
        /// What they must be a multiple of.
        of: usize,
    },
    /// A tensor before the last does not end with a group of four rows.
    #[error("a matrix of {rows} rows cannot be fused with another below it")]
    Rows {
        /// Rows of the one above.
        rows: usize,
    },
    /// Too many different storage types in one matrix.
    #[error("matrices of more than {MAX_SECTIONS} types cannot be fused")]
    Types,
    /// Tensors of one matrix differ in columns.
    #[error("matrices of {first} and {other} columns cannot be fused")]
    Mismatch {
        /// Columns of the first tensor.
        first: usize,
        /// Columns of the other one.
        other: usize,
    },
    /// The data does not have the length that the shape implies.
    #[error("a matrix of {rows} rows needs {expected} bytes and has {found}")]
    Length {
        /// Rows of the tensor.
        rows: usize,
        /// Bytes the shape implies.
        expected: usize,
        /// Bytes there are.
        found: usize,
    },
}

impl RowShape {
    /// Bytes of one row in a file.
    pub fn row_bytes(&self) -> usize {
        self.columns / self.weight_type.block_columns() * self.weight_type.block_bytes()
    }

    /// Groups of four rows, the last padded.
    pub(crate) fn groups(&self) -> usize {
        self.rows.div_ceil(GROUP_ROWS)
    }

    fn check(&self) -> Result<(), PackError> {
        let of = self.weight_type.block_columns().max(BLOCK_COLUMNS);
        if self.columns == 0 || !self.columns.is_multiple_of(of) {
            return Err(PackError::Columns { columns: self.columns, of });
        }
        Ok(())
    }
}

/// The sections of a matrix, and where each tensor begins in them.
#[derive(Clone, Debug)]
pub struct Layout {
    pub(crate) sections: Sections,
    /// Section of each tensor, and the groups before it there.
    places: Vec<(Section, usize)>,
    /// In `vec4`.
    words: usize,
    /// In `vec4`.
    scales: usize,
}

impl Layout {
    /// Tensors one below the other; those of one type share a section.
    ///
    /// # Errors
    /// Where the shapes do not fit; see [`PackError`].
    ///
    /// # Panics
    /// If there are no tensors.
    pub fn stacked(tensors: &[RowShape]) -> Result<Self, PackError> {
        let alike = |a: &RowShape, b: &RowShape| a.weight_type == b.weight_type;
        Self::of(&tensors.chunk_by(alike).collect::<Vec<_>>())
    }

    /// `gate` and `up` in a section each, as [`crate::Gpu::gate_up`] wants them.
    ///
    /// # Errors
    /// Where the shapes do not fit; see [`PackError`].
    pub fn paired(gate: RowShape, up: RowShape) -> Result<Self, PackError> {
        Self::of(&[&[gate], &[up]])
    }

    /// Bytes that the matrix takes on the GPU.
    pub fn bytes(&self) -> u64 {
        (self.words_bytes() + self.scales_bytes()) as u64
    }

    pub(crate) fn words_bytes(&self) -> usize {
        16 * self.words
    }

    /// The kernels bind a buffer of scales whatever the types.
    pub(crate) fn scales_bytes(&self) -> usize {
        16 * self.scales.max(1)
    }

    /// The section of a tensor, and the groups before it there.
    pub(crate) fn place(&self, tensor: usize) -> (Section, usize) {
        self.places[tensor]
    }

    fn of(sections: &[&[RowShape]]) -> Result<Self, PackError> {
        check(&sections.concat())?;
        if sections.len() > MAX_SECTIONS {
            return Err(PackError::Types);
        }
        let (mut list, mut places) = (Vec::with_capacity(sections.len()), Vec::new());
        let (mut words, mut scales) = (0, 0);
        for tensors in sections {
            let RowShape { weight_type, columns, .. } = tensors[0];
            let groups = tensors.iter().map(RowShape::groups).sum();
            let section =
                Section { columns, groups, weight_type, words_at: words, scales_at: scales };
            words += groups * weight_type.row_words(columns);
            scales += groups * weight_type.row_scale_words(columns);
            let mut before = 0;
            for tensor in *tensors {
                places.push((section, before));
                before += tensor.groups();
            }
            list.push(section);
        }
        let at = |at: usize| *list.get(at).unwrap_or(&list[0]);
        let sections = Sections { count: list.len(), list: std::array::from_fn(at) };
        Ok(Self { sections, places, words, scales })
    }
}

/// The shapes fit each other, and every tensor but the last is whole groups.
fn check(tensors: &[RowShape]) -> Result<(), PackError> {
    let first = tensors[0].columns;
    for (at, tensor) in tensors.iter().enumerate() {
        tensor.check()?;
        if tensor.columns != first {
            return Err(PackError::Mismatch { first, other: tensor.columns });
        }
        if at + 1 < tensors.len() && !tensor.rows.is_multiple_of(GROUP_ROWS) {
            return Err(PackError::Rows { rows: tensor.rows });
        }
    }
    Ok(())
}
