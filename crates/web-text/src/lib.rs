//! Tokenizer and chat template for a browser's worker, as a module of its own: the phone that starts a
//! room reads questions and writes answers, and a phone that only runs a stage does not load this.
//!
//! The engine takes it as an object of JavaScript; `crates/web/src/text.rs` has the other side.

// Clippy looks at it on any machine.
#![cfg(any(target_family = "wasm", clippy))]

use std::rc::Rc;

use base::Message;
use text::{Decoder, Text, TextError};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}

/// How one model reads and writes.
#[wasm_bindgen]
#[derive(Debug)]
pub struct ModelText(Rc<Text>);

#[wasm_bindgen]
impl ModelText {
    /// From the first bytes of a GGUF file, for a model that embeds `vocab` tokens.
    ///
    /// # Errors
    /// Those of [`Text::from_gguf`], in words.
    #[wasm_bindgen(js_name = fromGguf)]
    pub fn from_gguf(front: &[u8], vocab: usize) -> Result<Self, JsError> {
        Self::new(Text::from_gguf(front, vocab))
    }

    /// From `tokenizer.json` and `tokenizer_config.json`.
    ///
    /// # Errors
    /// Those of [`Text::from_json`], in words.
    #[wasm_bindgen(js_name = fromJson)]
    pub fn from_json(tokenizer: &str, config: &str, vocab: usize) -> Result<Self, JsError> {
        Self::new(Text::from_json(tokenizer, config, vocab))
    }

    fn new(text: Result<Text, TextError>) -> Result<Self, JsError> {
        Ok(Self(Rc::new(text?)))
    }

    /// The tokens of a conversation's prompt: `messages` are `{role, content}`.
    ///
    /// # Errors
    /// Those of [`Text::prompt`], in words.
    pub fn prompt(&self, messages: JsValue) -> Result<Vec<u32>, JsError> {
        let messages: Vec<Message> = serde_wasm_bindgen::from_value(messages)?;
        Ok(self.0.prompt(&messages)?)
    }

    /// Tokens that end a completion.
    pub fn eos(&self) -> Vec<u32> {
        self.0.eos().to_vec()
    }

    /// Whether the model was made for conversations.
    #[wasm_bindgen(js_name = takesChats)]
    pub fn takes_chats(&self) -> bool {
        self.0.takes_chats()
    }

    /// The same for a model that takes texts as they are.
    #[wasm_bindgen(js_name = withoutChats)]
    pub fn without_chats(&self) -> Self {
        Self(Rc::new(Text::clone(&self.0).without_chats()))
    }

    /// A decoder for one completion.
    pub fn decoder(&self) -> AnswerDecoder {
        AnswerDecoder { text: self.0.clone(), decoder: Decoder::default() }
    }
}

/// Turns a completion's tokens into text.
#[wasm_bindgen]
#[derive(Debug)]
pub struct AnswerDecoder {
    text: Rc<Text>,
    decoder: Decoder,
}

#[wasm_bindgen]
impl AnswerDecoder {
    /// The text that `token` adds.
    pub fn push(&mut self, token: u32) -> String {
        self.decoder.push(self.text.tokenizer(), token)
    }

    /// What is left at the end.
    pub fn finish(&mut self) -> String {
        self.decoder.finish(self.text.tokenizer())
    }
}
