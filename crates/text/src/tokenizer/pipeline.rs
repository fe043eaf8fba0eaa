//! The way of a text to its tokens and back, of the parts that one tokenizer has.

use std::fmt;

use tokenizers::{
    Decoder, NormalizedString, Normalizer, OffsetType, PreTokenizedString, PreTokenizer,
};

use super::words::Words;
use crate::error::TextError;

/// The steps of one tokenizer, in their order. Each may be without a part.
pub(super) struct Pipeline {
    /// What a text is rewritten by.
    pub(super) forms: Vec<Box<dyn Normalizer + Send>>,
    /// What cuts it into words.
    pub(super) cuts: Vec<Box<dyn PreTokenizer + Send + Sync>>,
    /// What cuts words into tokens.
    pub(super) words: Words,
    /// What makes a text of the spellings of tokens.
    pub(super) joins: Vec<Box<dyn Decoder + Send + Sync>>,
}

impl Pipeline {
    /// The tokens of a part of a prompt, which may be its beginning: it knows its place.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] where the vocabulary lacks what it would need.
    pub(super) fn encode(&self, mut part: NormalizedString) -> Result<Vec<u32>, TextError> {
        let run = || {
            for form in &self.forms {
                form.normalize(&mut part)?;
            }
            let mut words = PreTokenizedString::from(part);
            for cut in &self.cuts {
                cut.pre_tokenize(&mut words)?;
            }
            words.tokenize(|word| self.words.tokenize(word.get()))?;
            words.into_encoding(None, 0, OffsetType::None)
        };
        let encoding = run().map_err(wrong)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of tokens; those that are not in the vocabulary have none.
    pub(super) fn decode(&self, tokens: &[u32]) -> String {
        let spellings = tokens.iter().filter_map(|&token| self.words.spelling(token)).collect();
        let joined = self.joins.iter().try_fold(spellings, |parts, join| join.decode_chain(parts));
        joined.map(|parts: Vec<String>| parts.concat()).unwrap_or_default()
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").finish_non_exhaustive()
    }
}

/// A mistake that the library found.
pub(super) fn wrong(error: impl fmt::Display) -> TextError {
    TextError::Tokenizer(error.to_string())
}
