//! Measured numbers: what a module costs, what a device and a link can do.
//! [`PlanInput`] is also the planner's file format, so the field names are JSON keys.

use serde::{Deserialize, Serialize};

use crate::Objective;

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
    pub from: usize,
    /// The modules that read it, each greater than `from + 1`.
    pub to: Vec<usize>,
    /// Its size for one decoded token.
    pub bytes: f64,
}

/// Two modules that share a tensor, and the bytes a device with both stores once.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tied(pub usize, pub usize, pub f64);

/// What one device can do. In a room `id` is the [`crate::PeerId`] as text.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DeviceProfile {
    /// Unique name; ties between plans are broken by the order of the input.
    pub id: String,
    /// Measured speed on the model's own modules.
    pub flops_per_sec: f64,
    /// Budget for weights and KV cache; taken as given.
    pub memory_bytes: f64,
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
    pub rtt_secs: Vec<Vec<f64>>,
    /// `[from][to]` bandwidths; 0 off the diagonal means no link.
    pub bytes_per_sec: Vec<Vec<f64>>,
    /// Bytes of a sampled token on its way back.
    #[serde(default)]
    pub token_bytes: f64,
    /// The module that takes the sampled token.
    #[serde(default)]
    pub token_to: usize,
    /// Whether the header may also run the last stage.
    #[serde(default)]
    pub close_ring: bool,
}
