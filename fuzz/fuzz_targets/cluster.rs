//! What one signaling server hears of another.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::cluster::{Notice, VERSION};

fuzz_target!(|bytes: &[u8]| {
    let _ = Notice::decode(bytes, bytes.len());
    let with_version = [&[VERSION][..], bytes].concat();
    if let Ok(notice) = Notice::decode(&with_version, with_version.len()) {
        let written = notice.encode();
        assert_eq!(Notice::decode(&written, written.len()), Ok(notice));
    }
});
