//! What a model's files say of its texts is read again, and is enough for them.

mod common;

use common::{RecordingSource, open, text};
use model::{MemoryFolder, ModelFile, TextFiles};
use pollster::block_on;
use testkit::{MODELS, golden, split};

#[test]
fn the_front_of_a_gguf_file_is_read_again_for_its_texts() {
    for name in MODELS {
        let golden = golden(name);
        let file = open(golden.gguf);
        let kept = &file.index().metadata;
        assert!(kept.contains_key("general.architecture"), "{name}");
        assert!(!kept.keys().any(|key| key.starts_with("tokenizer.")), "{name}");
        let text = text(&file).expect("it is sound");
        assert!(text.takes_chats(), "{name}");
        for prompt in [&golden.short, &golden.long] {
            let tokens = text.tokenizer().encode(&prompt.text).expect("it has tokens");
            assert_eq!(tokens, prompt.ids, "{name}");
        }
    }
}

#[test]
fn the_front_of_the_first_file_is_enough_for_several() {
    let files = split().iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()));
    let folder = MemoryFolder(files.collect());
    let first = "qwen3-q8_0-00001-of-00003.gguf";
    let file = block_on(ModelFile::find(&folder, first)).expect("it opens");
    let Ok(TextFiles::Gguf(front)) = block_on(file.text_files()) else { panic!("it is GGUF") };
    assert!(folder.0[first].starts_with(&front));
    let golden = golden("qwen3-q8_0");
    let text = text(&file).expect("it is sound");
    assert_eq!(text.tokenizer().encode(&golden.long.text).expect("it is text"), golden.long.ids);
}

/// Pieces are kept as they were asked for, so that other pieces would be fetched once more.
#[test]
fn texts_are_read_in_the_pieces_that_the_index_came_in() {
    let stories = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/stories/stories-q8_0.gguf");
    let source = RecordingSource::new(&std::fs::read(stories).expect("the bundled model"));
    let file = block_on(ModelFile::open(source.clone())).expect("it opens");
    let opened = source.reads();
    assert!(opened.len() > 1, "the front is longer than a piece");
    source.forget();
    assert!(!text(&file).expect("it is sound").eos().is_empty());
    assert_eq!(source.reads(), opened);
}
