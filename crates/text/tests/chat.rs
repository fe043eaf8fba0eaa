//! Conversations through chat templates, as transformers renders and tokenizes them.

use base::{Message, Role};
use gguf::{GgufError, Header, Value};
use proptest::prelude::*;
use testkit::{MODELS, golden, tokenizer_file, tokenizer_vectors};
use text::{ChatTemplate, Text, TextError, Tokenizer};

fn tokenizer(name: &str) -> Tokenizer {
    let mut metadata = Header::parse(tokenizer_file(name)).expect("it is sound").metadata;
    if name == "byte-level" {
        metadata.insert("tokenizer.ggml.pre".into(), Value::String("llama-bpe".into()));
    }
    Tokenizer::from_metadata(&metadata, usize::MAX).expect("it is a tokenizer")
}

fn message(message: &testkit::Message) -> Message {
    let role = match message.role.as_str() {
        "system" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        other => panic!("{other}"),
    };
    Message { role, content: message.content.clone() }
}

fn ask(content: &str) -> [Message; 1] {
    [Message::user(content)]
}

fn template(source: &str) -> ChatTemplate {
    ChatTemplate::new(source, &tokenizer("byte-level")).expect("it can be read")
}

#[test]
fn conversations_have_the_text_and_the_tokens_of_transformers() {
    let chats = tokenizer_vectors().chats;
    for (name, style) in &chats.styles {
        let tokenizer = tokenizer(&style.tokenizer);
        let template = ChatTemplate::new(&style.template, &tokenizer).expect("it can be read");
        let talks: Vec<_> = chats.talks.iter().filter(|talk| &talk.style == name).collect();
        assert!(talks.len() >= 7, "{name}");
        for talk in talks {
            let messages = &chats.conversations[talk.conversation];
            let messages: Vec<_> = messages.iter().map(message).collect();
            let prompt = template.render(&messages, talk.prompt).expect("it takes them");
            assert_eq!(prompt.text(), talk.text, "{name}");
            let tokens = tokenizer.encode_prompt(&prompt).expect("it has tokens");
            assert_eq!(tokens, talk.ids, "{name}: {:?}", talk.text);
        }
    }
}

#[test]
fn a_model_file_brings_its_template() {
    for name in MODELS {
        let golden = golden(name);
        let vocab = golden.long.logits[0].len();
        let text = Text::from_gguf(golden.gguf, vocab).expect("it is sound");
        assert!(text.takes_chats(), "{name}");
        let messages: Vec<_> = golden.chat.messages.iter().map(message).collect();
        let prompt = text.template().expect("there is one").render(&messages, true);
        let prompt = prompt.expect("it takes them");
        assert_eq!(prompt.text(), golden.chat.text, "{name}");
        let tokens = text.tokenizer().encode_prompt(&prompt).expect("it has tokens");
        assert_eq!(tokens, golden.chat.ids, "{name}");
        assert_eq!(text.prompt(&messages), Ok(tokens), "{name}");
    }
}

#[test]
fn a_model_without_a_template_goes_on_from_the_last_message() {
    let text = Text::from_gguf(tokenizer_file("byte-level"), usize::MAX).expect("it is sound");
    assert!(text.template().is_none() && !text.takes_chats());
    let messages = ["The cow sleeps.", "<|im_start|>The hen"].map(Message::user);
    let expected = text.tokenizer().encode(&messages[1].content);
    assert_eq!(text.prompt(&messages), expected);
    assert_eq!(text.prompt(&[]), text.tokenizer().encode(""));
}

#[test]
fn a_front_that_ends_too_early_is_refused() {
    let file = tokenizer_file("byte-level");
    let error = Text::from_gguf(&file[..file.len() / 2], usize::MAX).expect_err("it is half");
    assert!(matches!(error, TextError::Gguf(GgufError::Truncated { .. })), "{error}");
}

#[test]
fn messages_that_follow_each_other_spell_no_control_token_together() {
    let tokenizer = tokenizer("byte-level");
    let source = "{% for m in messages %}{{ m.content }}{% endfor %}<|im_end|>";
    let template = ChatTemplate::new(source, &tokenizer).expect("it can be read");
    let text = "<|im_start|>";
    for cut in 0..=text.len() {
        let messages = [&text[..cut], &text[cut..]].map(Message::user);
        let prompt = template.render(&messages, true).expect("it takes them");
        assert_eq!(prompt.text(), "<|im_start|><|im_end|>");
        let tokens = tokenizer.encode_prompt(&prompt).expect("it has tokens");
        let mut expected = tokenizer.encode(text).expect("it has tokens");
        expected.push(tokenizer.eos()[0]);
        assert_eq!(tokens.len(), expected.len(), "cut at {cut}: {tokens:?}");
        assert_eq!(tokens[..tokens.len() - 1], expected[..expected.len() - 1], "cut at {cut}");
    }
}

#[test]
fn a_template_refuses_in_its_own_words() {
    let source = "{{ raise_exception('Only cats may ask') }}";
    let refusal = template(source).render(&ask("hi"), true).expect_err("it is no cat");
    assert!(refusal.to_string().contains("Only cats may ask"), "{refusal}");
    let broken = ChatTemplate::new("{% for %}", &tokenizer("byte-level")).expect_err("no template");
    assert!(broken.to_string().contains("chat template"), "{broken}");
}

#[test]
fn the_day_is_not_known() {
    let source =
        "{% if strftime_now is defined %}{{ strftime_now('%d') }}{% else %}then{% endif %}";
    assert_eq!(template(source).render(&ask("hi"), true).expect("it takes them").text(), "then");
}

#[test]
fn a_hostile_template_ends() {
    let hostile = [
        "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
        "{% for a in range(90000) %}{{ messages[0].content }}{% endfor %}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "{{ 'a' * 1000000000000 }}",
        "{% set ns = namespace(x='ab') %}{% for i in range(64) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{{ range(100000000000) }}",
    ];
    for source in hostile {
        let refused = template(source).render(&ask(&"long ".repeat(100)), true);
        refused.expect_err(source);
    }
    let long = "a".repeat(100_000);
    ChatTemplate::new(&long, &tokenizer("byte-level")).expect_err("it is too long");
}

proptest! {
    #[test]
    fn no_messages_spell_control_tokens(texts in proptest::collection::vec(pieces(), 2..4)) {
        let tokenizer = tokenizer("byte-level");
        let source = "{% for m in messages %}{{ m.content | trim }}{% endfor %}";
        let template = ChatTemplate::new(source, &tokenizer).expect("it can be read");
        let messages: Vec<_> = texts.into_iter().map(Message::user).collect();
        let prompt = template.render(&messages, true).expect("it takes them");
        let tokens = tokenizer.encode_prompt(&prompt).expect("any text has tokens");
        prop_assert!(!tokens.iter().any(|token| tokenizer.eos().contains(token)));
    }
}

/// Texts of parts of the tokens that end turns.
fn pieces() -> impl Strategy<Value = String> {
    let pieces = ["<", "|", ">", "<|", "|>", "im_end", "eot_", "id", "<|im_", "end|>", " ", "x"];
    let pieces = proptest::sample::select(pieces.to_vec());
    proptest::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
}
