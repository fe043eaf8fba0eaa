//! One line of JSON; `docs/inspect.md` has its fields.

use anyhow::Result;
use base::{ModuleProfile, Residual, Tied};
use graph::{ModelConfig, ModuleSummary, SharedTensor};
use serde::Serialize;

use super::Inspected;

#[derive(Serialize)]
struct Answer<'a> {
    model: Model<'a>,
    context_tokens: usize,
    concurrency: usize,
    kv_value_bytes: usize,
    modules: Vec<Module<'a>>,
    sequential_bytes: &'a [f64],
    residual: &'a [Residual],
    token_to: usize,
    tied: &'a [Tied],
    shared_tensors: &'a [SharedTensor],
    total: Total,
}

#[derive(Serialize)]
struct Model<'a> {
    name: &'a str,
    file_bytes: u64,
    #[serde(flatten)]
    config: &'a ModelConfig,
}

/// A module as the planner reads it, and what else there is to know.
#[derive(Serialize)]
struct Module<'a> {
    #[serde(flatten)]
    profile: &'a ModuleProfile,
    decode_flops_per_token: f64,
    prefill_flops_per_token: f64,
    weight_elements: usize,
    kv_bytes_per_token: usize,
    output_bytes_per_token: usize,
}

#[derive(Serialize)]
pub(super) struct Total {
    pub(super) decode_flops_per_token: f64,
    pub(super) prefill_flops_per_token: f64,
    pub(super) weights_bytes: f64,
    pub(super) kv_bytes: f64,
    pub(super) kv_bytes_per_token: usize,
}

/// The line, with its end.
pub fn line(inspected: &Inspected) -> Result<String> {
    let Inspected { file, profiles, context_tokens, concurrency, .. } = inspected;
    let modules = profiles.modules.iter().zip(&profiles.summary);
    let answer = Answer {
        model: Model { name: file.name(), file_bytes: file.bytes(), config: file.config() },
        context_tokens: *context_tokens,
        concurrency: *concurrency,
        kv_value_bytes: file.cache_type().bytes(),
        modules: modules.map(|(profile, summary)| Module::of(profile, summary)).collect(),
        sequential_bytes: &profiles.sequential_bytes,
        residual: &profiles.residual,
        token_to: inspected.modules.encoder_modules(),
        tied: &profiles.tied,
        shared_tensors: &profiles.shared,
        total: Total::of(inspected),
    };
    Ok(serde_json::to_string(&answer)? + "\n")
}

impl<'a> Module<'a> {
    fn of(profile: &'a ModuleProfile, summary: &ModuleSummary) -> Self {
        Self {
            profile,
            decode_flops_per_token: summary.decode_flops_per_token,
            prefill_flops_per_token: summary.prefill_flops_per_token,
            weight_elements: summary.weight_elements,
            kv_bytes_per_token: summary.kv_bytes_per_token,
            output_bytes_per_token: summary.output_bytes,
        }
    }
}

impl Total {
    /// Of all modules; what is tied counts once.
    pub(super) fn of(inspected: &Inspected) -> Self {
        let profiles = &inspected.profiles;
        let sum = |of: fn(&ModuleProfile) -> f64| profiles.modules.iter().map(of).sum::<f64>();
        let tied: f64 = profiles.tied.iter().map(|&Tied(.., bytes)| bytes).sum();
        Self {
            decode_flops_per_token: sum(|module| module.flops),
            prefill_flops_per_token: profiles
                .summary
                .iter()
                .map(|module| module.prefill_flops_per_token)
                .sum(),
            weights_bytes: sum(|module| module.weights_bytes) - tied,
            kv_bytes: sum(|module| module.kv_bytes),
            kv_bytes_per_token: profiles
                .summary
                .iter()
                .map(|module| module.kv_bytes_per_token)
                .sum(),
        }
    }
}
