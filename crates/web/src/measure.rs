//! How fast this device runs the model's own modules.

use base::ModuleRange;
use kernels::{Gpu, Step};
use model::{ByteSource, ModelError, ModelFile, Stage, StageInput, StageOptions};

use crate::{clock::now_secs, opened::Opened};

/// Steps that are not timed: caches and clocks settle.
const WARM_UPS: usize = 2;
/// Steps that are timed; the median counts.
const TIMED: usize = 5;
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
    flops: f64,
}

impl Trial {
    /// Compiles the kernels and runs each once.
    ///
    /// # Errors
    /// Whatever keeps this device from running the model's layers.
    pub async fn new(gpu: &Gpu, opened: &Opened) -> Result<Self, ModelError> {
        let (file, context_tokens) = (&opened.file, opened.context_tokens());
        let range = measured_modules(file)?;
        let zeros = file.with_source(Zeros(file.bytes()));
        let options = StageOptions { context_tokens, slots: 1, rows: 2 };
        let stage = Stage::load(gpu, &zeros, range, options).await?;
        let row = vec![0u8; file.config().hidden * size_of::<f32>()];
        let profiles = file.profiles(context_tokens, 1)?;
        let flops = profiles.modules[range.indices()].iter().map(|module| module.flops).sum();
        Ok(Self { url: opened.url.clone(), stage, row, flops })
    }

    /// Floating-point operations per second of single-token steps.
    ///
    /// # Errors
    /// The GPU failed.
    pub async fn flops_per_sec(&mut self) -> Result<f64, ModelError> {
        let mut times = Vec::with_capacity(TIMED);
        for step in 0..WARM_UPS + TIMED {
            let started = now_secs();
            self.stage.run(Step::chunk(0, step as u32, 1), StageInput::Hidden(&self.row)).await?;
            if step >= WARM_UPS {
                times.push(now_secs() - started);
            }
        }
        times.sort_by(f64::total_cmp);
        // A clock of limited resolution may show no time at all.
        Ok(self.flops / times[TIMED / 2].max(MIN_STEP_SECS))
    }
}

/// Shortest step that is believed.
const MIN_STEP_SECS: f64 = 1e-5;

/// The first layers, as many as are cheap to hold.
fn measured_modules<S: ByteSource>(file: &ModelFile<S>) -> Result<ModuleRange, ModelError> {
    let mut range = ModuleRange::new(1, 3);
    let layers = file.config().layers.min(MAX_LAYERS);
    for layers in 2..=layers {
        let wider = ModuleRange::new(1, 1 + 2 * layers);
        if file.stage_bytes(wider)? <= MAX_BYTES {
            range = wider;
        }
    }
    Ok(range)
}

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
