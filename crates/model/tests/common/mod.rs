//! A room without peers: stages in a row on one GPU, fed as the session feeds them.
#![allow(dead_code, reason = "each test file uses a part")]

use std::{
    cell::RefCell,
    ops::Range,
    rc::Rc,
    sync::{Mutex, MutexGuard, OnceLock},
};

use base::ModuleRange;
use kernels::{Gpu, Step};
use model::{
    ByteSource, MemoryPart, MemorySource, ModelFile, SourceError, Stage, StageInput, StageOptions,
    StageOutput, TextFiles,
};
use text::{Text, TextError};

/// The one GPU of this process; tests take turns, as the steps of a stage do.
pub fn gpu() -> MutexGuard<'static, Gpu> {
    static GPU: OnceLock<Mutex<Gpu>> = OnceLock::new();
    let gpu = GPU.get_or_init(|| {
        Mutex::new(pollster::block_on(Gpu::open()).expect("a Vulkan adapter, if only in software"))
    });
    gpu.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

pub fn open(bytes: &[u8]) -> ModelFile<MemorySource> {
    pollster::block_on(ModelFile::open(MemorySource(bytes.to_vec()))).expect("the file is sound")
}

/// What reads and writes the model's texts.
pub fn text(file: &ModelFile<impl ByteSource>) -> Result<Text, TextError> {
    let vocab = file.config().vocab;
    match pollster::block_on(file.text_files()).expect("the front was read before") {
        TextFiles::Gguf(front) => Text::from_gguf(&front, vocab),
        TextFiles::Json { tokenizer, tokenizer_config } => {
            Text::from_json(&tokenizer, &tokenizer_config, vocab)
        }
    }
}

pub fn options(rows: usize) -> StageOptions {
    StageOptions { context_tokens: CONTEXT_TOKENS, slots: 2, rows }
}

const CONTEXT_TOKENS: usize = 128;

/// Logits of one step and the token they choose.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    pub logits: Vec<f32>,
    pub token: u32,
}

pub struct Room<L> {
    pub stages: Vec<Stage<L>>,
    chunk: usize,
    /// How many modules are an encoder's, and the token that answers begin behind.
    encoder: Option<(usize, u32)>,
}

/// Room for a whole prompt of the golden files.
const PROMPT_ROWS: usize = 40;

/// An encoder takes prompts whole.
fn rows(file: &ModelFile<impl ByteSource>, chunk: usize) -> usize {
    let is_whole = file.config().encoder.is_some();
    if is_whole { PROMPT_ROWS } else { chunk.max(2) }
}

fn encoder(file: &ModelFile<impl ByteSource>) -> Option<(usize, u32)> {
    let encoder = file.config().encoder?;
    Some((file.modules().encoder_modules(), encoder.first_token))
}

impl<L: ByteSource> Room<L> {
    /// The whole model, cut before each of `cuts`, with prefill in chunks of `chunk`.
    pub fn load(
        gpu: &Gpu,
        file: &ModelFile<impl ByteSource<Local = L>>,
        cuts: &[usize],
        chunk: usize,
    ) -> Self {
        Self::load_for(gpu, file, cuts, chunk, CONTEXT_TOKENS)
    }

    /// The same with another context.
    pub fn load_for(
        gpu: &Gpu,
        file: &ModelFile<impl ByteSource<Local = L>>,
        cuts: &[usize],
        chunk: usize,
        context_tokens: usize,
    ) -> Self {
        let modules = file.modules().list.len();
        let starts = [0].into_iter().chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain([modules]);
        let load = |(start, end)| {
            let range = ModuleRange::new(start, end);
            let options = StageOptions { context_tokens, ..options(rows(file, chunk)) };
            pollster::block_on(Stage::load(gpu, file, range, options)).expect("the stage loads")
        };
        let stages = starts.zip(ends).map(load).collect();
        Self { stages, chunk, encoder: encoder(file) }
    }

