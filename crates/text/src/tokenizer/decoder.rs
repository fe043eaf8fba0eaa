//! A stream of tokens into a stream of text.

use super::Tokenizer;

/// Turns a stream of tokens into a stream of text. Characters whose bytes are spread over
/// several tokens come out when they are complete.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// Tokens whose text has come out, before those whose text has not.
    pending: Vec<u32>,
    /// How many of `pending` have come out. They stay, because a token's text depends on
    /// what is before it.
    shown: usize,
    /// Bytes of the text of those.
    given: usize,
}

impl Decoder {
    /// The text that `token` adds. Control tokens and those that end a completion add none.
    pub fn push(&mut self, tokenizer: &Tokenizer, token: u32) -> String {
        if tokenizer.is_silent(token) {
            return String::new();
        }
        self.pending.push(token);
        let text = tokenizer.text(&self.pending);
        let waiting = self.pending.len() - self.shown;
        if text.ends_with(char::REPLACEMENT_CHARACTER) && waiting < LONGEST_CHARACTER {
            return String::new();
        }
        let new = text.get(self.given..).unwrap_or_default().to_owned();
        self.pending.drain(..self.shown);
        self.shown = self.pending.len();
        self.given = tokenizer.text(&self.pending).len();
        new
    }

    /// What is left at the end of a completion.
    pub fn finish(&mut self, tokenizer: &Tokenizer) -> String {
        let text = tokenizer.text(&self.pending);
        let rest = text.get(self.given..).unwrap_or_default().to_owned();
        *self = Self::default();
        rest
    }
}

/// Tokens that one character can be spread over.
const LONGEST_CHARACTER: usize = 8;
