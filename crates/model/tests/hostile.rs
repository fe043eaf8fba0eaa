//! Damaged and hostile files give typed errors, never a panic.

mod common;

use base::ModuleRange;
use common::{Room, gpu, text};
use model::{MemorySource, ModelFile};
use proptest::prelude::*;
use testkit::{corrupt, golden};

/// The model, or what is said of it or of its texts.
fn open(bytes: Vec<u8>) -> Result<ModelFile<MemorySource>, String> {
    let file = pollster::block_on(ModelFile::open(MemorySource(bytes)));
    let file = file.map_err(|error| error.to_string())?;
    text(&file).map_err(|error| error.to_string())?;
    Ok(file)
}

#[test]
fn every_damaged_file_is_refused_by_naming_what_is_damaged() {
    let mut unnamed = Vec::new();
    for name in ["llama-q8_0", "qwen3-q8_0", "t5-q8_0"] {
        open(golden(name).gguf.to_vec()).expect("the sound file opens");
        for case in corrupt::cases(golden(name).gguf) {
            match open(case.bytes) {
                Ok(file) if LAWFUL.contains(&case.name.as_str()) => answer(&file),
                Ok(_) => unnamed.push(format!("{name} {} is opened", case.name)),
                Err(error) => {
                    if !case.names.iter().any(|name| error.contains(name)) {
                        unnamed
                            .push(format!("{name} {}: {error}, not {:?}", case.name, case.names));
                    }
                }
            }
        }
    }
    assert!(unnamed.is_empty(), "{unnamed:#?}");
}

/// A file that opens can be loaded and run.
fn answer(file: &ModelFile<MemorySource>) {
    let steps = Room::load(&gpu(), file, &[], 16).generate(&[1, 2, 3], 2);
    assert!(steps.iter().flat_map(|step| &step.logits).all(|logit| logit.is_finite()));
}

#[test]
fn modules_that_the_model_lacks_have_no_bytes() {
    let file = open(golden("qwen3-q8_0").gguf.to_vec()).expect("the sound file opens");
    let modules = file.modules().list.len();
    assert!(file.stage_bytes(ModuleRange::new(0, modules)).is_ok_and(|bytes| bytes > 0));
    for end in [modules + 1, 1000, usize::MAX] {
        let error = file.stage_bytes(ModuleRange::new(0, end)).expect_err("there are not so many");
        assert!(
            error.to_string().contains(&format!("modules 0..{end} of 0..{modules}")),
            "{error}"
        );
    }
}

/// Differences that leave a usable file.
const LAWFUL: &[&str] = &["tokenizer/one_token_type_too_few"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut with_magic = b"GGUF\x03\0\0\0".to_vec();
        with_magic.extend(&bytes);
        prop_assert!(open(bytes).is_err());
        prop_assert!(open(with_magic).is_err());
    }

    #[test]
    fn a_changed_front_never_panics(at in 0usize..6000, byte: u8) {
        for name in ["qwen3-q8_0", "t5-q8_0"] {
            let mut bytes = golden(name).gguf.to_vec();
            bytes[at] = byte;
            // Most changes are refused; a changed letter in a token is not.
            let _ = open(bytes);
        }
    }
}
