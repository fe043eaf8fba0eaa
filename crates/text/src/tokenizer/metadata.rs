//! The tokenizer in a GGUF file's metadata.

use std::collections::BTreeMap;

use gguf::Value;
use tokenizers::{Normalizer, models::bpe::Merges};

use super::{
    Description, MAX_TOKEN_BYTES, byte_level, charsmap,
    patterns::Pattern,
    pipeline::Pipeline,
    sentencepiece, unigram,
    vocabulary::{Kind, Vocabulary},
};
use crate::error::TextError;

/// What the metadata says of a tokenizer, for a model that embeds `vocab` tokens.
///
/// # Errors
/// [`TextError::Field`] and [`TextError::Tokenizer`].
pub(super) fn describe(
    metadata: &BTreeMap<String, Value>,
    vocab: usize,
) -> Result<Description, TextError> {
    let fields = Fields(metadata);
    let vocabulary = fields.vocabulary(vocab)?;
    let (pipeline, adds_bos) = fields.pipeline(&vocabulary)?;
    let count = vocabulary.tokens.len();
    let mut eos = Vec::new();
    for key in ENDS {
        eos.extend(fields.id(key, count)?.filter(|id| !eos.contains(id)));
    }
    Ok(Description {
        pipeline,
        whole: vocabulary.whole(),
        controls: vocabulary.controls(),
        bos: fields.id(BOS, count)?,
        adds_bos: fields.flag("tokenizer.ggml.add_bos_token")?.unwrap_or(adds_bos),
        adds_eos: fields.flag("tokenizer.ggml.add_eos_token")?.unwrap_or(fields.is_unigram()),
        eos,
    })
}

struct Fields<'a>(&'a BTreeMap<String, Value>);

impl<'a> Fields<'a> {
    /// The steps, and whether prompts begin with a token for it where the file does not say.
    fn pipeline(&self, vocabulary: &Vocabulary<'_>) -> Result<(Pipeline, bool), TextError> {
        let spaced = self.flag("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
        let key = "tokenizer.ggml.model";
        match self.0.get(key).and_then(Value::as_str) {
            Some("gpt2") => {
                let pattern = self.pattern()?;
                let merges = self.merges()?.ok_or_else(|| missing(MERGES))?;
                Ok((byte_level::pipeline(vocabulary, merges, pattern)?, pattern.adds_bos))
            }
            Some("llama") => {
                let merges = match self.merges()? {
                    Some(merges) => merges,
                    None => sentencepiece::merges(vocabulary, &self.ranks(vocabulary)?),
                };
                Ok((sentencepiece::pipeline(vocabulary, merges, spaced)?, true))
            }
            Some("t5") => {
                let scores = self.scores(vocabulary)?;
                Ok((unigram::pipeline(vocabulary, &scores, spaced, self.forms()?)?, false))
            }
            Some(other) => Err(TextError::field(
                key,
                format!("`{other}` is not supported; gpt2, llama and t5 are"),
            )),
            None => Err(missing(key)),
        }
    }

    fn pattern(&self) -> Result<&'static Pattern, TextError> {
        let key = "tokenizer.ggml.pre";
        let name = self.0.get(key).and_then(Value::as_str);
        Pattern::named(name).ok_or_else(|| {
            let name = name.unwrap_or_default();
            TextError::field(key, format!("`{name}` is a way to cut words that is not known here"))
        })
    }

