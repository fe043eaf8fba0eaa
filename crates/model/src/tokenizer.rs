//! Text to tokens and back, from the vocabulary in a model file.

use std::collections::BTreeMap;

use tokenizers::{
    AddedToken, NormalizerWrapper, PostProcessorWrapper, SplitDelimiterBehavior,
    decoders::byte_level::ByteLevel as ByteLevelDecoder,
    models::bpe::BPE,
    pre_tokenizers::{
        byte_level::ByteLevel,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
    tokenizer::{TokenizerBuilder, TokenizerImpl},
};

use crate::{error::ModelError, gguf::Value};

type Bpe = TokenizerImpl<BPE, NormalizerWrapper, Sequence, PostProcessorWrapper, ByteLevelDecoder>;

/// A byte-level BPE tokenizer, as GPT-2, Qwen and Llama 3 use it.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    bpe: Bpe,
    bos: Option<u32>,
    eos: Vec<u32>,
}

impl Tokenizer {
    /// Builds the tokenizer that a file's metadata describes.
    ///
    /// # Errors
    /// [`ModelError::Field`] for missing or wrong fields, [`ModelError::Tokenizer`]
    /// where they do not make a tokenizer.
    pub(crate) fn from_metadata(
        metadata: &BTreeMap<String, Value>,
        vocab: usize,
    ) -> Result<Self, ModelError> {
        let fields = Fields(metadata);
        fields.expect_byte_level()?;
        let tokens = fields.strings("tokenizer.ggml.tokens")?;
        if tokens.len() > vocab {
            let problem = format!("{} tokens where the model embeds {vocab}", tokens.len());
            return Err(ModelError::field("tokenizer.ggml.tokens", problem));
        }
        let bpe = build(&tokens, &fields.merges()?, fields.pattern()?, &fields.special(&tokens))?;
        let bos = fields.id("tokenizer.ggml.bos_token_id", tokens.len())?;
        let eos = fields.id("tokenizer.ggml.eos_token_id", tokens.len())?;
        let adds_bos = fields.flag("tokenizer.ggml.add_bos_token");
        Ok(Self { bpe, bos: bos.filter(|_| adds_bos), eos: eos.into_iter().collect() })
    }

    /// The tokens of a prompt, begun as the model wants it. Special tokens that the text
    /// spells are text. An empty prompt gives the token that starts a text.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`].
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let encoding = self.bpe.encode_fast(text, false);
        let encoding = encoding.map_err(|error| ModelError::Tokenizer(error.to_string()))?;
        let mut tokens: Vec<u32> = self.bos.into_iter().collect();
        tokens.extend(encoding.get_ids());
        if tokens.is_empty() {
            tokens.extend(self.eos.first());
        }
        Ok(tokens)
    }

    /// Tokens that end a completion.
    pub fn eos(&self) -> &[u32] {
        &self.eos
    }

    /// A decoder for one completion.
    pub fn decoder(&self) -> Decoder {
        Decoder::default()
    }

    fn text(&self, tokens: &[u32]) -> String {
        self.bpe.decode(tokens, true).unwrap_or_default()
    }
}

/// Turns a stream of tokens into a stream of text. Characters whose bytes are spread over
/// several tokens come out when they are complete.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// Tokens whose text has not come out in full, after one that has.
    pending: Vec<u32>,
    /// How much of the text of `pending` has come out.
    given: usize,
}

