//! How a file holds a tensor's elements, where that is not in the order that is used here.

use std::ops::Range;

use kernels::{BLOCK_COLUMNS, GROUP_ROWS, RowShape};

/// The order of a tensor's elements in its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrangement {
    /// Row after row.
    #[default]
    Rows,
    /// Column after column: what one input gives to all outputs (`Conv1D` of transformers' GPT-2).
    Columns,
    /// Row after row, the queries, keys and values of one head beside each other (BLOOM). Here all
    /// queries come first, then all keys, then all values.
    ByHead {
        /// Rows of each of the three.
        head_dim: usize,
    },
    /// A norm's gain less 1 (Gemma).
    LessOne,
}

/// Part of a matrix that is read at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which rows, in the order that is used here.
    pub rows: Range<usize>,
    /// Which columns.
    pub columns: Range<usize>,
}

impl Arrangement {
    /// Some rows of a matrix in pieces of at most so many bytes of the file, or of the fewest lines
    /// that can be packed.
    pub(crate) fn pieces(
        self,
        shape: RowShape,
        rows: Range<usize>,
        most_bytes: usize,
    ) -> Vec<Piece> {
        let columns = 0..shape.columns;
        if self == Self::Columns {
            let cuts = cut(columns, BLOCK_COLUMNS, column_bytes(shape), most_bytes);
            return cuts.map(|columns| Piece { rows: rows.clone(), columns }).collect();
        }
        let cuts = cut(rows, GROUP_ROWS, shape.row_bytes(), most_bytes);
        cuts.map(|rows| Piece { rows, columns: columns.clone() }).collect()
    }

    /// Where the bytes of a matrix's piece lie, counted from the tensor's first: range after range.
    pub(crate) fn ranges(self, shape: RowShape, piece: &Piece) -> Vec<Range<u64>> {
        let bytes = |lines: Range<usize>, line_bytes: usize| {
            let at = |line: usize| line as u64 * line_bytes as u64;
            at(lines.start)..at(lines.end)
        };
        match self {
            Self::Columns => vec![bytes(piece.columns.clone(), column_bytes(shape))],
            // A vector is one row.
            Self::ByHead { head_dim } if shape.rows > 1 => runs(piece.rows.clone(), head_dim)
                .map(|run| {
                    let first = row_by_head(run.start, shape.rows, head_dim);
                    bytes(first..first + run.len(), shape.row_bytes())
                })
                .collect(),
            _ => vec![bytes(piece.rows.clone(), shape.row_bytes())],
        }
    }

    /// What was read of a matrix's piece, row after row.
    pub(crate) fn rows(self, shape: RowShape, piece: &Piece, bytes: Vec<u8>) -> Vec<u8> {
        if self != Self::Columns {
            return bytes;
        }
        let size = shape.weight_type.block_bytes();
        let mut turned = Vec::with_capacity(piece.rows.len() * piece.columns.len() * size);
        for row in piece.rows.clone() {
            for column in bytes.chunks_exact(column_bytes(shape)) {
                turned.extend(&column[row * size..(row + 1) * size]);
            }
        }
        turned
    }

    /// A vector's elements.
    pub(crate) fn vector(self, mut elements: Vec<f32>) -> Vec<f32> {
        match self {
            Self::Rows | Self::Columns => {}
            Self::LessOne => elements.iter_mut().for_each(|gain| *gain += 1.0),
            Self::ByHead { head_dim } => {
                let count = elements.len();
                let from = |at: usize| elements[row_by_head(at, count, head_dim)];
                return (0..count).map(from).collect();
            }
        }
        elements
    }
}

/// Lines in runs of at most so many bytes, of whole units.
fn cut(
    lines: Range<usize>,
    unit: usize,
    line_bytes: usize,
    most_bytes: usize,
) -> impl Iterator<Item = Range<usize>> {
    let most = unit * (most_bytes / (unit * line_bytes)).max(1);
    let end = lines.end;
    lines.step_by(most).map(move |first| first..end.min(first + most))
}

/// Rows in runs that do not cross from one head to the next.
fn runs(rows: Range<usize>, head_dim: usize) -> impl Iterator<Item = Range<usize>> {
    let mut start = rows.start;
    std::iter::from_fn(move || {
        let run = start..rows.end.min((start / head_dim + 1) * head_dim);
        start = run.end;
        (!run.is_empty()).then_some(run)
    })
}

/// The place in the file of a row of queries, keys or values, of which there are `rows` together.
fn row_by_head(row: usize, rows: usize, head_dim: usize) -> usize {
    let each = rows / 3;
    let (part, head, element) = (row / each, row % each / head_dim, row % head_dim);
    (3 * head + part) * head_dim + element
}

fn column_bytes(shape: RowShape) -> usize {
    shape.rows * shape.weight_type.block_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernels::WeightType;

    const BY_HEAD: Arrangement = Arrangement::ByHead { head_dim: 2 };

    #[test]
    fn queries_keys_and_values_are_taken_apart() {
        // Two heads of two: q0 q1 k0 k1 v0 v1 of the first, then those of the second.
        let elements = (0u8..12).map(f32::from).collect();
        let expected = [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11].map(|at: u8| f32::from(at));
        assert_eq!(BY_HEAD.vector(elements), expected);
    }

    #[test]
    fn a_piece_by_head_is_read_run_by_run() {
        let shape = RowShape { weight_type: WeightType::F16, rows: 12, columns: 32 };
        let piece = Piece { rows: 1..5, columns: 0..32 };
        assert_eq!(BY_HEAD.ranges(shape, &piece), [64..128, 384..512, 128..192]);
    }

    #[test]
    fn columns_are_read_in_runs_and_turned() {
        let shape = RowShape { weight_type: WeightType::F16, rows: 4, columns: 96 };
        let pieces = Arrangement::Columns.pieces(shape, 0..4, 8 * 70);
        let columns = pieces.iter().map(|piece| piece.columns.clone());
        assert_eq!(columns.collect::<Vec<_>>(), [0..64, 64..96]);
        assert_eq!(Arrangement::Columns.ranges(shape, &pieces[1])[0], 512..768);
        let piece = Piece { rows: 1..3, columns: 0..2 };
        let bytes = (0..16).collect();
        let turned = Arrangement::Columns.rows(shape, &piece, bytes);
        assert_eq!(turned, [2, 3, 10, 11, 4, 5, 12, 13]);
    }
}
