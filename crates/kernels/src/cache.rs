//! The KV cache: `[slots, kv_heads, context, head_dim]`, keys and values apart, in 32 or 16 bits.

use cubecl::prelude::*;

use crate::{
    attention::AttentionShape,
    matrix::{Vec4, Words},
};

/// How keys and values are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum CacheType {
    /// As floats of 32 bits.
    #[default]
    F32,
    /// As halves, rounded to the nearest. What is smaller than the smallest normal half is 0, what is
    /// larger than the largest is the largest: no GPU needs to know halves. Heads must be of a multiple
    /// of 16 elements.
    F16,
}

impl CacheType {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// What heads of so many elements can be kept as.
    pub fn for_heads(self, head_dim: usize) -> Self {
        if head_dim.is_multiple_of(16) { self } else { Self::F32 }
    }

    /// Vectors of four elements in a vector of four words.
    pub(crate) fn quads(self) -> usize {
        4 / self.bytes()
    }
}

/// Where the cached row of a position starts, in elements.
#[cube]
pub(crate) fn cache_row(
    slot: usize,
    kv_head: usize,
    position: usize,
    #[comptime] shape: AttentionShape,
) -> usize {
    ((slot * shape.kv_heads + kv_head) * shape.context + position) * shape.head_dim
}

/// Stores an element of the row that starts at `row`, and the one that is so many
/// [`AttentionShape::elements_apart`] later: of a cache of halves the fourth after it, which shares its
/// word.
#[cube]
pub(crate) fn store_two(
    cache: &mut [u32],
    row: usize,
    element: usize,
    one: f32,
    other: f32,
    #[comptime] shape: AttentionShape,
) {
    if comptime!(shape.cache == CacheType::F16) {
        let word = row / 2 + element / 8 * 4 + element % 4;
        cache[word] = half_bits(one) | (half_bits(other) << 16u32);
    } else {
        cache[row + element] = u32::reinterpret(one);
        cache[row + element + comptime!(shape.elements_apart())] = u32::reinterpret(other);
    }
}

/// The bits of a half, rounded to the nearest, to even where two are as near.
#[cube]
fn half_bits(value: f32) -> u32 {
    let bits = u32::reinterpret(value);
    let sign = (bits >> 16u32) & 0x8000u32;
    let magnitude = min(bits & 0x7fffffffu32, comptime!(LARGEST_HALF.to_bits()));
    // A half's exponent is biased by 15 and a float's by 127; it has 13 bits less.
    let rebiased = magnitude - min(magnitude, comptime!((127u32 - 15) << 23));
    let rounded = (rebiased + 0xfffu32 + ((rebiased >> 13u32) & 1u32)) >> 13u32;
    let is_normal = magnitude >= comptime!(SMALLEST_HALF.to_bits());
    sign | select(is_normal, rounded, 0u32)
}

/// The `which` of the vectors of four elements that are in four words.
#[cube]
pub(crate) fn quad_of(
    words: Words,
    #[comptime] which: usize,
    #[comptime] cache: CacheType,
) -> Vec4 {
    if comptime!(cache == CacheType::F32) {
        Vec4::reinterpret(words)
    } else if comptime!(which == 0) {
        widen((words & Words::new(0x7fff)) * Words::new(1 << 13), words * Words::new(1 << 16))
    } else {
        widen((words & Words::new(0x7fff0000)) >> Words::new(3), words)
    }
}

/// Normal halves from their magnitudes, shifted to a float's place, and words with their signs.
#[cube]
fn widen(magnitudes: Words, signs: Words) -> Vec4 {
    let sign = signs & Words::new(0x80000000);
    Vec4::reinterpret(magnitudes | sign) * Vec4::new(comptime!(2f32.powi(127 - 15)))
}

const LARGEST_HALF: f32 = 65_504.0;
/// The smallest normal one.
const SMALLEST_HALF: f32 = 1.0 / 16_384.0;
