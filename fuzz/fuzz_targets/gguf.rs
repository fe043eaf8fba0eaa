//! A model file: its index, sizes, tokenizer and profiles, and the tokenizer on what follows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::{MemorySource, ModelFile};

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = pollster::block_on(ModelFile::open(MemorySource(bytes.to_vec()))) else {
        return;
    };
    let _ = file.profiles(file.config().context_tokens, 1);
    for name in file.index().tensors.keys().take(2) {
        let row = pollster::block_on(file.rows(name, 0..1)).expect("the index lies in the file");
        let _ = row.source().widened_row(0);
    }
    if let Ok(tokenizer) = file.tokenizer() {
        let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(64)..]);
        let _ = tokenizer.encode(&text);
    }
});
