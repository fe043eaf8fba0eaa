//! Whole and split models against golden values from Hugging Face transformers.

mod common;

use base::ModuleRange;
use common::{Room, gpu, open};
use testkit::{LOGITS_TOLERANCE, MODELS, golden, relative_error};

const GREEDY_TOKENS: usize = 64;

#[test]
fn logits_and_greedy_tokens_agree_with_transformers() {
    for name in MODELS {
        let golden = golden(name);
        let file = open(golden.gguf);
        let gpu = gpu();
        let mut whole = Room::load(&gpu, &file, &[], 16);
        for prompt in [&golden.short, &golden.long] {
            let steps = whole.generate(&prompt.ids, GREEDY_TOKENS);
            for (step, expected) in steps.iter().zip(&prompt.logits) {
                let error = relative_error(&step.logits, expected);
                assert!(error < LOGITS_TOLERANCE, "{name}: relative error {error}");
            }
            let tokens: Vec<u32> = steps.iter().map(|step| step.token).collect();
            assert_eq!(tokens, prompt.tokens, "{name}");
        }
    }
}

#[test]
fn every_cut_gives_the_bits_of_one_device() {
    for name in ["llama-q8_0", "qwen3-f16"] {
        let golden = golden(name);
        let file = open(golden.gguf);
        let gpu = gpu();
        let modules = 2 * file.config().layers + 2;
        let whole = Room::load(&gpu, &file, &[], 16).generate(&golden.long.ids, 4);
        for cut in 1..modules {
            let split = Room::load(&gpu, &file, &[cut], 16).generate(&golden.long.ids, 4);
            assert_eq!(split, whole, "{name} cut at {cut}");
        }
    }
}

#[test]
fn three_and_four_devices_give_the_bits_of_one() {
    let golden = golden("qwen3-q8_0");
    let file = open(golden.gguf);
    let gpu = gpu();
    let modules = 2 * file.config().layers + 2;
    let whole = Room::load(&gpu, &file, &[], 16).generate(&golden.short.ids, 3);
    for first in 1..modules - 1 {
        for second in first + 1..modules {
            let split = Room::load(&gpu, &file, &[first, second], 16);
            assert_eq!({ split }.generate(&golden.short.ids, 3), whole, "cuts {first}, {second}");
        }
    }
    for cuts in [[1, 2, 3], [1, 5, 9], [2, 4, 7], [7, 8, 9], [3, 6, 9]] {
        let mut split = Room::load(&gpu, &file, &cuts, 16);
        assert_eq!(split.generate(&golden.short.ids, 3), whole, "cuts {cuts:?}");
    }
}

#[test]
fn chunks_of_any_size_give_the_same_bits() {
    let golden = golden("qwen3-q8_0");
    let file = open(golden.gguf);
    let gpu = gpu();
    let whole = Room::load(&gpu, &file, &[], 1).generate(&golden.long.ids, 3);
    for chunk in [2, 3, 4, 5, 7, 16, 39, 40, 64] {
        let chunked = Room::load(&gpu, &file, &[4], chunk).generate(&golden.long.ids, 3);
        assert_eq!(chunked, whole, "chunks of {chunk}");
    }
}

#[test]
fn a_row_does_not_depend_on_the_rows_beside_it() {
    let golden = golden("llama-f32");
    let file = open(golden.gguf);
    let mut room = Room::load(&gpu(), &file, &[3], 16);
    let alone = room.generate(&golden.short.ids, 4);
    let together = room.generate_in_two_slots(&golden.short.ids, 4);
    assert_eq!(together, [alone.clone(), alone]);
}

#[test]
fn a_stage_fetches_its_own_tensors_alone() {
    let golden = golden("qwen3-q8_0");
    let file = open(golden.gguf);
    let source = common::RecordingSource::new(golden.gguf);
    let recorded = pollster::block_on(model::ModelFile::open(source.clone())).expect("it opens");
    source.forget();
    let range = ModuleRange::new(3, 5);
    let options = common::options(16);
    let mut seen = 0;
    let gpu = gpu();
    let stage = model::Stage::load(&gpu, &recorded, range, options, |bytes| seen = bytes);
    pollster::block_on(stage).expect("it loads");
    let bytes = file.stage_bytes(range).expect("the range is the model's");
    assert_eq!(seen, bytes);
    assert_eq!(source.read_bytes(), bytes);
    let own = |name: &str| name.starts_with("blk.1.");
    for (name, tensor) in &file.index().tensors {
        assert_eq!(source.has_read(&tensor.range), own(name), "{name}");
    }
}
