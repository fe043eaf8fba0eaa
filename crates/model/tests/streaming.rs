//! Tensors larger than a piece come in pieces and are put together right.

mod common;

use base::ModuleRange;
use common::{RecordingSource, Room, gpu, options};
use kernels::Step;
use model::{ModelFile, Stage, StageInput, StageOutput};
use testkit::{golden, with_vocabulary};

const PIECE_BYTES: u64 = 4 << 20;
/// An embedding of 10 MB: rows of 256 bytes in three pieces.
const TOKENS: usize = 40_000;
/// Rows at the edges of the pieces.
const EDGES: [u32; 6] = [0, 16_383, 16_384, 32_767, 32_768, 39_999];

#[test]
fn no_read_is_larger_than_a_piece() {
    let source = RecordingSource::new(&with_vocabulary(golden("qwen3-f32").gguf, TOKENS));
    let file = pollster::block_on(ModelFile::open(source.clone())).expect("it opens");
    let modules = file.modules().list.len();
    // With the embedding, whose table the head shares, and without: then the loader reads it to pack it.
    for first in [0, 1] {
        source.forget();
        let range = ModuleRange::new(first, modules);
        pollster::block_on(Stage::load(&gpu(), &file, range, options(2))).expect("it loads");
        assert_eq!(source.read_bytes(), file.stage_bytes(range).expect("the range is the model's"));
        assert_eq!(source.largest_read(), PIECE_BYTES);
    }
}

#[test]
fn logits_do_not_depend_on_the_pieces() {
    let file = common::open(&with_vocabulary(golden("qwen3-f32").gguf, TOKENS));
    let gpu = gpu();
    let mut small = gpu.clone();
    // The parts of a table begin pieces of their own.
    small.max_binding_bytes = 3_000_000;
    let [whole, parts] =
        [&gpu, &small].map(|gpu| Room::load(gpu, &file, &[1], 16).generate(&EDGES[..4], 2));
    assert!(whole == parts, "some rows are elsewhere");
}

#[test]
fn rows_of_every_piece_are_where_they_belong() {
    let bytes = with_vocabulary(golden("qwen3-f32").gguf, TOKENS);
    let file = common::open(&bytes);
    let range = file.index().tensors["token_embd.weight"].range.clone();
    let table = &bytes[range.start as usize..range.end as usize];
    let (gpu, first) = (gpu(), ModuleRange::new(0, 1));
    let embed = pollster::block_on(Stage::load(&gpu, &file, first, options(EDGES.len())));
    let mut embed = embed.expect("it loads");
    let step = Step::chunk(0, 0, EDGES.len() as u32);
    let output = pollster::block_on(embed.run(step, StageInput::Tokens(&EDGES)));
    let row = |token: u32| &table[token as usize * 256..][..256];
    let expected = EDGES.into_iter().flat_map(row).copied().collect();
    assert_eq!(output, Ok(StageOutput::Hidden(expected)));
}
