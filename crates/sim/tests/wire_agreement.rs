//! How near the narrow wires come to the exact one: the tiny models and the bundled one, each cut in three.
//! `cargo test --workspace --test wire_agreement -- --nocapture` prints the figures.

use std::{fs, path::Path};

use base::ModuleRange;
use kernels::{Gpu, Step};
use model::{MemoryPart, MemorySource, ModelFile, Stage, StageInput, StageOptions, StageOutput};
use pollster::block_on;
use protocol::peer::WireType;
use serde_json::Value;

const TOKENS: usize = 64;
const OPTIONS: StageOptions = StageOptions { context_tokens: 128, slots: 1, rows: 16 };
/// Tokens, all models taken together, of which so many must be those of the exact wire where each follows the
/// exact wire's tokens.
const LEAST_SHARE: [(WireType, f64); 2] = [(WireType::F16, 0.98), (WireType::Int8, 0.8)];
/// Enough of the bundled model's.
const PROMPTS: usize = 5;

#[test]
fn narrow_wires_are_near_the_exact_one() {
    let gpu = block_on(Gpu::open()).expect("a Vulkan adapter, if only in software");
    let mut shares = LEAST_SHARE.map(|(wire, least)| (wire, least, Agreement::default()));
    for prompt in tiny_prompts().chain(bundled_prompts()) {
        let mut room = Room::load(&gpu, &prompt.gguf);
        let exact = room.answer(WireType::F32, &prompt.ids, &[], prompt.tokens.len());
        let tokens = likeliest(&exact);
        assert_eq!(tokens, prompt.tokens, "{}: the exact wire's are the reference's", prompt.name);
        for (wire, _, all) in &mut shares {
            let guided = room.answer(*wire, &prompt.ids, &tokens, tokens.len());
            let free = likeliest(&room.answer(*wire, &prompt.ids, &[], tokens.len()));
            let one = Agreement::of(&exact, &guided, &free);
            println!("{:24} {wire:4?} {one}", prompt.name);
            all.add(&one);
        }
    }
    for (wire, least, all) in &shares {
        println!("{:24} {wire:4?} {all}", "all");
        assert!(all.share() >= *least, "{wire:?}: {all}");
    }
}

/// A model, a prompt for it, and what its reference implementation answers.
struct Prompt {
    name: String,
    gguf: Vec<u8>,
    ids: Vec<u32>,
    tokens: Vec<u32>,
}

/// Weights are random there, so the likeliest tokens are near each other.
fn tiny_prompts() -> impl Iterator<Item = Prompt> {
    testkit::MODELS.into_iter().map(|name| {
        let golden = testkit::golden(name);
        let (ids, tokens) = (golden.long.ids, golden.long.tokens);
        Prompt { name: name.to_owned(), gguf: golden.gguf.to_vec(), ids, tokens }
    })
}

/// The bundled model has learnt something.
fn bundled_prompts() -> impl Iterator<Item = Prompt> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/stories");
    let gguf = fs::read(folder.join("stories-q8_0.gguf")).expect("the model is in the repository");
    let golden = fs::read(folder.join("golden.json")).expect("so are its answers");
    let golden: Value = serde_json::from_slice(&golden).expect("golden.py writes JSON");
    let numbers = |list: &Value| -> Vec<u32> {
        serde_json::from_value(list.clone()).expect("tokens are numbers")
    };
    let prompts: Vec<Prompt> = golden["greedy"]
        .as_array()
        .expect("there are some")
        .iter()
        .map(|one| Prompt {
            name: format!("stories {:?}", one["prompt"].as_str().unwrap_or_default()),
            gguf: gguf.clone(),
            ids: numbers(&one["prompt_ids"]),
            tokens: numbers(&one["tokens"]),
        })
        .filter(|prompt| prompt.tokens.len() == TOKENS)
        .take(PROMPTS)
        .collect();
    prompts.into_iter()
}

/// How a wire's logits compare with those of the exact one.
#[derive(Default)]
struct Agreement {
    steps: usize,
    /// Steps with the same likeliest token, after the same tokens.
    equal: usize,
    /// Left to itself, the first token that differs.
    first_other: usize,
    /// Of a logit, and as a part of the largest logit there.
    largest_difference: f32,
    largest_relative: f32,
}

