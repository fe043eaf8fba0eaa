//! How hidden states travel: exactly, or narrower.
//!
//! ```text
//! f32   value f32 ...              the bits themselves
//! f16   scale f32   value f16 ...  scale 1; for a row that reaches 2^15, the power of two that keeps it below
//! int8  scale f32   value i8 ...   scale = largest magnitude / 127, so symmetric around 0
//! ```
//!
//! Little-endian, row by row. A value is its row's scale x what stands for it, rounded half to even. Nothing
//! finite becomes infinite. A row with a magnitude of 2^127 or more, infinity or no number in it comes out as no
//! numbers at all, as the next norm would make it. Zeros stay zeros; of an int8 row that is all below 1.5e-36
//! nothing else is left.

use half::f16;
use serde::{Deserialize, Serialize};

/// How the values of hidden states are written in frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WireType {
    /// Exact: tokens do not depend on the cuts.
    F32,
    /// Half of the bytes. Off by 2^-11 of a value at most, and by 2^-25 near zero; both times the row's scale.
    F16,
    /// A quarter of the bytes. Off by half of the row's scale at most.
    Int8,
}

impl WireType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Int8];

    /// Bytes of a row of so many values.
    pub fn row_bytes(self, row_len: u32) -> u64 {
        let row_len = u64::from(row_len);
        match self {
            Self::F32 => 4 * row_len,
            Self::F16 => SCALE_BYTES + 2 * row_len,
            Self::Int8 => SCALE_BYTES + row_len,
        }
    }

    /// Whole rows of 32-bit floats, little-endian, as they travel.
    pub fn pack(self, rows: Vec<u8>, row_len: u32) -> Vec<u8> {
        match self {
            Self::F32 => rows,
            Self::F16 => {
                self.narrow(&rows, row_len, f16_scale, |value| f16::from_f32(value).to_le_bytes())
            }
            Self::Int8 => self.narrow(&rows, row_len, int8_scale, |value| {
                (value.round_ties_even() as i8).to_le_bytes()
            }),
        }
    }

    /// Rows that have travelled, as 32-bit floats again; without what is left behind the last whole row.
    pub fn unpack(self, packed: Vec<u8>, row_len: u32) -> Vec<u8> {
        match self {
            Self::F32 => packed,
            Self::F16 => self.widen(&packed, row_len, |value| f16::from_le_bytes(value).to_f32()),
            Self::Int8 => self.widen(&packed, row_len, |value| i8::from_le_bytes(value).into()),
        }
    }

    fn narrow<const N: usize>(
        self,
        rows: &[u8],
        row_len: u32,
        scale_of: fn(f32) -> f32,
        round: impl Fn(f32) -> [u8; N],
    ) -> Vec<u8> {
        let values = rows.as_chunks::<4>().0;
        let row_len = row_len.max(1) as usize;
        let scales = values.len().div_ceil(row_len) * SCALE_BYTES as usize;
        let mut packed = Vec::with_capacity(scales + N * values.len());
        for row in values.chunks(row_len) {
            let scale = scale_of(largest(row));
            packed.extend_from_slice(&scale.to_le_bytes());
            let start = packed.len();
            packed.resize(start + N * row.len(), 0);
            for (narrow, value) in packed[start..].as_chunks_mut().0.iter_mut().zip(row) {
                *narrow = round(f32::from_le_bytes(*value) / scale);
            }
        }
        packed
    }

    fn widen<const N: usize>(
        self,
        packed: &[u8],
        row_len: u32,
        read: impl Fn([u8; N]) -> f32,
    ) -> Vec<u8> {
        let row_bytes = usize::try_from(self.row_bytes(row_len)).unwrap_or(usize::MAX);
        let wide_bytes = (row_len as usize).saturating_mul(4);
        let packed = packed.chunks_exact(row_bytes);
        let mut rows = vec![0; packed.len() * wide_bytes];
        for (row, wide) in packed.zip(rows.chunks_exact_mut(wide_bytes.max(1))) {
            let Some((scale, values)) = row.split_first_chunk() else { continue };
            let scale = f32::from_le_bytes(*scale);
            for (wide, value) in wide.as_chunks_mut().0.iter_mut().zip(values.as_chunks().0) {
                *wide = (scale * read(*value)).to_le_bytes();
            }
        }
        rows
    }

    /// What stands for it in a frame of activations.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::F32 => 1,
            Self::F16 => 2,
            Self::Int8 => 3,
        }
    }

    pub(super) fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|wire| wire.code() == code)
    }
}

/// The largest magnitude in a row; infinite where one is too large or no number.
fn largest(row: &[[u8; 4]]) -> f32 {
    // Without its sign, a float's bits are in the order of magnitudes, infinity and no numbers last.
    let magnitudes = row.iter().map(|value| u32::from_le_bytes(*value) & MAGNITUDE);
    let largest = f32::from_bits(magnitudes.fold(0, u32::max));
    if largest < TOO_LARGE { largest } else { f32::INFINITY }
}

/// Infinite for a broken row: nothing times infinity is no number.
fn f16_scale(largest: f32) -> f32 {
    let power_of_two = f32::from_bits(largest.to_bits() & EXPONENT);
    (power_of_two / LARGEST_POWER).max(1.0)
}

/// As for [`f16_scale`].
fn int8_scale(largest: f32) -> f32 {
    let scale = largest / 127.0;
    // Scales below the normal floats are too coarse themselves.
    if scale < f32::MIN_POSITIVE { 1.0 } else { scale }
}

/// A row of a narrow type begins with its scale.
const SCALE_BYTES: u64 = 4;
/// Of a float's bits.
const MAGNITUDE: u32 = 0x7fff_ffff;
/// Of a float's bits.
const EXPONENT: u32 = 0x7f80_0000;
/// 2^127: rounded up, it would be no finite float any more.
const TOO_LARGE: f32 = 1.701_411_8e38;
/// 2^14: the largest power of two at the beginning of a row in halves.
const LARGEST_POWER: f32 = 16384.0;

#[cfg(test)]
mod tests;
