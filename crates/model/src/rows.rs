//! Reading tensors piece by piece, in the precision in which they are kept.

use std::ops::Range;

use base::ModuleRange;
use graph::{POSITION_TABLE, is_relative_table};
use kernels::{GROUP_ROWS, RowShape, RowSource, WeightType};

use crate::{
    arrangement::Piece, error::ModelError, file::ModelFile, gguf::TensorInfo, source::ByteSource,
};

impl<S: ByteSource> ModelFile<S> {
    /// The shape of a tensor's rows as they are kept on the GPU; a vector is one row.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] when there is none of that name.
    pub fn row_shape(&self, name: &str) -> Result<RowShape, ModelError> {
        Ok(self.kept(self.info(name)?))
    }

    /// Some rows of a matrix in the pieces in which they are to be read, so that none takes more than
    /// 4 MiB: whole groups, counted from the first of the rows, or whole blocks of columns.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] when there is none of that name.
    pub fn pieces(&self, name: &str, rows: Range<usize>) -> Result<Vec<Piece>, ModelError> {
        let info = self.info(name)?;
        // The widest rows of a lawful model are a megabyte, so that four of them are a piece.
        Ok(info.arrangement.pieces(info.row_shape(), rows, PIECE_BYTES))
    }

    /// Reads part of a matrix, in the precision in which it is kept.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] when there is no such part, [`ModelError::Source`].
    pub async fn piece(&self, name: &str, piece: &Piece) -> Result<Rows, ModelError> {
        let info = self.info(name)?;
        let (all, Piece { rows, columns }) = (info.row_shape(), piece);
        let is_in = |part: &Range<usize>, of: usize| part.start <= part.end && part.end <= of;
        if !is_in(rows, all.rows) || !is_in(columns, all.columns) {
            let problem = format!("has {} rows of {}, not {piece:?}", all.rows, all.columns);
            return Err(ModelError::tensor(name, problem));
        }
        let mut bytes = Vec::new();
        for range in info.arrangement.ranges(all, piece) {
            bytes.extend(self.part(info, range).await?);
        }
        let bytes = info.arrangement.rows(all, piece, bytes);
        let shape = RowShape { rows: rows.len(), columns: columns.len(), ..all };
        Ok(Rows { shape, bytes }.kept_as(self.kept(info).weight_type))
    }

    /// Reads a vector.
    ///
    /// # Errors
    /// As [`ModelFile::piece`].
    pub async fn vector(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        let info = self.info(name)?;
        let shape = RowShape { rows: 1, ..info.row_shape() };
        let bytes = self.part(info, 0..shape.row_bytes() as u64).await?;
        Ok(info.arrangement.vector(Rows { shape, bytes }.source().widened_row(0)))
    }

    /// Reads all of a small matrix, row after row.
    ///
    /// # Errors
    /// As [`ModelFile::piece`].
    pub(crate) async fn table(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        let RowShape { rows, columns, .. } = self.row_shape(name)?;
        let piece = Piece { rows: 0..rows, columns: 0..columns };
        let read = self.piece(name, &piece).await?;
        Ok((0..rows).flat_map(|row| read.source().widened_row(row)).collect())
    }

    /// Reads all that a stage of these modules reads, in the same pieces, so that a source that keeps what it has read needs
    /// no network for it from then on. Ends early where `goes_on` says no.
    ///
    /// # Errors
    /// [`ModelError::Source`].
    pub async fn fetch(
        &self,
        modules: ModuleRange,
        goes_on: impl Fn() -> bool,
    ) -> Result<(), ModelError> {
        let tensors = self.modules().stage_tensors(modules);
        let there = tensors.iter().filter_map(|tensor| self.index().tensors.get(&tensor.name));
        for info in there {
            let shape = info.row_shape();
            for piece in info.arrangement.pieces(shape, 0..shape.rows, PIECE_BYTES) {
                for range in info.arrangement.ranges(shape, &piece) {
                    if !goes_on() {
                        return Ok(());
                    }
                    self.part(info, range).await?;
                }
            }
        }
        Ok(())
    }

    /// The model with all of one tensor on this device, and nothing else.
    ///
    /// # Errors
    /// As [`ModelFile::piece`].
    pub(crate) async fn local(&self, name: &str) -> Result<ModelFile<S::Local>, ModelError> {
        let info = self.info(name)?;
        let (shape, start) = (info.row_shape(), info.range.start);
        // Those that the whole tensor is packed in, because a piece is kept as it was read.
        let pieces = self.pieces(name, 0..shape.rows)?;
        let ranges = pieces.iter().flat_map(|piece| info.arrangement.ranges(shape, piece));
        let ranges: Vec<_> = ranges.map(|range| start + range.start..start + range.end).collect();
        Ok(self.with_source(self.source.local(&ranges).await?))
    }

    /// Reads bytes of a tensor, counted from its first.
    async fn part(&self, info: &TensorInfo, range: Range<u64>) -> Result<Vec<u8>, ModelError> {
        let wanted = range.end - range.start;
        let start = info.range.start + range.start;
        let bytes = self.source.read(start..start + wanted).await?;
        if bytes.len() as u64 != wanted {
            let problem = format!("{} of {wanted} bytes came", bytes.len());
            return Err(ModelError::tensor(&info.name, problem));
        }
        Ok(bytes)
    }

    /// A tensor's rows as they are kept: vectors, tables for positions, and those that are added to the
    /// embedding, as they are stored.
    fn kept(&self, info: &TensorInfo) -> RowShape {
        let stored = info.row_shape();
        match info.shape.len() {
            1 => stored,
            _ if info.name == POSITION_TABLE || is_relative_table(&info.name) => stored,
            _ => RowShape { weight_type: self.precision.of(stored.weight_type), ..stored },
        }
    }

    /// Bytes that a tensor takes on the GPU: a vector as `f32`, a table of biases as one for each distance,
    /// a matrix packed.
    pub(crate) fn resident_bytes(&self, info: &TensorInfo) -> u64 {
        let RowShape { weight_type, rows, columns } = self.kept(info);
        match info.shape.len() {
            _ if is_relative_table(&info.name) => {
                let farthest = self.config().relative.map_or(0, |relative| relative.max_distance);
                4 * (columns * (2 * farthest + 1)) as u64
            }
            1 => 4 * columns as u64,
            _ => {
                let rows = rows.next_multiple_of(GROUP_ROWS) as u64;
                rows * weight_type.resident_row_bytes(columns) as u64
            }
        }
    }

    fn info(&self, name: &str) -> Result<&TensorInfo, ModelError> {
        let info = self.index().tensors.get(name);
        info.ok_or_else(|| ModelError::tensor(name, "is missing"))
    }
}

/// Rows of a tensor and their data.
#[derive(Clone, Debug)]
pub struct Rows {
    /// How many rows there are and how they are stored.
    pub shape: RowShape,
    /// Their data, row after row.
    pub bytes: Vec<u8>,
}

impl Rows {
    /// The rows as they are packed for the GPU.
    pub fn source(&self) -> RowSource<'_> {
        let RowShape { weight_type, rows, columns } = self.shape;
        RowSource { weight_type, rows, columns, bytes: &self.bytes }
    }

    fn kept_as(self, weight_type: WeightType) -> Self {
        if weight_type == self.shape.weight_type {
            return self;
        }
        let bytes = self.source().quantised(weight_type);
        Self { shape: RowShape { weight_type, ..self.shape }, bytes }
    }
}

/// The most bytes of a tensor that are in the host's memory at once.
pub(crate) const PIECE_BYTES: usize = 4 << 20;
