//! The device at work: one thing after the other, in the order it was asked for.

mod copies;

use std::{
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use base::{Message, ModuleRange, PeerId};
use futures_channel::mpsc::Receiver;
use futures_util::{
    StreamExt,
    future::{Either, select},
};
use kernels::{Gpu, GpuError};
use model::{ModelError, Parts, Stage, StageOptions, Stages, Wanted};
use platform::{now_secs, sleep, spawn};
use protocol::peer::{CacheAsk, Failure, FailureCode, ModelRef};
use session::{Input, Job, LoadStage, ModelSpec, Resident, StageOutput};

use copies::Loading;

use crate::{
    measure::{Speed, Trial},
    opened::Opened,
    step::pass,
    world::{Files, LocalOf, MachineParts, Reader, Text, TextOf, World},
};

/// Opening a GPU takes well under a second, its process's first start included a few.
const OPEN_SECS: f64 = 20.0;

/// Something for the device to do; `P` is a picked file.
#[allow(missing_docs, reason = "the fields are what their names say")]
#[derive(Debug)]
pub enum Work<P> {
    /// Open a model that the room may run.
    Open(String),
    /// Files that were picked on this phone.
    Picked(Vec<P>),
    /// Count a prompt's tokens.
    Check { ask: u32, prompt: String },
    /// Get ready to measure the device's speed on a model.
    Prepare(ModelRef),
    /// Measure it.
    Measure(ModelRef),
    /// Run a step of what is measured.
    Exercise(u32),
    /// Load a stage.
    Load(LoadStage),
    /// Load copies beside the stages.
    LoadCopies { number: u32, copies: LoadStage },
    /// Put the next module of those copies on the GPU, or give up for a reason.
    Add { number: u32, failed: Option<ModelError> },
    /// Free the stage.
    Unload,
    /// Read a part of a KV cache for another phone.
    ReadCache { to: PeerId, ask: CacheAsk },
    /// Take what another phone has read.
    WriteCache { of: CacheAsk, data: Vec<u8> },
    /// Run a step.
    Run(Job),
}

/// What is to be done in a world.
pub type WorkOf<W> = Work<<<W as World>::Files as Files>::Picked>;

/// What came of it; `T` is how a model reads and writes.
#[allow(missing_docs, reason = "the fields are what their names say")]
#[derive(Debug)]
pub enum Done<T> {
    /// There is no usable GPU.
    NoGpu(String),
    /// The GPU is gone.
    GpuLost(String),
    /// The model that was to be opened, as the room knows it, and how it reads and writes.
    Opened(ModelSpec, T),
    /// The model cannot be opened.
    OpenFailed(ModelError),
    /// What a person should know though it stops nothing.
    Warning(String),
    /// Something for the log.
    Remark(String),
    /// The next module of copies can be put on the GPU, or not; goes back as [`Work::Add`].
    Fetched(u32, Option<ModelError>),
    /// A prompt was counted.
    Checked { ask: u32, prompt_tokens: usize, context_tokens: usize },
    /// A prompt cannot be counted.
    CheckFailed { ask: u32, message: String },
    /// For the room.
    Input(Input),
}

/// What came of something in a world.
pub type DoneOf<W> = Done<TextOf<W>>;

/// The epoch whose stages are to be loaded; nothing more is fetched for those of another. The device may be in a
/// thread of its own.
#[derive(Clone, Debug)]
pub struct WantedEpoch(Arc<AtomicI64>);

impl Default for WantedEpoch {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(NO_EPOCH)))
    }
}

impl WantedEpoch {
    pub(crate) fn set(&self, epoch: Option<u32>) {
        self.0.store(epoch.map_or(NO_EPOCH, i64::from), Ordering::Relaxed);
    }

    fn is(&self, epoch: u32) -> bool {
        self.0.load(Ordering::Relaxed) == i64::from(epoch)
    }
}

const NO_EPOCH: i64 = -1;

/// The device, its model and its stage.
pub struct Machine<W: World> {
    world: W,
    files: W::Files,
    tell: Rc<dyn Fn(DoneOf<W>)>,
    gpu: Option<Gpu>,
    opened: Option<Rc<Opened<W::Files>>>,
    /// On the phone that starts a room.
    text: Option<W::Reader>,
    /// How the opened model reads and writes.
    model_text: Option<TextOf<W>>,
    /// A model that could not be prepared; perhaps its files are picked yet.
    unprepared: Option<ModelRef>,
    /// What is ready to be measured.
    trial: Option<Trial>,
    stages: Stages<Parts<LocalOf<W>>>,
    /// Of the stages.
    url: String,
    /// What is loaded beside them.
    loading: Option<Loading<W::Files>>,
    /// Of the stages.
    epoch: u32,
    wanted_epoch: WantedEpoch,
}

