//! The module that reads questions and writes answers: loaded beside the engine on the phone that
//! starts a room, and called as an object of JavaScript. `crates/web-text` is its other side.

use std::pin::pin;

use base::Message;
use futures_util::future::{Either, select};
use js_sys::{Function, Promise};
use model::{ByteSource, ModelError, ModelFile, TextFiles};
use peer::{Decoder, Reader, Text};
use platform::sleep;
use serde::Serialize;
use wasm_bindgen::{JsCast, prelude::*};

use crate::browser::{settled, text};

/// How long the module may take to come: half a megabyte at 10 kB/s.
const LOAD_SECS: f64 = 50.0;

#[wasm_bindgen]
extern "C" {
    /// The module's class `ModelText`, for its constructors.
    #[derive(Clone, Debug)]
    type TextClass;

    #[wasm_bindgen(method, catch, js_name = fromGguf)]
    fn from_gguf(this: &TextClass, front: &[u8], vocab: usize) -> Result<ModelText, JsValue>;

    #[wasm_bindgen(method, catch, js_name = fromJson)]
    fn from_json(
        this: &TextClass,
        tokenizer: &str,
        config: &str,
        vocab: usize,
    ) -> Result<ModelText, JsValue>;

    /// How one model reads and writes.
    #[derive(Clone, Debug)]
    pub type ModelText;

    #[wasm_bindgen(method, catch, js_name = prompt)]
    fn js_prompt(this: &ModelText, messages: &JsValue) -> Result<Vec<u32>, JsValue>;

    /// Tokens that end a completion.
    #[wasm_bindgen(method, js_name = eos)]
    fn js_eos(this: &ModelText) -> Vec<u32>;

    /// Whether the model was made for conversations.
    #[wasm_bindgen(method, js_name = takesChats)]
    fn js_takes_chats(this: &ModelText) -> bool;

    #[wasm_bindgen(method, js_name = withoutChats)]
    fn without_chats(this: &ModelText) -> ModelText;

    /// A decoder for one completion.
    #[wasm_bindgen(method, js_name = decoder)]
    fn js_decoder(this: &ModelText) -> AnswerDecoder;

    /// Turns a completion's tokens into text.
    #[derive(Debug)]
    pub type AnswerDecoder;

    /// The text that `token` adds.
    #[wasm_bindgen(method, js_name = push)]
    fn js_push(this: &AnswerDecoder, token: u32) -> String;

    /// What is left at the end.
    #[wasm_bindgen(method, js_name = finish)]
    fn js_finish(this: &AnswerDecoder) -> String;
}

impl Text for ModelText {
    type Decoder = AnswerDecoder;

    fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>, String> {
        let serializer = serde_wasm_bindgen::Serializer::json_compatible();
        let messages = messages.serialize(&serializer).expect("messages are plain data");
        self.js_prompt(&messages).map_err(|error| text(&error))
    }

    fn eos(&self) -> Vec<u32> {
        self.js_eos()
    }

    fn takes_chats(&self) -> bool {
        self.js_takes_chats()
    }

    fn decoder(&self) -> AnswerDecoder {
        self.js_decoder()
    }
}

impl Decoder for AnswerDecoder {
    fn push(&mut self, token: u32) -> String {
        self.js_push(token)
    }

    fn finish(&mut self) -> String {
        self.js_finish()
    }
}

/// The module on its way.
#[derive(Clone, Debug)]
pub struct TextModule(Promise);

impl TextModule {
    /// Starts to load it: `load` gives a promise of the class `ModelText`.
    ///
    /// # Errors
    /// What `load` throws.
    pub fn load(load: &Function) -> Result<Self, JsValue> {
        Ok(Self(load.call0(&JsValue::NULL)?.unchecked_into()))
    }

    async fn class(&self) -> Result<TextClass, ModelError> {
        let problem = match select(pin!(settled(self.0.clone())), pin!(sleep(LOAD_SECS))).await {
            Either::Left((Ok(class), _)) => return Ok(class),
            Either::Left((Err(error), _)) => text(&error),
            Either::Right(_) => format!("it did not come within {LOAD_SECS} s"),
        };
        Err(ModelError::Unavailable(format!(
            "The part of this page that reads and writes text could not be loaded: {problem}. Reload the page."
        )))
    }
}

impl Reader for TextModule {
    type Text = ModelText;

    /// Once the module is there.
    async fn of<S: ByteSource>(&self, file: &ModelFile<S>) -> Result<ModelText, ModelError> {
        let (class, vocab) = (self.class().await?, file.config().vocab);
        let made = match file.text_files().await? {
            TextFiles::Gguf(front) => class.from_gguf(&front, vocab),
            TextFiles::Json { tokenizer, tokenizer_config } => {
                class.from_json(&tokenizer, &tokenizer_config, vocab)
            }
        };
        let made = made.map_err(|error| ModelError::Unavailable(text(&error)))?;
        // A classifier was trained on texts alone; its files may have the template of what it was made from.
        Ok(if file.config().labels.is_empty() { made } else { made.without_chats() })
    }
}