impl Decoder {
    /// The text that `token` adds.
    pub fn push(&mut self, tokenizer: &Tokenizer, token: u32) -> String {
        self.pending.push(token);
        let text = tokenizer.text(&self.pending);
        if text.ends_with(char::REPLACEMENT_CHARACTER) && self.pending.len() < LONGEST_CHARACTER {
            return String::new();
        }
        let new = text.get(self.given..).unwrap_or_default().to_owned();
        self.pending = vec![token];
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

fn build(
    tokens: &[&str],
    merges: &[(String, String)],
    pattern: &str,
    special: &[&str],
) -> Result<Bpe, ModelError> {
    let wrong = |error: &dyn std::fmt::Display| ModelError::Tokenizer(error.to_string());
    let vocab = tokens.iter().zip(0u32..).map(|(token, id)| ((*token).to_owned(), id));
    let model = BPE::builder()
        .vocab_and_merges(vocab.collect::<tokenizers::models::bpe::Vocab>(), merges.to_vec())
        .ignore_merges(false)
        .build()
        .map_err(|error| wrong(&error))?;
    let split = Split::new(
        SplitPattern::Regex(pattern.to_owned()),
        SplitDelimiterBehavior::Isolated,
        false,
    )
    .map_err(|error| wrong(&error))?;
    let bytes = ByteLevel::new(false, false, false);
    let mut bpe: Bpe = TokenizerBuilder::new()
        .with_model(model)
        .with_normalizer(None)
        .with_pre_tokenizer(Some(Sequence::new(vec![split.into(), bytes.into()])))
        .with_post_processor(None)
        .with_decoder(Some(ByteLevelDecoder::default()))
        .build()
        .map_err(|error| wrong(&error))?;
    let added: Vec<AddedToken> =
        special.iter().map(|token| AddedToken::from(*token, true)).collect();
    bpe.add_special_tokens(added).map_err(|error| wrong(&error))?;
    // Special tokens in a person's text are text.
    bpe.set_encode_special_tokens(true);
    Ok(bpe)
}

/// The tokenizer's metadata.
struct Fields<'a>(&'a BTreeMap<String, Value>);

impl<'a> Fields<'a> {
    fn expect_byte_level(&self) -> Result<(), ModelError> {
        let key = "tokenizer.ggml.model";
        match self.0.get(key).and_then(Value::as_str) {
            Some("gpt2") => Ok(()),
            Some(other) => Err(ModelError::field(
                key,
                format!("`{other}` is not supported; byte-level BPE (`gpt2`) is"),
            )),
            None => Err(ModelError::field(key, "is missing")),
        }
    }

    fn pattern(&self) -> Result<&'static str, ModelError> {
        let key = "tokenizer.ggml.pre";
        match self.0.get(key).and_then(Value::as_str) {
            Some("qwen2") => Ok(QWEN2_PATTERN),
            Some("gpt-2" | "default") | None => Ok(GPT2_PATTERN),
            Some("llama-bpe" | "llama3" | "smaug-bpe") => Ok(LLAMA3_PATTERN),
            Some(other) => Err(ModelError::field(key, format!("`{other}` is not supported"))),
        }
    }

    fn strings(&self, key: &str) -> Result<Vec<&'a str>, ModelError> {
        let values = self.0.get(key).and_then(Value::as_array);
        let values = values.ok_or_else(|| ModelError::field(key, "is missing or not a list"))?;
        let strings: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
        strings.ok_or_else(|| ModelError::field(key, "holds something else than text"))
    }

    fn merges(&self) -> Result<Vec<(String, String)>, ModelError> {
        let key = "tokenizer.ggml.merges";
        let pair = |merge: &&str| {
            let (left, right) = merge.split_once(' ')?;
            Some((left.to_owned(), right.to_owned()))
        };
        let merges = self.strings(key)?;
        let pairs: Option<Vec<_>> = merges.iter().map(pair).collect();
        pairs.ok_or_else(|| ModelError::field(key, "holds a merge that is not a pair"))
    }

    /// Tokens whose type is "control" (3): they are never text.
    fn special(&self, tokens: &[&'a str]) -> Vec<&'a str> {
        let types = self.0.get("tokenizer.ggml.token_type").and_then(Value::as_array);
        let types = types.unwrap_or_default().iter();
        let control = tokens.iter().zip(types).filter(|(_, kind)| kind.as_u64() == Some(3));
        control.map(|(token, _)| *token).collect()
    }

    fn id(&self, key: &str, vocab: usize) -> Result<Option<u32>, ModelError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let id = value.as_u64().filter(|&id| id < vocab as u64);
        let id = id.ok_or_else(|| ModelError::field(key, "is not a token of the vocabulary"))?;
        Ok(Some(id as u32))
    }

    fn flag(&self, key: &str) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or(false)
    }
}

/// Tokens that one character can be spread over.
const LONGEST_CHARACTER: usize = 8;

/// How GPT-2 splits text before merging (the pattern is part of the model's definition).
const GPT2_PATTERN: &str =
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// How Qwen2 and Qwen3 split text.
const QWEN2_PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// How Llama 3 splits text.
const LLAMA3_PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
