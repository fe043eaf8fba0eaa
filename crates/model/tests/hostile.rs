//! Damaged and hostile files give typed errors, never a panic.

use model::{MemorySource, ModelError, ModelFile};
use proptest::prelude::*;
use testkit::{corrupt, golden};

fn open(bytes: Vec<u8>) -> Result<(), ModelError> {
    let file = pollster::block_on(ModelFile::open(MemorySource(bytes)))?;
    file.tokenizer().map(drop)
}

#[test]
fn every_damaged_file_is_refused() {
    for name in ["llama-q8_0", "qwen3-q8_0"] {
        open(golden(name).gguf.to_vec()).expect("the sound file opens");
        for (case, bytes) in corrupt::cases(golden(name).gguf) {
            if LAWFUL.iter().any(|lawful| case.contains(lawful)) {
                continue;
            }
            let error = open(bytes).expect_err(&case);
            assert!(error.to_string().len() > 20, "{case}: {error}");
        }
    }
}

/// Differences that leave a usable file.
const LAWFUL: &[&str] = &["one_token_type_too_few"];

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
        let mut bytes = golden("qwen3-q8_0").gguf.to_vec();
        bytes[at] = byte;
        // Most changes are refused; a changed letter in a token is not.
        let _ = open(bytes);
    }
}
