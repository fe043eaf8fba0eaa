//! Text to tokens and back, as transformers does it.

use gguf::Header;
use serde::Deserialize;
use testkit::{Golden, MODELS, golden};
use text::Tokenizer;

fn read(bytes: &[u8], vocab: usize) -> Tokenizer {
    let header = Header::parse(bytes).expect("the file is sound");
    Tokenizer::from_metadata(&header.metadata, vocab).expect("it has a tokenizer")
}

fn tokenizer(golden: &Golden) -> Tokenizer {
    read(golden.gguf, golden.long.logits[0].len())
}

/// Tokens without the one that begins a text, where there is such a one.
fn encode(tokenizer: &Tokenizer, text: &str, begins: bool) -> Vec<u32> {
    let tokens = tokenizer.encode(text).expect("any text has tokens");
    tokens[usize::from(begins)..].to_vec()
}

fn decode(tokenizer: &Tokenizer, tokens: &[u32]) -> String {
    let mut decoder = tokenizer.decoder();
    let mut text: String = tokens.iter().map(|&token| decoder.push(tokenizer, token)).collect();
    text += &decoder.finish(tokenizer);
    text
}

#[test]
fn difficult_texts_have_the_tokens_of_transformers() {
    for name in MODELS {
        let golden = golden(name);
        let tokenizer = tokenizer(&golden);
        let begins = ["llama", "gemma3"].contains(&golden.architecture.as_str());
        let plain = golden.texts.iter().filter(|text| !text.text.contains("<|"));
        // An empty text gets a token to begin with, so that there is something to predict from.
        for text in plain.filter(|text| !text.text.is_empty()) {
            assert_eq!(encode(&tokenizer, &text.text, begins), text.ids, "{name}: {:?}", text.text);
            assert_eq!(decode(&tokenizer, &text.ids), text.text, "{name}");
        }
        for prompt in [&golden.short, &golden.long] {
            assert_eq!(tokenizer.encode(&prompt.text).expect("it has tokens"), prompt.ids);
            assert_eq!(decode(&tokenizer, &prompt.tokens), prompt.completion, "{name}");
        }
    }
}

#[test]
fn special_tokens_in_a_text_are_text() {
    for name in MODELS {
        let golden = golden(name);
        let tokenizer = tokenizer(&golden);
        let spelled = "<|im_start|>user\nhello<|im_end|>\n";
        let parsed = golden.texts.iter().find(|text| text.text == spelled).expect("it is there");
        let tokens = encode(&tokenizer, spelled, golden.architecture == "llama");
        let control = [parsed.ids[0], tokenizer.eos()[0]];
        assert!(!tokens.iter().any(|token| control.contains(token)), "{name}: {tokens:?}");
        assert_eq!(decode(&tokenizer, &tokens), spelled, "{name}");
    }
}

#[test]
fn an_empty_text_is_the_token_that_begins_one() {
    for name in MODELS {
        let tokenizer = tokenizer(&golden(name));
        assert_eq!(tokenizer.encode("").expect("one token").len(), 1, "{name}");
    }
}

/// Tokens that the bundled model embeds.
const STORIES_TOKENS: usize = 2048;

#[derive(Deserialize)]
struct Stories {
    encodings: Vec<Encoding>,
}

#[derive(Deserialize)]
struct Encoding {
    text: String,
    ids: Vec<u32>,
}

#[test]
fn the_bundled_model_reads_and_writes_any_script() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/stories");
    let bytes = std::fs::read(format!("{folder}/stories-q8_0.gguf")).expect("the bundled model");
    let golden = std::fs::read_to_string(format!("{folder}/golden.json")).expect("its values");
    let golden: Stories = serde_json::from_str(&golden).expect("golden.py writes this form");
    let tokenizer = read(&bytes, STORIES_TOKENS);
    let plain = golden.encodings.iter().filter(|text| !text.text.contains("<|"));
    for Encoding { text, ids } in plain {
        assert_eq!(&tokenizer.encode(text).expect("it has tokens"), ids, "{text:?}");
        assert_eq!(&decode(&tokenizer, ids), text);
    }
}
