//! Whole and split models against golden values from Hugging Face transformers.

mod common;

use base::ModuleRange;
use common::{Room, gpu, open};
use kernels::{CacheType, Tiling};
use testkit::{
    ENCODER_DECODERS, HIDDEN_TOLERANCE, LOGITS_TOLERANCE, MODELS, golden, relative_error,
};

const GREEDY_TOKENS: usize = 64;
/// Less than any matrix of the tiny models has.
const SMALL_BINDING_BYTES: u64 = 16 << 10;
/// So few tokens that the KV caches have room in such a binding.
const SHORT_CONTEXT: usize = 16;
/// Of logits, where keys and values are rounded to eleven bits.
const HALVES_TOLERANCE: f32 = 1e-2;

#[test]
fn logits_and_greedy_tokens_agree_with_transformers() {
    for name in MODELS.into_iter().chain(ENCODER_DECODERS) {
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
fn hidden_states_between_layers_agree_with_transformers() {
    for name in MODELS.into_iter().chain(ENCODER_DECODERS) {
        let golden = golden(name);
        let file = open(golden.gguf);
        let gpu = gpu();
        for (layers, expected) in golden.hidden.iter().enumerate() {
            let hidden = common::hidden_after(&gpu, &file, 1 + 2 * layers, &golden.short.ids);
            let error = relative_error(&hidden, expected);
            assert!(error < HIDDEN_TOLERANCE, "{name} after {layers} layers: {error}");
        }
    }
}

#[test]
fn every_cut_gives_the_bits_of_one_device() {
    let names = [
        "llama-q8_0",
        "llama-q4_k_m",
        "qwen2-q4_0",
        "gemma3-q8_0",
        "gpt2-f16",
        "bloom-q8_0",
        "t5-f32",
        "t5-q8_0",
        "flan-t5-f16",
        "flan-t5-q8_0",
    ];
    for name in names {
        let golden = golden(name);
        let file = open(golden.gguf);
        let gpu = gpu();
        let modules = file.modules().list.len();
        let (prompt, count) = (&golden.long, GREEDY_TOKENS);
        let whole = Room::load(&gpu, &file, &[], 16).generate(&prompt.ids, count);
        for cut in 1..modules {
            let split = Room::load(&gpu, &file, &[cut], 16).generate(&prompt.ids, count);
            assert!(split == whole, "{name} cut at {cut}");
            let tokens: Vec<u32> = split.iter().map(|step| step.token).collect();
            assert_eq!(tokens, prompt.tokens, "{name} cut at {cut}");
        }
    }
}

#[test]
fn modules_that_are_resident_and_dormant_change_nothing() {
    for name in ["qwen3-f32", "gemma3-q8_0", "bloom-q8_0", "t5-q8_0"] {
        let golden = golden(name);
        let file = open(golden.gguf);
        let gpu = gpu();
        let modules = file.modules().list.len();
        let whole = Room::load(&gpu, &file, &[], 16).generate(&golden.long.ids, 4);
        for cut in 1..modules {
            let mut split = Room::load_with_copies(&gpu, &file, cut, 2);
            assert!(split.generate(&golden.long.ids, 4) == whole, "{name} cut at {cut}");
        }
    }
}

#[test]
fn modules_that_move_change_nothing() {
    for name in ["qwen3-f32", "gemma3-q8_0", "bloom-q8_0", "gpt2-f16", "t5-f32"] {
        let golden = golden(name);
        let file = open(golden.gguf);
        let gpu = gpu();
        let modules = file.modules().list.len();
        let whole = Room::load(&gpu, &file, &[], 16).generate(&golden.long.ids, 4);
        let mut split = Room::load(&gpu, &file, &[1], 16);
        for cut in [4, 2, modules - 1, 3] {
            split = split.recut(&file, cut);
            assert!(split.generate(&golden.long.ids, 4) == whole, "{name} cut at {cut}");
        }
    }
}

#[test]
fn only_resident_modules_can_be_activated() {
    let file = open(golden("qwen3-f32").gguf);
    let gpu = gpu();
    let stage = model::Stage::load(&gpu, &file, ModuleRange::new(1, 4), common::options(2));
    let mut stage = pollster::block_on(stage).expect("it loads");
    for (start, end) in [(0, 2), (3, 5), (2, 2), (3, 2)] {
        let refused = stage.activate(ModuleRange::new(start, end));
        assert!(matches!(refused, Err(model::ModelError::Step(_))), "{start}..{end}");
    }
    assert_eq!(stage.range(), ModuleRange::new(1, 4));
}

#[test]
fn matrices_that_take_several_bindings_give_the_same_bits() {
    for name in
        ["qwen3-f32", "llama-q4_k_m", "gemma3-q8_0", "gpt2-f16", "bloom-q8_0", "flan-t5-q8_0"]
    {
        let golden = golden(name);
        let file = open(golden.gguf);
        let gpu = gpu();
        let mut whole = Room::load(&gpu, &file, &[], 16);
        let mut small = gpu.clone();
        small.max_binding_bytes = SMALL_BINDING_BYTES;
        let mut split = Room::load_for(&small, &file, &[5], 16, SHORT_CONTEXT);
        let dispatches = |room: &mut Room<_>| {
            let before = gpu.dispatches();
            (room.generate(&golden.short.ids, 4), gpu.dispatches() - before)
        };
        let (expected, few) = dispatches(&mut whole);
        let (choices, many) = dispatches(&mut split);
        assert_eq!(choices, expected, "{name}");
        assert!(many > few, "{name}: {many} dispatches where {few} do for whole matrices");
    }
}

#[test]
fn what_no_binding_can_hold_is_refused_with_its_name_and_size() {
    let file = open(golden("qwen3-f32").gguf);
    let mut small = gpu().clone();
    small.max_binding_bytes = SMALL_BINDING_BYTES;
    let modules = ModuleRange::new(1, 3);
    let stage = model::Stage::load(&small, &file, modules, common::options(16));
    let error = pollster::block_on(stage).expect_err("the cache is larger");
    assert!(matches!(error, model::ModelError::TooLarge { .. }), "{error}");
    assert!(error.to_string().contains("KV cache of layer 0"), "{error}");
}

#[test]
fn tiles_of_any_size_give_the_same_bits() {
    for name in ["qwen3-q8_0", "gemma3-q8_0", "gpt2-f16", "t5-f32"] {
        let golden = golden(name);
        let file = open(golden.gguf);
        let gpu = gpu();
        let [small, large] = [1, 4].map(|groups| {
            let mut gpu = gpu.clone();
            gpu.tiling = Tiling { groups, least_lanes: 1 };
            Room::load(&gpu, &file, &[3], 16).generate(&golden.short.ids, 3)
        });
        assert_eq!(small, large, "{name}");
    }
}

/// Keys and values of eleven bits, as people run it.
#[test]
fn a_cache_of_halves_is_near_and_does_not_depend_on_cuts() {
    for name in ["qwen3-f32", "llama-f32", "bloom-q8_0", "t5-f32"] {
        let golden = golden(name);
        let file = open(golden.gguf).with_cache(CacheType::F16);
        assert_eq!(file.cache_type(), CacheType::F16, "{name}");
        let gpu = gpu();
        let whole = Room::load(&gpu, &file, &[], 16).generate(&golden.long.ids, 4);
        for (choice, expected) in whole.iter().zip(&golden.long.logits) {
            let error = relative_error(&choice.logits, expected);
            assert!((1e-6..HALVES_TOLERANCE).contains(&error), "{name}: relative error {error}");
        }
        for chunk in [3, 16] {
            let split = Room::load(&gpu, &file, &[2, 5], chunk).generate(&golden.long.ids, 4);
            assert_eq!(split, whole, "{name}");
        }
    }
}

#[test]
fn three_and_four_devices_give_the_bits_of_one() {
    let golden = golden("qwen3-q8_0");
    let file = open(golden.gguf);
    let gpu = gpu();
    let modules = file.modules().list.len();
    let whole = Room::load(&gpu, &file, &[], 16).generate(&golden.short.ids, 3);
    let mut all_cuts = Vec::new();
    for first in 1..modules - 1 {
        for second in first + 1..modules {
            all_cuts.push(vec![first, second]);
            all_cuts.extend((second + 1..modules).map(|third| vec![first, second, third]));
        }
    }
    assert_eq!(all_cuts.len(), 36 + 84);
    for cuts in all_cuts {
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
    let all_cuts: [&[usize]; 4] = [&[], &[4], &[3, 8], &[1, 5, 9]];
    for chunk in [2, 3, 4, 5, 7, 16, 39, 40, 64] {
        for cuts in all_cuts {
            let chunked = Room::load(&gpu, &file, cuts, chunk).generate(&golden.long.ids, 3);
            assert_eq!(chunked, whole, "chunks of {chunk}, cuts {cuts:?}");
        }
    }
}

#[test]
fn a_row_does_not_depend_on_the_rows_beside_it() {
    for name in ["llama-f32", "flan-t5-f16"] {
        let golden = golden(name);
        let file = open(golden.gguf);
        let mut room = Room::load(&gpu(), &file, &[3], 16);
        let alone = room.generate(&golden.short.ids, 4);
        let together = room.generate_in_two_slots(&golden.short.ids, 4);
        assert_eq!(together, [alone.clone(), alone], "{name}");
    }
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
    let gpu = gpu();
    let loading = model::Stage::load(&gpu, &recorded, range, options);
    let stage = pollster::block_on(loading).expect("it loads");
    let bytes = file.stage_bytes(range).expect("the range is the model's");
    assert_eq!(source.read_bytes(), bytes);
    let own = |name: &str| name.starts_with("blk.1.");
    for (name, tensor) in &file.index().tensors {
        assert_eq!(source.has_read(&tensor.range), own(name), "{name}");
    }
    source.forget();
    let more = ModuleRange::new(3, 6);
    let stage = pollster::block_on(stage.reload(Vec::new(), &recorded, more)).expect("it loads");
    let added = file.stage_bytes(ModuleRange::new(5, 6)).expect("the range is the model's");
    assert_eq!(source.read_bytes(), added);
    source.forget();
    pollster::block_on(stage.reload(Vec::new(), &recorded, ModuleRange::new(4, 6)))
        .expect("it is there");
    assert_eq!(source.read_bytes(), 0);
}
