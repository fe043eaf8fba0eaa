//! What is particular to a model with an encoder.

mod common;

use base::ModuleRange;
use common::{Choice, Room, gpu, open, options};
use kernels::{Gpu, Step};
use model::{MemoryPart, ModelError, Stage, StageInput};
use testkit::golden;

/// `embed`, 2 modules for each of 3 layers, `decoder_embed`, 3 modules for each of 2 layers, `head`.
const MODULES: usize = 15;
/// The first of the decoder.
const DECODER: usize = 7;
/// Room for the longer prompt, and for a third of it.
const ROWS: [usize; 2] = [40, 13];
const FIRST_TOKEN: u32 = 285;

fn load(gpu: &Gpu, name: &str, (start, end): (usize, usize), rows: usize) -> Stage<MemoryPart> {
    let file = open(golden(name).gguf);
    let stage = Stage::load(gpu, &file, ModuleRange::new(start, end), options(rows));
    pollster::block_on(stage).expect("it loads")
}

fn refusal<T: std::fmt::Debug>(result: Result<T, ModelError>) -> String {
    match result.expect_err("it is refused") {
        ModelError::Step(problem) => problem,
        other => panic!("{other}"),
    }
}

#[test]
fn a_layer_takes_nine_dispatches_for_a_token_and_six_for_a_prompt() {
    for name in ["t5-f32", "flan-t5-q8_0"] {
        let (golden, gpu) = (golden(name), gpu());
        let mut room = Room::load(&gpu, &open(golden.gguf), &[], 16);
        let before = gpu.dispatches();
        room.encode(&golden.long.ids);
        let encoded = gpu.dispatches();
        assert_eq!(encoded - before, 6 * 3 + 1, "{name}: the norm is behind the last layer");
        room.generate(&golden.long.ids, 1);
        assert_eq!(gpu.dispatches() - encoded, 6 * 3 + 1 + 2 * 2 + 9 * 2 + 1, "{name}");
        let answered = gpu.dispatches();
        room.answer(&[FIRST_TOKEN], 1);
        assert_eq!(gpu.dispatches() - answered, 9 * 2 + 1, "{name}: and the head");
    }
}

#[test]
fn an_encoders_output_may_come_in_pieces_and_longer_than_a_step() {
    let (golden, gpu) = (golden("t5-q8_0"), gpu());
    let expected = Room::load(&gpu, &open(golden.gguf), &[], 16).generate(&golden.long.ids, 4);
    let mut room = Room::load(&gpu, &open(golden.gguf), &[DECODER], 16);
    room.stages[1] = load(&gpu, "t5-q8_0", (DECODER, MODULES), ROWS[1]);
    assert!(room.generate(&golden.long.ids, 4) == expected);
}

/// A slot's prompt is replaced, and shorter ones leave nothing of longer ones.
#[test]
fn prompts_follow_each_other() {
    let (golden, gpu) = (golden("flan-t5-f16"), gpu());
    let mut room = Room::load(&gpu, &open(golden.gguf), &[9], 16);
    let short = room.generate(&golden.short.ids, 3);
    let long = room.generate(&golden.long.ids, 3);
    assert!(short != long);
    assert!(room.generate(&golden.short.ids, 3) == short);
    assert!(room.generate(&golden.long.ids, 3) == long);
}

/// Modules that were dormant when the prompt came have its keys and values; the answer so far goes
/// through them in one step.
#[test]
fn a_cut_that_moves_in_an_answer_needs_no_second_encoding() {
    let (golden, gpu) = (golden("flan-t5-q8_0"), gpu());
    let file = open(golden.gguf);
    let expected = Room::load(&gpu, &file, &[], 16).generate(&golden.long.ids, 8);
    for (cut, moved) in [(9, 11), (11, 8), (6, 9), (10, 7)] {
        let mut room = Room::load_with_copies(&gpu, &file, cut, 4);
        let mut choices = room.generate(&golden.long.ids, 4);
        room.stages[0].activate(ModuleRange::new(0, moved)).expect("they are resident");
        room.stages[1].activate(ModuleRange::new(moved, MODULES)).expect("they are resident");
        let mut history = vec![FIRST_TOKEN];
        history.extend(choices.iter().map(|choice: &Choice| choice.token));
        choices.extend(room.answer(&history, 4));
        assert!(choices == expected, "{cut} to {moved}");
    }
}

