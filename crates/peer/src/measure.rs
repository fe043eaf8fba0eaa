//! How fast this device runs the model's own modules.

use base::{Estimate, ModuleRange};
use kernels::{Gpu, Step};
use model::{ByteSource, ModelError, ModelFile, Stage, StageInput, StageOptions};
use platform::{now_secs, sleep};

use crate::{opened::Opened, world::Files};

/// Steps while a phone gets ready: so often, and the browser compiles its code for speed.
const PREPARING_STEPS: usize = 16;
/// Steps before those that are timed: caches and clocks settle.
const WARM_UPS: usize = 2;
/// Rounds, which are averaged.
const ROUNDS: usize = 5;
/// Steps of a round; their median counts.
const STEPS: usize = 3;
/// Before each step, as long as a phone in a room waits for the others about: a GPU clocks down meanwhile.
const PAUSE_SECS: f64 = 0.02;
/// The most weights that are put on the GPU for measuring.
const MAX_BYTES: u64 = 64 << 20;
/// The most layers that are measured at once, so that the cost of starting a step weighs
/// about as much as it will in a stage.
const MAX_LAYERS: usize = 4;

/// Whole layers of a model on the GPU, to be timed.
///
/// They have the shapes and weight types of the file, and zeros for weights: kernels take the same
/// time for any weights, and nothing is fetched that is not needed later.
#[derive(Debug)]
pub struct Trial {
    /// Address of the model.
    pub url: String,
    stage: Stage<Zeros>,
    /// One row of zeros.
    row: Vec<u8>,
    /// The first module, or the first layer; and all that are resident.
    sizes: [Size; 2],
    /// Positions that there are.
    context_tokens: usize,
}

/// Modules that are timed together.
#[derive(Clone, Copy, Debug)]
struct Size {
    modules: ModuleRange,
    flops: f64,
}

/// What a device can do.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    /// Floating-point operations per second of single-token steps.
    pub flops_per_sec: Estimate,
    /// What a step takes besides.
    pub overhead_secs: f64,
}

impl Trial {
    /// Compiles the kernels and runs each once.
    ///
    /// # Errors
    /// Whatever keeps this device from running the model's layers.
    pub async fn new<F: Files>(gpu: &Gpu, opened: &Opened<F>) -> Result<Self, ModelError> {
        let (file, context_tokens) = (&opened.file, opened.context_tokens());
        let layer = Layer::of(file);
        let range = layer.measured(file)?;
        let zeros = file.with_source(Zeros(file.bytes()));
        let options = StageOptions { context_tokens, slots: 1, rows: layer.rows() };
        let mut stage = Stage::load(gpu, &zeros, range, options).await?;
        let row = vec![0u8; file.config().hidden * size_of::<f32>()];
        let profiles = file.profiles(context_tokens, 1)?;
        let size = |modules: ModuleRange| {
            let flops = profiles.modules[modules.indices()].iter().map(|module| module.flops);
            Size { modules, flops: flops.sum() }
        };
        if layer.attends_to_prompt {
            // As many rows as its operations are counted for.
            stage.remember(0, &row.repeat(context_tokens)).await?;
        }
        let few = if range.len() > layer.modules { layer.modules } else { 1 };
        let sizes = [ModuleRange::new(range.start, range.start + few), range].map(size);
        let mut trial = Self { url: opened.url.clone(), stage, row, sizes, context_tokens };
        for _ in 0..PREPARING_STEPS {
            trial.exercise_secs().await?;
        }
        Ok(trial)
    }

    /// Times single-token steps through few modules and through many.
    ///
    /// # Errors
    /// The GPU failed.
    pub async fn speed(&mut self) -> Result<Speed, ModelError> {
        for position in 0..WARM_UPS {
            self.step_secs(position).await?;
        }
        let mut rounds = [[0.0; ROUNDS]; 2];
        for round in 0..ROUNDS {
            for (size, secs) in self.sizes.into_iter().zip(&mut rounds) {
                self.stage.activate(size.modules)?;
                secs[round] = self.median_secs(WARM_UPS + round * STEPS).await?;
            }
        }
        let [few, many] = self.sizes.map(|size| size.flops);
        Ok(speed(few, many, &rounds))
    }

    /// One step through few modules; how long it took.
    ///
    /// # Errors
    /// The GPU failed.
    pub async fn exercise_secs(&mut self) -> Result<f64, ModelError> {
        self.stage.activate(self.sizes[0].modules)?;
        self.run_secs(0).await
    }

