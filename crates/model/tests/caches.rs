//! Keys and values that another device goes on with.

mod common;

use base::ModuleRange;
use common::{gpu, open, options};
use kernels::{CacheType, Gpu, Step};
use model::{MemoryPart, ModelError, ModelFile, Stage, StageInput, StageOutput};
use pollster::block_on;
use testkit::golden;

const TOKENS: [u32; 9] = [5, 9, 2, 7, 11, 3, 8, 6, 4];
const SLOT: usize = 1;

fn whole(gpu: &Gpu, file: &ModelFile<model::MemorySource>) -> Stage<MemoryPart> {
    let range = ModuleRange::new(0, file.modules().list.len());
    block_on(Stage::load(gpu, file, range, options(16))).expect("it loads")
}

fn logits(stage: &mut Stage<MemoryPart>, position: u32, tokens: &[u32]) -> Vec<f32> {
    let mut step = Step::chunk(SLOT as u32, position, tokens.len() as u32);
    step.head_rows.extend(step.last_row());
    match block_on(stage.run(step, StageInput::Tokens(tokens))) {
        Ok(StageOutput::Logits(logits)) => logits,
        other => panic!("{other:?}"),
    }
}

/// Attention modules of a decoder.
fn attention(file: &ModelFile<model::MemorySource>) -> impl Iterator<Item = usize> {
    let modules = file.modules().list;
    (0..modules.len()).filter(move |&module| modules[module].part().0 == "attn")
}

#[test]
fn another_device_goes_on_with_the_same_bits() {
    for (name, cache) in [
        ("qwen3-f32", CacheType::F32),
        ("llama-q8_0", CacheType::F16),
        ("bloom-q8_0", CacheType::F32),
        ("gemma3-q8_0", CacheType::F32),
    ] {
        let file = open(golden(name).gguf).with_cache(cache);
        let gpu = gpu();
        let (mut one, mut other) = (whole(&gpu, &file), whole(&gpu, &file));
        logits(&mut one, 0, &TOKENS[..6]);
        for module in attention(&file) {
            // In pieces, as they travel.
            for part in [0..4, 4..6] {
                let bytes = block_on(one.read_cache(module, SLOT, part.clone())).expect("rows");
                other.write_cache(module, SLOT, part, &bytes).expect("room");
            }
        }
        let [here, there] = [&mut one, &mut other].map(|stage| logits(stage, 6, &TOKENS[6..]));
        assert!(here == there, "{name}: other bits");
        let fresh = logits(&mut whole(&gpu, &file), 6, &TOKENS[6..]);
        assert!(here != fresh, "{name}: the caches do not matter");
    }
}

#[test]
fn parts_that_are_not_there_are_refused() {
    let file = open(golden("qwen3-f32").gguf);
    let mut stage = whole(&gpu(), &file);
    let is_refused = |result: Result<Vec<u8>, ModelError>| {
        assert!(matches!(result, Err(ModelError::Step(_))), "{result:?}");
    };
    is_refused(block_on(stage.read_cache(0, SLOT, 0..1)));
    is_refused(block_on(stage.read_cache(99, SLOT, 0..1)));
    is_refused(block_on(stage.read_cache(1, 2, 0..1)));
    is_refused(block_on(stage.read_cache(1, SLOT, 5..5)));
    is_refused(block_on(stage.read_cache(1, SLOT, 127..129)));
    let bytes = block_on(stage.read_cache(1, SLOT, 0..2)).expect("rows");
    is_refused(stage.write_cache(1, SLOT, 0..3, &bytes).map(|()| Vec::new()));
    assert_eq!(stage.write_cache(1, SLOT, 126..128, &bytes), Ok(()));
}
