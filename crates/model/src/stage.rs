//! The modules that one device runs, with their weights and KV caches.

mod caches;
mod check;
mod cross;
mod encode;
mod load;
mod lookup;
mod matrices;
mod modules;
mod positions;

use base::ModuleRange;
use graph::ModelConfig;
use kernels::{Buffer, Gpu, Step, StepBuffer, rows_bytes};

use crate::{error::ModelError, file::ModelFile, source::ByteSource};
use lookup::Lookup;
use modules::{Flow, Module, Shared};

/// How much a stage makes room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageOptions {
    /// Positions that each slot's KV cache holds.
    pub context_tokens: usize,
    /// Requests that can be in flight at once.
    pub slots: usize,
    /// The most rows of one step, and of a prompt where there is an encoder: all of it is one step.
    pub rows: usize,
}

/// The rows of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StageInput<'a> {
    /// Token of each row, for a stage that starts with an embedding.
    Tokens(&'a [u32]),
    /// `f32 [rows, hidden]`, little-endian: what the stage before put out.
    Hidden(&'a [u8]),
}

/// What a step leaves.
#[derive(Clone, Debug, PartialEq)]
pub enum StageOutput {
    /// `f32 [rows, hidden]`, little-endian, for the next stage.
    Hidden(Vec<u8>),
    /// `f32 [head rows, scores]`, from a stage that ends with `head`: scores of all tokens, or of a classifier's labels.
    Logits(Vec<f32>),
    /// Nothing was asked for: the stage ends with `head` and the step has no head rows.
    Nothing,
}

/// Consecutive modules on a GPU, of which some run and the others are dormant. What `embed` looks up stays
/// where the file is: `S` has it on this device.
///
/// Behind an encoder the decoder has two kinds of keys and values. Those of its own tokens come with
/// [`Stage::run`]; those of the prompt come once, with [`Stage::remember`] of what [`Stage::encode`] gave.
#[derive(Debug)]
pub struct Stage<S> {
    gpu: Gpu,
    config: ModelConfig,
    /// All that is on the GPU.
    resident: ModuleRange,
    /// The part of it that runs.
    range: ModuleRange,
    /// How many modules of the model are an encoder's; they come first.
    encoder_modules: usize,
    /// How long the prompt is whose keys and values each slot has; 0 where it has none.
    prompts: Vec<u32>,
    options: StageOptions,
    lookup: Option<Lookup<S>>,
    /// The resident ones, in order.
    modules: Vec<Module>,
    shared: Shared,
}

impl<L: ByteSource> Stage<L> {
    /// Fetches the weights of the `resident` modules and puts them on the GPU, then runs each kernel once,
    /// so that nothing is compiled later. The file's source knows how far that has got. All of them run until
    /// [`Stage::activate`] says otherwise.
    ///
    /// # Errors
    /// Every kind of [`ModelError`].
    pub async fn load(
        gpu: &Gpu,
        file: &ModelFile<impl ByteSource<Local = L>>,
        resident: ModuleRange,
        options: StageOptions,
    ) -> Result<Self, ModelError> {
        Self::load_with(load::Loader::new(gpu, file, options), resident).await
    }

    /// Loads other modules of the same file in place of these and of `others`. Where [`Stage::has_all`] says so, all of
    /// them are on the GPU already and stay there with their KV caches; else caches are not what they were, and
    /// prompts are to be given to [`Stage::remember`] again. All of them run until [`Stage::activate`] says otherwise.
    ///
    /// # Errors
    /// Every kind of [`ModelError`].
    pub async fn reload(
        self,
        others: Vec<Self>,
        file: &ModelFile<impl ByteSource<Local = L>>,
        resident: ModuleRange,
    ) -> Result<Self, ModelError> {
        let (gpu, options) = (self.gpu.clone(), self.options);
        if resident == self.resident {
            return Ok(Self { range: resident, ..self });
        }
        let mut loader = load::Loader::new(&gpu, file, options);
        std::iter::once(self).chain(others).for_each(|stage| loader.keep(stage, resident));
        gpu.release();
        Self::load_with(loader, resident).await
    }

    /// Whether stages have all of `resident`, so that [`Stage::reload`] loads nothing: norms that have gains of their
    /// neighbours (Gemma 3) are loaded again unless nothing changes.
    pub fn has_all(stages: &[Self], resident: ModuleRange) -> bool {
        let Some(first) = stages.first() else { return false };
        let can_keep = |stage: &Self| {
            let depends = stage.config.architecture.traits().branch_norm;
            stage.options == first.options && (!depends || stage.resident == resident)
        };
        let has =
            |module| stages.iter().any(|stage| can_keep(stage) && stage.resident.contains(module));
        resident.indices().all(has)
    }

    /// Frees all modules that are not in `kept`, of which some are resident, where that leaves the others as they are.
    #[must_use]
    pub fn without_others(mut self, kept: ModuleRange) -> Self {
        let kept = self.resident.common(kept);
        if kept.is_empty() || self.config.architecture.traits().branch_norm {
            return self;
        }
        self.modules.truncate(kept.end - self.resident.start);
        self.modules.drain(..kept.start - self.resident.start);
        self.lookup = self.lookup.filter(|_| self.modules.iter().any(Module::embeds));
        self.resident = kept;
        self.range = self.range.common(kept);
        self.gpu.release();
        self
    }

    async fn load_with(
        mut loader: load::Loader<'_, impl ByteSource<Local = L>>,
        resident: ModuleRange,
    ) -> Result<Self, ModelError> {
        let is_warm = loader.has_all(resident);
        if !is_warm {
            // Modules are new that know of none, and running all of them once writes to caches.
            loader.prompts.fill(0);
        }
        let modules = loader.modules(resident).await?;
        let (gpu, file, options) = (loader.gpu, loader.file, loader.options);
        let (config, range) = (file.config().clone(), resident);
        let all = file.modules();
        let encoder_modules = all.encoder_modules();
        let has = [resident.start < encoder_modules, resident.end == all.list.len()];
        let shared = Shared::new(gpu, &config, options, has);
        let (gpu, lookup) = (gpu.clone(), loader.lookup);
        let mut stage = Self {
            gpu,
            config,
            resident,
            range,
            encoder_modules,
            prompts: loader.prompts,
            options,
            lookup,
            modules,
            shared,
        };
        if !is_warm {
            stage.warm_up().await?;
        }
        Ok(stage)
    }

    /// From the next step on runs only `range`; the other resident modules stay where they are.
    ///
    /// # Errors
    /// Modules that are not resident.
    pub fn activate(&mut self, range: ModuleRange) -> Result<(), ModelError> {
        let ModuleRange { start, end } = self.resident;
        if range.is_empty() || range.start < start || range.end > end {
            let resident = self.resident;
            return Err(ModelError::Step(format!("modules {range} of {resident} to be run")));
        }
        self.range = range;
        Ok(())
    }

    /// All modules on the GPU, those that do not run among them.
    pub fn resident(&self) -> ModuleRange {
        self.resident
    }

    /// What it makes room for.
    pub fn options(&self) -> StageOptions {
        self.options
    }

    /// The modules it runs.
    pub fn range(&self) -> ModuleRange {
        self.range
    }

    /// Bytes that the stage takes on the GPU.
    pub fn bytes(&self) -> u64 {
        self.modules.iter().map(Module::bytes).sum::<u64>() + self.shared.bytes()
    }

    /// Runs one step: consecutive or unrelated rows of any requests, in any mix, as long as a
    /// request's rows come in the order of their positions. Modules of an encoder have no part in it.
    ///
    /// # Errors
    /// [`ModelError::Step`] where the step does not fit the stage; [`ModelError::Gpu`].
    pub async fn run(
        &mut self,
        step: Step,
        input: StageInput<'_>,
    ) -> Result<StageOutput, ModelError> {
        let modules = self.decoding();
        self.check(modules, &step, input)?;
        let rows = self.input_rows(&step, input).await?;
        let flow = self.launch(modules, &step, rows);
        self.output(modules, &step, flow).await
    }

    /// The rows that go to the first module.
    async fn input_rows(&self, step: &Step, input: StageInput<'_>) -> Result<Vec<u8>, ModelError> {
        match (input, &self.lookup) {
            (StageInput::Tokens(tokens), Some(lookup)) => {
                lookup.rows(tokens, &step.positions).await
            }
            (StageInput::Tokens(_), None) => Ok(Vec::new()),
            (StageInput::Hidden(rows), _) => Ok(rows.to_vec()),
        }
    }

    fn launch(&self, modules: ModuleRange, step: &Step, rows: Vec<u8>) -> Flow {
        let (mut flow, list) = (Flow::default(), self.of(modules));
        let prompts = match modules.start < self.encoder_modules {
            true => vec![step.rows() as u32; step.rows()],
            false => self.prompts_of(step),
        };
        self.shared.step.write_with_prompts(&self.gpu, step, &prompts);
        let first = usize::from(matches!(list.first(), Some(Module::Embed(Some(_)))));
        self.gpu.write(&self.shared.hidden[first], rows);
        for module in list {
            module.launch(&self.gpu, &self.shared, step, &mut flow);
        }
        if let Some(last) = list.last() {
            last.settle(&self.gpu, &self.shared, step, &mut flow);
        }
        flow
    }

    /// Resident modules.
    fn of(&self, modules: ModuleRange) -> &[Module] {
        let first = modules.start - self.resident.start;
        &self.modules[first..first + modules.len()]
    }

    async fn output(
        &self,
        modules: ModuleRange,
        step: &Step,
        flow: Flow,
    ) -> Result<StageOutput, ModelError> {
        if !matches!(self.of(modules).last(), Some(Module::Head(_))) {
            return Ok(StageOutput::Hidden(self.read_hidden(step, flow).await?));
        }
        if step.head_rows.is_empty() {
            // A few bytes, so that the step is over when this is: else a long prompt's chunks would all
            // wait on the device, and none would be seen to get on.
            self.gpu.read(&self.shared.hidden[flow.stream], SIGN_OF_LIFE_BYTES).await?;
            return Ok(StageOutput::Nothing);
        }
        let scores = self.config.head_rows();
        let padded = scores.next_multiple_of(4);
        let count = step.head_rows.len() * padded;
        let logits = self.gpu.read_f32(&self.shared.logits, count).await?;
        let rows = logits.chunks_exact(padded).flat_map(|row| &row[..scores]);
        Ok(StageOutput::Logits(rows.copied().collect()))
    }

    async fn read_hidden(&self, step: &Step, flow: Flow) -> Result<Vec<u8>, ModelError> {
        let size = step.rows() * self.row_bytes();
        Ok(self.gpu.read(&self.shared.hidden[flow.stream], size).await?)
    }

    /// Bytes of a hidden state.
    fn row_bytes(&self) -> usize {
        self.config.hidden * size_of::<f32>()
    }

    /// Runs every kernel for one row and for several, so that all pipelines are compiled
    /// and all staging buffers exist: all modules in a row, and each as the first and the last.
    async fn warm_up(&mut self) -> Result<(), ModelError> {
        self.prompts[0] = 1;
        for rows in [self.options.rows.min(2) as u32, 1] {
            let mut step = Step::chunk(0, 0, rows);
            self.launch_remember(&step, self.zeros(rows));
            if self.options.slots > 1 {
                step.head_rows = (0..rows).collect();
            }
            for module in self.resident.indices().filter(|_| self.shared.has_branch()) {
                self.launch(ModuleRange::new(module, module + 1), &step, self.zeros(rows));
            }
            let parts = [self.encoding(), self.decoding()];
            for modules in parts.into_iter().filter(|modules| !modules.is_empty()) {
                let flow = self.launch(modules, &step, self.zeros(rows));
                self.output(modules, &step, flow).await?;
            }
            let last = ModuleRange::new(self.resident.end - 1, self.resident.end);
            step.head_rows.clear();
            self.output(last, &step, Flow::default()).await?;
        }
        self.prompts[0] = 0;
        Ok(())
    }

    fn zeros(&self, rows: u32) -> Vec<u8> {
        vec![0; rows as usize * self.row_bytes()]
    }
}

/// What is read of a step that has no output.
const SIGN_OF_LIFE_BYTES: usize = 16;
/// The most head rows of one step.
pub const HEAD_ROWS: usize = 8;
