//! Text to tokens and back, from the vocabulary in a model file.
//!
//! Control tokens are not in the vocabulary that texts are cut into, whatever they spell.

mod byte_level;
mod charsmap;
mod decoder;
mod json;
mod metadata;
mod patterns;
mod pipeline;
mod sentencepiece;
mod spelled;
mod unigram;
mod vocabulary;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use gguf::Value;
use tokenizers::{NormalizedString, tokenizer::normalizer::Range};

use crate::{chat::Prompt, error::TextError};
use pipeline::{Pipeline, wrong};
use spelled::{Part, Spelled};

pub use decoder::Decoder;
pub(crate) use json::Config;

/// A tokenizer: byte-level BPE (GPT-2, Qwen, Llama 3), SentencePiece's BPE (Llama 2, Mistral)
/// or its unigram model (T5).
#[derive(Clone, Debug)]
pub struct Tokenizer {
    pipeline: Arc<Pipeline>,
    /// Tokens that any text may spell.
    whole: Spelled,
    /// Those and the control tokens.
    all: Spelled,
    /// Control tokens by their numbers, with their spellings.
    controls: BTreeMap<u32, String>,
    bos: Option<u32>,
    adds_bos: bool,
    /// Whether texts end with the first of those that end one.
    adds_eos: bool,
    eos: Vec<u32>,
}

/// What a file says of its tokenizer.
struct Description {
    pipeline: Pipeline,
    whole: Vec<(String, u32)>,
    controls: BTreeMap<u32, String>,
    bos: Option<u32>,
    adds_bos: bool,
    adds_eos: bool,
    eos: Vec<u32>,
}

impl Tokenizer {
    /// Builds the tokenizer that a GGUF file's metadata describes, for a model that embeds
    /// `vocab` tokens.
    ///
    /// # Errors
    /// [`TextError::Field`] for missing or wrong fields, [`TextError::Tokenizer`]
    /// where they do not make a tokenizer.
    pub fn from_metadata(
        metadata: &BTreeMap<String, Value>,
        vocab: usize,
    ) -> Result<Self, TextError> {
        Self::new(metadata::describe(metadata, vocab)?)
    }

    /// Builds the tokenizer of a Hugging Face repository from the texts of `tokenizer.json` and
    /// `tokenizer_config.json`, for a model that embeds `vocab` tokens.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`], which names a part that is not known here.
    pub fn from_json(tokenizer: &str, config: &str, vocab: usize) -> Result<Self, TextError> {
        Self::new(json::describe(tokenizer, config, vocab)?)
    }

    fn new(description: Description) -> Result<Self, TextError> {
        let Description { pipeline, whole, controls, bos, adds_bos, adds_eos, mut eos } =
            description;
        // A file names only one of the several that its model ends with.
        let known = controls.iter().filter(|(_, text)| ENDS.contains(&text.as_str()));
        eos.extend(known.map(|(id, _)| *id));
        let mut seen = BTreeSet::new();
        eos.retain(|&id| seen.insert(id));
        // One of a single character has no midst that a mark could break it at.
        let by_text = controls.iter().filter(|(_, text)| text.chars().nth(1).is_some());
        let by_text = by_text.map(|(id, text)| (text.as_str(), *id));
        let whole = || whole.iter().map(|(text, id)| (text.as_str(), *id));
        Ok(Self {
            pipeline: Arc::new(pipeline),
            whole: Spelled::new(whole())?,
            all: Spelled::new(whole().chain(by_text))?,
            controls,
            bos,
            adds_bos,
            adds_eos,
            eos,
        })
    }

    /// The tokens of a prompt, begun and ended as the model wants it. Control tokens that the text
    /// spells are text. An empty prompt gives the token that starts a text.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`].
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TextError> {
        let mut tokens: Vec<u32> = self.bos.filter(|_| self.adds_bos).into_iter().collect();
        tokens.extend(self.encode_parts(text, self.whole.parts(text), None)?);
        tokens.extend(self.eos.first().filter(|_| self.adds_eos));
        if tokens.is_empty() {
            tokens.extend(self.bos.or(self.eos.first().copied()));
        }
        Ok(tokens)
    }

    /// The tokens of what a chat template made. Control tokens are those that the template
    /// spells; what the messages spell is text.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`].
    pub fn encode_prompt(&self, prompt: &Prompt) -> Result<Vec<u32>, TextError> {
        let text = prompt.marked();
        self.encode_parts(text, self.all.parts(text), Some(prompt.mark()))
    }

    fn encode_parts(
        &self,
        text: &str,
        parts: Vec<Part>,
        mark: Option<char>,
    ) -> Result<Vec<u32>, TextError> {
        let whole = NormalizedString::from(text);
        let mut tokens = Vec::new();
        for part in parts {
            match part {
                Part::Token(token) => tokens.push(token),
                Part::Text(range) => {
                    let part = whole.slice(Range::Normalized(range));
                    let mut part = part.expect("the parts of a text lie in it");
                    if let Some(mark) = mark {
                        part.replace(mark, "").map_err(wrong)?;
                    }
                    tokens.extend(self.pipeline.encode(part)?);
                }
            }
        }
        Ok(tokens)
    }

    /// Tokens that end a completion; none of them has a text. The first is the one that ends a
    /// text in training, where the file names it.
    pub fn eos(&self) -> &[u32] {
        &self.eos
    }

    /// A decoder for one completion.
    pub fn decoder(&self) -> Decoder {
        Decoder::default()
    }

    /// Whether a token has no text.
    fn is_silent(&self, token: u32) -> bool {
        self.controls.contains_key(&token) || self.eos.contains(&token)
    }

    fn text(&self, tokens: &[u32]) -> String {
        self.pipeline.decode(tokens)
    }

    /// The spellings of the control tokens.
    pub(crate) fn controls(&self) -> impl Iterator<Item = &str> {
        self.controls.values().map(String::as_str)
    }

    /// How templates write the token that begins a text, and the first that ends one.
    pub(crate) fn ends(&self) -> [&str; 2] {
        let spelling = |id: Option<&u32>| id.and_then(|id| self.controls.get(id));
        let ends = [self.bos.as_ref(), self.eos.first()];
        ends.map(|id| spelling(id).map_or("", String::as_str))
    }
}

/// How the model families spell the control tokens that end a text or a turn.
const ENDS: [&str; 6] =
    ["<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "<end_of_turn>", "</s>"];
/// No model has a longer token; every way to cut one is looked at.
const MAX_TOKEN_BYTES: usize = 1024;

#[cfg(test)]
mod tests;
