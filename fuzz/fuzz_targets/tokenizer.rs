//! A tokenizer, of a GGUF file or a Hugging Face repository, on a text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::{Tokenizer, gguf::Index};

/// No model here embeds more.
const VOCABULARY: usize = 1 << 12;

fuzz_target!(|bytes: &[u8]| {
    let made = match Index::parse(bytes, bytes.len() as u64) {
        Ok(index) => Tokenizer::from_metadata(&index.metadata, VOCABULARY),
        Err(_) => Tokenizer::from_json(&String::from_utf8_lossy(bytes), "{}", VOCABULARY),
    };
    let Ok(tokenizer) = made else { return };
    let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(256)..]);
    let Ok(tokens) = tokenizer.encode(&text) else { return };
    let mut decoder = tokenizer.decoder();
    for token in tokens {
        decoder.push(&tokenizer, token);
    }
    decoder.finish(&tokenizer);
});