/// A stage that gets smaller keeps what it remembers; one that gets other modules has to be told again.
#[test]
fn modules_that_move_know_no_prompts() {
    let (golden, gpu) = (golden("t5-q8_0"), gpu());
    let file = open(golden.gguf);
    let mut room = Room::load(&gpu, &file, &[DECODER], 16);
    let expected = room.generate(&golden.long.ids, 4);
    let mut room = room.recut(&file, 9);
    let run = room.stages[1].run(Step::chunk(0, 1, 1), StageInput::Hidden(&[0; 256]));
    assert!(pollster::block_on(run).is_ok(), "its modules are those that it had");
    assert!(room.generate(&golden.long.ids, 4) == expected);
    let mut room = room.recut(&file, 8);
    let run = room.stages[1].run(Step::chunk(0, 1, 1), StageInput::Hidden(&[0; 256]));
    assert!(refusal(pollster::block_on(run)).contains("no encoder's output"));
    assert!(room.generate(&golden.long.ids, 4) == expected);
}

#[test]
fn what_does_not_fit_is_refused() {
    let (name, gpu) = ("t5-f32", gpu());
    let mut encoder = load(&gpu, name, (0, DECODER), ROWS[0]);
    let mut decoder = load(&gpu, name, (DECODER, MODULES), ROWS[1]);
    let tokens = [1; ROWS[0] + 1];
    let step = || Step::chunk(0, 0, 1);
    let mut encode =
        |input: &[u32]| refusal(pollster::block_on(encoder.encode(StageInput::Tokens(input))));
    assert!(encode(&[]).contains("0 rows"));
    assert!(encode(&tokens).contains("41 rows where 1 to 40"));
    assert!(encode(&[288]).contains("not in the vocabulary"));
    let run = encoder.run(step(), StageInput::Tokens(&[1]));
    assert!(refusal(pollster::block_on(run)).contains("of the other kind"));
    let hidden = encoder.encode(StageInput::Hidden(&[0; 256]));
    assert!(refusal(pollster::block_on(hidden)).contains("a stage that embeds"));

    let encode = decoder.encode(StageInput::Tokens(&[1]));
    assert!(refusal(pollster::block_on(encode)).contains("of the other kind"));
    let mut run = |slot| {
        let run = decoder.run(Step::chunk(slot, 0, 1), StageInput::Tokens(&[FIRST_TOKEN]));
        pollster::block_on(run)
    };
    assert!(refusal(run(0)).contains("no encoder's output"));
    for (slot, bytes) in [(2, 256), (0, 0), (0, 255), (0, 256 * 129)] {
        refusal(pollster::block_on(decoder.remember(slot, &vec![0; bytes])));
    }
    pollster::block_on(decoder.remember(1, &[0; 256])).expect("one row");
    let mut run = |slot| {
        let run = decoder.run(Step::chunk(slot, 0, 1), StageInput::Tokens(&[FIRST_TOKEN]));
        pollster::block_on(run)
    };
    assert!(refusal(run(0)).contains("no encoder's output"), "of this slot");
    assert!(run(1).is_ok());
}

#[test]
fn a_prompt_that_is_too_long_for_the_context_is_refused() {
    let gpu = gpu();
    let options = model::StageOptions { context_tokens: 16, ..options(ROWS[0]) };
    let file = open(golden("t5-f32").gguf);
    let stage = Stage::load(&gpu, &file, ModuleRange::new(0, DECODER), options);
    let mut stage = pollster::block_on(stage).expect("it loads");
    let encode = stage.encode(StageInput::Tokens(&[1; 17]));
    assert!(refusal(pollster::block_on(encode)).contains("the context of 16"));
    let encode = stage.encode(StageInput::Tokens(&[1; 16]));
    assert!(pollster::block_on(encode).is_ok_and(|bytes| bytes.len() == 16 * 256));
}
