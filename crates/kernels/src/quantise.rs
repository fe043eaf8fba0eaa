//! From floats to blocks of a file, with the bits that GGML's own reference gives them.

use crate::{pack::RowSource, weights::WeightType};

impl RowSource<'_> {
    /// The rows as `Q8_0` or `Q4_0` of a file, row after row.
    ///
    /// # Panics
    /// If `to` is another type.
    pub fn quantised(&self, to: WeightType) -> Vec<u8> {
        let block = match to {
            WeightType::Q8_0 => q8_0,
            WeightType::Q4_0 => q4_0,
            _ => panic!("nothing is quantised to {to:?}"),
        };
        let mut bytes = Vec::with_capacity(self.rows * self.columns / 32 * to.block_bytes());
        for row in 0..self.rows {
            self.widened_row(row).chunks_exact(32).for_each(|values| block(values, &mut bytes));
        }
        bytes
    }
}

fn q8_0(values: &[f32], bytes: &mut Vec<u8>) {
    let scale = values.iter().fold(0.0f32, |most, value| most.max(value.abs())) / 127.0;
    let inverse = inverse(scale);
    bytes.extend(half::f16::from_f32(scale).to_le_bytes());
    bytes.extend(values.iter().map(|value| (value * inverse).round() as i8 as u8));
}

/// The scale has the sign with which the largest value becomes -8.
fn q4_0(values: &[f32], bytes: &mut Vec<u8>) {
    let larger = |most: f32, &value: &f32| if value.abs() > most.abs() { value } else { most };
    let scale = values.iter().fold(0.0, larger) / -8.0;
    let inverse = inverse(scale);
    bytes.extend(half::f16::from_f32(scale).to_le_bytes());
    let code = |value: f32| ((value * inverse + 8.5) as u8).min(15);
    let (low, high) = values.split_at(16);
    bytes.extend(low.iter().zip(high).map(|(&low, &high)| code(low) | code(high) << 4));
}

fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}
