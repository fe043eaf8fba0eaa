//! The modules that one device runs, with their weights and KV caches.

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
    /// The most rows of one step.
    pub rows: usize,
}

/// The rows of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StageInput<'a> {
    /// Token of each row, for a stage that starts with `embed`.
    Tokens(&'a [u32]),
    /// `f32 [rows, hidden]`, little-endian: what the stage before put out.
    Hidden(&'a [u8]),
}

/// What a step leaves.
#[derive(Clone, Debug, PartialEq)]
pub enum StageOutput {
    /// `f32 [rows, hidden]`, little-endian, for the next stage.
    Hidden(Vec<u8>),
    /// `f32 [head rows, vocab]`, from a stage that ends with `head`.
    Logits(Vec<f32>),
    /// Nothing was asked for: the stage ends with `head` and the step has no head rows.
    Nothing,
}

/// Consecutive modules on a GPU, of which some run and the others are dormant. What `embed` looks up stays
/// where the file is: `S` has it on this device.
#[derive(Debug)]
pub struct Stage<S> {
    gpu: Gpu,
    config: ModelConfig,
    /// All that is on the GPU.
    resident: ModuleRange,
    /// The part of it that a step runs.
    range: ModuleRange,
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

    /// Loads other modules of the same file in place of these; those that are on the GPU already stay there
    /// with their KV caches, unless their norms have gains of their neighbours (Gemma 3). All of them run until
    /// [`Stage::activate`] says otherwise.
    ///
    /// # Errors
    /// Every kind of [`ModelError`].
    pub async fn reload(
        self,
        file: &ModelFile<impl ByteSource<Local = L>>,
        resident: ModuleRange,
    ) -> Result<Self, ModelError> {
        let (gpu, options) = (self.gpu.clone(), self.options);
        let mut loader = load::Loader::new(&gpu, file, options);
        loader.keep(self, resident);
        Self::load_with(loader, resident).await
    }

    async fn load_with(
        mut loader: load::Loader<'_, impl ByteSource<Local = L>>,
        resident: ModuleRange,
    ) -> Result<Self, ModelError> {
        let is_warm = loader.has_all(resident);
        let modules = loader.modules(resident).await?;
        let (gpu, file, options) = (loader.gpu, loader.file, loader.options);
        let (config, range) = (file.config().clone(), resident);
        let has_head = resident.end == 2 * config.layers + 2;
        let shared = Shared::new(gpu, &config, options, has_head);
        let (gpu, lookup) = (gpu.clone(), loader.lookup);
        let mut stage = Self { gpu, config, resident, range, options, lookup, modules, shared };
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
    /// request's rows come in the order of their positions.
    ///
    /// # Errors
    /// [`ModelError::Step`] where the step does not fit the stage; [`ModelError::Gpu`].
    pub async fn run(
        &mut self,
        step: Step,
        input: StageInput<'_>,
    ) -> Result<StageOutput, ModelError> {
        self.check(&step, input)?;
        let rows = match (input, &self.lookup) {
            (StageInput::Tokens(tokens), Some(lookup)) => {
                lookup.rows(tokens, &step.positions).await?
            }
            (StageInput::Tokens(_), None) => Vec::new(),
            (StageInput::Hidden(rows), _) => rows.to_vec(),
        };
        self.launch(&step, rows);
        self.output(&step).await
    }

    fn launch(&self, step: &Step, rows: Vec<u8>) {
        let mut flow = Flow::default();
        self.shared.step.write(&self.gpu, step);
        self.gpu.write(&self.shared.hidden[self.input()], rows);
        for module in self.active() {
            module.launch(&self.gpu, &self.shared, step, &mut flow);
        }
        if let Some(last) = self.active().last() {
            last.settle(&self.gpu, &self.shared, step, &mut flow);
        }
    }

    /// The modules that run.
    fn active(&self) -> &[Module] {
        let first = self.range.start - self.resident.start;
        &self.modules[first..first + self.range.len()]
    }

    /// Which of the shared hidden buffers the input goes to.
    fn input(&self) -> usize {
        usize::from(matches!(self.active().first(), Some(Module::Embed(Some(_)))))
    }

    /// Which of them has the output: each branch that was added moved the residual stream.
    fn stream(&self) -> usize {
        let left = self.active().iter().filter(|module| module.leaves_branch()).count();
        left % 2
    }

    async fn output(&self, step: &Step) -> Result<StageOutput, ModelError> {
        let hidden = &self.shared.hidden[self.stream()];
        if !matches!(self.active().last(), Some(Module::Head(_))) {
            let size = step.rows() * self.config.hidden * size_of::<f32>();
            return Ok(StageOutput::Hidden(self.gpu.read(hidden, size).await?));
        }
        if step.head_rows.is_empty() {
            // A few bytes, so that the step is over when this is: else a long prompt's chunks would all
            // wait on the device, and none would be seen to get on.
            self.gpu.read(hidden, SIGN_OF_LIFE_BYTES).await?;
            return Ok(StageOutput::Nothing);
        }
        let padded = self.config.vocab.next_multiple_of(4);
        let count = step.head_rows.len() * padded;
        let logits = self.gpu.read_f32(&self.shared.logits, count).await?;
        let rows = logits.chunks_exact(padded).flat_map(|row| &row[..self.config.vocab]);
        Ok(StageOutput::Logits(rows.copied().collect()))
    }

    /// The step and its input are what this stage can run without reading or writing astray.
    fn check(&self, step: &Step, input: StageInput<'_>) -> Result<(), ModelError> {
        let wrong = |problem: String| Err(ModelError::Step(problem));
        let rows = step.rows();
        let StageOptions { context_tokens, slots, rows: most_rows } = self.options;
        if rows == 0 || rows > most_rows || step.slots.len() != rows {
            return wrong(format!("{rows} rows where 1 to {most_rows} are possible"));
        }
        if step.positions.iter().any(|&position| position as usize >= context_tokens) {
            return wrong(format!("a position is not below the context of {context_tokens}"));
        }
        if step.slots.iter().any(|&slot| slot as usize >= slots) {
            return wrong(format!("a slot is not below {slots}"));
        }
        if step.head_rows.len() > HEAD_ROWS
            || step.head_rows.iter().any(|&row| row as usize >= rows)
        {
            return wrong("a head row is not a row of the step".into());
        }
        self.check_input(rows, input)
    }

    fn check_input(&self, rows: usize, input: StageInput<'_>) -> Result<(), ModelError> {
        let embeds = self.range.start == 0;
        let problem = match input {
            StageInput::Tokens(_) if !embeds => "tokens for a stage that does not embed",
            StageInput::Hidden(_) if embeds => "hidden states for a stage that embeds",
            StageInput::Tokens(tokens) if tokens.len() != rows => "not one token for each row",
            StageInput::Tokens(tokens)
                if tokens.iter().any(|&token| token as usize >= self.config.vocab) =>
            {
                "a token is not in the vocabulary"
            }
            StageInput::Hidden(bytes)
                if bytes.len() != rows * self.config.hidden * size_of::<f32>() =>
            {
                "hidden states of another size than rows times hidden"
            }
            _ => return Ok(()),
        };
        Err(ModelError::Step(problem.into()))
    }

    /// Runs every kernel for one row and for several, so that all pipelines are compiled
    /// and all staging buffers exist: all modules in a row, and each as the first and the last.
    async fn warm_up(&mut self) -> Result<(), ModelError> {
        for rows in [self.options.rows.min(2) as u32, 1] {
            let mut step = Step::chunk(0, 0, rows);
            if self.options.slots > 1 {
                step.head_rows = (0..rows).collect();
            }
            for module in self.resident.indices().filter(|_| self.shared.has_branch()) {
                self.range = ModuleRange::new(module, module + 1);
                self.launch(&step, self.zeros(rows));
            }
            self.range = self.resident;
            self.launch(&step, self.zeros(rows));
            self.output(&step).await?;
            step.head_rows.clear();
            self.output(&step).await?;
        }
        Ok(())
    }

    fn zeros(&self, rows: u32) -> Vec<u8> {
        vec![0; rows as usize * self.config.hidden * size_of::<f32>()]
    }
}

/// What is read of a step that has no output.
const SIGN_OF_LIFE_BYTES: usize = 16;
/// The most head rows of one step.
pub const HEAD_ROWS: usize = 8;
