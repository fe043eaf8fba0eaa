//! What comes back from a wire, and how far off it is.

use proptest::prelude::*;

use super::*;

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (values, rest) = bytes.as_chunks::<4>();
    assert!(rest.is_empty(), "whole values");
    values.iter().copied().map(f32::from_le_bytes).collect()
}

/// Rows of `row_len` values as they come out at the other end.
fn sent(wire: WireType, values: &[f32], row_len: u32) -> Vec<f32> {
    let packed = wire.pack(bytes(values), row_len);
    let rows = values.len() as u64 / u64::from(row_len);
    assert_eq!(packed.len() as u64, rows * wire.row_bytes(row_len));
    floats(&wire.unpack(packed, row_len))
}

/// One row.
fn sent_row(wire: WireType, values: &[f32]) -> Vec<f32> {
    sent(wire, values, values.len() as u32)
}

#[test]
fn rows_have_these_bytes() {
    let rows = bytes(&[127.0, -2.5, 3.5, 65536.0, 1.0, 0.0]);
    assert_eq!(WireType::F32.pack(rows.clone(), 3), rows);
    let plain = [0, 0, 0x80, 0x3f, 0xf0, 0x57, 0, 0xc1, 0, 0x43];
    let scaled = [0, 0, 0x80, 0x40, 0, 0x74, 0, 0x34, 0, 0];
    assert_eq!(WireType::F16.pack(rows.clone(), 3), [plain, scaled].concat());
    let steps = (65536.0_f32 / 127.0).to_le_bytes();
    let expected = [&[0, 0, 0x80, 0x3f, 127, 0xfe, 4], &steps[..], &[127, 0, 0]].concat();
    assert_eq!(WireType::Int8.pack(rows, 3), expected);
}

#[test]
fn zeros_and_tiny_values_stay_small() {
    for wire in WireType::ALL {
        assert_eq!(sent_row(wire, &[0.0, -0.0, 0.0]), [0.0; 3], "{wire:?}");
    }
    let tiny = f32::from_bits(1);
    assert_eq!(sent_row(WireType::F32, &[tiny]), [tiny]);
    for wire in [WireType::F16, WireType::Int8] {
        assert_eq!(sent_row(wire, &[tiny, -tiny]), [0.0; 2], "{wire:?}");
        assert_eq!(sent_row(wire, &[1e-37, -1e-37]), [0.0; 2], "{wire:?}");
    }
    // The smallest half that is not zero, and half of it, which is nearer to an even zero.
    let smallest = 2.0_f32.powi(-24);
    assert_eq!(sent_row(WireType::F16, &[smallest, smallest / 2.0]), [smallest, 0.0]);
    assert!(sent_row(WireType::Int8, &[1.5e-36])[0] > 1.4e-36);
}

#[test]
fn a_row_that_reaches_far_keeps_what_it_has_of_halves() {
    let row = [1e6, -70_000.0, 3.0, 0.01];
    let came = sent_row(WireType::F16, &row);
    for (came, value) in came.iter().zip(row) {
        assert!((came / value - 1.0).abs() < 2.0_f32.powi(-11), "{came} for {value}");
    }
    // Rows do not change each other.
    assert_eq!(sent(WireType::F16, &[1e6, 0.1, 0.1, 0.1], 2)[2..], [0.099_975_586; 2]);
}

#[test]
fn what_is_no_number_breaks_its_row_and_no_other() {
    for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 2.0_f32.powi(127)] {
        let rows = [1.0, broken, 0.0, 1.0, 1.0, 1.0];
        for wire in [WireType::F16, WireType::Int8] {
            let came = sent(wire, &rows, 3);
            assert!(came[..3].iter().all(|value| value.is_nan()), "{wire:?}, {broken}: {came:?}");
            assert_eq!(came[3..], [1.0; 3], "{wire:?}, {broken}");
        }
        assert_eq!(bytes(&sent(WireType::F32, &rows, 3)), bytes(&rows), "{broken}");
    }
    let most = f32::from_bits(TOO_LARGE.to_bits() - 1);
    for wire in WireType::ALL {
        assert!(sent_row(wire, &[most, -most]).iter().all(|value| value.is_finite()), "{wire:?}");
    }
}

#[test]
fn the_limits_are_the_powers_of_two_that_they_say() {
    assert_eq!(TOO_LARGE, 2.0_f32.powi(127));
    assert_eq!(LARGEST_POWER, 2.0_f32.powi(14));
}

/// Values of every size that a row may have.
fn any_value() -> impl Strategy<Value = f32> {
    prop_oneof![
        (-8.0..8.0_f32),
        (-127..127_i32, 1.0..2.0_f32, any::<bool>()).prop_map(|(exponent, value, is_negative)| {
            value * 2.0_f32.powi(exponent) * if is_negative { -1.0 } else { 1.0 }
        }),
        Just(0.0),
    ]
}

fn any_rows() -> impl Strategy<Value = (Vec<f32>, u32)> {
    (1..=4_usize, 1..=40_u32).prop_flat_map(|(rows, row_len)| {
        (prop::collection::vec(any_value(), rows * row_len as usize), Just(row_len))
    })
}

fn any_wire() -> impl Strategy<Value = WireType> {
    prop::sample::select(WireType::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn f32_is_exact(packed in prop::collection::vec(any::<u8>(), 0..400), row_len in any::<u32>()) {
        prop_assert_eq!(WireType::F32.pack(packed.clone(), row_len), packed.clone());
        prop_assert_eq!(WireType::F32.unpack(packed.clone(), row_len), packed);
    }

    #[test]
    fn f16_is_off_by_a_half_of_its_last_place((values, row_len) in any_rows()) {
        let came = sent(WireType::F16, &values, row_len);
        let rows = values.chunks(row_len as usize).zip(came.chunks(row_len as usize));
        for (row, came) in rows {
            let largest = row.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
            let scale = if largest < 32768.0 { 1.0 } else { largest / 16384.0 };
            for (value, came) in row.iter().zip(came) {
                let most = (value.abs() * 2.0_f32.powi(-11)).max(scale * 2.0_f32.powi(-25));
                prop_assert!((came - value).abs() <= most, "{} for {}", came, value);
            }
        }
    }

    #[test]
    fn int8_is_off_by_half_a_step((values, row_len) in any_rows()) {
        let came = sent(WireType::Int8, &values, row_len);
        let rows = values.chunks(row_len as usize).zip(came.chunks(row_len as usize));
        for (row, came) in rows {
            let largest = row.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
            // What the floats themselves round comes on top.
            let most = (largest / 127.0 * 0.500_1).max(1.5e-36);
            for (value, came) in row.iter().zip(came) {
                prop_assert!((came - value).abs() <= most, "{} for {}, up to {}", came, value, largest);
            }
        }
    }

    #[test]
    fn any_bytes_are_survived(
        wire in any_wire(),
        packed in prop::collection::vec(any::<u8>(), 0..400),
        row_len in prop_oneof![0..40_u32, any::<u32>()],
    ) {
        if wire != WireType::F32 {
            let whole = packed.len() as u64 / wire.row_bytes(row_len);
            let rows = wire.unpack(packed.clone(), row_len);
            prop_assert_eq!(rows.len() as u64, whole * u64::from(row_len) * 4);
        }
        let _ = wire.pack(packed, row_len);
    }
}
