//! The module that reads questions and writes answers: loaded beside the engine on the phone that
//! starts a room, and called as an object of JavaScript. `crates/web-text` is its other side.

use std::pin::pin;

use base::Message;
use futures_util::future::{Either, select};
use js_sys::{Function, Promise};
use model::{ByteSource, ModelError, ModelFile, TextFiles};
use serde::Serialize;
use wasm_bindgen::{JsCast, prelude::*};

use crate::{
    browser::{settled, text},
    clock::sleep,
};

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
    #[wasm_bindgen(method)]
    pub fn eos(this: &ModelText) -> Vec<u32>;

    /// Whether the model was made for conversations.
    #[wasm_bindgen(method, js_name = takesChats)]
    pub fn takes_chats(this: &ModelText) -> bool;

    #[wasm_bindgen(method, js_name = withoutChats)]
    fn without_chats(this: &ModelText) -> ModelText;

    /// A decoder for one completion.
    #[wasm_bindgen(method)]
    pub fn decoder(this: &ModelText) -> AnswerDecoder;

    /// Turns a completion's tokens into text.
    #[derive(Debug)]
    pub type AnswerDecoder;

    /// The text that `token` adds.
    #[wasm_bindgen(method)]
    pub fn push(this: &AnswerDecoder, token: u32) -> String;

    /// What is left at the end.
    #[wasm_bindgen(method)]
    pub fn finish(this: &AnswerDecoder) -> String;
}

impl ModelText {
    /// The tokens of a conversation's prompt.
    ///
    /// # Errors
    /// The module's, in words.
    pub fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>, String> {
        let serializer = serde_wasm_bindgen::Serializer::json_compatible();
        let messages = messages.serialize(&serializer).expect("messages are plain data");
        self.js_prompt(&messages).map_err(|error| text(&error))
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

    /// How the model in `file` reads and writes, once the module is there.
    ///
    /// # Errors
    /// [`ModelError::Unavailable`], and those of [`ModelFile::text_files`].
    pub async fn of<S: ByteSource>(&self, file: &ModelFile<S>) -> Result<ModelText, ModelError> {
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
