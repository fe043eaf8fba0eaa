//! A vocabulary, and how words are cut into its tokens.

use tokenizers::{
    Model,
    models::{
        bpe::{BPE, Merges},
        unigram::Unigram,
    },
    tokenizer::Token,
};

use super::{
    pipeline::wrong,
    vocabulary::{Kind, Vocabulary},
};
use crate::error::TextError;

/// What cuts words into tokens.
pub(super) enum Words {
    /// Pairs of neighbours become one, the most usual pair first.
    Bpe(Box<BPE>),
    /// The likeliest of all ways to cut a word.
    Unigram(Box<Unigram>),
}

/// What BPE models differ in.
#[derive(Clone, Copy, Default)]
pub(super) struct BpeOptions {
    /// A word that is a token is one, even if no merges lead to it.
    pub(super) takes_whole_words: bool,
    /// Characters that are no tokens are written in bytes.
    pub(super) has_bytes: bool,
    /// Unknown characters that follow each other are one token.
    pub(super) fuses_unknown: bool,
}

impl Words {
    /// # Errors
    /// [`TextError::Tokenizer`] for merges that are none.
    pub(super) fn bpe(
        vocabulary: &Vocabulary<'_>,
        merges: Merges,
        options: BpeOptions,
    ) -> Result<Self, TextError> {
        let mut bpe = BPE::builder()
            .vocab_and_merges(vocabulary.for_bpe(), vocabulary.lawful(merges)?)
            .ignore_merges(options.takes_whole_words)
            .byte_fallback(options.has_bytes)
            .fuse_unk(options.fuses_unknown);
        if let Some((_, unknown)) = vocabulary.unknown() {
            bpe = bpe.unk_token(unknown.to_owned());
        }
        Ok(Self::Bpe(Box::new(bpe.build().map_err(wrong)?)))
    }

    /// Control tokens stand in the vocabulary with a space before them: no text has a space
    /// when it is cut into tokens, since it is `▁` then.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] where no token stands for the unknown.
    pub(super) fn unigram(vocabulary: &Vocabulary<'_>, scores: &[f64]) -> Result<Self, TextError> {
        let unknown = vocabulary.unknown().map(|(id, _)| id as usize);
        let unknown = unknown.ok_or_else(|| wrong("no token stands for the unknown"))?;
        let has_bytes = vocabulary.of_kind(Kind::Byte).next().is_some();
        let pieces = vocabulary.tokens.iter().zip(scores).map(|(&(token, kind), &score)| {
            let is_text = !matches!(kind, Kind::Control | Kind::Unknown);
            (if is_text { token.to_owned() } else { format!(" {token}") }, score)
        });
        let unigram = Unigram::from(pieces.collect(), Some(unknown), has_bytes).map_err(wrong)?;
        Ok(Self::Unigram(Box::new(unigram)))
    }

    pub(super) fn tokenize(&self, word: &str) -> tokenizers::Result<Vec<Token>> {
        match self {
            Self::Bpe(bpe) => bpe.tokenize(word),
            Self::Unigram(unigram) => unigram.tokenize(word),
        }
    }

    pub(super) fn spelling(&self, token: u32) -> Option<String> {
        match self {
            Self::Bpe(bpe) => bpe.id_to_token(token),
            Self::Unigram(unigram) => unigram.id_to_token(token),
        }
    }
}
