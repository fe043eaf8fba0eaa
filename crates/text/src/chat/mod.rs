//! A conversation into a prompt, by the template in a model file.
//!
//! Control tokens in a prompt are those that the template spells. So that no message can spell
//! one, a mark is put into each that does: a character that nothing else has, in the midst of
//! the spelling and at the ends of a message where one could go on beyond them. The template
//! carries the marks along; they are taken out again once the control tokens have been found.

mod marks;
mod template;

pub use template::ChatTemplate;

/// What a template made of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    marked: String,
    mark: char,
}

impl Prompt {
    /// The text that the model reads.
    pub fn text(&self) -> String {
        self.marked.replace(self.mark, "")
    }

    /// The text with marks in what the messages spell.
    pub(crate) fn marked(&self) -> &str {
        &self.marked
    }

    /// The mark, which is nowhere else in the text.
    pub(crate) fn mark(&self) -> char {
        self.mark
    }
}
