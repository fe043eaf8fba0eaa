//! Golden models in other files (`golden/make_files.py`, `golden/make_t5.py`, `golden/make_classifiers.py`).

use serde::Deserialize;

/// The files of a model: their names and contents.
pub type Files = &'static [(&'static str, &'static [u8])];

/// `qwen3-q8_0` as a GGUF model in three files.
pub fn split() -> Files {
    files!(
        "../golden/split/",
        [
            "qwen3-q8_0-00001-of-00003.gguf",
            "qwen3-q8_0-00002-of-00003.gguf",
            "qwen3-q8_0-00003-of-00003.gguf",
        ]
    )
}

/// A model as Hugging Face keeps it, by the name of the golden model that it becomes: `qwen3-f16` holds
/// F16 (and its norms F32) in three files, `gpt2-f16` and `flan-t5-f16` the same in one, `bloom-q8_0`, `gemma3-q8_0` and `t5-f32` F32 in several,
/// the others F32 in one. Those of [`crate::classifiers`] are there, too.
///
/// # Panics
/// When there is no such folder.
pub fn folder(name: &str) -> Files {
    match name {
        "bloom-q8_0" => beside!(
            "../golden/folders/bloom-q8_0/",
            "model-00001-of-00003.safetensors",
            "model-00002-of-00003.safetensors",
            "model-00003-of-00003.safetensors",
            "model.safetensors.index.json"
        ),
        "gemma3-q8_0" => beside!(
            "../golden/folders/gemma3-q8_0/",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json"
        ),
        "flan-t5-f16" => beside!("../golden/folders/flan-t5-f16/", "model.safetensors"),
        "bloom-classifier" => beside!("../golden/folders/bloom-classifier/", "model.safetensors"),
        "gpt2-classifier" => beside!("../golden/folders/gpt2-classifier/", "model.safetensors"),
        "llama-classifier" => beside!("../golden/folders/llama-classifier/", "model.safetensors"),
        "qwen2-classifier" => beside!("../golden/folders/qwen2-classifier/", "model.safetensors"),
        "qwen3-classifier" => beside!("../golden/folders/qwen3-classifier/", "model.safetensors"),
        "gpt2-f16" => beside!("../golden/folders/gpt2-f16/", "model.safetensors"),
        "llama-f32" => beside!("../golden/folders/llama-f32/", "model.safetensors"),
        "qwen2-q4_0" => beside!("../golden/folders/qwen2-q4_0/", "model.safetensors"),
        "qwen3-f16" => beside!(
            "../golden/folders/qwen3-f16/",
            "model-00001-of-00003.safetensors",
            "model-00002-of-00003.safetensors",
            "model-00003-of-00003.safetensors",
            "model.safetensors.index.json"
        ),
        "t5-f32" => beside!(
            "../golden/folders/t5-f32/",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json"
        ),
        other => panic!("no golden folder {other:?}"),
    }
}

/// Rows of floats and what GGML's reference makes of them.
#[derive(Clone, Debug, Deserialize)]
pub struct Quantised {
    /// Bits of the values, row after row.
    pub bits: Vec<u32>,
    /// Values in a row.
    pub columns: usize,
    /// The rows as blocks of a file.
    #[serde(rename = "Q8_0")]
    pub q8_0: Vec<u8>,
    /// The rows as blocks of a file.
    #[serde(rename = "Q4_0")]
    pub q4_0: Vec<u8>,
}

/// `golden/quantised.json`.
pub fn quantised() -> Quantised {
    serde_json::from_str(include_str!("../golden/quantised.json"))
        .expect("quantised.json is written by make_files.py in this form")
}

/// Files of one folder, embedded.
macro_rules! files {
    ($folder:literal, [$($name:literal),* $(,)?]) => {
        &[$(($name, include_bytes!(concat!($folder, $name)))),*]
    };
}
use files;

/// The files of a folder of Hugging Face: these weights, and what lies beside them.
macro_rules! beside {
    ($folder:literal, $($weights:literal),*) => {
        files!(
            $folder,
            ["config.json", $($weights,)* "tokenizer.json", "tokenizer_config.json"]
        )
    };
}
use beside;
