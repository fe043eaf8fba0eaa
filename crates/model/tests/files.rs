//! The same models in other files: split GGUF files, and safetensors in one file and in several.

mod common;

use base::Message;
use common::{Choice, Room, gpu, open, text};
use model::{ByteSource, MemoryFolder, MemorySource, ModelError, ModelFile, Parts, Precision};
use testkit::{Files, LOGITS_TOLERANCE, folder, golden, relative_error, split};

const SPLIT: &str = "qwen3-q8_0-00001-of-00003.gguf";
/// Eight bits a weight, against F16: half a step in 127 of a block's largest weight, in some layers.
const Q8_0_TOLERANCE: f32 = 0.05;
const SHARDS: &str = "model.safetensors.index.json";

#[test]
fn a_split_file_gives_the_bits_of_the_whole_one() {
    let file = find(&in_memory(split()), SPLIT).expect("it opens");
    let whole = open(golden("qwen3-q8_0").gguf);
    assert_eq!(file.config(), whole.config());
    assert!(text(&file).is_ok());
    assert_eq!(answer(&file, &[], "qwen3-q8_0"), answer(&whole, &[], "qwen3-q8_0"));
}

#[test]
fn a_split_file_is_refused_unless_all_its_files_are_there_and_in_order() {
    let sound = in_memory(split());
    let names: Vec<String> = sound.0.keys().cloned().collect();
    for name in &names {
        let mut folder = sound.clone();
        folder.0.remove(name);
        let error = find(&folder, SPLIT).expect_err("a file is missing");
        assert!(error.to_string().contains(name.as_str()), "{error}");
        let alone = pollster::block_on(ModelFile::open(MemorySource(sound.0[name].clone())));
        let error = alone.expect_err("it is not a whole model").to_string();
        assert!(error.contains("all files of the model are needed"), "{error}");
    }
    let mut folder = sound.clone();
    folder.0.insert(names[1].clone(), sound.0[&names[2]].clone());
    let error = find(&folder, SPLIT).expect_err("the third file is there twice").to_string();
    assert!(error.contains("split.no"), "{error}");
}

#[test]
fn safetensors_in_several_files_give_the_bits_of_the_gguf_file() {
    let file = find(&in_memory(folder("qwen3-f16")), SHARDS).expect("it opens");
    let expected = answer(&open(golden("qwen3-f16").gguf), &[], "qwen3-f16");
    assert_eq!(answer(&file, &[], "qwen3-f16"), expected);
    assert_eq!(answer(&file, &[1, 4], "qwen3-f16"), expected);
    let by_shard = find(&in_memory(folder("qwen3-f16")), "model-00002-of-00003.safetensors");
    assert_eq!(by_shard.expect("it opens").bytes(), file.bytes());
}

#[test]
fn a_folder_has_the_tokenizer_and_the_template_of_the_gguf_file() {
    let (golden, messages) = (golden("qwen3-f16"), [Message::user("Is the hen in the barn?")]);
    let prompts = [whole_chat(&open(golden.gguf), &messages), {
        let file = find(&in_memory(folder("qwen3-f16")), SHARDS).expect("it opens");
        let text = text(&file).expect("it is sound");
        assert_eq!(
            text.tokenizer().encode(&golden.long.text).expect("it is text"),
            golden.long.ids
        );
        whole_chat(&file, &messages)
    }];
    assert!(prompts[0].len() > 20, "{prompts:?}");
    assert_eq!(prompts[0], prompts[1]);
}

/// The tokens of a conversation's prompt.
fn whole_chat<S: ByteSource>(file: &ModelFile<S>, messages: &[Message]) -> Vec<u32> {
    let text = text(file).expect("it is sound");
    assert!(text.takes_chats(), "it has a template");
    text.prompt(messages).expect("it renders and is text")
}

/// Whose rows, columns or gains are in another order or of another size in the folder, too.
#[test]
fn floats_are_quantised_to_the_bits_of_the_gguf_file() {
    for (name, precision) in [
        ("qwen2-q4_0", Precision::Q4_0),
        ("gemma3-q8_0", Precision::Q8_0),
        ("bloom-q8_0", Precision::Q8_0),
        ("gpt2-f16", Precision::AsStored),
        ("t5-f32", Precision::AsStored),
        ("flan-t5-f16", Precision::AsStored),
    ] {
        let file = whole(name).with_precision(precision);
        let stored = open(golden(name).gguf);
        for cuts in [&[][..], &[3, 6]] {
            assert_eq!(answer(&file, cuts, name), answer(&stored, cuts, name), "{name}");
        }
        if precision != Precision::AsStored {
            let profiles = file.profiles(128, 1).expect("the context is the model's");
            assert_eq!(profiles, stored.profiles(128, 1).expect("the context is the model's"));
        }
    }
}

