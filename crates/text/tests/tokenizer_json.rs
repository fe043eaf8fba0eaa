//! `tokenizer.json` in the styles of several families, as transformers does it.

use base::Message;
use serde_json::{Value, json};
use testkit::{JsonStyle, tokenizer_json, tokenizer_vectors};
use text::{ChatTemplate, Text, Tokenizer};

const CONFIG: &str = r#"{"add_bos_token": false, "add_eos_token": false}"#;

fn file(name: &str) -> Value {
    serde_json::from_str(tokenizer_json(name)).expect("it is JSON")
}

fn tokenizer(style: &JsonStyle) -> Tokenizer {
    let mut file = file(&style.file);
    for (step, value) in &style.steps {
        file[step] = value.clone();
    }
    Tokenizer::from_json(&file.to_string(), CONFIG, 2048).expect("it is a tokenizer")
}

#[test]
fn difficult_texts_have_the_tokens_of_transformers() {
    let vectors = tokenizer_vectors();
    for (name, style) in &vectors.json {
        let tokenizer = tokenizer(style);
        for (number, (text, ids)) in vectors.texts.iter().zip(&style.encoded.ids).enumerate() {
            let tokens = tokenizer.encode(text).expect("any text has tokens");
            // There is no token to begin with where nothing is left of a text.
            assert_eq!(&tokens, ids, "{name}: {text:?}");
            let mut decoder = tokenizer.decoder();
            let mut back: String = ids.iter().map(|&id| decoder.push(&tokenizer, id)).collect();
            back += &decoder.finish(&tokenizer);
            assert_eq!(
                &back,
                style.encoded.decoded.get(&number).unwrap_or(text),
                "{name}: {text:?}"
            );
        }
    }
}

#[test]
fn the_config_says_how_texts_begin_and_end() {
    let config = json!({
        "bos_token": "<s>",
        "eos_token": {"content": "</s>", "special": true},
        "add_bos_token": true,
        "chat_template": [
            {"name": "tool_use", "template": "x"},
            {"name": "default", "template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"},
        ],
    });
    let (file, config) = (tokenizer_json("sentencepiece"), config.to_string());
    let tokenizer = Tokenizer::from_json(file, &config, 2048).expect("it is a tokenizer");
    let (bos, eos) = (tokenizer.encode("").expect("one token"), tokenizer.eos().to_vec());
    assert_eq!(bos.len(), 1);
    let template = ChatTemplate::from_config(&config, &tokenizer);
    let template = template.expect("it can be read").expect("there is one");
    let messages = [Message::user("</s>the hen")];
    let prompt = template.render(&messages, true).expect("it takes it");
    let tokens = tokenizer.encode_prompt(&prompt).expect("it has tokens");
    assert_eq!((tokens[0], tokens[tokens.len() - 1]), (bos[0], eos[0]));
    assert!(!tokens[1..tokens.len() - 1].contains(&eos[0]));
    let text = Text::from_json(file, &config, 2048).expect("both can be read");
    assert_eq!((text.eos(), text.prompt(&messages)), (&eos[..], Ok(tokens)));
}

#[test]
fn a_post_processor_says_how_texts_begin() {
    let mut file = file("sentencepiece");
    file["post_processor"] = json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    });
    let tokenizer = Tokenizer::from_json(&file.to_string(), "{}", 2048).expect("it is a tokenizer");
    let begun = tokenizer.encode("the hen").expect("it has tokens");
    assert_eq!(begun[0], tokenizer.encode("").expect("one token")[0]);
}

#[test]
fn what_is_not_known_is_refused_by_its_name() {
    let refusal = |step: &str, value: Value| {
        let mut file = file("byte-level");
        file[step] = value;
        Tokenizer::from_json(&file.to_string(), CONFIG, 2048)
            .expect_err("it is refused")
            .to_string()
    };
    let expression = json!({"Regex": "(a*)*b"});
    let cases = [
        ("normalizer", json!({"type": "BertNormalizer"}), "BertNormalizer"),
        ("pre_tokenizer", json!({"type": "Punctuation"}), "Punctuation"),
        ("decoder", json!({"type": "WordPiece"}), "WordPiece"),
        ("model", json!({"type": "WordLevel", "vocab": {}}), "WordLevel"),
        (
            "pre_tokenizer",
            json!({"type": "Split", "pattern": expression, "behavior": "Isolated", "invert": false}),
            "(a*)*b",
        ),
        ("normalizer", json!({"type": "Replace", "pattern": expression, "content": ""}), "Replace"),
        ("added_tokens", json!([{"id": 1, "content": "<x>", "rstrip": true}]), "<x>"),
        ("added_tokens", json!([{"id": 4000, "content": "<x>"}]), "2048"),
    ];
    for (step, value, name) in cases {
        let refused = refusal(step, value);
        assert!(refused.contains(name), "{refused}");
    }
    Tokenizer::from_json("{", CONFIG, 2048).expect_err("no JSON");
}
