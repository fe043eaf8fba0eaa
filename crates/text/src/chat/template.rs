//! The template's language is Jinja's, as transformers runs it.

use base::Message;
use minijinja::{Environment, Error, ErrorKind, context, syntax::SyntaxConfig};

use super::{Prompt, marks::Marks};
use crate::{
    error::TextError,
    tokenizer::{Config, Tokenizer},
};

/// A model's chat template.
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    marks: Marks,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    /// Reads the template `source` of the model that has `tokenizer`.
    ///
    /// # Errors
    /// [`TextError::Template`] where it is none or is longer than 64 KiB.
    pub fn new(source: &str, tokenizer: &Tokenizer) -> Result<Self, TextError> {
        if source.len() > MAX_SOURCE_BYTES {
            let problem = format!("{} bytes; {MAX_SOURCE_BYTES} is the most", source.len());
            return Err(TextError::Template(problem));
        }
        let mut environment = environment();
        environment.add_template_owned(NAME, source.to_owned()).map_err(wrong)?;
        let [bos, eos] = tokenizer.ends().map(str::to_owned);
        Ok(Self { environment, marks: Marks::new(tokenizer.controls(), source)?, bos, eos })
    }

    /// The template in a Hugging Face repository's `tokenizer_config.json`, if there is one.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] where the file is none, else as [`Self::new`].
    pub fn from_config(config: &str, tokenizer: &Tokenizer) -> Result<Option<Self>, TextError> {
        let config = Config::read(config)?;
        config.chat_template().map(|source| Self::new(source, tokenizer)).transpose()
    }

    /// The prompt of a conversation; with the beginning of an answer, if
    /// `add_generation_prompt`. What messages spell is marked as text.
    ///
    /// # Errors
    /// [`TextError::Template`]: the template refuses the conversation, is wrong, or takes
    /// too much time or memory.
    pub fn render(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<Prompt, TextError> {
        let contents = messages.iter().map(|message| message.content.as_str());
        let mark = self.marks.mark_for(contents);
        let mark = mark.ok_or_else(|| TextError::Template("no character is free".into()))?;
        let messages = messages.iter().map(|message| {
            let content = self.marks.guard(&message.content, mark);
            context! { role => message.role.name(), content }
        });
        let values = context! {
            messages => messages.collect::<Vec<_>>(),
            add_generation_prompt,
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
        };
        let template = self.environment.get_template(NAME).map_err(wrong)?;
        Ok(Prompt { marked: template.render(values).map_err(wrong)?, mark })
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("only the spaces differ from what Jinja has"));
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(DEEPEST_CALLS);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", |message: String| -> Result<String, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, message))
    });
    environment
}

fn wrong(error: Error) -> TextError {
    TextError::Template(error.to_string())
}

const NAME: &str = "chat_template";
const MAX_SOURCE_BYTES: usize = 64 << 10;
/// Instructions, and at 64 bytes each what they write and put together. Far beyond a long
/// conversation, and over in some tens of milliseconds.
const FUEL: u64 = 500_000;
/// Macros in macros; each takes its part of a small stack in a browser.
const DEEPEST_CALLS: usize = 50;
