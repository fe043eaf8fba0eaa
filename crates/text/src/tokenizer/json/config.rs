//! `tokenizer_config.json`: how texts begin and end, and the chat template.

use serde::Deserialize;

use crate::{error::TextError, tokenizer::pipeline::wrong};

/// The file, as far as it is read.
#[derive(Deserialize)]
pub(crate) struct Config {
    pub(super) add_bos_token: Option<bool>,
    pub(super) add_eos_token: Option<bool>,
    bos_token: Option<Named>,
    eos_token: Option<Named>,
    chat_template: Option<Template>,
}

/// A token by its spelling.
#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    Text(String),
    Token { content: String },
}

/// One template, or several by what they are for.
#[derive(Deserialize)]
#[serde(untagged)]
enum Template {
    One(String),
    Several(Vec<NamedTemplate>),
}

#[derive(Deserialize)]
struct NamedTemplate {
    name: String,
    template: String,
}

impl Config {
    /// # Errors
    /// [`TextError::Tokenizer`].
    pub(crate) fn read(text: &str) -> Result<Self, TextError> {
        serde_json::from_str(text).map_err(|error| wrong(format!("tokenizer_config.json: {error}")))
    }

    pub(super) fn bos(&self) -> Option<&str> {
        self.bos_token.as_ref().map(Named::text)
    }

    pub(super) fn eos(&self) -> Option<&str> {
        self.eos_token.as_ref().map(Named::text)
    }

    /// The template for conversations.
    pub(crate) fn chat_template(&self) -> Option<&str> {
        match self.chat_template.as_ref()? {
            Template::One(template) => Some(template),
            Template::Several(templates) => {
                let default = templates.iter().find(|template| template.name == "default")?;
                Some(&default.template)
            }
        }
    }
}

impl Named {
    fn text(&self) -> &str {
        match self {
            Self::Text(content) | Self::Token { content } => content,
        }
    }
}
