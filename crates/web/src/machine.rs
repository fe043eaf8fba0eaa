//! The device at work: one thing after the other, in the order it was asked for.

use std::{cell::Cell, rc::Rc};

use base::ModuleRange;
use futures_channel::mpsc::Receiver;
use futures_util::StreamExt;
use kernels::{Gpu, Step};
use model::{ModelError, Sampler, Sampling, Stage, StageInput, StageOptions};
use protocol::peer::ModelRef;
use session::{Input, Job, JobInput, LoadStage, StageOutput, Wants};

use crate::{clock::now_secs, measure, opened::Opened};

/// Something for the device to do.
#[derive(Debug)]
pub enum Work {
    /// Open a model that the room may run.
    Open(String),
    /// Count a prompt's tokens.
    Check { ask: u32, prompt: String },
    /// Measure the device's speed on a model.
    Measure(ModelRef),
    /// Load a stage.
    Load(LoadStage),
    /// Free the stage.
    Unload,
    /// Run a step.
    Run(Job),
}

/// What came of it.
#[derive(Debug)]
pub enum Done {
    /// The GPU is open.
    Ready,
    /// There is no usable GPU.
    NoGpu(String),
    /// The model that was to be opened.
    Opened(Rc<Opened>),
    /// The model cannot be opened.
    OpenFailed(ModelError),
    /// A prompt was counted.
    Checked { ask: u32, prompt_tokens: usize, context_tokens: usize },
    /// A prompt cannot be counted.
    CheckFailed { ask: u32, message: String },
    /// For the room.
    Input(Input),
}

/// The device, its model and its stage.
pub struct Machine {
    me: String,
    fetched: Rc<Cell<u64>>,
    tell: Rc<dyn Fn(Done)>,
    gpu: Option<Gpu>,
    opened: Option<Rc<Opened>>,
    stages: Vec<Stage>,
}

impl Machine {
    /// A machine that tells what it did. `fetched` counts the bytes of model files.
    pub fn new(me: String, fetched: Rc<Cell<u64>>, tell: Rc<dyn Fn(Done)>) -> Self {
        Self { me, fetched, tell, gpu: None, opened: None, stages: Vec::new() }
    }

    /// Works until the queue is closed.
    pub async fn work(mut self, mut queue: Receiver<Work>) {
        match Gpu::open().await {
            Ok(gpu) => {
                self.gpu = Some(gpu);
                (self.tell)(Done::Ready);
            }
            Err(error) => (self.tell)(Done::NoGpu(error.to_string())),
        }
        while let Some(work) = queue.next().await {
            let done = self.perform(work).await;
            done.into_iter().for_each(|done| (self.tell)(done));
        }
    }

    async fn perform(&mut self, work: Work) -> Option<Done> {
        Some(match work {
            Work::Open(url) => match self.open(&url).await {
                Ok(opened) => Done::Opened(opened),
                Err(error) => Done::OpenFailed(error),
            },
            Work::Check { ask, prompt } => self.check(ask, &prompt),
            Work::Measure(model) => Done::Input(self.measure(model).await),
            Work::Load(plan) => Done::Input(self.load(plan).await),
            Work::Unload => {
                self.stages.clear();
                return None;
            }
            Work::Run(job) => Done::Input(self.run(job).await),
        })
    }

    async fn open(&mut self, url: &str) -> Result<Rc<Opened>, ModelError> {
        if let Some(opened) = self.opened.as_ref().filter(|opened| opened.url == url) {
            return Ok(opened.clone());
        }
        let opened = Rc::new(Opened::open(url, &self.me, &self.fetched).await?);
        self.opened = Some(opened.clone());
        Ok(opened)
    }

    fn check(&self, ask: u32, prompt: &str) -> Done {
        let Some(opened) = &self.opened else {
            return Done::CheckFailed { ask, message: "The model is not open yet.".into() };
        };
        match opened.tokenizer.encode(prompt) {
            Ok(tokens) => {
                let context_tokens = opened.context_tokens();
                Done::Checked { ask, prompt_tokens: tokens.len(), context_tokens }
            }
            Err(error) => Done::CheckFailed { ask, message: error.to_string() },
        }
    }

