//! Damaged model files for the tests of loaders.
//!
//! Every case must be refused with an error by a loader that knows how long
//! the file is: without a panic, without deep recursion and without allocating
//! more than a small multiple of the file. The first part of a case's name says
//! who can notice:
//!
//! - `structure/`: reading the header, the metadata and the tensor table;
//! - `tensor/`: checking the tensor table against the file and the hyper-parameters;
//! - `config/`: reading the hyper-parameters;
//! - `tokenizer/`: reading the tokenizer. Who needs none need not notice.

mod metadata;
mod structure;
mod tensor;

use crate::image::Image;

/// A damaged file.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its group and what is wrong with it.
    pub name: String,
    /// The tensor or field that an error must name: one of these.
    pub names: Vec<String>,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Some 370 damaged copies of a sound model file such as
/// [`Golden::gguf`](crate::Golden::gguf). Take a small one (`llama-q8_0`,
/// `qwen3-q8_0`): every case is a copy.
///
/// # Panics
/// When `bytes` is not a sound `llama` or `qwen3` model file.
pub fn cases(bytes: &[u8]) -> Vec<Case> {
    let image = Image::parse(bytes).expect("only a sound file can be damaged on purpose");
    let edits = metadata::edits(&image).into_iter().chain(tensor::edits(&image));
    let edited = edits.map(Edit::into_case);
    structure::cases(bytes, &image).into_iter().chain(edited).collect()
}

/// Collects copies of a sound image, each changed in one place.
struct Edits<'a> {
    sound: &'a Image,
    group: &'static str,
    made: Vec<Edit>,
}

struct Edit {
    name: String,
    names: Vec<String>,
    image: Image,
}

impl Edit {
    fn into_case(self) -> Case {
        Case { name: self.name, names: self.names, bytes: self.image.to_bytes() }
    }
}

impl<'a> Edits<'a> {
    fn new(sound: &'a Image, group: &'static str) -> Self {
        Self { sound, group, made: Vec::new() }
    }

    /// A change that must be told by one of `names`.
    fn edit(&mut self, name: impl AsRef<str>, names: &[&str], change: impl FnOnce(&mut Image)) {
        let mut image = self.sound.clone();
        change(&mut image);
        let name = format!("{}/{}", self.group, name.as_ref());
        self.made.push(Edit { name, names: owned(names), image });
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().copied().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{ENCODER_DECODERS, MODELS, golden};

    #[test]
    fn every_case_is_damaged_as_its_group_says() {
        // Of the others, one has square matrices, which are not damaged by transposing them, and some have no head
        // length.
        let others = ["llama-q4_k_m", "qwen2-q4_0", "gpt2-f16", "bloom-q8_0"];
        let names = MODELS.into_iter().chain(ENCODER_DECODERS);
        for name in names.filter(|name| !others.contains(name)) {
            let bytes = golden(name).gguf;
            let sound = Image::parse(bytes);
            for Case { name: case, bytes: damaged, .. } in cases(bytes) {
                let image = Image::parse(&damaged);
                match case.starts_with("structure/") {
                    true => assert_eq!(image, None, "{name} {case}"),
                    false => assert!(image.is_some() && image != sound, "{name} {case}"),
                }
            }
        }
    }

    #[test]
    fn case_names_are_unique_and_every_group_is_there() {
        let cases = cases(golden("qwen3-q8_0").gguf);
        let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
        assert_eq!(names.len(), cases.len());
        for group in ["structure/", "tensor/", "config/", "tokenizer/"] {
            assert!(names.iter().any(|name| name.starts_with(group)), "{group}");
        }
    }
}
