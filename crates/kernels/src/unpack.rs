//! Weights and scales of a group of four rows, out of their packed words.
//!
//! Loops over columns stay loops: unrolled, a kernel took five times as long to compile. And indices
//! are shifted and masked, since not every driver's compiler does that for a division.

use cubecl::prelude::*;

use crate::{
    matrix::{Ints, Section, Vec4, Words},
    weights::{BLOCK_COLUMNS, SUPER_SCALE_WORDS, WeightType},
};

/// Four columns of a group, of the `quad`-th four of a block of 32: floats, or the integers
/// that a scale goes with.
#[cube]
pub(crate) fn unpack(
    words: &[Words],
    block: usize,
    group: usize,
    weights: &mut Array<Vec4>,
    quad: usize,
    #[comptime] section: Section,
) {
    let per_block = comptime!(BLOCK_COLUMNS / section.weight_type.columns_per_word());
    let first = block * per_block;
    if comptime!(section.weight_type == WeightType::F32) {
        #[unroll]
        for at in 0..4usize {
            let word = words[word_at(first + 4 * quad + at, group, section)];
            weights[at] = Vec4::reinterpret(word);
        }
    } else if comptime!(matches!(section.weight_type, WeightType::F16 | WeightType::Bf16)) {
        #[unroll]
        for at in 0..2usize {
            let pair = words[word_at(first + 2 * quad + at, group, section)];
            if comptime!(section.weight_type == WeightType::F16) {
                weights[2 * at] = widen_half(pair & Words::new(0xffff));
                weights[2 * at + 1] = widen_half(pair >> Words::new(16));
            } else {
                weights[2 * at] = Vec4::reinterpret(pair << Words::new(16));
                weights[2 * at + 1] = Vec4::reinterpret(pair & Words::new(0xffff0000));
            }
        }
    } else if comptime!(section.weight_type == WeightType::Q8_0) {
        let word = Ints::reinterpret(words[word_at(first + quad, group, section)]);
        #[unroll]
        for at in 0..4usize {
            let shift = comptime!(24 - 8 * at as i32);
            weights[at] = Vec4::cast_from((word << Ints::new(shift)) >> Ints::new(24));
        }
    } else {
        let word = words[word_at(first + (quad >> 1), group, section)];
        #[unroll]
        for at in 0..4usize {
            let shift = (16 * (quad & 1) + 4 * at) as u32;
            let mut code = (word >> Words::new(shift)) & Words::new(15);
            if comptime!(section.weight_type.columns_per_high_word().is_some()) {
                code |= high_bits(words, block, group, 4 * quad + at, section);
            }
            let offset = comptime!(section.weight_type.offset() as f32);
            weights[at] = Vec4::cast_from(code) - Vec4::new(offset);
        }
    }
}

/// The bits above the lowest four of one column of a block, in their place.
#[cube]
fn high_bits(
    words: &[Words],
    block: usize,
    group: usize,
    column: usize,
    #[comptime] section: Section,
) -> Words {
    let per_word = comptime!(section.weight_type.columns_per_high_word().unwrap_or(32));
    let bits = comptime!(32 / per_word);
    let before = comptime!(section.columns / section.weight_type.columns_per_word());
    let part = column >> comptime!(per_word.ilog2() as usize);
    let at = before + block * comptime!(BLOCK_COLUMNS / per_word) + part;
    let word = words[word_at(at, group, section)];
    let shift = ((column & comptime!(per_word - 1)) * bits) as u32;
    let mask = comptime!((1u32 << bits) - 1);
    ((word >> Words::new(shift)) & Words::new(mask)) << Words::new(4)
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
    let sign = (bits & Words::new(0x8000)) << Words::new(16);
    let magnitude = bits & Words::new(0x7fff);
    // A half's exponent is biased by 15 and a float's by 127.
    let rebias = Vec4::new(f32::new(comptime!(2f32.powi(127 - 15))));
    let unit = Vec4::new(f32::new(comptime!(2f32.powi(-24))));
    let shifted = Words::reinterpret(Vec4::reinterpret(magnitude << Words::new(13)) * rebias);
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