impl<W: World> Machine<W> {
    /// A machine that tells what it did. Without a reader of texts it opens models but does not read or write for them.
    pub fn new(parts: MachineParts<W>, tell: Rc<dyn Fn(DoneOf<W>)>) -> Self {
        let MachineParts { world, me, text, wanted_epoch } = parts;
        let told = tell.clone();
        let warn = Rc::new(move |message| told(Done::Warning(message)));
        Self {
            files: world.files(me, warn),
            world,
            tell,
            gpu: None,
            opened: None,
            text,
            model_text: None,
            unprepared: None,
            trial: None,
            stages: Stages::default(),
            url: String::new(),
            loading: None,
            epoch: 0,
            wanted_epoch,
        }
    }

    /// Works until the queue is closed.
    pub async fn work(mut self, mut queue: Receiver<WorkOf<W>>) {
        match open_gpu().await {
            Ok(gpu) => self.gpu = Some(gpu),
            Err(error) => (self.tell)(Done::NoGpu(error.to_string())),
        }
        while let Some(work) = queue.next().await {
            let done = self.perform(work).await;
            done.into_iter().for_each(|done| (self.tell)(done));
        }
    }

    async fn perform(&mut self, work: WorkOf<W>) -> Option<DoneOf<W>> {
        Some(match work {
            Work::Open(url) => match self.open_with_text(&url).await {
                Ok((spec, text)) => Done::Opened(spec, text),
                Err(error) => Done::OpenFailed(error),
            },
            Work::Picked(files) => Done::Input(self.pick(files).await?),
            Work::Check { ask, prompt } => self.check(ask, &prompt),
            Work::Prepare(model) => Done::Input(self.prepare(model).await),
            Work::Measure(model) => Done::Input(self.measure(model).await),
            Work::Exercise(number) => Done::Input(self.exercise(number).await),
            Work::Load(plan) => Done::Input(self.load(plan).await?),
            Work::LoadCopies { number, copies } => {
                Done::Input(self.load_copies(number, copies).await?)
            }
            Work::Add { number, failed } => self.add(number, failed).await?,
            Work::Unload => {
                self.free();
                return None;
            }
            Work::ReadCache { to, ask } => Done::Input(self.read_cache(to, ask).await),
            Work::WriteCache { of, data } => Done::Input(self.write_cache(&of, &data)),
            Work::Run(job) => Done::Input(self.run(job).await),
        })
    }

    async fn open(&mut self, url: &str) -> Result<Rc<Opened<W::Files>>, ModelError> {
        if let Some(opened) = self.opened.as_ref().filter(|opened| opened.url == url) {
            return Ok(opened.clone());
        }
        let opened = Rc::new(Opened::open(url, &self.files).await?);
        self.opened = Some(opened.clone());
        Ok(opened)
    }

    async fn open_with_text(&mut self, url: &str) -> Result<(ModelSpec, TextOf<W>), ModelError> {
        let none = || ModelError::Unavailable("Only the phone that starts a room chooses.".into());
        let module = self.text.clone().ok_or_else(none)?;
        let opened = self.open(url).await?;
        let text = module.of(&opened.file).await?;
        self.model_text = Some(text.clone());
        Ok((opened.spec(&text)?, text))
    }

    fn check(&self, ask: u32, prompt: &str) -> DoneOf<W> {
        let (Some(opened), Some(text)) = (&self.opened, &self.model_text) else {
            return Done::CheckFailed { ask, message: "The model is not open yet.".into() };
        };
        match text.prompt(&[Message::user(prompt)]) {
            Ok(tokens) => {
                let context_tokens = opened.context_tokens();
                Done::Checked { ask, prompt_tokens: tokens.len(), context_tokens }
            }
            Err(message) => Done::CheckFailed { ask, message },
        }
    }

    fn gpu(&self) -> Result<Gpu, ModelError> {
        let none = || GpuError::Unavailable("it is not open".into());
        self.gpu.clone().ok_or_else(|| none().into())
    }

    /// What a failure of the device is to the room: a step that failed, or the end of the stage.
    async fn failed(
        &mut self,
        error: &ModelError,
        otherwise: impl FnOnce(Failure) -> Input,
    ) -> Input {
        let failure = Failure::new(code_of(error), error.to_string());
        let is_short = failure.code == FailureCode::OutOfMemory;
        if is_short {
            // The stage is of no use without what was refused.
            self.free();
        }
        if self.notice_loss(error).await {
            // The room plans without this phone until it has joined again.
            (self.tell)(Done::Input(Input::MeasureFailed { message: error.to_string() }));
            return Input::StageFailed { epoch: self.epoch, failure };
        }
        match is_short {
            true => Input::StageFailed { epoch: self.epoch, failure },
            false => otherwise(failure),
        }
    }

