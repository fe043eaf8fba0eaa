//! Phones that run the real kernels.
#![allow(dead_code, reason = "every test file uses some of it")]

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use base::{Message, ModuleRange};
use kernels::{Gpu, Step};
use model::{
    Logprobs, MemoryPart, MemorySource, ModelError, ModelFile, Sampler, Stage, StageInput,
    StageOptions, Stages, TextFiles, Wanted,
};
use pollster::block_on;
use protocol::peer::{Alternative, CacheAsk, ModelRef, Sampling, TokenLogprobs};
use session::{
    EncoderSpec, Job, JobInput, LoadStage, ModelSpec, Part, Pass, Resident, SamplingStep,
    StageOutput, Wants,
};
use sim::{Loaded, Ran, StageRunner};
use text::{Decoder, Text};

const CONTEXT_TOKENS: usize = 128;

/// The one GPU of this process; tests take turns.
pub fn gpu() -> MutexGuard<'static, Gpu> {
    static GPU: OnceLock<Mutex<Gpu>> = OnceLock::new();
    let open = || block_on(Gpu::open()).expect("a Vulkan adapter, if only in software");
    GPU.get_or_init(|| Mutex::new(open())).lock().unwrap_or_else(PoisonError::into_inner)
}

/// A model in memory and the GPU that runs it.
pub struct RealModel {
    gpu: Gpu,
    file: ModelFile<MemorySource>,
    text: Text,
    decoder: RefCell<Decoder>,
}

impl RealModel {
    pub fn open(bytes: &[u8], gpu: Gpu) -> Self {
        let file = block_on(ModelFile::open(MemorySource(bytes.to_vec()))).expect("it is sound");
        let Ok(TextFiles::Gguf(front)) = block_on(file.text_files()) else {
            panic!("a GGUF file has its texts in its front")
        };
        let text = Text::from_gguf(&front, file.config().vocab).expect("it has a tokenizer");
        Self { gpu, file, text, decoder: RefCell::default() }
    }

    pub fn layers(&self) -> usize {
        self.file.config().layers
    }

    pub fn spec(&self) -> ModelSpec {
        let profiles = self.file.profiles(CONTEXT_TOKENS, 1).expect("the context is the model's");
        ModelSpec {
            model: ModelRef {
                url: "/models/tiny.gguf".into(),
                name: "tiny".into(),
                total_bytes: self.file.bytes(),
                context_tokens: CONTEXT_TOKENS as u32,
                takes_chats: false,
                labels: self.file.config().labels.clone(),
            },
            modules: profiles.modules,
            sequential_bytes: profiles.sequential_bytes,
            residual: profiles.residual,
            tied: profiles.tied,
            encoder: self.file.config().encoder.map(|encoder| EncoderSpec {
                modules: self.file.modules().encoder_modules(),
                first_token: encoder.first_token,
            }),
            eos: self.text.eos().to_vec(),
            row_bytes: (self.file.config().hidden * size_of::<f32>()) as u32,
            modules_depend: self.file.modules_depend(),
            slots: 1,
        }
    }
}

/// One phone's device.
pub struct Phone {
    model: Rc<RealModel>,
    stages: Stages<MemoryPart>,
}

impl Phone {
    pub fn of(model: &Rc<RealModel>) -> Self {
        Self { model: model.clone(), stages: Stages::default() }
    }
}

impl StageRunner for Phone {
    fn load(&mut self, plan: &LoadStage) -> Result<Loaded, String> {
        let (gpu, file) = (&self.model.gpu, &self.model.file);
        let wanted: Vec<Wanted> = plan
            .stages
            .iter()
            .map(|&Resident { range, resident }| Wanted { range, resident })
            .collect();
        let loaded = block_on(self.stages.load(gpu, file, &wanted, options(plan)));
        let has_caches = loaded.map_err(|error| error.to_string())?;
        Ok(Loaded { bytes: self.stages.bytes(), has_caches })
    }

    fn copies_bytes(&self, copies: &LoadStage) -> u64 {
        let modules = copies.stages.iter().flat_map(|stage| stage.resident.indices());
        let missing = modules.filter(|&module| !self.stages.has(module));
        let bytes = |module| self.model.file.stage_bytes(ModuleRange::new(module, module + 1));
        missing.filter_map(|module| bytes(module).ok()).sum()
    }

