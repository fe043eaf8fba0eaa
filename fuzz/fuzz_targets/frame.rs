//! A peer's frame: what can be read is written again as the same bytes' meaning.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::peer::Frame;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(frame) = Frame::decode(bytes) {
        let again = frame.encode();
        assert_eq!(again.len(), frame.encoded_len());
        // Bytes, because a NaN among activations equals nothing.
        let twice = Frame::decode(&again).map(|frame| frame.encode());
        assert_eq!(twice.as_deref(), Ok(again.as_slice()));
    }
});
