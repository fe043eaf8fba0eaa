//! The files beside the weights: the settings, and the index of weights in several files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::{MemoryFolder, ModelFile};

/// A file of the same model as the seeds.
const WEIGHTS: &[u8] = include_bytes!(
    "../../crates/testkit/golden/folders/qwen3-f16/model-00001-of-00003.safetensors"
);
const SETTINGS: &[u8] = include_bytes!("../../crates/testkit/golden/folders/qwen3-f16/config.json");
const INDEX: &[u8] =
    include_bytes!("../../crates/testkit/golden/folders/qwen3-f16/model.safetensors.index.json");

fuzz_target!(|bytes: &[u8]| {
    open(bytes, INDEX);
    open(SETTINGS, bytes);
});

/// Most files are missing, so that an index is read and then found wanting.
fn open(settings: &[u8], index: &[u8]) {
    let files = [
        ("config.json", settings),
        ("tokenizer.json", b"{}"),
        ("tokenizer_config.json", b"{}"),
        ("model.safetensors", WEIGHTS),
        ("model-00001-of-00003.safetensors", WEIGHTS),
        ("model.safetensors.index.json", index),
    ];
    let folder = MemoryFolder(files.map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).into());
    for name in ["model.safetensors", "model.safetensors.index.json"] {
        if let Ok(file) = pollster::block_on(ModelFile::find(&folder, name)) {
            let _ = file.profiles(file.config().context_tokens, 1);
        }
    }
}
