//! A whole room around a real model: every phone's stage runs the real kernels.

mod common;

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use base::Message;
use common::{GREEDY, NAMES, WIFI, stats};
use kernels::{Gpu, Step};
use model::{
    Logprobs, MemoryPart, MemorySource, ModelError, ModelFile, Sampler, Stage, StageInput,
    StageOptions, TextFiles,
};
use pollster::block_on;
use protocol::peer::{Alternative, ModelRef, Pledge, Sampling, TokenLogprobs};
use session::{
    Command, Job, JobInput, LoadStage, ModelSpec, Resident, RoomLimits, SamplingStep, StageOutput,
    Wants,
};
use sim::{Loaded, PhoneSpec, Ran, Sim, SimConfig, StageRunner};
use text::{Decoder, Text};

const CONTEXT_TOKENS: usize = 128;
/// Every way to narrow the choice at once.
const PLAYFUL: Sampling = Sampling {
    temperature: 1.2,
    top_k: 60,
    top_p: 0.95,
    min_p: 0.05,
    repetition_penalty: 1.3,
    seed: 11,
    logprobs: Some(3),
    ..GREEDY
};

#[test]
fn rooms_of_any_size_give_the_golden_tokens() {
    let golden = testkit::golden("qwen3-q8_0");
    let gpu = gpu();
    let model = Rc::new(RealModel::open(golden.gguf, gpu.clone()));
    let mut drawn = Vec::new();
    for phones in 1..=4 {
        let mut sim = room(&model, phones);
        assert!(sim.make_ready(), "{:?}", sim.view(0).error);
        let plan = sim.view(0).plan.expect("a ready room has a plan");
        assert_eq!(plan.stages.len(), phones, "every phone is needed: {}", plan.reason);
        let answer = stats(sim.ask(0, 1, &golden.long.text, GREEDY));
        assert_eq!(answer.prompt_tokens as usize, golden.long.ids.len());
        let expected = &golden.long.tokens[..GREEDY.max_tokens as usize];
        assert_eq!(answer.tokens, expected, "{phones} phones");
        let layers = model.file.config().layers as f64;
        assert!(answer.dispatches_per_token <= 6.0 * layers + 2.0);
        let playful = stats(sim.ask(0, 2, &golden.long.text, PLAYFUL));
        assert_ne!(playful.tokens, expected, "the seed's draws and not the likeliest tokens");
        assert_eq!(playful.logprobs.len(), playful.tokens.len());
        drawn.push((playful.tokens, playful.logprobs));
        assert_eq!(drawn.last(), drawn.first(), "{phones} phones");
    }
}

#[test]
fn an_answer_goes_on_without_a_phone_and_with_a_new_one() {
    let golden = testkit::golden("qwen3-q8_0");
    let gpu = gpu();
    let model = Rc::new(RealModel::open(golden.gguf, gpu.clone()));
    let undisturbed = |options: Sampling| {
        let mut sim = room(&model, 1);
        assert!(sim.make_ready());
        stats(sim.ask(0, 1, &golden.long.text, options))
    };
    for options in [GREEDY, PLAYFUL] {
        let mut sim = room(&model, 3);
        assert!(sim.make_ready(), "{:?}", sim.view(0).error);
        let messages = vec![Message::user(golden.long.text.clone())];
        sim.command(0, Command::Ask { ask: 1, messages, options: options.into() });
        sim.run_until(60.0, |sim| sim.text(0, 1).len() > 10);
        sim.kill(1);
        sim.join(PhoneSpec::new("Zoe", Pledge::Bytes(1 << 30)));
        assert!(sim.run_until(100.0, |sim| sim.answer(0, 1).is_some()), "{:?}", sim.view(0));
        let (answer, expected) = (stats(sim.answer(0, 1).expect("ended")), undisturbed(options));
        assert_eq!((answer.tokens, answer.logprobs), (expected.tokens, expected.logprobs));
    }
}

fn room(model: &Rc<RealModel>, phones: usize) -> Sim {
    let pledge = Pledge::Share { factor: 1.5, phones: phones as u32 };
    let config = SimConfig {
        phones: NAMES[..phones].iter().map(|name| PhoneSpec::new(name, pledge)).collect(),
        link: WIFI,
        model: model.spec(),
        limits: RoomLimits { chunk_tokens: 16, ..RoomLimits::default() },
    };
    let model = model.clone();
    Sim::new(config, move || Box::new(Phone { model: model.clone(), stages: Vec::new() }))
}