    /// Of a room cut in two, the same cut elsewhere; what stays where it is is not loaded again.
    pub fn recut(self, file: &ModelFile<impl ByteSource<Local = L>>, cut: usize) -> Self {
        let modules = file.modules().list.len();
        let ranges = [ModuleRange::new(0, cut), ModuleRange::new(cut, modules)];
        let reload = |(stage, range): (Stage<L>, ModuleRange)| {
            pollster::block_on(stage.reload(Vec::new(), file, range)).expect("the stage loads")
        };
        let Self { stages, chunk, encoder } = self;
        let stages = stages.into_iter().zip(ranges).map(reload).collect();
        Self { stages, chunk, encoder }
    }

    /// Cut before `cut`, both stages with copies of `copied` modules of the other, which are dormant.
    pub fn load_with_copies(
        gpu: &Gpu,
        file: &ModelFile<impl ByteSource<Local = L>>,
        cut: usize,
        copied: usize,
    ) -> Self {
        let modules = file.modules().list.len();
        let load = |resident, active| {
            let stage = Stage::load(gpu, file, resident, options(rows(file, 16)));
            let mut stage = pollster::block_on(stage).expect("the stage loads");
            stage.activate(active).expect("the modules are resident");
            assert_eq!((stage.resident(), stage.range()), (resident, active));
            stage
        };
        let (left, right) = (cut.saturating_sub(copied), modules.min(cut + copied));
        let first = load(ModuleRange::new(0, right), ModuleRange::new(0, cut));
        let second = load(ModuleRange::new(left, modules), ModuleRange::new(cut, modules));
        Self { stages: vec![first, second], chunk: 16, encoder: encoder(file) }
    }

    /// Prefill, or the prompt's way through an encoder, and `count` greedy choices.
    pub fn generate(&mut self, prompt: &[u32], count: usize) -> Vec<Choice> {
        let begin = self.begin(0, prompt);
        self.answer(&begin, count)
    }

    /// What is to go through the decoder before the first choice.
    fn begin(&mut self, slot: u32, prompt: &[u32]) -> Vec<u32> {
        let Some((_, first_token)) = self.encoder else { return prompt.to_vec() };
        let memory = self.encode(prompt);
        for stage in &mut self.stages {
            pollster::block_on(stage.remember(slot, &memory)).expect("it is an encoder's output");
        }
        vec![first_token]
    }

    /// The encoder's output.
    pub fn encode(&mut self, prompt: &[u32]) -> Vec<u8> {
        let (modules, _) = self.encoder.expect("the model has an encoder");
        let mut hidden: Option<Vec<u8>> = None;
        for stage in self.stages.iter_mut().filter(|stage| stage.range().start < modules) {
            let input = match &hidden {
                None => StageInput::Tokens(prompt),
                Some(bytes) => StageInput::Hidden(bytes),
            };
            hidden = Some(pollster::block_on(stage.encode(input)).expect("the prompt fits"));
        }
        hidden.expect("the encoder has modules")
    }

    /// `count` greedy choices behind the tokens of a decoder.
    pub fn answer(&mut self, prompt: &[u32], count: usize) -> Vec<Choice> {
        let mut choices = Vec::new();
        let mut position = 0;
        for chunk in prompt.chunks(self.chunk) {
            let last = position as usize + chunk.len() == prompt.len();
            let logits = self.step(chunk, Step::chunk(0, position, chunk.len() as u32), last);
            position += chunk.len() as u32;
            choices.extend(logits.map(choice));
        }
        while choices.len() < count {
            let token = choices.last().expect("the prompt gave a choice").token;
            let logits = self.step(&[token], Step::chunk(0, position, 1), true);
            choices.extend(logits.map(choice));
            position += 1;
        }
        choices
    }

    /// As `generate`, for the same prompt in both slots, the decode steps of both in one batch.
    pub fn generate_in_two_slots(&mut self, prompt: &[u32], count: usize) -> [Vec<Choice>; 2] {
        let begins = [0, 1].map(|slot| self.begin(slot, prompt));
        let rows = begins[0].len() as u32;
        let mut choices = [0, 1].map(|slot| {
            let begin = &begins[slot as usize];
            let logits = self.step(begin, Step::chunk(slot, 0, rows), true);
            vec![choice(logits.expect("logits of the last row"))]
        });
        for position in rows..rows + count as u32 - 1 {
            let tokens = [0, 1].map(|slot: usize| choices[slot][choices[slot].len() - 1].token);
            let step =
                Step { positions: vec![position; 2], slots: vec![0, 1], head_rows: vec![0, 1] };
            let logits = self.step(&tokens, step, true).expect("logits of both rows");
            let (first, second) = logits.split_at(logits.len() / 2);
            choices[0].push(choice(first.to_vec()));
            choices[1].push(choice(second.to_vec()));
        }
        choices
    }

