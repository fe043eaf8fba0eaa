//! Classifiers against transformers, from GGUF files and from folders, whole and cut.

mod common;

use common::{Room, gpu, open, text};
use gguf::Value;
use model::{ByteSource, MemoryFolder, MemorySource, ModelFile, Parts};
use serde_json::json;
use testkit::{Classifier, LOGITS_TOLERANCE, classifiers, folder, relative_error};

#[test]
fn scores_agree_with_transformers_and_do_not_depend_on_cuts() {
    for classifier in classifiers() {
        let file = find(&in_memory(&classifier.name)).expect("it opens");
        check(&file, &classifier);
        if let Some(bytes) = classifier.gguf() {
            check(&open(bytes), &classifier);
        }
    }
}

#[test]
fn a_text_s_tokens_are_those_of_transformers() {
    for classifier in classifiers() {
        let file = find(&in_memory(&classifier.name)).expect("it opens");
        let text = text(&file).expect("it is sound").without_chats();
        assert!(!text.takes_chats());
        for case in &classifier.texts {
            let messages = [base::Message::user(case.text.clone())];
            assert_eq!(text.prompt(&messages).expect("it is text"), case.ids);
        }
    }
}

/// Labels, scores and modules of one file.
fn check(file: &ModelFile<impl ByteSource>, classifier: &Classifier) {
    let name = &classifier.name;
    assert_eq!(file.config().labels, classifier.labels, "{name}");
    let modules = file.modules().list.len();
    assert_eq!(modules, 2 * file.config().layers + 2, "{name}");
    let gpu = gpu();
    for case in &classifier.texts {
        let whole = Room::load(&gpu, file, &[], 16).generate(&case.ids, 1);
        let error = relative_error(&whole[0].logits, &case.scores);
        assert!(error < LOGITS_TOLERANCE, "{name}: relative error {error}");
        assert_eq!(whole[0].token as usize, case.label(), "{name}");
        for cut in 1..modules {
            let split = Room::load(&gpu, file, &[cut], 7).generate(&case.ids, 1);
            assert_eq!(split, whole, "{name} cut at {cut}");
        }
    }
}

#[test]
fn a_folder_whose_labels_are_wrong_is_refused_in_words() {
    for (change, problem) in [
        (json!({"id2label": {"0": "glad", "2": "sad", "1": null}}), "`id2label.1`: is missing"),
        (json!({"id2label": {"0": "glad", "1": "so-so", "3": "sad"}}), "`id2label.2`: is missing"),
        (json!({"id2label": {"0": "glad", "1": 7, "2": "sad"}}), "`id2label.1`: is not a text"),
        (json!({"id2label": {}}), "`id2label`: has no labels"),
        (json!({"id2label": {"0": "glad"}}), "labels does not fit llama"),
        (
            json!({"id2label": {"0": "glad", "1": "sad"}}),
            "has the shape [64, 3] where [64, 2] belongs",
        ),
        (json!({"id2label": null}), "has the shape [64, 3] where [64, 2] belongs"),
        (json!({"problem_type": "regression"}), "`regression` is not supported"),
        (json!({"architectures": ["LlamaForCausalLM"]}), "`output.weight`: is missing"),
    ] {
        let error = find(&changed("llama-classifier", &change)).expect_err(problem).to_string();
        assert!(error.contains(problem), "{error} should say {problem}");
    }
}

#[test]
fn a_gguf_file_without_names_of_its_labels_is_refused() {
    let classifier = classifiers().into_iter().find(|one| one.name == "llama-classifier");
    let bytes = classifier.and_then(|one| one.gguf()).expect("it is there");
    let file = open(bytes);
    let key = "llama.classifier.output_labels";
    assert!(matches!(file.index().metadata.get(key), Some(Value::Array(_))));
    let mut unnamed = bytes.to_vec();
    let place = unnamed.windows(key.len()).position(|part| part == key.as_bytes());
    unnamed[place.expect("the key is there")] = b'L';
    let opened = pollster::block_on(ModelFile::open(MemorySource(unnamed)));
    let error = opened.expect_err("its labels have no names").to_string();
    assert!(error.contains(key) && error.contains("is missing"), "{error}");
}

fn in_memory(name: &str) -> MemoryFolder {
    let files = folder(name).iter();
    MemoryFolder(files.map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect())
}

fn find(folder: &MemoryFolder) -> Result<ModelFile<Parts<MemorySource>>, model::ModelError> {
    pollster::block_on(ModelFile::find(folder, WEIGHTS))
}

/// With other fields in `config.json`; null takes one out.
fn changed(name: &str, change: &serde_json::Value) -> MemoryFolder {
    let mut folder = in_memory(name);
    let bytes = folder.0.get_mut("config.json").expect("it is there");
    let mut config: serde_json::Value = serde_json::from_slice(bytes).expect("it is JSON");
    for (field, value) in change.as_object().expect("it is a map") {
        config[field] = value.clone();
    }
    *bytes = config.to_string().into_bytes();
    folder
}

const WEIGHTS: &str = "model.safetensors";
