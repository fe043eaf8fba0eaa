//! Weights as Hugging Face keeps them: the header, and rows that are quantised while they are read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::{MemoryFolder, ModelFile, Precision};

const SETTINGS: &[u8] = include_bytes!("../../crates/testkit/golden/folders/llama-f32/config.json");

fuzz_target!(|bytes: &[u8]| {
    let files = [
        ("config.json", SETTINGS),
        ("tokenizer.json", b"{}"),
        ("tokenizer_config.json", b"{}"),
        ("model.safetensors", bytes),
    ];
    let folder = MemoryFolder(files.map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).into());
    let opened = pollster::block_on(ModelFile::find(&folder, "model.safetensors"));
    let Ok(file) = opened.map(|file| file.with_precision(Precision::Q4_0)) else { return };
    let _ = file.profiles(file.config().context_tokens, 1);
    for name in file.index().tensors.keys() {
        let row = pollster::block_on(file.rows(name, 0..1)).expect("the index lies in the file");
        let _ = row.source().widened_row(0);
    }
});
