//! Every kind of tokenizer on difficult texts, as transformers does it.

use std::collections::BTreeMap;

use gguf::{Header, Value};
use testkit::{Encoded, rewritten, tokenizer_file, tokenizer_json, tokenizer_vectors};
use text::{TextError, Tokenizer};

fn metadata(name: &str) -> BTreeMap<String, Value> {
    let mut metadata = Header::parse(tokenizer_file(name)).expect("it is sound").metadata;
    // The expectations are without tokens that begin and end a text.
    for end in ["bos", "eos"] {
        metadata.insert(format!("tokenizer.ggml.add_{end}_token"), Value::Bool(false));
    }
    metadata
}

fn tokenizer(metadata: &BTreeMap<String, Value>) -> Tokenizer {
    Tokenizer::from_metadata(metadata, usize::MAX).expect("it is a tokenizer")
}

fn decode(tokenizer: &Tokenizer, tokens: &[u32]) -> String {
    let mut decoder = tokenizer.decoder();
    let mut text: String = tokens.iter().map(|&token| decoder.push(tokenizer, token)).collect();
    text += &decoder.finish(tokenizer);
    text
}

fn check(name: &str, tokenizer: &Tokenizer, expected: &Encoded) {
    let texts = tokenizer_vectors().texts;
    for (number, (text, ids)) in texts.iter().zip(&expected.ids).enumerate() {
        let tokens = tokenizer.encode(text).expect("any text has tokens");
        // Where nothing is left of a text, a prompt is what begins one.
        if !ids.is_empty() {
            assert_eq!(&tokens, ids, "{name}: {text:?}");
        }
        let decoded = expected.decoded.get(&number).unwrap_or(text);
        assert_eq!(&decode(tokenizer, ids), decoded, "{name}: {text:?}");
    }
}

#[test]
fn byte_level_tokenizers_cut_words_as_their_models_do() {
    let mut metadata = metadata("byte-level");
    for (pre, expected) in tokenizer_vectors().byte_level {
        metadata.insert("tokenizer.ggml.pre".into(), Value::String(pre.clone()));
        check(&pre, &tokenizer(&metadata), &expected);
    }
}

#[test]
fn sentencepiece_has_merges_by_scores_and_bytes() {
    let vectors = tokenizer_vectors();
    let mut metadata = metadata("sentencepiece");
    check("with a space", &tokenizer(&metadata), &vectors.sentencepiece);
    metadata.insert("tokenizer.ggml.add_space_prefix".into(), Value::Bool(false));
    check("without", &tokenizer(&metadata), &vectors.sentencepiece_without_prefix);
}

#[test]
fn gemma_has_merges_by_the_order_of_tokens() {
    let mut metadata = metadata("sentencepiece");
    metadata.insert("general.architecture".into(), Value::String("gemma3".into()));
    metadata.insert("tokenizer.ggml.add_space_prefix".into(), Value::Bool(false));
    let mut put_last = |key: &str, value: Value| {
        let Some(Value::Array(list)) = metadata.get_mut(key) else { panic!("{key} is a list") };
        *list.last_mut().expect("it is not empty") = value;
    };
    put_last("tokenizer.ggml.tokens", Value::String("  ".into()));
    put_last("tokenizer.ggml.token_type", Value::Signed(4));
    check("gemma", &tokenizer(&metadata), &tokenizer_vectors().gemma);
}

/// And ends with a token for that, as T5 wants it, in either kind of file.
#[test]
fn a_text_is_rewritten_by_a_table() {
    let expected = rewritten();
    let mut metadata = metadata("rewritten");
    metadata.remove("tokenizer.ggml.add_eos_token");
    let json = Tokenizer::from_json(tokenizer_json("rewritten"), "{}", usize::MAX);
    for tokenizer in [tokenizer(&metadata), json.expect("it is a tokenizer")] {
        for (text, ids) in expected.texts.iter().zip(&expected.ids) {
            let tokens = tokenizer.encode(text).expect("any text has tokens");
            assert_eq!(tokens.split_last(), Some((&expected.end, &ids[..])), "{text:?}");
        }
    }
}

#[test]
fn unigram_takes_the_likeliest() {
    check("unigram", &tokenizer(&metadata("unigram")), &tokenizer_vectors().unigram);
}

#[test]
fn no_text_spells_a_control_token() {
    for name in ["byte-level", "sentencepiece", "unigram", "rewritten"] {
        let metadata = metadata(name);
        let tokenizer = tokenizer(&metadata);
        let list = |key: &str| metadata[key].as_array().expect("it is a list").to_vec();
        let kinds = list("tokenizer.ggml.token_type");
        let tokens = list("tokenizer.ggml.tokens");
        let is_control = |id: usize| kinds[id].as_u64() == Some(3);
        for (id, token) in tokens.iter().enumerate().filter(|(id, _)| is_control(*id)) {
            let text = token.as_str().expect("it is text");
            let ids = tokenizer.encode(text).expect("any text has tokens");
            assert!(
                !ids.iter().any(|&id| is_control(id as usize)),
                "{name}: {text} ({id}): {ids:?}"
            );
        }
    }
}

#[test]
fn a_prompt_begins_as_the_file_says() {
    let mut metadata = metadata("sentencepiece");
    metadata.remove("tokenizer.ggml.add_bos_token");
    let begun = tokenizer(&metadata).encode("the hen").expect("it has tokens");
    assert_eq!(Some(u64::from(begun[0])), metadata["tokenizer.ggml.bos_token_id"].as_u64());
    assert_eq!(tokenizer(&metadata).encode("").expect("one token"), begun[..1]);
}

#[test]
fn what_is_not_known_is_refused_by_its_name() {
    let refusal = |name: &str, key: &str, value: Value| {
        let mut metadata = metadata(name);
        metadata.insert(key.into(), value);
        Tokenizer::from_metadata(&metadata, usize::MAX).expect_err("it is refused").to_string()
    };
    let unknown = refusal("byte-level", "tokenizer.ggml.pre", Value::String("viking".into()));
    assert!(unknown.contains("tokenizer.ggml.pre") && unknown.contains("viking"), "{unknown}");
    let unknown = refusal("byte-level", "tokenizer.ggml.model", Value::String("bert".into()));
    assert!(unknown.contains("`bert`") && unknown.contains("t5"), "{unknown}");
    let table = Value::Array(vec![Value::Unsigned(1)]);
    let table = refusal("unigram", "tokenizer.ggml.precompiled_charsmap", table);
    assert!(table.contains("precompiled_charsmap"), "{table}");
    let scores = Value::Array(vec![Value::Float(f64::NAN)]);
    let scores = refusal("unigram", "tokenizer.ggml.scores", scores);
    assert!(scores.contains("tokenizer.ggml.scores"), "{scores}");
}

/// The library would read past the end of its longest token.
#[test]
fn a_merge_to_no_token_is_refused() {
    let mut metadata = metadata("byte-level");
    let Some(Value::Array(tokens)) = metadata.get("tokenizer.ggml.tokens") else {
        panic!("a list")
    };
    let texts = tokens.iter().filter_map(Value::as_str);
    let longest = texts.max_by_key(|token| token.len()).expect("there are tokens");
    let merge = Value::String(format!("{longest} {longest}"));
    metadata.insert("tokenizer.ggml.merges".into(), Value::Array(vec![merge]));
    let refused = Tokenizer::from_metadata(&metadata, usize::MAX).expect_err("it is refused");
    assert!(matches!(&refused, TextError::Tokenizer(_)) && refused.to_string().contains("merge"));
}
