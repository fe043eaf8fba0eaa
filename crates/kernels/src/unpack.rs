//! Weights and scales of a group of four rows, out of their packed words.
//!
//! Loops over columns stay loops: unrolled, a kernel took five times as long to compile. And indices
//! are shifted and masked, since not every driver's compiler does that for a division.

use cubecl::prelude::*;

use crate::{
    matrix::{Ints, Section, Vec4, Words},
    weights::{BLOCK_COLUMNS, SUPER_SCALE_WORDS, WeightType},
};

/// Columns that one word has in the narrowest types.
pub(crate) const WORD_COLUMNS: usize = 8;

/// Four columns of a group of four rows.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Four {
    pub a: Vec4,
    pub b: Vec4,
    pub c: Vec4,
    pub d: Vec4,
}

/// The words of eight columns of a group, of the types that have them in one word: low bits, and high
/// bits from the lowest on. Without meaning for other types.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Held {
    low: Words,
    high: Words,
}

/// The words of a group's `eight`-th eight columns of a block of 32.
#[cube]
pub(crate) fn hold(
    words: &[Words],
    block: usize,
    group: usize,
    eight: usize,
    #[comptime] section: Section,
) -> Held {
    let weight_type = comptime!(section.weight_type);
    let low = if comptime!(weight_type.columns_per_word() == WORD_COLUMNS) {
        let first = block * comptime!(BLOCK_COLUMNS / WORD_COLUMNS);
        words[word_at(first + eight, group, section)]
    } else {
        Words::new(0)
    };
    let high = if comptime!(weight_type.high_bits() > 0) {
        let per_word = comptime!(32 / weight_type.high_bits());
        let eights = comptime!(per_word / WORD_COLUMNS);
        let before = comptime!(section.columns / weight_type.columns_per_word());
        let part = eight >> comptime!(eights.ilog2() as usize);
        let word = before + block * comptime!(BLOCK_COLUMNS / per_word) + part;
        let shift = (eight & comptime!(eights - 1)) * comptime!(32 / eights);
        words[word_at(word, group, section)] >> Words::new(shift as u32)
    } else {
        Words::new(0)
    };
    Held { low, high }
}

/// Four columns of a group, one `half` of those that are held: floats, or signed integers in units of
/// [`WeightType::unit`], to which [`WeightType::offset`] is still to be added.
#[cube]
pub(crate) fn unpack(
    words: &[Words],
    block: usize,
    group: usize,
    eight: usize,
    held: &Held,
    #[comptime] half: usize,
    #[comptime] section: Section,
) -> Four {
    let weight_type = comptime!(section.weight_type);
    let per_word = comptime!(weight_type.columns_per_word());
    if comptime!(per_word == WORD_COLUMNS) {
        Four {
            a: code(held, comptime!(4 * half), weight_type),
            b: code(held, comptime!(4 * half + 1), weight_type),
            c: code(held, comptime!(4 * half + 2), weight_type),
            d: code(held, comptime!(4 * half + 3), weight_type),
        }
    } else {
        let quad = block * comptime!(BLOCK_COLUMNS / 4) + 2 * eight + half;
        let first = quad * comptime!(4 / per_word);
        if comptime!(weight_type == WeightType::F32) {
            Four {
                a: Vec4::reinterpret(words[word_at(first, group, section)]),
                b: Vec4::reinterpret(words[word_at(first + 1, group, section)]),
                c: Vec4::reinterpret(words[word_at(first + 2, group, section)]),
                d: Vec4::reinterpret(words[word_at(first + 3, group, section)]),
            }
        } else if comptime!(per_word == 2) {
            let one = words[word_at(first, group, section)];
            let other = words[word_at(first + 1, group, section)];
            Four {
                a: lower(one, weight_type),
                b: upper(one, weight_type),
                c: lower(other, weight_type),
                d: upper(other, weight_type),
            }
        } else {
            let word = words[word_at(first, group, section)];
            Four {
                a: signed(word, 0usize, 8usize),
                b: signed(word, 1usize, 8usize),
                c: signed(word, 2usize, 8usize),
                d: signed(word, 3usize, 8usize),
            }
        }
    }
}

/// The `at`-th of eight columns.
#[cube]
fn code(held: &Held, #[comptime] at: usize, #[comptime] weight_type: WeightType) -> Vec4 {
    let low = signed(held.low, at, 4usize);
    if comptime!(weight_type.high_bits() > 0) {
        let high = signed(held.high, at, comptime!(weight_type.high_bits()));
        fma(high, Vec4::new(comptime!(weight_type.high_factor())), low)
    } else {
        low
    }
}

