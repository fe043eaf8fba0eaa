//! Entries of the tensor index.

use std::ops::Range;

use kernels::WeightType;

use super::cursor::{Cursor, GgufError};

/// How a tensor's elements are stored: the GGML types that can be read.
pub type TensorType = WeightType;

/// One tensor of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name, such as `blk.0.attn_q.weight`.
    pub name: String,
    /// Columns (fastest), rows, and so on; one to four dimensions.
    pub shape: Vec<u64>,
    /// How its elements are stored.
    pub tensor_type: TensorType,
    /// Its bytes in the file.
    pub range: Range<u64>,
}

impl TensorInfo {
    /// Size in the file.
    pub fn bytes(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Bytes that it takes on the GPU: a vector as `f32`, a matrix packed.
    pub fn resident_bytes(&self) -> u64 {
        let columns = self.shape[0] as usize;
        match &self.shape[1..] {
            [] => 4 * columns as u64,
            rows => {
                let rows = rows.iter().product::<u64>().next_multiple_of(4);
                rows * self.tensor_type.resident_row_bytes(columns) as u64
            }
        }
    }

    /// Reads one entry; its range is relative to the start of the data.
    pub(crate) fn read(cursor: &mut Cursor<'_>, number: usize) -> Result<Self, GgufError> {
        let name = cursor.string(&format!("the name of tensor {number}"))?;
        let field = format!("tensor `{name}`");
        let dimensions = cursor.u32(&field)?;
        if !(1..=4).contains(&dimensions) {
            return Err(GgufError::invalid(field, format!("has {dimensions} dimensions")));
        }
        let shape: Vec<u64> =
            (0..dimensions).map(|_| cursor.u64(&field)).collect::<Result<_, _>>()?;
        let ggml_type = cursor.u32(&field)?;
        let tensor_type = type_of(ggml_type)
            .ok_or_else(|| GgufError::TensorType { tensor: name.clone(), ggml_type })?;
        let start = cursor.u64(&field)?;
        let range = size_of(&shape, tensor_type)
            .and_then(|size| Some(start..start.checked_add(size)?))
            .ok_or_else(|| {
                GgufError::invalid(&field, format!("the shape {shape:?} makes no sense"))
            })?;
        Ok(Self { name, shape, tensor_type, range })
    }
}

fn type_of(ggml_type: u32) -> Option<TensorType> {
    match ggml_type {
        0 => Some(WeightType::F32),
        1 => Some(WeightType::F16),
        2 => Some(WeightType::Q4_0),
        8 => Some(WeightType::Q8_0),
        12 => Some(WeightType::Q4K),
        13 => Some(WeightType::Q5K),
        14 => Some(WeightType::Q6K),
        30 => Some(WeightType::Bf16),
        _ => None,
    }
}

/// Bytes of a tensor; none if the shape is empty, too large, or not whole blocks.
fn size_of(shape: &[u64], tensor_type: TensorType) -> Option<u64> {
    let elements = shape.iter().try_fold(1u64, |product, &size| product.checked_mul(size))?;
    if elements == 0 {
        return None;
    }
    let (columns, bytes) = (tensor_type.block_columns() as u64, tensor_type.block_bytes() as u64);
    if !shape[0].is_multiple_of(columns) {
        return None;
    }
    (elements / columns).checked_mul(bytes)
}