    fn vocabulary(&self, vocab: usize) -> Result<Vocabulary<'a>, TextError> {
        let key = "tokenizer.ggml.tokens";
        let tokens = self.strings(key)?.ok_or_else(|| missing(key))?;
        if tokens.len() > vocab {
            let problem = format!("{} tokens where the model embeds {vocab}", tokens.len());
            return Err(TextError::field(key, problem));
        }
        if let Some(token) = tokens.iter().find(|token| token.len() > MAX_TOKEN_BYTES) {
            let problem =
                format!("a token of {} bytes; {MAX_TOKEN_BYTES} is the most", token.len());
            return Err(TextError::field(key, problem));
        }
        let kinds = self.kinds(tokens.len())?;
        let mut tokens: Vec<_> = tokens.into_iter().zip(kinds).collect();
        if self.is_gemma() {
            tokens.iter_mut().for_each(sentencepiece::respell_spaces);
        }
        Ok(Vocabulary { tokens })
    }

    /// Where a file does not say what its tokens are, those that begin or end texts are
    /// control tokens and all others are text.
    fn kinds(&self, tokens: usize) -> Result<Vec<Kind>, TextError> {
        let mut kinds = vec![Kind::Text; tokens];
        if let Some(types) = self.0.get("tokenizer.ggml.token_type").and_then(Value::as_array) {
            for (kind, value) in kinds.iter_mut().zip(types) {
                *kind = kind_of(value);
            }
            return Ok(kinds);
        }
        for key in ENDS.into_iter().chain([BOS]) {
            if let Some(id) = self.id(key, tokens)? {
                kinds[id as usize] = Kind::Control;
            }
        }
        if let Some(id) = self.id("tokenizer.ggml.unknown_token_id", tokens)? {
            kinds[id as usize] = Kind::Unknown;
        }
        Ok(kinds)
    }

    fn scores(&self, vocabulary: &Vocabulary<'_>) -> Result<Vec<f64>, TextError> {
        let key = "tokenizer.ggml.scores";
        let values = self.0.get(key).and_then(Value::as_array).ok_or_else(|| missing(key))?;
        let scores = values.iter().map(|value| value.as_f64().filter(|score| score.is_finite()));
        let scores: Option<Vec<f64>> = scores.collect();
        let scores = scores.ok_or_else(|| TextError::field(key, "holds what is no number"))?;
        if scores.len() != vocabulary.tokens.len() {
            let problem = format!("{} scores of {} tokens", scores.len(), vocabulary.tokens.len());
            return Err(TextError::field(key, problem));
        }
        Ok(scores)
    }

    /// What merges go by: the scores, but in Gemma's files the order of the tokens.
    fn ranks(&self, vocabulary: &Vocabulary<'_>) -> Result<Vec<f64>, TextError> {
        if self.is_gemma() {
            return Ok((0u32..).map(|id| -f64::from(id)).take(vocabulary.tokens.len()).collect());
        }
        self.scores(vocabulary)
    }

    fn is_gemma(&self) -> bool {
        let architecture = self.0.get("general.architecture").and_then(Value::as_str);
        architecture.is_some_and(|name| name.starts_with("gemma"))
    }

    fn merges(&self) -> Result<Option<Merges>, TextError> {
        let pair = |merge: &str| {
            let (left, right) = merge.split_once(' ')?;
            Some((left.to_owned(), right.to_owned()))
        };
        let Some(merges) = self.strings(MERGES)? else { return Ok(None) };
        let pairs: Option<Merges> = merges.into_iter().map(pair).collect();
        let none = || TextError::field(MERGES, "holds a merge that is not a pair");
        pairs.ok_or_else(none).map(Some)
    }

    /// Whether it is T5's model, which wants texts to end with a token for that where a file says nothing.
    fn is_unigram(&self) -> bool {
        self.0.get("tokenizer.ggml.model").and_then(Value::as_str) == Some("t5")
    }

    /// What rewrites texts by a table, if there is one.
    fn forms(&self) -> Result<Vec<Box<dyn Normalizer + Send>>, TextError> {
        let key = "tokenizer.ggml.precompiled_charsmap";
        let Some(values) = self.0.get(key) else { return Ok(Vec::new()) };
        let values = values.as_array().ok_or_else(|| TextError::field(key, "is not a list"))?;
        // Some writers have them with signs.
        let byte = |value: &Value| match *value {
            Value::Unsigned(byte) => u8::try_from(byte).ok(),
            Value::Signed(byte) => i8::try_from(byte).ok().map(|byte| byte as u8),
            _ => None,
        };
        let table: Option<Vec<u8>> = values.iter().map(byte).collect();
        let table = table.ok_or_else(|| TextError::field(key, "holds what is no byte"))?;
        if table.is_empty() {
            return Ok(Vec::new());
        }
        let form = charsmap::form(&table);
        Ok(vec![form.map_err(|error| TextError::field(key, error.to_string()))?])
    }

    fn strings(&self, key: &str) -> Result<Option<Vec<&'a str>>, TextError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let values = value.as_array().ok_or_else(|| TextError::field(key, "is not a list"))?;
        let strings: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
        let other = || TextError::field(key, "holds something else than text");
        strings.ok_or_else(other).map(Some)
    }

    fn id(&self, key: &str, vocab: usize) -> Result<Option<u32>, TextError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let id = value.as_u64().filter(|&id| id < vocab as u64);
        let id = id.ok_or_else(|| TextError::field(key, "is not a token of the vocabulary"))?;
        Ok(Some(id as u32))
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, TextError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let flag = value.as_bool().ok_or_else(|| TextError::field(key, "is neither yes nor no"))?;
        Ok(Some(flag))
    }
}

/// A value of `tokenizer.ggml.token_type`. Tokens that are unused (5) are as good as text.
fn kind_of(value: &Value) -> Kind {
    match value.as_u64() {
        Some(2) => Kind::Unknown,
        Some(3) => Kind::Control,
        Some(4) => Kind::Whole,
        Some(6) => Kind::Byte,
        _ => Kind::Text,
    }
}

fn missing(key: &str) -> TextError {
    TextError::field(key, "is missing")
}

const BOS: &str = "tokenizer.ggml.bos_token_id";
const MERGES: &str = "tokenizer.ggml.merges";
/// Tokens that end an answer: of a text, of a turn, of a message.
const ENDS: [&str; 3] =
    ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"];