    async fn median_secs(&mut self, position: usize) -> Result<f64, ModelError> {
        let mut steps = [0.0; STEPS];
        for (step, secs) in steps.iter_mut().enumerate() {
            *secs = self.step_secs(position + step).await?;
        }
        steps.sort_by(f64::total_cmp);
        Ok(steps[STEPS / 2])
    }

    async fn step_secs(&mut self, position: usize) -> Result<f64, ModelError> {
        sleep(PAUSE_SECS).await;
        // A clock of limited resolution may show no time at all.
        Ok(self.run_secs(position).await?.max(MIN_STEP_SECS))
    }

    async fn run_secs(&mut self, position: usize) -> Result<f64, ModelError> {
        let started = now_secs();
        let step = Step::chunk(0, (position % self.context_tokens) as u32, 1);
        self.stage.run(step, StageInput::Hidden(&self.row)).await?;
        Ok(now_secs() - started)
    }
}

/// How long it takes to `read` a row of an embedding: a header does that for every token.
pub async fn mean_secs(read: impl AsyncFn()) -> f64 {
    let mut rounds = [0.0; ROUNDS];
    for secs in &mut rounds {
        sleep(PAUSE_SECS).await;
        let started = now_secs();
        read().await;
        *secs = now_secs() - started;
    }
    Estimate::of(&rounds).mean
}

/// From what `few` and `many` operations took in each round: time = overhead + operations / speed. However noisy
/// the times are, some of each is left to the operations.
fn speed(few: f64, many: f64, rounds: &[[f64; ROUNDS]; 2]) -> Speed {
    let [few_secs, many_secs] = rounds.map(|secs| Estimate::of(&secs).mean);
    let is_slope = many > few && many_secs > few_secs;
    let slope = if is_slope { (many_secs - few_secs) / (many - few) } else { 0.0 };
    let most_secs = MOST_OVERHEAD * few_secs;
    let overhead_secs = if is_slope { (few_secs - slope * few).clamp(0.0, most_secs) } else { 0.0 };
    let spread = Estimate::of(&rounds[1]).spread / many_secs;
    let mean = many / (many_secs - overhead_secs);
    Speed { flops_per_sec: Estimate { mean, spread: spread * mean }, overhead_secs }
}

/// Of a step through few modules.
const MOST_OVERHEAD: f64 = 0.9;
/// Shortest step that is believed.
const MIN_STEP_SECS: f64 = 1e-5;

/// Where the layers are that tokens go through, and what each has.
struct Layer {
    /// The first module of the first one.
    first: usize,
    modules: usize,
    /// Behind an encoder; what the encoder itself does is not done for each token.
    attends_to_prompt: bool,
}

impl Layer {
    fn of<S: ByteSource>(file: &ModelFile<S>) -> Self {
        match file.modules().encoder_modules() {
            0 => Self { first: 1, modules: 2, attends_to_prompt: false },
            encoder => Self { first: encoder + 1, modules: 3, attends_to_prompt: true },
        }
    }

    /// Most rows of a step: a prompt comes in pieces.
    fn rows(&self) -> usize {
        if self.attends_to_prompt { PROMPT_ROWS } else { 2 }
    }

    /// The first layers, as many as are cheap to hold.
    fn measured<S: ByteSource>(&self, file: &ModelFile<S>) -> Result<ModuleRange, ModelError> {
        let of = |layers: usize| ModuleRange::new(self.first, self.first + layers * self.modules);
        let mut range = of(1);
        for layers in 2..=file.config().layers.min(MAX_LAYERS) {
            if file.stage_bytes(of(layers))? <= MAX_BYTES {
                range = of(layers);
            }
        }
        Ok(range)
    }
}

/// Of what an encoder would have given, at once.
const PROMPT_ROWS: usize = 32;

/// A file of zeros.
#[derive(Clone, Debug)]
struct Zeros(u64);

impl ByteSource for Zeros {
    type Local = Self;

    fn len(&self) -> u64 {
        self.0
    }

    async fn read(&self, range: std::ops::Range<u64>) -> Result<Vec<u8>, model::SourceError> {
        Ok(vec![0; (range.end - range.start) as usize])
    }

    async fn local(&self, _: &[std::ops::Range<u64>]) -> Result<Self, model::SourceError> {
        Ok(self.clone())
    }
}
