//! A tokenizer, of a GGUF file or a Hugging Face repository, on a text.
#![no_main]

use gguf::Header;
use libfuzzer_sys::fuzz_target;
use text::Tokenizer;

/// No model here embeds more.
const VOCABULARY: usize = 1 << 12;

fuzz_target!(|bytes: &[u8]| {
    let made = match Header::parse(bytes) {
        Ok(header) => Tokenizer::from_metadata(&header.metadata, VOCABULARY),
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
