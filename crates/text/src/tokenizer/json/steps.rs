//! The steps that a `tokenizer.json` lists, each by its type.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenizers::{
    Decoder, Normalizer, PreTokenizer,
    decoders::{byte_fallback::ByteFallback, fuse::Fuse, strip::Strip},
    normalizers::{Prepend, Replace, unicode::NFC},
    pre_tokenizers::{
        byte_level::ByteLevel, digits::Digits, metaspace::Metaspace, split::Split,
        whitespace::WhitespaceSplit,
    },
};

use super::File;
use crate::{
    error::TextError,
    tokenizer::{
        charsmap, patterns,
        pipeline::{Pipeline, wrong},
        words::Words,
    },
};

/// The steps of the file around its vocabulary.
///
/// # Errors
/// [`TextError::Tokenizer`] for a step that is not known here, by its type.
pub(super) fn pipeline(file: &File, words: Words) -> Result<Pipeline, TextError> {
    let steps = |value, list| listed(value, list);
    Ok(Pipeline {
        forms: steps(&file.normalizer, "normalizers")?
            .into_iter()
            .map(form)
            .collect::<Result<_, _>>()?,
        cuts: steps(&file.pre_tokenizer, "pretokenizers")?
            .into_iter()
            .map(cut)
            .collect::<Result<_, _>>()?,
        words,
        joins: steps(&file.decoder, "decoders")?.into_iter().map(join).collect::<Result<_, _>>()?,
    })
}

/// The token that a post-processor begins every text with.
pub(super) fn first_token(post_processor: &Value) -> Option<&str> {
    special(template(post_processor)?.first()?)
}

/// The token that a post-processor ends every text with.
pub(super) fn last_token(post_processor: &Value) -> Option<&str> {
    special(template(post_processor)?.last()?)
}

/// What stands around a text, and the text.
fn template(post_processor: &Value) -> Option<&Vec<Value>> {
    let steps = listed(post_processor, "processors").ok()?;
    let template = steps.into_iter().find(|step| step["type"] == "TemplateProcessing")?;
    template["single"].as_array()
}

fn special(part: &Value) -> Option<&str> {
    part["SpecialToken"]["id"].as_str()
}

/// A step, or those of a sequence (which may hold no other).
fn listed<'a>(value: &'a Value, list: &str) -> Result<Vec<&'a Value>, TextError> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    if value["type"] != "Sequence" {
        return Ok(vec![value]);
    }
    let steps = value[list].as_array().ok_or_else(|| wrong(format!("no list of {list}")))?;
    Ok(steps.iter().collect())
}

fn form(step: &Value) -> Result<Box<dyn Normalizer + Send>, TextError> {
    Ok(match kind(step)? {
        "Prepend" => read::<Prepend>(step)?,
        "Replace" => replace(step)?,
        "NFC" => Box::new(NFC),
        "Precompiled" => table(step)?,
        other => return Err(unknown("normalizer", other)),
    })
}

fn cut(step: &Value) -> Result<Box<dyn PreTokenizer + Send + Sync>, TextError> {
    Ok(match kind(step)? {
        "ByteLevel" => read::<ByteLevel>(step)?,
        "Digits" => read::<Digits>(step)?,
        "Metaspace" => read::<Metaspace>(step)?,
        "WhitespaceSplit" => Box::new(WhitespaceSplit),
        "Split" => split(step)?,
        other => return Err(unknown("pre-tokenizer", other)),
    })
}

fn join(step: &Value) -> Result<Box<dyn Decoder + Send + Sync>, TextError> {
    Ok(match kind(step)? {
        "ByteLevel" => read::<ByteLevel>(step)?,
        "Metaspace" => read::<Metaspace>(step)?,
        "Replace" => replace(step)?,
        "ByteFallback" => Box::new(ByteFallback::new()),
        "Fuse" => Box::new(Fuse::new()),
        "Strip" => strip(step)?,
        other => return Err(unknown("decoder", other)),
    })
}

/// A table, in letters for its bits.
fn table(step: &Value) -> Result<Box<dyn Normalizer + Send>, TextError> {
    let letters = step["precompiled_charsmap"].as_str().unwrap_or_default();
    charsmap::form(&STANDARD.decode(letters).map_err(wrong)?)
}

/// Only of a text: an expression of the file's own could take for ever.
fn replace(step: &Value) -> Result<Box<Replace>, TextError> {
    if step["pattern"]["String"].is_string() {
        return read(step);
    }
    Err(wrong("a `Replace` by an expression is not supported"))
}

/// At a text, or at an expression that models are known to have.
fn split(step: &Value) -> Result<Box<Split>, TextError> {
    match step["pattern"]["Regex"].as_str() {
        Some(expression) if !patterns::is_known(expression) => {
            Err(wrong(format!("`Split` by an expression that is not known here: {expression}")))
        }
        _ => read(step),
    }
}

/// Only at the beginning, where the library minds what is too short.
fn strip(step: &Value) -> Result<Box<Strip>, TextError> {
    match step["stop"].as_u64() {
        Some(0) => read(step),
        _ => Err(wrong("a decoder `Strip` at the end is not supported")),
    }
}

fn kind(step: &Value) -> Result<&str, TextError> {
    step["type"].as_str().ok_or_else(|| wrong("a step has no type"))
}

fn read<T: DeserializeOwned>(step: &Value) -> Result<Box<T>, TextError> {
    serde_json::from_value(step.clone()).map(Box::new).map_err(wrong)
}

fn unknown(what: &str, kind: &str) -> TextError {
    wrong(format!("the {what} `{kind}` is not known here"))
}
