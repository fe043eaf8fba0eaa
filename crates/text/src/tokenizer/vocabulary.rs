//! The tokens of a file, with what they are.

use std::collections::BTreeMap;

use tokenizers::models::bpe::{Merges, Vocab};

use crate::error::TextError;

/// Tokens by their numbers.
pub(super) struct Vocabulary<'a> {
    pub(super) tokens: Vec<(&'a str, Kind)>,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A part of texts.
    Text,
    /// Stands for what no other token does.
    Unknown,
    /// Never text.
    Control,
    /// A part of texts that is never cut.
    Whole,
    /// A byte, written `<0x0A>`.
    Byte,
}

impl<'a> Vocabulary<'a> {
    /// The tokens that are of one kind.
    pub(super) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (u32, &'a str)> {
        let of_kind = self.tokens.iter().zip(0u32..).filter(move |((_, found), _)| *found == kind);
        of_kind.map(|((token, _), id)| (id, *token))
    }

    /// Control tokens with their spellings.
    pub(super) fn controls(&self) -> BTreeMap<u32, String> {
        let controls = self.of_kind(Kind::Control).chain(self.of_kind(Kind::Unknown));
        controls.map(|(id, token)| (id, token.to_owned())).collect()
    }

    /// Tokens that any text may spell.
    pub(super) fn whole(&self) -> Vec<(String, u32)> {
        self.of_kind(Kind::Whole).map(|(id, token)| (token.to_owned(), id)).collect()
    }

    /// What stands for everything unknown.
    pub(super) fn unknown(&self) -> Option<(u32, &'a str)> {
        self.of_kind(Kind::Unknown).next()
    }

    /// The tokens that a BPE model may make; control tokens are not among them.
    pub(super) fn for_bpe(&self) -> Vocab {
        let tokens = self.tokens.iter().zip(0u32..).filter(|((_, kind), _)| *kind != Kind::Control);
        tokens.map(|((token, _), id)| ((*token).to_owned(), id)).collect()
    }

    /// Without the merges that would make a token of something that is never text.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] where a merge is of tokens that the vocabulary lacks, or makes
    /// one that it lacks; the library takes that for granted.
    pub(super) fn lawful(&self, merges: Merges) -> Result<Merges, TextError> {
        let kinds: BTreeMap<&str, Kind> = self.tokens.iter().copied().collect();
        let mut lawful = Vec::with_capacity(merges.len());
        for (left, right) in merges {
            let made = format!("{left}{right}");
            let parts = [&left, &right, &made].map(|part| kinds.get(part.as_str()));
            if parts.contains(&None) {
                let problem = format!("the merge `{left} {right}` is not of tokens to a token");
                return Err(TextError::Tokenizer(problem));
            }
            if parts.iter().flatten().all(|kind| matches!(kind, Kind::Text | Kind::Whole)) {
                lawful.push((left, right));
            }
        }
        Ok(lawful)
    }
}