#[test]
fn a_matrix_that_is_stored_by_columns_can_be_quantised() {
    let file = whole("gpt2-f16").with_precision(Precision::Q8_0);
    let golden = golden("gpt2-f16");
    let steps = answer(&file, &[], "gpt2-f16");
    for (step, expected) in steps.iter().zip(&golden.long.logits) {
        let error = relative_error(&step.logits, expected);
        assert!(error < Q8_0_TOLERANCE, "relative error {error}");
    }
    assert_eq!(answer(&file, &[2, 5], "gpt2-f16"), steps);
}

/// In the GGUF files the rows of queries and keys are in another order, so that sums are too.
#[test]
fn llama_agrees_with_transformers_in_both_precisions() {
    for (precision, name) in [(Precision::AsStored, "llama-f32"), (Precision::Q8_0, "llama-q8_0")] {
        let file = whole("llama-f32").with_precision(precision);
        let golden = golden(name);
        let steps = Room::load(&gpu(), &file, &[], 16).generate(&golden.long.ids, 64);
        for (step, expected) in steps.iter().zip(&golden.long.logits) {
            let error = relative_error(&step.logits, expected);
            assert!(error < LOGITS_TOLERANCE, "{name}: relative error {error}");
        }
        let tokens: Vec<u32> = steps.iter().map(|step| step.token).collect();
        assert_eq!(tokens, golden.long.tokens, "{name}");
        assert_eq!(answer(&file, &[2, 5], name), answer(&file, &[], name), "{name}");
    }
}

#[test]
fn upper_halves_of_floats_are_the_floats_without_their_lower_halves() {
    let sound = in_memory(folder("llama-f32"));
    let (halves, floats) = upper_halves(&sound.0["model.safetensors"]);
    let opened = [halves, floats].map(|bytes| {
        let mut folder = sound.clone();
        folder.0.insert("model.safetensors".into(), bytes);
        find(&folder, "model.safetensors").expect("it opens")
    });
    let [halves, floats] = opened.each_ref().map(|file| answer(file, &[], "llama-f32"));
    assert_eq!(halves, floats);
}

fn in_memory(files: Files) -> MemoryFolder {
    MemoryFolder(files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect())
}

fn find(folder: &MemoryFolder, name: &str) -> Result<ModelFile<Parts<MemorySource>>, ModelError> {
    pollster::block_on(ModelFile::find(folder, name))
}

fn whole(name: &str) -> ModelFile<Parts<MemorySource>> {
    let folder = in_memory(folder(name));
    let main = if folder.0.contains_key(SHARDS) { SHARDS } else { "model.safetensors" };
    find(&folder, main).expect("it opens")
}

/// The first choices of a model, cut before each of `cuts`.
fn answer(file: &ModelFile<impl ByteSource>, cuts: &[usize], name: &str) -> Vec<Choice> {
    Room::load(&gpu(), file, cuts, 16).generate(&golden(name).long.ids, 4)
}

/// A file of F32 as one of BF16, and the same values as one of F32.
fn upper_halves(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let (header, data) = (&bytes[8..8 + length], &bytes[8 + length..]);
    let halves = data.chunks_exact(4).flat_map(|float| [float[2], float[3]]).collect::<Vec<u8>>();
    let floats =
        halves.chunks_exact(2).flat_map(|half| [0, 0, half[0], half[1]]).collect::<Vec<u8>>();
    let mut header: serde_json::Value = serde_json::from_slice(header).expect("it is JSON");
    for (name, line) in header.as_object_mut().expect("it is a map") {
        if name != "__metadata__" {
            line["dtype"] = "BF16".into();
            for offset in line["data_offsets"].as_array_mut().expect("there are two") {
                *offset = (offset.as_u64().expect("it is a number") / 2).into();
            }
        }
    }
    let header = header.to_string().into_bytes();
    let halves = [&(header.len() as u64).to_le_bytes(), &header[..], &halves].concat();
    (halves, [&bytes[..8 + length], &floats].concat())
}
