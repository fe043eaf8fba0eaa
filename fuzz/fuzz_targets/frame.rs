//! A peer's frame: what can be read is written again as the same bytes' meaning, and hidden states are unpacked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::peer::{Activations, Frame};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(frame) = Frame::decode(bytes) {
        let again = frame.encode();
        assert_eq!(again.len(), frame.encoded_len());
        // Bytes, because a NaN among activations equals nothing.
        let twice = Frame::decode(&again).map(|frame| frame.encode());
        assert_eq!(twice.as_deref(), Ok(again.as_slice()));
        if let Frame::Activations(activations) = frame {
            travel_on(activations);
        }
    }
});

/// As a stage that takes the rows and gives them back unchanged.
fn travel_on(Activations { wire, rows, row_len, data, .. }: Activations) {
    let packed_bytes = data.len();
    let unpacked = wire.unpack(data, row_len);
    assert_eq!(unpacked.len() as u64, u64::from(rows) * u64::from(row_len) * 4);
    assert_eq!(wire.pack(unpacked, row_len).len(), packed_bytes);
}