/// The one GPU of this process; tests take turns.
fn gpu() -> MutexGuard<'static, Gpu> {
    static GPU: OnceLock<Mutex<Gpu>> = OnceLock::new();
    let open = || block_on(Gpu::open()).expect("a Vulkan adapter, if only in software");
    GPU.get_or_init(|| Mutex::new(open())).lock().unwrap_or_else(PoisonError::into_inner)
}

/// A model in memory and the GPU that runs it.
struct RealModel {
    gpu: Gpu,
    file: ModelFile<MemorySource>,
    text: Text,
    decoder: RefCell<Decoder>,
}

impl RealModel {
    fn open(bytes: &[u8], gpu: Gpu) -> Self {
        let file = block_on(ModelFile::open(MemorySource(bytes.to_vec()))).expect("it is sound");
        let Ok(TextFiles::Gguf(front)) = block_on(file.text_files()) else {
            panic!("a GGUF file has its texts in its front")
        };
        let text = Text::from_gguf(&front, file.config().vocab).expect("it has a tokenizer");
        Self { gpu, file, text, decoder: RefCell::default() }
    }

    fn spec(&self) -> ModelSpec {
        let profiles = self.file.profiles(CONTEXT_TOKENS, 1).expect("the context is the model's");
        ModelSpec {
            model: ModelRef {
                url: "/models/tiny.gguf".into(),
                name: "tiny".into(),
                total_bytes: self.file.bytes(),
                context_tokens: CONTEXT_TOKENS as u32,
                takes_chats: false,
            },
            modules: profiles.modules,
            sequential_bytes: profiles.sequential_bytes,
            residual: profiles.residual,
            tied: profiles.tied,
            eos: self.text.eos().to_vec(),
            row_bytes: (self.file.config().hidden * size_of::<f32>()) as u32,
            slots: 1,
        }
    }
}

/// One phone's device.
struct Phone {
    model: Rc<RealModel>,
    stages: Vec<Stage<MemoryPart>>,
}

impl StageRunner for Phone {
    fn load(&mut self, plan: &LoadStage) -> Result<Loaded, String> {
        let mut held = std::mem::take(&mut self.stages);
        let options = StageOptions {
            context_tokens: plan.context_tokens as usize,
            slots: plan.slots.into(),
            rows: plan.chunk_tokens.into(),
        };
        let load = |stage: &Resident| {
            let (gpu, file) = (&self.model.gpu, &self.model.file);
            let mut loaded = match held.pop() {
                Some(held) => block_on(held.reload(file, stage.resident))?,
                None => block_on(Stage::load(gpu, file, stage.resident, options))?,
            };
            loaded.activate(stage.range)?;
            Ok(loaded)
        };
        let stages: Result<Vec<_>, ModelError> = plan.stages.iter().map(load).collect();
        self.stages = stages.map_err(|error| error.to_string())?;
        Ok(Loaded { bytes: self.stages.iter().map(Stage::bytes).sum() })
    }

    fn unload(&mut self) {
        self.stages.clear();
    }

    fn run(&mut self, job: &Job) -> Result<Ran, String> {
        let stage = self.stages.iter_mut().find(|stage| stage.range() == job.range);
        let stage = stage.expect("the session runs loaded ranges");
        let mut step = Step::chunk(job.slot.into(), job.position, job.rows.into());
        if !matches!(job.wants, Wants::Token(_)) {
            step.head_rows.clear();
        }
        let input = match &job.input {
            JobInput::Tokens(tokens) => StageInput::Tokens(tokens),
            JobInput::Hidden(bytes) => StageInput::Hidden(bytes),
        };
        let before = self.model.gpu.dispatches();
        let output = block_on(stage.run(step, input)).map_err(|error| error.to_string())?;
        let dispatches = (self.model.gpu.dispatches() - before) as u32;
        let output = match (output, &job.wants) {
            (model::StageOutput::Hidden(bytes), _) => StageOutput::Hidden(bytes),
            (model::StageOutput::Logits(logits), Wants::Token(draw)) => drawn(&logits, draw),
            _ => StageOutput::Nothing,
        };
        Ok(Ran { output, flops: 1e6 * f64::from(job.rows), dispatches })
    }

    fn tokenize(&mut self, messages: &[Message]) -> Vec<u32> {
        let last = messages.last().expect("an ask has a message");
        self.model.text.tokenizer().encode(&last.content).expect("any text has tokens")
    }

    fn decode(&mut self, token: u32) -> String {
        self.model.decoder.borrow_mut().push(self.model.text.tokenizer(), token)
    }
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
