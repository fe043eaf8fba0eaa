//! A chat template and two messages, with NULs between, into tokens.
#![no_main]

use std::sync::LazyLock;

use base::{Message, Role};
use gguf::Header;
use libfuzzer_sys::fuzz_target;
use text::{ChatTemplate, Tokenizer};

static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
    let bytes = include_bytes!("../../crates/testkit/golden/tokenizers/byte-level.gguf");
    let header = Header::parse(bytes).expect("the file is sound");
    Tokenizer::from_metadata(&header.metadata, usize::MAX).expect("the file is sound")
});

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\0');
    let source = parts.next().unwrap_or_default();
    let Ok(template) = ChatTemplate::new(source, &TOKENIZER) else { return };
    let message = |role| Message { role, content: parts.next().unwrap_or_default().to_owned() };
    let messages = [Role::Assistant, Role::User].map(message);
    let Ok(prompt) = template.render(&messages, true) else { return };
    TOKENIZER.encode_prompt(&prompt).expect("any text has tokens");
});