    fn load_copies(&mut self, copies: &LoadStage) -> Result<(), String> {
        let kept: Vec<ModuleRange> = copies.stages.iter().map(|stage| stage.resident).collect();
        for range in self.stages.keep(&kept, options(copies)) {
            let (gpu, file) = (&self.model.gpu, &self.model.file);
            let loaded = block_on(Stage::load(gpu, file, range, options(copies)));
            let added = loaded.and_then(|stage| block_on(self.stages.add(stage, file)));
            added.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn unload(&mut self) {
        self.stages.clear();
    }

    fn run(&mut self, job: &Job) -> Result<Ran, String> {
        let stage = self.stages.running(job.range).expect("the session runs loaded ranges");
        let (tokens, hidden) = inputs(&job.parts);
        let input = match tokens.is_empty() {
            true => StageInput::Hidden(&hidden),
            false => StageInput::Tokens(&tokens),
        };
        let before = self.model.gpu.dispatches();
        let outputs = pass(stage, job, input, &hidden).map_err(|error| error.to_string())?;
        let dispatches = (self.model.gpu.dispatches() - before) as u32;
        Ok(Ran { outputs, flops: 1e6 * job.rows() as f64, dispatches })
    }

    fn read_cache(&mut self, part: &CacheAsk) -> Result<Vec<u8>, String> {
        let (module, slot) = (part.module as usize, part.slot.into());
        let stage = self.stages.holding(module).ok_or("its module is not loaded")?;
        let read = block_on(stage.read_cache(module, slot, part.positions()));
        read.map_err(|error| error.to_string())
    }

    fn write_cache(&mut self, part: &CacheAsk, data: &[u8]) -> Result<(), String> {
        let (module, slot) = (part.module as usize, part.slot.into());
        let stage = self.stages.holding(module).ok_or("its module is not loaded")?;
        let written = stage.write_cache(module, slot, part.positions(), data);
        written.map_err(|error| error.to_string())
    }

    fn tokenize(&mut self, messages: &[Message]) -> Vec<u32> {
        let last = messages.last().expect("an ask has a message");
        self.model.text.tokenizer().encode(&last.content).expect("any text has tokens")
    }

    fn decode(&mut self, token: u32) -> String {
        self.model.decoder.borrow_mut().push(self.model.text.tokenizer(), token)
    }
}

fn options(load: &LoadStage) -> StageOptions {
    StageOptions {
        context_tokens: load.context_tokens as usize,
        slots: load.slots.into(),
        rows: load.rows.into(),
    }
}

fn pass(
    stage: &mut Stage<MemoryPart>,
    job: &Job,
    input: StageInput<'_>,
    hidden: &[u8],
) -> Result<Vec<StageOutput>, ModelError> {
    match job.pass {
        Pass::Run => Ok(outputs(&job.parts, block_on(stage.run(step(&job.parts), input))?)),
        Pass::Encode => Ok(vec![StageOutput::Hidden(block_on(stage.encode(input))?)]),
        Pass::Remember => {
            block_on(stage.remember(job.parts[0].slot.into(), hidden))?;
            Ok(vec![StageOutput::Nothing])
        }
    }
}

/// The rows of all parts, in their order.
fn step(parts: &[Part]) -> Step {
    let mut step = Step::default();
    for part in parts {
        step.add(part.slot.into(), part.position, part.rows.into());
        let last_row = step.last_row().filter(|_| matches!(part.wants, Wants::Token(_)));
        step.head_rows.extend(last_row);
    }
    step
}

fn inputs(parts: &[Part]) -> (Vec<u32>, Vec<u8>) {
    let (mut tokens, mut hidden) = (Vec::new(), Vec::new());
    for part in parts {
        match &part.input {
            JobInput::Tokens(more) => tokens.extend(more),
            JobInput::Hidden(more) => hidden.extend(more),
        }
    }
    (tokens, hidden)
}

/// What each part has of the output.
fn outputs(parts: &[Part], output: model::StageOutput) -> Vec<StageOutput> {
    let rows: usize = parts.iter().map(|part| usize::from(part.rows)).sum();
    let drawn_parts = parts.iter().filter(|part| matches!(part.wants, Wants::Token(_))).count();
    let (mut hidden, mut logits) = match output {
        model::StageOutput::Hidden(bytes) => (bytes, Vec::new()),
        model::StageOutput::Logits(logits) => (Vec::new(), logits),
        model::StageOutput::Nothing => (Vec::new(), Vec::new()),
    };
    let (row_bytes, vocab) = (hidden.len() / rows, logits.len() / drawn_parts.max(1));
    let own = |part: &Part| match &part.wants {
        Wants::Hidden => {
            StageOutput::Hidden(hidden.drain(..usize::from(part.rows) * row_bytes).collect())
        }
        Wants::Token(draw) => drawn(&logits.drain(..vocab).collect::<Vec<f32>>(), draw),
        Wants::Nothing => StageOutput::Nothing,
    };
    parts.iter().map(own).collect()
}

/// The tail's choice from the logits of the last row.
fn drawn(logits: &[f32], draw: &SamplingStep) -> StageOutput {
    let Sampling { temperature, top_k, top_p, min_p, repetition_penalty, seed, .. } = draw.options;
    let sampling = model::Sampling { repetition_penalty, temperature, top_k, top_p, min_p, seed };
    let token = Sampler::new(sampling).choose(logits, &draw.seen, draw.step);
    let logprobs = draw.options.logprobs.map(|count| logprobs(logits, token, count.into()));
    StageOutput::Token { token, logprobs }
}

fn logprobs(logits: &[f32], token: u32, count: usize) -> TokenLogprobs {
    let Logprobs { chosen, alternatives } = Logprobs::of(logits, token, count);
    let alternative = |(token, logprob)| Alternative { token, logprob };
    TokenLogprobs { chosen, alternatives: alternatives.into_iter().map(alternative).collect() }
}
