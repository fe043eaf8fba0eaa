//! A channel's messages, in which frames come whole or in slices. A message is two length bytes and
//! its own; a third byte of 1 fills it up to a full slice, which random bytes would never reach.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::peer::{Assembler, MAX_FRAME_BYTES, MESSAGE_BYTES};

fuzz_target!(|bytes: &[u8]| {
    let mut assembler = Assembler::default();
    let mut rest = bytes;
    while let [low, high, fill, tail @ ..] = rest {
        let len = usize::from(u16::from_le_bytes([*low, *high])).min(tail.len());
        let (message, next) = tail.split_at(len);
        rest = next;
        let mut message = message.to_vec();
        if *fill == 1 {
            message.resize(MESSAGE_BYTES, 0);
        }
        match assembler.push(message) {
            Ok(Some(frame)) => assert!(frame.len() <= MAX_FRAME_BYTES + MESSAGE_BYTES),
            Ok(None) => {}
            // The link is of no further use.
            Err(_) => return,
        }
    }
});
