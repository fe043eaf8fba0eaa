//! Text to tokens and back, and conversations to prompts, as a model's files say it.
//!
//! One law: **a control token comes from a chat template and from nowhere else.** Neither a text
//! nor a message gives one, whatever they spell.

mod chat;
mod error;
mod text;
mod tokenizer;

pub use chat::{ChatTemplate, Prompt};
pub use error::TextError;
pub use text::Text;
pub use tokenizer::{Decoder, Tokenizer};