    /// Whether the GPU is lost, with everything on it. A new one takes a new worker, so the page
    /// is told to join again.
    async fn notice_loss(&mut self, error: &ModelError) -> bool {
        let Some(gpu) = self.gpu.clone() else { return false };
        if !matches!(error, ModelError::Gpu(_)) || gpu.is_alive().await {
            return false;
        }
        (self.gpu, self.trial, self.loading) = (None, None, None);
        self.stages.clear();
        (self.tell)(Done::GpuLost(error.to_string()));
        true
    }

    /// Takes the picked files, and tries again what could not be done without them.
    async fn pick(&mut self, picked: Vec<<W::Files as Files>::Picked>) -> Option<Input> {
        self.files.pick(picked);
        let model = self.unprepared.take()?;
        Some(self.prepare(model).await)
    }

    async fn prepare(&mut self, model: ModelRef) -> Input {
        self.unprepared = None;
        match self.trial(&model).await {
            Ok(trial) => {
                self.trial = Some(trial);
                Input::Prepared { url: model.url }
            }
            Err(error) => {
                self.unprepared = Some(model);
                self.unmeasured(&error).await
            }
        }
    }

    async fn unmeasured(&mut self, error: &ModelError) -> Input {
        self.notice_loss(error).await;
        Input::MeasureFailed { message: error.to_string() }
    }

    async fn measure(&mut self, model: ModelRef) -> Input {
        let measured = async {
            let mut trial = self.trial(&model).await?;
            let measured = trial.speed().await;
            self.trial = Some(trial);
            let mut speed = measured?;
            if self.text.is_some() {
                speed.overhead_secs += self.world.lookup_secs().await;
            }
            Ok(speed)
        };
        match measured.await {
            Ok(Speed { flops_per_sec, overhead_secs }) => {
                Input::DeviceMeasured { flops_per_sec, overhead_secs }
            }
            Err(error) => self.unmeasured(&error).await,
        }
    }

    /// A step of the trial that is ready. Where it fails, whatever is asked of the device next says why.
    async fn exercise(&mut self, number: u32) -> Input {
        let busy_secs = match &mut self.trial {
            Some(trial) => trial.exercise_secs().await.unwrap_or(0.0),
            None => 0.0,
        };
        Input::Exercised { number, busy_secs }
    }

    /// The trial that is ready, or a new one.
    async fn trial(&mut self, model: &ModelRef) -> Result<Trial, ModelError> {
        if let Some(ready) = self.trial.take().filter(|trial| trial.url == model.url) {
            return Ok(ready);
        }
        let (gpu, opened) = (self.gpu()?, self.open(&model.url).await?);
        Trial::new(&gpu, &opened).await
    }

    /// Forgets everything on the GPU.
    fn free(&mut self) {
        self.trial = None;
        self.loading = None;
        self.stages.clear();
        if let Some(gpu) = &self.gpu {
            gpu.release();
        }
    }

    /// Nothing comes of it where another plan is there before it has ended.
    async fn load(&mut self, plan: LoadStage) -> Option<Input> {
        let epoch = plan.epoch;
        if !self.is_wanted(epoch) {
            return None;
        }
        self.epoch = epoch;
        let loaded = self.try_load(plan).await;
        self.files.fetched().listen(None);
        Some(match loaded {
            Ok(has_caches) => Input::StageLoaded { epoch, has_caches },
            // What was being fetched was not fetched to the end.
            Err(error) if !matches!(error, ModelError::Gpu(_)) && !self.is_wanted(epoch) => {
                return None;
            }
            Err(error) => {
                self.failed(&error, |failure| Input::StageFailed { epoch, failure }).await
            }
        })
    }

    fn is_wanted(&self, epoch: u32) -> bool {
        self.wanted_epoch.is(epoch)
    }

