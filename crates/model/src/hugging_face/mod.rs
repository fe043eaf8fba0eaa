//! Models as Hugging Face keeps them: `config.json`, `tokenizer.json`, `tokenizer_config.json`, and
//! the weights in one safetensors file, or in several with an index.
//!
//! Sources: the safetensors format, and the names and fields of transformers. As with GGUF, only the
//! fronts of the files are read here, and nothing in a file makes us allocate more than a bound.

mod config;
mod fields;
mod header;
mod labels;
mod names;
mod rope;
mod shards;

use std::sync::Arc;

use config::Settings;
use graph::LOGITS_MATRIX;
use serde::de::DeserializeOwned;

use crate::{
    config::check,
    error::ModelError,
    file::ModelFile,
    gguf::Index,
    rows::PIECE_BYTES,
    source::{ByteSource, Folder, Parts},
};

/// The tokenizer of a model, as the `tokenizers` library writes it.
const TOKENIZER: &str = "tokenizer.json";
/// How its texts begin and end, and the chat template.
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const CONFIG: &str = "config.json";

/// Opens the model whose weights are `name`: a safetensors file, one of several, or their index.
pub(crate) async fn open<F: Folder>(
    folder: &F,
    name: &str,
) -> Result<ModelFile<Parts<F::File>>, ModelError> {
    let settings = config::read(&read_json(&folder.file(CONFIG).await?, CONFIG).await?)?;
    let Settings { config, rope_divisors } = settings;
    let (parts, mut tensors) = shards::open(folder, name, &config).await?;
    if config.tied_embeddings {
        // Some writers save the shared matrix under both names.
        tensors.remove(LOGITS_MATRIX);
    }
    let index = Index { tensors, ..Index::default() };
    check(&index, &config)?;
    let mut texts = Vec::with_capacity(2);
    for (name, most) in [(TOKENIZER, MAX_TOKENIZER_BYTES), (TOKENIZER_CONFIG, MAX_JSON_BYTES)] {
        let bytes = read_all(&folder.file(name).await?, name, most).await?;
        let text = String::from_utf8(bytes);
        texts.push(text.map_err(|_| ModelError::file(name, "is not UTF-8"))?.into());
    }
    let [tokenizer, tokenizer_config] = <[_; 2]>::try_from(texts).expect("two files were read");
    let beside =
        Beside { tokenizer, tokenizer_config, rope_divisors: rope_divisors.map(Arc::from) };
    Ok(ModelFile::from_hugging_face(parts, index, config, beside))
}

/// What the files beside the weights say.
#[derive(Clone, Debug)]
pub(crate) struct Beside {
    /// `tokenizer.json`.
    pub(crate) tokenizer: Arc<str>,
    /// `tokenizer_config.json`.
    pub(crate) tokenizer_config: Arc<str>,
    /// What each rotary frequency is divided by, `[head_dim / 2]`, where they differ.
    pub(crate) rope_divisors: Option<Arc<[f32]>>,
}

async fn read_json<T: DeserializeOwned>(
    source: &impl ByteSource,
    name: &str,
) -> Result<T, ModelError> {
    let bytes = read_all(source, name, MAX_JSON_BYTES).await?;
    serde_json::from_slice(&bytes).map_err(|error| ModelError::file(name, error.to_string()))
}

/// A whole file of at most so many bytes, in pieces.
async fn read_all(source: &impl ByteSource, name: &str, most: u64) -> Result<Vec<u8>, ModelError> {
    let length = source.len();
    if length > most {
        return Err(ModelError::file(name, format!("has {length} bytes, at most {most} are read")));
    }
    let mut bytes = Vec::new();
    for start in (0..length).step_by(PIECE_BYTES) {
        bytes.extend(source.read(start..length.min(start + PIECE_BYTES as u64)).await?);
    }
    Ok(bytes)
}

/// Settings, headers and indices; those of the largest models take about a megabyte.
const MAX_JSON_BYTES: u64 = 4 << 20;
/// Tokenizers of large vocabularies take some 20 MB.
const MAX_TOKENIZER_BYTES: u64 = 64 << 20;
