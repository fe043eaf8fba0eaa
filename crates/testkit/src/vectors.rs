//! Inputs and outputs of single operations, computed by torch, transformers
//! and gguf (`golden/vectors.py`).

use serde::Deserialize;

/// Every vector of `golden/vectors.json`.
pub fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../golden/vectors.json"))
        .expect("vectors.json is written by vectors.py in this form")
}

/// One example of each operation, in the shapes of [`crate::reference`].
#[derive(Clone, Debug, Deserialize)]
pub struct Vectors {
    /// Root-mean-square norm.
    pub rms_norm: RmsNormVector,
    /// Matrix times vector.
    pub matvec: MatvecVector,
    /// Rotary embedding, both styles.
    pub rope: RopeVector,
    /// Causal grouped-query attention.
    pub attention: AttentionVector,
    /// SwiGLU gate.
    pub silu_gate: SiluGateVector,
    /// F16 values.
    pub f16: F16Vector,
    /// Q8_0 blocks.
    pub q8_0: Q8Vector,
    /// Blocks of other types.
    pub blocks: Vec<BlocksVector>,
}

/// Blocks of one storage type.
#[derive(Clone, Debug, Deserialize)]
pub struct BlocksVector {
    /// GGML's name of the type.
    pub r#type: String,
    /// The blocks, as in a file.
    pub bytes: Vec<u8>,
    /// Bits of the values they stand for.
    pub expected_bits: Vec<u32>,
}

/// See [`crate::reference::rms_norm`].
#[derive(Clone, Debug, Deserialize)]
pub struct RmsNormVector {
    /// `[width]`.
    pub x: Vec<f32>,
    /// `[width]`.
    pub weight: Vec<f32>,
    /// Added to the mean square.
    pub epsilon: f32,
    /// `[width]`.
    pub expected: Vec<f32>,
}

/// See [`crate::reference::matvec`].
#[derive(Clone, Debug, Deserialize)]
pub struct MatvecVector {
    /// `[outputs, x.len()]`.
    pub rows: Vec<f32>,
    /// `[inputs]`.
    pub x: Vec<f32>,
    /// `[outputs]`.
    pub expected: Vec<f32>,
}

/// See [`crate::reference::rope`].
#[derive(Clone, Debug, Deserialize)]
pub struct RopeVector {
    /// Position of the row.
    pub position: usize,
    /// Base of the frequencies.
    pub theta: f32,
    /// `[head_dim]`.
    pub x: Vec<f32>,
    /// `[head_dim]`, as [`crate::reference::RopeStyle::Halves`].
    pub halves: Vec<f32>,
    /// `[head_dim]`, as [`crate::reference::RopeStyle::Pairs`].
    pub pairs: Vec<f32>,
}

/// See [`crate::reference::attention`].
#[derive(Clone, Debug, Deserialize)]
pub struct AttentionVector {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Components of a head.
    pub head_dim: usize,
    /// Positions before the first new row.
    pub past: usize,
    /// `[rows, heads, head_dim]`.
    pub queries: Vec<f32>,
    /// `[past + rows, kv_heads, head_dim]`.
    pub keys: Vec<f32>,
    /// `[past + rows, kv_heads, head_dim]`.
    pub values: Vec<f32>,
    /// `[rows, heads, head_dim]`.
    pub expected: Vec<f32>,
}

/// See [`crate::reference::silu_gate`].
#[derive(Clone, Debug, Deserialize)]
pub struct SiluGateVector {
    /// `[width]`.
    pub gate: Vec<f32>,
    /// `[width]`.
    pub up: Vec<f32>,
    /// `[width]`.
    pub expected: Vec<f32>,
}

/// Halves and the floats they stand for; zeros, subnormals and infinities among them.
#[derive(Clone, Debug, Deserialize)]
pub struct F16Vector {
    /// Bits of the halves.
    pub bits: Vec<u16>,
    /// Bits of the same numbers as `f32`.
    pub expected_bits: Vec<u32>,
}

/// Q8_0 blocks and the floats they stand for.
#[derive(Clone, Debug, Deserialize)]
pub struct Q8Vector {
    /// Whole blocks of 34 bytes.
    pub blocks: Vec<u8>,
    /// Bits of 32 `f32` values for each block.
    pub expected_bits: Vec<u32>,
}
