//! Every storage type against GGML's own reference, bit for bit.

use kernels::{RowSource, WeightType};

#[test]
fn blocks_stand_for_the_values_that_ggml_computes() {
    let vectors = testkit::vectors();
    assert_eq!(vectors.blocks.len(), 5);
    for blocks in vectors.blocks {
        let weight_type = named(&blocks.r#type);
        assert_eq!(bits(weight_type, &blocks.bytes), blocks.expected_bits, "{weight_type:?}");
    }
    let halves: Vec<u8> = vectors.f16.bits.iter().flat_map(|half| half.to_le_bytes()).collect();
    assert_eq!(bits(WeightType::F16, &halves), vectors.f16.expected_bits);
    assert_eq!(bits(WeightType::Q8_0, &vectors.q8_0.blocks), vectors.q8_0.expected_bits);
}

#[test]
fn floats_become_the_blocks_that_ggml_makes_of_them() {
    let vectors = testkit::quantised();
    let bytes: Vec<u8> = vectors.bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
    let (columns, rows) = (vectors.columns, vectors.bits.len() / vectors.columns);
    let source = RowSource { weight_type: WeightType::F32, rows, columns, bytes: &bytes };
    assert_eq!(source.quantised(WeightType::Q8_0), vectors.q8_0);
    assert_eq!(source.quantised(WeightType::Q4_0), vectors.q4_0);
}

fn named(name: &str) -> WeightType {
    match name {
        "BF16" => WeightType::Bf16,
        "Q4_0" => WeightType::Q4_0,
        "Q4_K" => WeightType::Q4K,
        "Q5_K" => WeightType::Q5K,
        "Q6_K" => WeightType::Q6K,
        other => panic!("{other} is not a type of the vectors"),
    }
}

fn bits(weight_type: WeightType, bytes: &[u8]) -> Vec<u32> {
    let columns = bytes.len() / weight_type.block_bytes() * weight_type.block_columns();
    let source = RowSource { weight_type, rows: 1, columns, bytes };
    source.widened_row(0).into_iter().map(f32::to_bits).collect()
}
