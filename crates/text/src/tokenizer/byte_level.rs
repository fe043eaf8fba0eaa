//! Byte-level BPE: every byte has a letter, so that any text has tokens (GPT-2).

use tokenizers::{
    SplitDelimiterBehavior,
    models::bpe::Merges,
    pre_tokenizers::{
        byte_level::ByteLevel,
        split::{Split, SplitPattern},
    },
};

use super::{
    patterns::Pattern,
    pipeline::{Pipeline, wrong},
    vocabulary::Vocabulary,
    words::{BpeOptions, Words},
};
use crate::error::TextError;

/// The steps of a byte-level tokenizer that cuts words by `pattern`.
///
/// # Errors
/// [`TextError::Tokenizer`] for merges that are none.
pub(super) fn pipeline(
    vocabulary: &Vocabulary<'_>,
    merges: Merges,
    pattern: &Pattern,
) -> Result<Pipeline, TextError> {
    let options =
        BpeOptions { takes_whole_words: pattern.takes_whole_words, ..BpeOptions::default() };
    let mut pipeline = Pipeline {
        forms: Vec::new(),
        cuts: Vec::new(),
        words: Words::bpe(vocabulary, merges, options)?,
        joins: vec![Box::new(ByteLevel::default())],
    };
    for cut in pattern.cuts {
        let cut = SplitPattern::Regex((*cut).to_owned());
        let split = Split::new(cut, SplitDelimiterBehavior::Isolated, false).map_err(wrong)?;
        pipeline.cuts.push(Box::new(split));
    }
    pipeline.cuts.push(Box::new(ByteLevel::new(false, false, false)));
    Ok(pipeline)
}
