//! Weights as Hugging Face keeps them: the header, and rows that are quantised while they are read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::{MemoryFolder, ModelFile, Precision};

/// Families that name and hold their tensors in different ways.
const SETTINGS: [&[u8]; 5] = [
    include_bytes!("../../crates/testkit/golden/folders/llama-f32/config.json"),
    include_bytes!("../../crates/testkit/golden/folders/gpt2-f16/config.json"),
    include_bytes!("../../crates/testkit/golden/folders/bloom-q8_0/config.json"),
    include_bytes!("../../crates/testkit/golden/folders/gemma3-q8_0/config.json"),
    include_bytes!("../../crates/testkit/golden/folders/t5-f32/config.json"),
];

fuzz_target!(|bytes: &[u8]| SETTINGS.into_iter().for_each(|settings| open(settings, bytes)));

fn open(settings: &[u8], bytes: &[u8]) {
    let files = [
        ("config.json", settings),
        ("tokenizer.json", b"{}"),
        ("tokenizer_config.json", b"{}"),
        ("model.safetensors", bytes),
    ];
    let folder = MemoryFolder(files.map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).into());
    let opened = pollster::block_on(ModelFile::find(&folder, "model.safetensors"));
    let Ok(file) = opened.map(|file| file.with_precision(Precision::Q4_0)) else { return };
    let _ = file.profiles(file.config().context_tokens, 1);
    for name in file.index().tensors.keys() {
        for piece in file.pieces(name, 0..1).expect("it is in the index") {
            let rows = pollster::block_on(file.piece(name, &piece));
            let _ = rows.expect("the index lies in the file").source().widened_row(0);
        }
        let _ = pollster::block_on(file.vector(name)).expect("the index lies in the file");
    }
}
