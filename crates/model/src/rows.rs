//! Reading tensors piece by piece, in the precision in which they are kept.

use std::ops::Range;

use kernels::{GROUP_ROWS, RowShape, RowSource, WeightType};

use crate::{error::ModelError, file::ModelFile, gguf::TensorInfo, source::ByteSource};

impl<S: ByteSource> ModelFile<S> {
    /// The shape of a tensor's rows as they are kept on the GPU; a vector is one row.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] when there is none of that name.
    pub fn row_shape(&self, name: &str) -> Result<RowShape, ModelError> {
        Ok(self.kept(self.info(name)?))
    }

    /// Some rows of a tensor in the pieces in which they are to be read, so that none takes more than
    /// 4 MiB: whole groups, counted from the first of the rows.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] when there is none of that name.
    pub fn pieces(
        &self,
        name: &str,
        rows: Range<usize>,
    ) -> Result<impl Iterator<Item = Range<usize>>, ModelError> {
        let shape = self.info(name)?.row_shape();
        // The widest rows of a lawful model are a megabyte, so that four of them are a piece.
        let groups = PIECE_BYTES / (GROUP_ROWS * shape.row_bytes());
        let most = GROUP_ROWS * groups.max(1);
        let end = rows.end;
        Ok(rows.step_by(most).map(move |first| first..end.min(first + most)))
    }

    /// Reads some rows of a tensor, in the precision in which they are kept.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] when there are none of that name, [`ModelError::Source`].
    pub async fn rows(&self, name: &str, rows: Range<usize>) -> Result<Rows, ModelError> {
        let info = self.info(name)?;
        let (all, shape) = (info.row_shape(), RowShape { rows: rows.len(), ..info.row_shape() });
        if rows.start > rows.end || rows.end > all.rows {
            let problem = format!("has {} rows, not {}..{}", all.rows, rows.start, rows.end);
            return Err(ModelError::tensor(name, problem));
        }
        let at = |row: usize| info.range.start + row as u64 * shape.row_bytes() as u64;
        let wanted = at(rows.end) - at(rows.start);
        let bytes = self.source.read(at(rows.start)..at(rows.end)).await?;
        if bytes.len() as u64 != wanted {
            let problem = format!("{} of {wanted} bytes came", bytes.len());
            return Err(ModelError::tensor(name, problem));
        }
        Ok(Rows { shape, bytes }.kept_as(self.kept(info).weight_type))
    }

    /// Reads a vector.
    ///
    /// # Errors
    /// As [`ModelFile::rows`].
    pub async fn vector(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        Ok(self.rows(name, 0..1).await?.source().widened_row(0))
    }

    /// A tensor's rows as they are kept on the GPU.
    fn kept(&self, info: &TensorInfo) -> RowShape {
        let stored = info.row_shape();
        match info.shape.len() {
            1 => stored,
            _ => RowShape { weight_type: self.precision.of(stored.weight_type), ..stored },
        }
    }

    /// Bytes that a tensor takes on the GPU: a vector as `f32`, a matrix packed.
    pub(crate) fn resident_bytes(&self, info: &TensorInfo) -> u64 {
        let RowShape { weight_type, rows, columns } = self.kept(info);
        match info.shape.len() {
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