    /// `true` where nothing had to be loaded.
    async fn try_load(&mut self, plan: LoadStage) -> Result<bool, ModelError> {
        if self.url != plan.model.url {
            self.free();
        }
        (self.trial, self.loading) = (None, None);
        self.url.clone_from(&plan.model.url);
        let (gpu, opened) = (self.gpu()?, self.open(&plan.model.url).await?);
        let (asked, most) = (plan.context_tokens as usize, opened.context_tokens());
        if asked > most {
            let problem = format!("{asked} tokens of context, where {most} is the most");
            return Err(ModelError::Step(problem));
        }
        self.tell_progress(plan.epoch, self.total_bytes(&opened, &plan.stages)?);
        let stages = plan.stages.iter();
        let wanted: Vec<Wanted> =
            stages.map(|&Resident { range, resident }| Wanted { range, resident }).collect();
        self.stages.load(&gpu, &opened.file, &wanted, options(&plan)).await
    }

    /// Bytes of what is not on the GPU already.
    fn total_bytes(
        &self,
        opened: &Opened<W::Files>,
        stages: &[Resident],
    ) -> Result<u64, ModelError> {
        let modules = stages.iter().flat_map(|stage| stage.resident.indices());
        let missing = modules.filter(|&module| !self.stages.has(module));
        missing.map(|module| opened.file.stage_bytes(ModuleRange::new(module, module + 1))).sum()
    }

    /// Tells the room of every piece that comes from now on.
    fn tell_progress(&self, epoch: u32, total_bytes: u64) {
        let (tell, fetched) = (self.tell.clone(), self.files.fetched().clone());
        let wanted_epoch = self.wanted_epoch.clone();
        let before = fetched.bytes();
        let listener = move || {
            let loaded_bytes = fetched.bytes() - before;
            tell(Done::Input(Input::LoadProgress { epoch, loaded_bytes, total_bytes }));
            wanted_epoch.is(epoch)
        };
        self.files.fetched().listen(Some(Rc::new(listener)));
    }

    async fn read_cache(&mut self, to: PeerId, ask: CacheAsk) -> Input {
        let (module, slot) = (ask.module as usize, ask.slot.into());
        let read = match self.stages.holding(module) {
            Some(stage) => stage.read_cache(module, slot, ask.positions()).await,
            None => Ok(Vec::new()),
        };
        // Without it the other phone runs the history again.
        let nothing = |_| Input::CacheRead { to, ask, data: Vec::new() };
        match read {
            Ok(data) => Input::CacheRead { to, ask, data },
            Err(error) => self.failed(&error, nothing).await,
        }
    }

    fn write_cache(&mut self, of: &CacheAsk, data: &[u8]) -> Input {
        let (module, slot) = (of.module as usize, of.slot.into());
        let stage = self.stages.holding(module);
        let written = stage.map(|stage| stage.write_cache(module, slot, of.positions(), data));
        Input::CacheWritten { epoch: of.epoch, is_there: matches!(written, Some(Ok(()))) }
    }

    async fn run(&mut self, job: Job) -> Input {
        let id = job.id;
        let started = now_secs();
        let dispatches = self.dispatches();
        match self.try_run(&job).await {
            Ok(outputs) => Input::StageDone {
                job: id,
                outputs,
                busy_secs: now_secs() - started,
                dispatches: (self.dispatches() - dispatches) as u32,
            },
            Err(error) => {
                let failed =
                    |failure: Failure| Input::JobFailed { job: id, message: failure.message };
                self.failed(&error, failed).await
            }
        }
    }

    async fn try_run(&mut self, job: &Job) -> Result<Vec<StageOutput>, ModelError> {
        let stage = self.stages.running(job.range);
        let stage = stage
            .ok_or_else(|| ModelError::Step(format!("modules {} are not loaded", job.range)))?;
        pass(stage, job).await
    }

    fn dispatches(&self) -> u64 {
        self.gpu.as_ref().map_or(0, Gpu::dispatches)
    }
}

/// Why a stage cannot be loaded or run.
fn code_of(error: &ModelError) -> FailureCode {
    match error {
        ModelError::Gpu(GpuError::OutOfMemory) => FailureCode::OutOfMemory,
        ModelError::Gpu(_) | ModelError::TooLarge { .. } | ModelError::Step(_) => {
            FailureCode::DeviceFailed
        }
        _ => FailureCode::ModelUnavailable,
    }
}

/// Opens the GPU, but does not wait for a browser that never answers.
async fn open_gpu() -> Result<Gpu, GpuError> {
    match select(pin!(Gpu::open()), pin!(sleep(OPEN_SECS))).await {
        Either::Left((opened, _)) => opened,
        Either::Right(_) => Err(GpuError::Unavailable(format!(
            "it did not open within {OPEN_SECS} s; close other programs that use it, or restart"
        ))),
    }
}

fn options(load: &LoadStage) -> StageOptions {
    StageOptions {
        context_tokens: load.context_tokens as usize,
        slots: load.slots.into(),
        rows: load.rows.into(),
    }
}
