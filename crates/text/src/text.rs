//! What a model's files say of its texts, all together.

use base::Message;
use gguf::{Header, Value};

use crate::{chat::ChatTemplate, error::TextError, tokenizer::Tokenizer};

/// A model's tokenizer and its chat template, if it was made for conversations.
#[derive(Clone, Debug)]
pub struct Text {
    tokenizer: Tokenizer,
    template: Option<ChatTemplate>,
}

impl Text {
    /// Of a GGUF file by its first bytes, at least all of its metadata, for a model that embeds
    /// `vocab` tokens.
    ///
    /// # Errors
    /// [`TextError::Gguf`] where `front` is no front or ends too early, else as
    /// [`Tokenizer::from_metadata`] and [`ChatTemplate::new`].
    pub fn from_gguf(front: &[u8], vocab: usize) -> Result<Self, TextError> {
        let Header { metadata, .. } = Header::parse(front)?;
        let tokenizer = Tokenizer::from_metadata(&metadata, vocab)?;
        let source = metadata.get("tokenizer.chat_template").and_then(Value::as_str);
        let template = source.map(|source| ChatTemplate::new(source, &tokenizer)).transpose()?;
        Ok(Self { tokenizer, template })
    }

    /// Of a Hugging Face repository by the texts of `tokenizer.json` and `tokenizer_config.json`,
    /// for a model that embeds `vocab` tokens.
    ///
    /// # Errors
    /// As [`Tokenizer::from_json`] and [`ChatTemplate::from_config`].
    pub fn from_json(
        tokenizer: &str,
        tokenizer_config: &str,
        vocab: usize,
    ) -> Result<Self, TextError> {
        let tokenizer = Tokenizer::from_json(tokenizer, tokenizer_config, vocab)?;
        let template = ChatTemplate::from_config(tokenizer_config, &tokenizer)?;
        Ok(Self { tokenizer, template })
    }

    /// The tokens of a conversation's prompt, with the beginning of an answer. A model without a
    /// chat template goes on from the last message.
    ///
    /// # Errors
    /// [`TextError::Template`] where the template does not take the conversation;
    /// [`TextError::Tokenizer`].
    pub fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>, TextError> {
        match &self.template {
            Some(template) => self.tokenizer.encode_prompt(&template.render(messages, true)?),
            None => self.tokenizer.encode(messages.last().map_or("", |last| &last.content)),
        }
    }

    /// The same for a model that takes texts as they are, whatever its files say of conversations.
    pub fn without_chats(self) -> Self {
        Self { template: None, ..self }
    }

    /// Tokens that end a completion; see [`Tokenizer::eos`].
    pub fn eos(&self) -> &[u32] {
        self.tokenizer.eos()
    }

    /// Whether the model was made for conversations.
    pub fn takes_chats(&self) -> bool {
        self.template.is_some()
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The chat template, if there is one.
    pub fn template(&self) -> Option<&ChatTemplate> {
        self.template.as_ref()
    }
}
