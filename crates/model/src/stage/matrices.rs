//! A stage's matrices: read piece by piece, packed, and split where they are larger than a binding.

use std::ops::Range;

use kernels::{Corner, Layout, Matrix, PackError, PackedMatrix, Packing, RowShape};

use super::load::Loader;
use crate::{error::ModelError, file::ModelFile, source::ByteSource};

/// Where the rows of several tensors lie in one matrix.
type LayoutOf = fn(&[RowShape]) -> Result<Layout, PackError>;

/// All rows of a tensor.
const ALL: Range<usize> = 0..usize::MAX;

impl<S: ByteSource> Loader<'_, S> {
    /// The rows of the named tensors, one below the other.
    pub(super) async fn matrix(&self, names: &[&str]) -> Result<Matrix, ModelError> {
        let layout = Layout::stacked(&shapes(self.file, names)?).map_err(wrong(names))?;
        if layout.bytes() <= self.gpu.max_binding_bytes {
            return Ok(self.part(self.file, names, ALL, Layout::stacked).await?.into());
        }
        let mut parts = Vec::new();
        for name in names {
            parts.extend(self.parts(self.file, &[name], Layout::stacked).await?);
        }
        Ok(Matrix::new(parts))
    }

    /// Two tensors of as many rows each, side by side.
    pub(super) async fn pair(&self, names: [&str; 2]) -> Result<Matrix, ModelError> {
        Ok(Matrix::new(self.parts(self.file, &names, paired).await?))
    }

    /// One tensor.
    pub(super) async fn single(
        &self,
        file: &ModelFile<impl ByteSource>,
        name: &str,
    ) -> Result<Matrix, ModelError> {
        Ok(Matrix::new(self.parts(file, &[name], Layout::stacked).await?))
    }

    /// Tensors of as many rows each, in as many parts as it takes.
    async fn parts(
        &self,
        file: &ModelFile<impl ByteSource>,
        names: &[&str],
        layout: LayoutOf,
    ) -> Result<Vec<PackedMatrix>, ModelError> {
        let shapes = shapes(file, names)?;
        let limit = self.gpu.max_binding_bytes;
        let too_large =
            |needed| ModelError::TooLarge { tensor: names[0].to_owned(), needed, limit };
        let most = self.gpu.rows_per_binding(&shapes).map_err(too_large)?;
        let mut parts = Vec::new();
        for first in (0..shapes[0].rows).step_by(most) {
            let rows = first..shapes[0].rows.min(first + most);
            parts.push(self.part(file, names, rows, layout).await?);
        }
        Ok(parts)
    }

    /// The same rows of the named tensors, read and packed piece by piece.
    async fn part(
        &self,
        file: &ModelFile<impl ByteSource>,
        names: &[&str],
        rows: Range<usize>,
        layout: LayoutOf,
    ) -> Result<PackedMatrix, ModelError> {
        let mut shapes = shapes(file, names)?;
        shapes.iter_mut().for_each(|shape| shape.rows = shape.rows.min(rows.end) - rows.start);
        let packing = Packing::new(self.gpu, layout(&shapes).map_err(wrong(names))?);
        for (tensor, (name, shape)) in names.iter().zip(shapes).enumerate() {
            let rows = rows.start..rows.start + shape.rows;
            fill(file, &packing, tensor, name, rows).await?;
        }
        Ok(packing.finish())
    }
}

fn shapes(file: &ModelFile<impl ByteSource>, names: &[&str]) -> Result<Vec<RowShape>, ModelError> {
    names.iter().map(|name| file.row_shape(name)).collect()
}

/// What keeps tensors from being one matrix, told of the first.
fn wrong(names: &[&str]) -> impl Fn(PackError) -> ModelError {
    let name = names[0].to_owned();
    move |error| ModelError::tensor(name.as_str(), error.to_string())
}

/// Reads rows of a tensor piece by piece and packs them as all rows of the layout's `tensor`.
async fn fill(
    file: &ModelFile<impl ByteSource>,
    packing: &Packing<'_>,
    tensor: usize,
    name: &str,
    rows: Range<usize>,
) -> Result<(), ModelError> {
    for piece in file.pieces(name, rows.clone())? {
        let corner = Corner { row: piece.rows.start - rows.start, column: piece.columns.start };
        let read = file.piece(name, &piece).await?;
        let packed = packing.write(tensor, corner, &read.source());
        packed.map_err(|error| ModelError::tensor(name, error.to_string()))?;
    }
    Ok(())
}

fn paired(shapes: &[RowShape]) -> Result<Layout, PackError> {
    Layout::paired(shapes[0], shapes[1])
}
