//! How exactly weights are kept.

use kernels::WeightType;

/// What becomes of matrices of floats while they are loaded. Those that a file holds quantised, and
/// vectors, stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// They are kept in the file's own bits.
    #[default]
    AsStored,
    /// Bytes with a scale for 32 of them.
    Q8_0,
    /// Nibbles with a scale for 32 of them.
    Q4_0,
}

impl Precision {
    /// How a matrix is kept that the file holds so.
    pub(crate) fn of(self, stored: WeightType) -> WeightType {
        match (self, stored) {
            (Self::Q8_0, WeightType::F32 | WeightType::F16 | WeightType::Bf16) => WeightType::Q8_0,
            (Self::Q4_0, WeightType::F32 | WeightType::F16 | WeightType::Bf16) => WeightType::Q4_0,
            _ => stored,
        }
    }
}
