//! A model file: its index, sizes, tokenizer and profiles, and the tokenizer on what follows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::{MemorySource, ModelFile, TextFiles};
use text::Text;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = pollster::block_on(ModelFile::open(MemorySource(bytes.to_vec()))) else {
        return;
    };
    let _ = file.profiles(file.config().context_tokens, 1);
    for name in file.index().tensors.keys().take(2) {
        for piece in file.pieces(name, 0..1).expect("it is in the index") {
            let rows = pollster::block_on(file.piece(name, &piece));
            let _ = rows.expect("the index lies in the file").source().widened_row(0);
        }
        let _ = pollster::block_on(file.vector(name)).expect("the index lies in the file");
    }
    let texts = pollster::block_on(file.text_files()).expect("the front was read before");
    let TextFiles::Gguf(front) = texts else { panic!("it is a GGUF file") };
    if let Ok(text) = Text::from_gguf(&front, file.config().vocab) {
        let end = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(64)..]);
        let _ = text.tokenizer().encode(&end);
    }
});