impl Agreement {
    fn of(exact: &[Vec<f32>], guided: &[Vec<f32>], free: &[u32]) -> Self {
        let tokens = likeliest(exact);
        let pairs = tokens.iter().zip(likeliest(guided));
        let first_other = tokens.iter().zip(free).take_while(|(one, other)| one == other).count();
        let mut all = Self {
            steps: exact.len(),
            equal: pairs.filter(|(one, other)| *one == other).count(),
            first_other,
            ..Self::default()
        };
        for (logits, expected) in guided.iter().zip(exact) {
            let differences = logits.iter().zip(expected).map(|(one, other)| (one - other).abs());
            all.largest_difference = differences.fold(all.largest_difference, f32::max);
            let relative = testkit::relative_error(logits, expected);
            all.largest_relative = all.largest_relative.max(relative);
        }
        all
    }

    fn add(&mut self, one: &Self) {
        self.steps += one.steps;
        self.equal += one.equal;
        self.first_other += one.first_other;
        self.largest_difference = self.largest_difference.max(one.largest_difference);
        self.largest_relative = self.largest_relative.max(one.largest_relative);
    }

    fn share(&self) -> f64 {
        self.equal as f64 / self.steps as f64
    }
}

impl std::fmt::Display for Agreement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { steps, equal, first_other, largest_difference, largest_relative } = self;
        write!(
            f,
            "{equal} of {steps} likeliest tokens equal; {first_other} in a row when left to itself; \
             logits off by {largest_difference:.5} at most, {largest_relative:.6} of the largest"
        )
    }
}

/// Three stages in a row on one GPU; what goes from one to the next goes over a wire.
struct Room {
    stages: Vec<Stage<MemoryPart>>,
    row_len: u32,
}

impl Room {
    fn load(gpu: &Gpu, gguf: &[u8]) -> Self {
        let file = ModelFile::open(MemorySource(gguf.to_vec()));
        let file = block_on(file).expect("the file is sound");
        let modules = 2 * file.config().layers + 2;
        let ends = [0, modules / 3, 2 * modules / 3, modules];
        let load = |ends: &[usize]| {
            let range = ModuleRange::new(ends[0], ends[1]);
            block_on(Stage::load(gpu, &file, range, OPTIONS)).expect("the stage loads")
        };
        let row_len = file.config().hidden as u32;
        Self { stages: ends.windows(2).map(load).collect(), row_len }
    }

    /// The logits of `count` tokens after a prompt, each put after those of `guide`, and once there are no
    /// more, after the likeliest so far.
    fn answer(
        &mut self,
        wire: WireType,
        prompt: &[u32],
        guide: &[u32],
        count: usize,
    ) -> Vec<Vec<f32>> {
        let mut position = 0;
        let mut logits = Vec::new();
        for chunk in prompt.chunks(OPTIONS.rows) {
            let last = position + chunk.len() == prompt.len();
            logits.extend(self.step(wire, chunk, position, last));
            position += chunk.len();
        }
        while logits.len() < count {
            let token = guide.get(logits.len() - 1).copied();
            let token = token.unwrap_or_else(|| best(&logits[logits.len() - 1]));
            logits.extend(self.step(wire, &[token], position, true));
            position += 1;
        }
        logits
    }

    fn step(
        &mut self,
        wire: WireType,
        tokens: &[u32],
        position: usize,
        wants_logits: bool,
    ) -> Option<Vec<f32>> {
        let mut step = Step::chunk(0, position as u32, tokens.len() as u32);
        if !wants_logits {
            step.head_rows.clear();
        }
        let mut hidden: Option<Vec<u8>> = None;
        for stage in &mut self.stages {
            let input = match &hidden {
                None => StageInput::Tokens(tokens),
                Some(rows) => StageInput::Hidden(rows),
            };
            match block_on(stage.run(step.clone(), input)).expect("the step runs") {
                StageOutput::Hidden(rows) => {
                    hidden = Some(wire.unpack(wire.pack(rows, self.row_len), self.row_len));
                }
                StageOutput::Logits(logits) => return Some(logits),
                StageOutput::Nothing => return None,
            }
        }
        panic!("the last stage has no head")
    }
}

fn likeliest(logits: &[Vec<f32>]) -> Vec<u32> {
    logits.iter().map(|logits| best(logits)).collect()
}

/// The first of the largest.
fn best(logits: &[f32]) -> u32 {
    let larger = |best: usize, at: usize| if logits[at] > logits[best] { at } else { best };
    (0..logits.len()).reduce(larger).unwrap_or(0) as u32
}
