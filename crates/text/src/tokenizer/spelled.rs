//! Tokens that are found by their spelling, before a text is split into words.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::error::TextError;

/// Tokens with their spellings; the leftmost is found first, and of those the longest.
#[derive(Clone, Debug)]
pub(super) struct Spelled {
    matcher: AhoCorasick,
    ids: Vec<u32>,
}

/// A part of a text.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    /// A token, by its spelling.
    Token(u32),
    /// Bytes of the text that no token is found in.
    Text(Range<usize>),
}

impl Spelled {
    /// Finds `tokens`, those without a spelling apart.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] where there are too many.
    pub(super) fn new<'a>(
        tokens: impl IntoIterator<Item = (&'a str, u32)>,
    ) -> Result<Self, TextError> {
        let (spellings, ids): (Vec<_>, Vec<_>) =
            tokens.into_iter().filter(|(spelling, _)| !spelling.is_empty()).unzip();
        let matcher = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(spellings)
            .map_err(|error| TextError::Tokenizer(error.to_string()))?;
        Ok(Self { matcher, ids })
    }

    /// `text` in its order, cut at the tokens.
    pub(super) fn parts(&self, text: &str) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut rest = 0;
        for found in self.matcher.find_iter(text) {
            if rest < found.start() {
                parts.push(Part::Text(rest..found.start()));
            }
            parts.push(Part::Token(self.ids[found.pattern().as_usize()]));
            rest = found.end();
        }
        if rest < text.len() {
            parts.push(Part::Text(rest..text.len()));
        }
        parts
    }
}