/// The `at`-th of the signed integers of `bits` bits in each word, times `2^(32 - bits)`: moved to the
/// top of its word and left there. To the left by a product, since a driver without a processor's vector
/// shifts takes a shift apart.
#[cube]
fn signed(word: Words, #[comptime] at: usize, #[comptime] bits: usize) -> Vec4 {
    let mask = Words::new(comptime!(u32::MAX << (32 - bits)));
    let top = if comptime!((at + 1) * bits < 32) {
        (word * Words::new(comptime!(1u32 << (32 - bits - at * bits)))) & mask
    } else {
        word & mask
    };
    Vec4::cast_from(Ints::reinterpret(top))
}

/// The floats whose 16 bits are the lower half of each word.
#[cube]
fn lower(word: Words, #[comptime] weight_type: WeightType) -> Vec4 {
    if comptime!(weight_type == WeightType::F16) {
        widen_half(word & Words::new(0xffff))
    } else {
        Vec4::reinterpret(word * Words::new(1 << 16))
    }
}

/// The floats whose 16 bits are the upper half of each word.
#[cube]
fn upper(word: Words, #[comptime] weight_type: WeightType) -> Vec4 {
    if comptime!(weight_type == WeightType::F16) {
        widen_half(word >> Words::new(16))
    } else {
        Vec4::reinterpret(word & Words::new(0xffff0000))
    }
}

/// The scale of the `part`-th columns of a block that share one.
#[cube]
pub(crate) fn scale(
    scales: &[Words],
    block: usize,
    group: usize,
    part: usize,
    #[comptime] section: Section,
) -> Vec4 {
    if comptime!(matches!(section.weight_type, WeightType::Q8_0 | WeightType::Q4_0)) {
        Vec4::reinterpret(scales[scale_at(block, group, section)])
    } else {
        let first = (block >> 3) * SUPER_SCALE_WORDS;
        let factor = scales[scale_at(first, group, section)];
        if comptime!(section.weight_type == WeightType::Q6K) {
            let own = (block & 7) * 2 + part;
            let word = scales[scale_at(first + 1 + (own >> 2), group, section)];
            let shift = Ints::new(24 - 8 * (own & 3) as i32);
            let byte = (Ints::reinterpret(word) << shift) >> Ints::new(24);
            Vec4::reinterpret(factor) * Vec4::cast_from(byte)
        } else {
            widen_half(factor & Words::new(0xffff))
                * scale_byte(scales, block, group, 0usize, section)
        }
    }
}

/// What is subtracted from every weight of a block.
#[cube]
pub(crate) fn minimum(
    scales: &[Words],
    block: usize,
    group: usize,
    #[comptime] section: Section,
) -> Vec4 {
    let factor = scales[scale_at((block >> 3) * SUPER_SCALE_WORDS, group, section)];
    widen_half(factor >> Words::new(16)) * scale_byte(scales, block, group, 2usize, section)
}

/// The unsigned byte of a block among those that begin `words_later` words after the factors.
#[cube]
fn scale_byte(
    scales: &[Words],
    block: usize,
    group: usize,
    #[comptime] words_later: usize,
    #[comptime] section: Section,
) -> Vec4 {
    let own = block & 7;
    let at = (block >> 3) * SUPER_SCALE_WORDS + 1 + words_later + (own >> 2);
    let word = scales[scale_at(at, group, section)];
    let shift = Words::new(8 * (own & 3) as u32);
    Vec4::cast_from((word >> shift) & Words::new(255))
}

/// The exact value of the half-precision numbers in the low 16 bits of each word.
/// Subnormal halves go through integers, since a GPU may flush subnormal floats.
#[cube]
fn widen_half(bits: Words) -> Vec4 {
    let sign = (bits & Words::new(0x8000)) * Words::new(1 << 16);
    let magnitude = bits & Words::new(0x7fff);
    // A half's exponent is biased by 15 and a float's by 127.
    let rebias = Vec4::new(f32::new(comptime!(2f32.powi(127 - 15))));
    let unit = Vec4::new(f32::new(comptime!(2f32.powi(-24))));
    let shifted = Words::reinterpret(Vec4::reinterpret(magnitude * Words::new(1 << 13)) * rebias);
    let subnormal = Words::reinterpret(Vec4::cast_from(magnitude) * unit);
    let value = select_many(magnitude.less_than(&Words::new(0x400)), subnormal, shifted);
    Vec4::reinterpret(value | sign)
}

#[cube]
fn word_at(at: usize, group: usize, #[comptime] section: Section) -> usize {
    section.words_at + at * section.groups + group
}

#[cube]
fn scale_at(at: usize, group: usize, #[comptime] section: Section) -> usize {
    section.scales_at + at * section.groups + group
}