    fn step(&mut self, tokens: &[u32], mut step: Step, wants_logits: bool) -> Option<Vec<f32>> {
        if !wants_logits {
            step.head_rows.clear();
        }
        let mut hidden: Option<Vec<u8>> = None;
        let encoder_modules = self.encoder.map_or(0, |(modules, _)| modules);
        for stage in self.stages.iter_mut().filter(|stage| stage.range().end > encoder_modules) {
            let input = match &hidden {
                None => StageInput::Tokens(tokens),
                Some(bytes) => StageInput::Hidden(bytes),
            };
            match pollster::block_on(stage.run(step.clone(), input)).expect("the step runs") {
                StageOutput::Hidden(bytes) => hidden = Some(bytes),
                StageOutput::Logits(logits) => return Some(logits),
                StageOutput::Nothing => return None,
            }
        }
        panic!("the last stage has no head")
    }
}

/// The last position's hidden state after the first `modules` modules.
pub fn hidden_after(
    gpu: &Gpu,
    file: &ModelFile<MemorySource>,
    modules: usize,
    prompt: &[u32],
) -> Vec<f32> {
    let range = ModuleRange::new(0, modules);
    let stage = pollster::block_on(Stage::load(gpu, file, range, options(16)));
    let mut stage = stage.expect("the stage loads");
    let step = Step::chunk(0, 0, prompt.len() as u32);
    let input = StageInput::Tokens(prompt);
    let bytes = if file.config().encoder.is_some() {
        pollster::block_on(stage.encode(input)).expect("the prompt fits")
    } else {
        let output = pollster::block_on(stage.run(step, input));
        let Ok(StageOutput::Hidden(bytes)) = output else { panic!("it puts out hidden states") };
        bytes
    };
    let last = bytes.len() - file.config().hidden * size_of::<f32>();
    let floats = bytes[last..].chunks_exact(4);
    floats.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn choice(logits: Vec<f32>) -> Choice {
    let mut token = 0;
    for (at, logit) in logits.iter().enumerate() {
        if *logit > logits[token] {
            token = at;
        }
    }
    Choice { logits, token: token as u32 }
}

/// A file that remembers what was read of it.
#[derive(Clone)]
pub struct RecordingSource {
    bytes: Rc<[u8]>,
    reads: Rc<RefCell<Vec<Range<u64>>>>,
}

impl RecordingSource {
    pub fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), reads: Rc::default() }
    }

    pub fn forget(&self) {
        self.reads.borrow_mut().clear();
    }

    pub fn reads(&self) -> Vec<Range<u64>> {
        self.reads.borrow().clone()
    }

    pub fn largest_read(&self) -> u64 {
        self.reads.borrow().iter().map(|range| range.end - range.start).max().unwrap_or(0)
    }

    pub fn read_bytes(&self) -> u64 {
        self.reads.borrow().iter().map(|range| range.end - range.start).sum()
    }

    /// Whether any byte of `range` was read.
    pub fn has_read(&self, range: &Range<u64>) -> bool {
        self.reads.borrow().iter().any(|read| read.start < range.end && range.start < read.end)
    }
}

impl ByteSource for RecordingSource {
    type Local = MemoryPart;

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, SourceError> {
        self.reads.borrow_mut().push(range.clone());
        Ok(self.bytes[range.start as usize..range.end as usize].to_vec())
    }

    async fn local(&self, pieces: &[Range<u64>]) -> Result<MemoryPart, SourceError> {
        self.reads.borrow_mut().extend(pieces.iter().cloned());
        MemorySource(self.bytes.to_vec()).local(pieces).await
    }
}
