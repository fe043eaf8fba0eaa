//! SentencePiece's unigram model: of all ways to cut a word, the likeliest (T5).

use tokenizers::{
    Normalizer,
    pre_tokenizers::{
        metaspace::{Metaspace, PrependScheme},
        whitespace::WhitespaceSplit,
    },
};

use super::{pipeline::Pipeline, sentencepiece::SPACE, vocabulary::Vocabulary, words::Words};
use crate::error::TextError;

/// The steps of a unigram tokenizer, behind those `forms` that rewrite texts. Words are what stands between spaces; where they
/// `begin_with_space`, so does the first.
///
/// # Errors
/// [`TextError::Tokenizer`] where no token stands for the unknown.
pub(super) fn pipeline(
    vocabulary: &Vocabulary<'_>,
    scores: &[f64],
    begin_with_space: bool,
    forms: Vec<Box<dyn Normalizer + Send>>,
) -> Result<Pipeline, TextError> {
    let scheme = if begin_with_space { PrependScheme::Always } else { PrependScheme::Never };
    let spaces = || Box::new(Metaspace::new(SPACE, scheme, true));
    Ok(Pipeline {
        forms,
        cuts: vec![Box::new(WhitespaceSplit), spaces()],
        words: Words::unigram(vocabulary, scores)?,
        joins: vec![spaces()],
    })
}
