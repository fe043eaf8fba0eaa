//! Entries of the tensor index.

use std::ops::Range;

use ::gguf::{Cursor, GgufError};
use kernels::{RowShape, WeightType};

use crate::arrangement::Arrangement;

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
    /// In which order its elements lie there.
    pub arrangement: Arrangement,
}

impl TensorInfo {
    /// Size in the file.
    pub fn bytes(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Its rows: the first size of the shape is the columns, the others are rows; a vector is one row.
    pub fn row_shape(&self) -> RowShape {
        RowShape {
            weight_type: self.tensor_type,
            rows: self.shape[1..].iter().product::<u64>() as usize,
            columns: self.shape[0] as usize,
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
        let tensor_type = type_of(ggml_type).ok_or_else(|| {
            let (tensor, known) = (name.clone(), known_types());
            GgufError::TensorType { tensor, ggml_type, known }
        })?;
        let start = cursor.u64(&field)?;
        let range = size_of(&shape, tensor_type)
            .and_then(|size| Some(start..start.checked_add(size)?))
            .ok_or_else(|| {
                GgufError::invalid(&field, format!("the shape {shape:?} makes no sense"))
            })?;
        Ok(Self { name, shape, tensor_type, range, arrangement: Arrangement::Rows })
    }
}

fn type_of(ggml_type: u32) -> Option<TensorType> {
    TYPES.iter().find(|(number, ..)| *number == ggml_type).map(|&(.., known)| known)
}

/// The types that can be read, for a person: `F32 (0), F16 (1)` and so on.
fn known_types() -> String {
    let known = TYPES.iter().map(|(number, name, _)| format!("{name} ({number})"));
    known.collect::<Vec<_>>().join(", ")
}

/// GGML's number and name of each type.
const TYPES: [(u32, &str, TensorType); 8] = [
    (0, "F32", WeightType::F32),
    (1, "F16", WeightType::F16),
    (2, "Q4_0", WeightType::Q4_0),
    (8, "Q8_0", WeightType::Q8_0),
    (12, "Q4_K", WeightType::Q4K),
    (13, "Q5_K", WeightType::Q5K),
    (14, "Q6_K", WeightType::Q6K),
    (30, "BF16", WeightType::Bf16),
];

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
