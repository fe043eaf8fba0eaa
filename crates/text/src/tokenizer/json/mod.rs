//! The tokenizer in a Hugging Face repository: `tokenizer.json` and `tokenizer_config.json`.

mod config;
mod steps;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{
    Description, MAX_TOKEN_BYTES,
    pipeline::wrong,
    vocabulary::{Kind, Vocabulary},
    words::{BpeOptions, Words},
};
use crate::error::TextError;

pub(crate) use config::Config;

/// `tokenizer.json`, as far as it is read.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: Vec<Added>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    decoder: Value,
    model: Model,
}

/// A token that is found by its spelling.
#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    special: bool,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Model {
    #[serde(rename = "BPE")]
    Bpe(Bpe),
    Unigram(Unigram),
}

#[derive(Deserialize)]
struct Bpe {
    vocab: BTreeMap<String, u32>,
    merges: Vec<Merge>,
    dropout: Option<f32>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    #[serde(default)]
    fuse_unk: bool,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
}

/// A merge, as it was written before and is now.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair(String, String),
    Text(String),
}

#[derive(Deserialize)]
struct Unigram {
    vocab: Vec<(String, f64)>,
    unk_id: Option<usize>,
    #[serde(default)]
    byte_fallback: bool,
}

/// What the two files say of a tokenizer, for a model that embeds `vocab` tokens.
///
/// # Errors
/// [`TextError::Tokenizer`], which names a part that is not known here.
pub(super) fn describe(
    tokenizer: &str,
    config: &str,
    vocab: usize,
) -> Result<Description, TextError> {
    let file: File = serde_json::from_str(tokenizer)
        .map_err(|error| wrong(format!("tokenizer.json: {error}")))?;
    let config = Config::read(config)?;
    let vocabulary = file.vocabulary(vocab)?;
    let pipeline = steps::pipeline(&file, file.words(&vocabulary)?)?;
    let id = |text: &str| {
        vocabulary
            .tokens
            .iter()
            .zip(0u32..)
            .find(|((token, _), _)| *token == text)
            .map(|(_, id)| id)
    };
    let first = steps::first_token(&file.post_processor);
    let last = steps::last_token(&file.post_processor);
    let adds_bos = config.add_bos_token.unwrap_or(first.is_some());
    Ok(Description {
        pipeline,
        whole: vocabulary.whole(),
        controls: vocabulary.controls(),
        bos: config.bos().or(first).and_then(id),
        adds_bos,
        adds_eos: config.add_eos_token.unwrap_or(last.is_some()),
        eos: config.eos().or(last).and_then(id).into_iter().collect(),
    })
}

impl File {
    /// All tokens by their numbers; a number without a token has an empty spelling.
    fn vocabulary(&self, most: usize) -> Result<Vocabulary<'_>, TextError> {
        let mut tokens = vec![("", Kind::Control); 0];
        let mut put = |id: usize, token, kind| {
            if id >= most {
                return Err(wrong(format!("token {id} where the model embeds {most}")));
            }
            tokens.resize(tokens.len().max(id + 1), ("", Kind::Control));
            tokens[id] = (token, kind);
            Ok(())
        };
        let unknown = self.model.unknown();
        for (id, token) in self.model.tokens() {
            let is_byte = self.model.has_bytes() && is_byte(token);
            let kind = if is_byte { Kind::Byte } else { Kind::Text };
            put(id, token, if Some(token) == unknown { Kind::Unknown } else { kind })?;
        }
        for added in &self.added_tokens {
            added.expect_plain()?;
            let kind = if added.special { Kind::Control } else { Kind::Whole };
            let is_unknown = Some(added.content.as_str()) == unknown;
            put(added.id as usize, &added.content, if is_unknown { Kind::Unknown } else { kind })?;
        }
        match tokens.iter().find(|(token, _)| token.len() > MAX_TOKEN_BYTES) {
            Some((token, _)) => Err(wrong(format!("a token of {} bytes", token.len()))),
            None => Ok(Vocabulary { tokens }),
        }
    }

    fn words(&self, vocabulary: &Vocabulary<'_>) -> Result<Words, TextError> {
        match &self.model {
            Model::Bpe(bpe) => {
                bpe.expect_plain()?;
                let merges: Option<Vec<_>> = bpe.merges.iter().map(Merge::pair).collect();
                let merges = merges.ok_or_else(|| wrong("a merge is not a pair"))?;
                let options = BpeOptions {
                    takes_whole_words: bpe.ignore_merges,
                    has_bytes: bpe.byte_fallback,
                    fuses_unknown: bpe.fuse_unk,
                };
                Words::bpe(vocabulary, merges, options)
            }
            Model::Unigram(unigram) => {
                let mut scores: Vec<f64> = unigram.vocab.iter().map(|(_, score)| *score).collect();
                if !scores.iter().all(|score| score.is_finite()) {
                    return Err(wrong("a score is not a number"));
                }
                // Tokens that were added later are found by their spelling alone.
                scores.resize(vocabulary.tokens.len(), 0.0);
                Words::unigram(vocabulary, &scores)
            }
        }
    }
}

impl Model {
    fn tokens(&self) -> Vec<(usize, &str)> {
        match self {
            Self::Bpe(bpe) => {
                bpe.vocab.iter().map(|(token, id)| (*id as usize, token.as_str())).collect()
            }
            Self::Unigram(unigram) => {
                unigram.vocab.iter().map(|(token, _)| token.as_str()).enumerate().collect()
            }
        }
    }

    fn unknown(&self) -> Option<&str> {
        match self {
            Self::Bpe(bpe) => bpe.unk_token.as_deref(),
            Self::Unigram(unigram) => {
                unigram.unk_id.and_then(|id| unigram.vocab.get(id)).map(|(token, _)| token.as_str())
            }
        }
    }

    fn has_bytes(&self) -> bool {
        match self {
            Self::Bpe(bpe) => bpe.byte_fallback,
            Self::Unigram(unigram) => unigram.byte_fallback,
        }
    }
}

impl Bpe {
    fn expect_plain(&self) -> Result<(), TextError> {
        let affixes = [&self.continuing_subword_prefix, &self.end_of_word_suffix];
        if affixes.into_iter().flatten().any(|affix| !affix.is_empty()) {
            return Err(wrong("prefixes and suffixes of words are not supported"));
        }
        if self.dropout.is_some_and(|dropout| dropout > 0.0) {
            return Err(wrong("dropout of merges is not supported"));
        }
        Ok(())
    }
}

impl Merge {
    fn pair(&self) -> Option<(String, String)> {
        match self {
            Self::Pair(left, right) => Some((left.clone(), right.clone())),
            Self::Text(text) => {
                let (left, right) = text.split_once(' ')?;
                Some((left.to_owned(), right.to_owned()))
            }
        }
    }
}

impl Added {
    fn expect_plain(&self) -> Result<(), TextError> {
        if self.single_word || self.lstrip || self.rstrip {
            let token = &self.content;
            return Err(wrong(format!("`{token}` takes its surroundings along: not supported")));
        }
        Ok(())
    }
}

/// `<0x0A>`.
fn is_byte(token: &str) -> bool {
    let digits = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    digits.is_some_and(|digits| digits.len() == 2 && u8::from_str_radix(digits, 16).is_ok())
}
