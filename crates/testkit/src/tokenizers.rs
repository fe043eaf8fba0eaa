//! Tiny tokenizers and what transformers makes of difficult texts and of conversations.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Message;

/// `tokenizers/golden.json`: what `golden/make_tokenizers.py` had from transformers.
#[derive(Clone, Debug, Deserialize)]
pub struct TokenizerVectors {
    /// Difficult texts.
    pub texts: Vec<String>,
    /// The file `byte-level`, by the name of how it cuts words (`tokenizer.ggml.pre`).
    pub byte_level: BTreeMap<String, Encoded>,
    /// The file `sentencepiece`.
    pub sentencepiece: Encoded,
    /// The same with `tokenizer.ggml.add_space_prefix` off.
    pub sentencepiece_without_prefix: Encoded,
    /// The same as a file of Gemma, with the last token for two spaces.
    pub gemma: Encoded,
    /// The file `unigram`.
    pub unigram: Encoded,
    /// Conversations.
    pub chats: Chats,
    /// `tokenizer.json` in the styles of several families.
    pub json: BTreeMap<String, JsonStyle>,
}

/// What a family lists in its `tokenizer.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct JsonStyle {
    /// The file of the vocabulary.
    pub file: String,
    /// `normalizer`, `pre_tokenizer` and `decoder`, in place of the file's.
    pub steps: BTreeMap<String, serde_json::Value>,
    /// The texts through it.
    pub encoded: Encoded,
}

/// The texts through one tokenizer, in their order.
#[derive(Clone, Debug, Deserialize)]
pub struct Encoded {
    /// Tokens, without one that begins a text. What texts spell is never a control token.
    pub ids: Vec<Vec<u32>>,
    /// The texts of the tokens where they are others than the text, by its place.
    pub decoded: BTreeMap<usize, String>,
}

/// Conversations through templates in the styles of several families.
#[derive(Clone, Debug, Deserialize)]
pub struct Chats {
    /// By name.
    pub styles: BTreeMap<String, Style>,
    /// What was said.
    pub conversations: Vec<Vec<Message>>,
    /// Each conversation through each of the styles that take it.
    pub talks: Vec<Talk>,
}

/// A template.
#[derive(Clone, Debug, Deserialize)]
pub struct Style {
    /// The file of its tokenizer. `byte-level` cuts words as `llama-bpe`.
    pub tokenizer: String,
    /// In Jinja's language.
    pub template: String,
}

/// A conversation and its prompt.
#[derive(Clone, Debug, Deserialize)]
pub struct Talk {
    /// The name of the template.
    pub style: String,
    /// The number of the conversation.
    pub conversation: usize,
    /// Whether the prompt ends with the beginning of an answer.
    pub prompt: bool,
    /// The rendered text.
    pub text: String,
    /// Its tokens; control tokens only where the template spells them.
    pub ids: Vec<u32>,
}

/// The expectations.
///
/// # Panics
/// Not with the file that is checked in.
pub fn tokenizer_vectors() -> TokenizerVectors {
    let text = include_str!("../golden/tokenizers/golden.json");
    serde_json::from_str(text).expect("make_tokenizers.py writes this form")
}

/// A tokenizer that rewrites texts by a table, `rewritten`: what `golden/make_rewritten.py` had from
/// transformers.
#[derive(Clone, Debug, Deserialize)]
pub struct Rewritten {
    /// Texts that the table changes, and others.
    pub texts: Vec<String>,
    /// Their tokens, without the one that ends a text.
    pub ids: Vec<Vec<u32>>,
    /// The token that ends a text.
    pub end: u32,
    /// The table.
    pub table: Vec<u8>,
}

/// The expectations of [`Rewritten`].
///
/// # Panics
/// Not with the file that is checked in.
pub fn rewritten() -> Rewritten {
    let text = include_str!("../golden/tokenizers/rewritten-golden.json");
    serde_json::from_str(text).expect("make_rewritten.py writes this form")
}

/// A GGUF file with a tokenizer and nothing else: `byte-level`, `sentencepiece`, `unigram` or `rewritten`.
///
/// # Panics
/// When there is no file of that name.
pub fn tokenizer_file(name: &str) -> &'static [u8] {
    match name {
        "byte-level" => include_bytes!("../golden/tokenizers/byte-level.gguf"),
        "sentencepiece" => include_bytes!("../golden/tokenizers/sentencepiece.gguf"),
        "unigram" => include_bytes!("../golden/tokenizers/unigram.gguf"),
        "rewritten" => include_bytes!("../golden/tokenizers/rewritten.gguf"),
        _ => panic!("no tokenizer {name:?}"),
    }
}

/// The `tokenizer.json` of a tokenizer of [`tokenizer_file`].
///
/// # Panics
/// When there is no file of that name.
pub fn tokenizer_json(name: &str) -> &'static str {
    match name {
        "byte-level" => include_str!("../golden/tokenizers/byte-level.json"),
        "sentencepiece" => include_str!("../golden/tokenizers/sentencepiece.json"),
        "unigram" => include_str!("../golden/tokenizers/unigram.json"),
        "rewritten" => include_str!("../golden/tokenizers/rewritten.json"),
        _ => panic!("no tokenizer {name:?}"),
    }
}
