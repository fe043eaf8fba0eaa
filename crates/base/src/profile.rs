//! Measured numbers: what a module costs, what a device and a link can do.
//! [`PlanInput`] is also the planner's file format, so the field names are JSON keys. There every number is
//! a 64-bit float, modules' numbers among them (`2.0`), and `null` is no number, where none is needed.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{ModuleRange, Objective};

/// What one module costs wherever it runs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ModuleProfile {
    /// `embed`, `attn.3`, `mlp.3`, `head`.
    pub name: String,
    /// Floating-point operations for one decoded token.
    pub flops: f64,
    /// Bytes of its packed weights on the device that runs it.
    pub weights_bytes: f64,
    /// Bytes of an attention module's KV cache for the asked context, in every slot.
    #[serde(default)]
    pub kv_bytes: f64,
}

impl ModuleProfile {
    /// All that it keeps on a device: weights and KV cache.
    pub fn resident_bytes(&self) -> f64 {
        self.weights_bytes + self.kv_bytes
    }
}

/// A tensor that skips at least one module on its way to its consumers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Residual {
    /// The module that produces it.
    #[serde(deserialize_with = "module_number")]
    pub from: usize,
    /// The modules that read it, each greater than `from + 1`.
    #[serde(deserialize_with = "module_numbers")]
    pub to: Vec<usize>,
    /// Its size for one decoded token.
    pub bytes: f64,
}

/// Two modules that share a tensor, and the bytes a device with both stores once.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tied(
    #[serde(deserialize_with = "module_number")] pub usize,
    #[serde(deserialize_with = "module_number")] pub usize,
    pub f64,
);

/// What one device can do. In a room `id` is the [`crate::PeerId`] as text.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DeviceProfile {
    /// Unique name; ties between plans are broken by the order of the input.
    pub id: String,
    /// Measured speed on the model's own modules.
    pub flops_per_sec: f64,
    /// What each of its stages that a token passes takes besides its operations: starting a step, and reading its output
    /// back.
    #[serde(default)]
    pub overhead_secs: f64,
    /// Budget for weights and KV cache; taken as given.
    pub memory_bytes: f64,
    /// What it holds already: each of its stages lies within one of these ranges. Empty: it may hold anything.
    #[serde(default)]
    pub within: Vec<ModuleRange>,
}

impl DeviceProfile {
    /// Whether it may have this stage.
    pub fn may_run(&self, stage: ModuleRange) -> bool {
        let holds = |held: &ModuleRange| held.holds(stage);
        self.within.is_empty() || self.within.iter().any(holds)
    }
}

/// Everything the planner looks at. All numbers are 64-bit floats, times in seconds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlanInput {
    /// What to minimise.
    pub objective: Objective,
    /// The model's modules, in order; at least one.
    pub modules: Vec<ModuleProfile>,
    /// `modules.len() - 1` sizes: bytes from module `j` to module `j + 1`.
    pub sequential_bytes: Vec<f64>,
    /// Tensors that skip modules.
    #[serde(default)]
    pub residual: Vec<Residual>,
    /// Tensors stored once by a device that holds both modules.
    #[serde(default)]
    pub tied: Vec<Tied>,
    /// The devices; at least one, and the first is the header.
    pub devices: Vec<DeviceProfile>,
    /// `[from][to]` round-trip times; the diagonal is ignored.
    #[serde(deserialize_with = "links")]
    pub rtt_secs: Vec<Vec<f64>>,
    /// `[from][to]` bandwidths; 0 off the diagonal means no link.
    #[serde(deserialize_with = "links")]
    pub bytes_per_sec: Vec<Vec<f64>>,
    /// Bytes of a sampled token on its way back.
    #[serde(default)]
    pub token_bytes: f64,
    /// The module that takes the sampled token.
    #[serde(default, deserialize_with = "module_number")]
    pub token_to: usize,
    /// Whether the header may also run the last stage.
    #[serde(default)]
    pub close_ring: bool,
}

impl PlanInput {
    /// What a stage takes on a device for a token.
    pub fn stage_secs(&self, device: usize, stage: ModuleRange) -> f64 {
        let flops: f64 = stage.indices().map(|module| self.modules[module].flops).sum();
        self.overhead_secs(device, stage.end) + flops / self.devices[device].flops_per_sec
    }

    /// What a stage that ends before the module `end` takes on a device besides its operations: nothing where the
    /// token only enters behind it, as behind an encoder.
    pub fn overhead_secs(&self, device: usize, end: usize) -> f64 {
        if end > self.token_to { self.devices[device].overhead_secs } else { 0.0 }
    }
}

/// A module's number among others of its kind.
#[derive(Deserialize)]
struct ModuleNumber(#[serde(deserialize_with = "module_number")] usize);

fn module_number<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    let number = f64::deserialize(from)?;
    let is_whole = (0.0..=MOST_EXACT).contains(&number) && number.fract() == 0.0;
    let problem = || format!("must be a module's number, whole and not negative, and is {number}");
    if is_whole { Ok(number as usize) } else { Err(D::Error::custom(problem())) }
}

fn module_numbers<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<usize>, D::Error> {
    let numbers: Vec<ModuleNumber> = Deserialize::deserialize(from)?;
    Ok(numbers.into_iter().map(|one| one.0).collect())
}

/// Rows in which `null`, as on a diagonal, is not a number.
fn links<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Vec<f64>>, D::Error> {
    let rows: Vec<Vec<Option<f64>>> = Deserialize::deserialize(from)?;
    let row = |row: Vec<Option<f64>>| row.into_iter().map(|one| one.unwrap_or(f64::NAN)).collect();
    Ok(rows.into_iter().map(row).collect())
}

/// Whole numbers up to this are exact in 32 bits, as in a browser, and in floats.
const MOST_EXACT: f64 = u32::MAX as f64;
