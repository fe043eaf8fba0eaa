//! A whole room around a real model: every phone's stage runs the real kernels.

mod common;

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use base::Message;
use common::{GREEDY, NAMES, WIFI, largest_batch, stats};
use kernels::{Gpu, Step};
use model::{
    Logprobs, MemoryPart, MemorySource, ModelError, ModelFile, Sampler, Stage, StageInput,
    StageOptions, TextFiles,
};
use pollster::block_on;
use protocol::peer::{Alternative, ModelRef, Pledge, Sampling, TokenLogprobs};
use session::{
    Command, Job, JobInput, LoadStage, ModelSpec, Part, Resident, RoomLimits, SamplingStep,
    StageOutput, Wants,
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

#[test]
fn requests_at_once_have_the_tokens_they_would_have_alone() {
    let golden = testkit::golden("qwen3-q8_0");
    let gpu = gpu();
    let model = Rc::new(RealModel::open(golden.gguf, gpu.clone()));
    let text = &golden.long.text;
    let sampling = |ask: u32| match ask % 2 {
        0 => GREEDY,
        _ => Sampling { seed: ask.into(), ..PLAYFUL },
    };
    let prompt = |ask: u32| text.chars().skip(7 * ask as usize).collect::<String>();
    let mut one_by_one = room(&model, 1);
    assert!(one_by_one.make_ready());
    let alone = |ask| stats(one_by_one.ask(0, ask, &prompt(ask), sampling(ask)));
    let alone: Vec<_> = (0..5).map(alone).collect();
    for phones in [1, 3] {
        let mut sim = room_for(&model, phones, 4);
        assert!(sim.make_ready());
        for ask in 0..5 {
            let messages = vec![Message::user(prompt(ask))];
            let options = sampling(ask).into();
            sim.command(ask as usize % phones, Command::Ask { ask, messages, options });
        }
        let answer = |sim: &Sim, ask: u32| sim.answer(ask as usize % phones, ask);
        assert!(sim.run_until(100.0, |sim| (0..5).all(|ask| answer(sim, ask).is_some())));
        for (ask, alone) in (0..5).zip(&alone) {
            let answer = stats(answer(&sim, ask).expect("an answer"));
            assert_eq!(answer.tokens, alone.tokens, "ask {ask}, {phones} phones");
            assert_eq!(answer.logprobs, alone.logprobs, "ask {ask}, {phones} phones");
        }
        assert!(largest_batch(&sim) > 1, "{phones} phones: nothing was run together");
    }
}

fn room(model: &Rc<RealModel>, phones: usize) -> Sim {
    room_for(model, phones, 1)
}

fn room_for(model: &Rc<RealModel>, phones: usize, expected_requests: u16) -> Sim {
    let factor = 1.5 * f64::from(expected_requests);
    let pledge = Pledge::Share { factor, phones: phones as u32 };
    let config = SimConfig {
        phones: NAMES[..phones].iter().map(|name| PhoneSpec::new(name, pledge)).collect(),
        link: WIFI,
        model: model.spec(),
        limits: RoomLimits { chunk_tokens: 16, expected_requests, ..RoomLimits::default() },
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
        let options = StageOptions {
            context_tokens: plan.context_tokens as usize,
            slots: plan.slots.into(),
            rows: plan.rows.into(),
        };
        let mut held = std::mem::take(&mut self.stages);
        held.retain(|stage| stage.options() == options);
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
        let (tokens, hidden) = inputs(&job.parts);
        let input = match tokens.is_empty() {
            true => StageInput::Hidden(&hidden),
            false => StageInput::Tokens(&tokens),
        };
        let before = self.model.gpu.dispatches();
        let output = block_on(stage.run(step(&job.parts), input));
        let outputs = outputs(&job.parts, output.map_err(|error| error.to_string())?);
        let dispatches = (self.model.gpu.dispatches() - before) as u32;
        Ok(Ran { outputs, flops: 1e6 * job.rows() as f64, dispatches })
    }

    fn tokenize(&mut self, messages: &[Message]) -> Vec<u32> {
        let last = messages.last().expect("an ask has a message");
        self.model.text.tokenizer().encode(&last.content).expect("any text has tokens")
    }

    fn decode(&mut self, token: u32) -> String {
        self.model.decoder.borrow_mut().push(self.model.text.tokenizer(), token)
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