    fn gpu(&self) -> Result<Gpu, ModelError> {
        let none = || kernels::GpuError::Unavailable("it did not open".into());
        self.gpu.clone().ok_or_else(|| none().into())
    }

    async fn measure(&mut self, model: ModelRef) -> Input {
        match self.try_measure(&model).await {
            Ok(flops_per_sec) => Input::DeviceMeasured { flops_per_sec, memory_bytes: 0.0 },
            Err(error) => Input::MeasureFailed { message: error.to_string() },
        }
    }

    async fn try_measure(&mut self, model: &ModelRef) -> Result<f64, ModelError> {
        let (gpu, opened) = (self.gpu()?, self.open(&model.url).await?);
        measure::flops_per_sec(&gpu, &opened.file, opened.context_tokens()).await
    }

    async fn load(&mut self, plan: LoadStage) -> Input {
        let epoch = plan.epoch;
        match self.try_load(plan).await {
            Ok(()) => Input::StageLoaded { epoch },
            Err(error) => Input::StageFailed { epoch, message: error.to_string() },
        }
    }

    async fn try_load(&mut self, plan: LoadStage) -> Result<(), ModelError> {
        self.stages.clear();
        let (gpu, opened) = (self.gpu()?, self.open(&plan.model.url).await?);
        let total_bytes = total_bytes(&opened, &plan.ranges)?;
        let options = StageOptions {
            context_tokens: plan.context_tokens as usize,
            slots: plan.slots.into(),
            rows: plan.chunk_tokens.into(),
        };
        let mut before = 0;
        for &range in &plan.ranges {
            let (tell, epoch) = (self.tell.clone(), plan.epoch);
            let progress = move |loaded_bytes: u64| {
                let loaded_bytes = before + loaded_bytes;
                tell(Done::Input(Input::LoadProgress { epoch, loaded_bytes, total_bytes }));
            };
            self.stages.push(Stage::load(&gpu, &opened.file, range, options, progress).await?);
            before += opened.file.stage_bytes(range)?;
        }
        Ok(())
    }

    async fn run(&mut self, job: Job) -> Input {
        let id = job.id;
        let started = now_secs();
        let dispatches = self.dispatches();
        match self.try_run(job).await {
            Ok(output) => Input::StageDone {
                job: id,
                output,
                busy_secs: now_secs() - started,
                dispatches: (self.dispatches() - dispatches) as u32,
            },
            Err(error) => Input::JobFailed { job: id, message: error.to_string() },
        }
    }

    async fn try_run(&mut self, job: Job) -> Result<StageOutput, ModelError> {
        let stage = self.stages.iter_mut().find(|stage| stage.range() == job.range);
        let stage = stage
            .ok_or_else(|| ModelError::Step(format!("modules {} are not loaded", job.range)))?;
        let mut step = Step::chunk(job.slot.into(), job.position, job.rows.into());
        if !matches!(job.wants, Wants::Token(_)) {
            step.head_rows.clear();
        }
        let input = match &job.input {
            JobInput::Tokens(tokens) => StageInput::Tokens(tokens),
            JobInput::Hidden(bytes) => StageInput::Hidden(bytes),
        };
        let output = stage.run(step, input).await?;
        Ok(match (output, job.wants) {
            (model::StageOutput::Hidden(bytes), _) => StageOutput::Hidden(bytes),
            (model::StageOutput::Logits(logits), Wants::Token(draw)) => {
                StageOutput::Token(sampler(draw.options).choose(&logits, draw.step))
            }
            _ => StageOutput::Nothing,
        })
    }

    fn dispatches(&self) -> u64 {
        self.gpu.as_ref().map_or(0, Gpu::dispatches)
    }
}

fn total_bytes(opened: &Opened, ranges: &[ModuleRange]) -> Result<u64, ModelError> {
    ranges.iter().map(|&range| opened.file.stage_bytes(range)).sum()
}

fn sampler(options: protocol::peer::Sampling) -> Sampler {
    let protocol::peer::Sampling { temperature, top_k, top_p, seed, .. } = options;
    Sampler::new(Sampling { temperature, top_k, top_p, seed })
}
