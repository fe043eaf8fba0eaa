//! A camera's picture, which shows whatever is held before it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&width, picture)) = bytes.split_first() else { return };
    // Grey in two steps is what a code is made of.
    let rgba: Vec<u8> = picture.iter().flat_map(|byte| [*byte; 4]).collect();
    for (rgba, halved) in [(&rgba[..], false), (&rgba[..], true), (picture, false), (picture, true)]
    {
        let _ = lingualinked_scan::read_qr(rgba, usize::from(width), halved);
    }
});
