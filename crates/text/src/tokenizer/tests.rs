//! Tokens that end an answer.

use super::*;

const TOKENS: [&str; 7] =
    ["a", "<|im_end|>", "<|eot_id|>", "</s>", "stop", "<|eom_id|>", "<end_of_turn>"];
const CONTROL: u64 = 3;
const NORMAL: u64 = 1;

/// A vocabulary where `</s>` is ordinary text, and `stop` ends a text without being control.
fn metadata() -> BTreeMap<String, Value> {
    let text = |text: &&str| Value::String((*text).to_owned());
    let types = [NORMAL, CONTROL, CONTROL, NORMAL, NORMAL, CONTROL, CONTROL];
    let entries = [
        ("model", text(&"gpt2")),
        ("tokens", Value::Array(TOKENS.iter().map(text).collect())),
        ("token_type", Value::Array(types.map(Value::Unsigned).to_vec())),
        ("merges", Value::Array(Vec::new())),
        ("eos_token_id", Value::Unsigned(4)),
        ("eot_token_id", Value::Unsigned(2)),
        ("eom_token_id", Value::Unsigned(5)),
    ];
    entries.map(|(key, value)| (format!("tokenizer.ggml.{key}"), value)).into()
}

#[test]
fn every_end_that_a_file_names_and_every_known_one_ends_an_answer() {
    let tokenizer = Tokenizer::from_metadata(&metadata(), 7).expect("it is sound");
    assert_eq!(tokenizer.eos(), [4, 2, 5, 1, 6]);
}

#[test]
fn no_end_is_shown() {
    let tokenizer = Tokenizer::from_metadata(&metadata(), 7).expect("it is sound");
    let mut decoder = tokenizer.decoder();
    let shown: String = (0..7).map(|token| decoder.push(&tokenizer, token)).collect();
    assert_eq!(shown + &decoder.finish(&tokenizer), "a</s>");
}

#[test]
fn an_end_beyond_the_vocabulary_is_refused() {
    let mut metadata = metadata();
    metadata.insert("tokenizer.ggml.eot_token_id".to_owned(), Value::Unsigned(7));
    let error = Tokenizer::from_metadata(&metadata, 7).expect_err("there are 7 tokens");
    assert!(error.to_string().contains("eot_token_id"), "{error}");
}
