//! How `config.json` scales rotary embedding: `rope_parameters`, and the fields that it replaced.

use std::f64::consts::TAU;

use graph::{Architecture, Rope};

use super::fields::Fields;
use crate::error::ModelError;

/// How pairs are turned.
pub(super) struct RopeSettings {
    pub(super) rope: Rope,
    /// What each frequency is divided by, `[head_dim / 2]`, where they differ.
    pub(super) divisors: Option<Vec<f32>>,
}

/// Reads what there is; where there is nothing, the original base holds (RoFormer, arXiv 2104.09864).
pub(super) fn read(
    fields: &Fields<'_>,
    head_dim: usize,
    architecture: Architecture,
) -> Result<RopeSettings, ModelError> {
    let parameters = fields.inner("rope_parameters")?;
    let (mut global, mut local) = (parameters, None);
    if let Some(all) = &global
        && let Some(full) = all.inner("full_attention")?
    {
        local = all.inner("sliding_attention")?;
        global = Some(full);
    }
    let base = |inner: &Option<Fields<'_>>| match inner {
        Some(inner) => inner.optional_number(&["rope_theta"]),
        None => Ok(None),
    };
    let old_base = fields.optional_number(&["rope_theta"])?;
    let theta = base(&global)?.or(old_base).unwrap_or(DEFAULT_THETA);
    let old_local = fields.optional_number(&["rope_local_base_freq"])?;
    let without = match architecture {
        Architecture::Gemma3 => DEFAULT_THETA,
        _ => theta,
    };
    let local_theta = base(&local)?.or(old_local).unwrap_or(without);
    if let Some(local) = &local {
        refuse_scaling(local)?;
    }
    let scaling = global.or(fields.inner("rope_scaling")?);
    let (factor, divisors) = match &scaling {
        Some(scaling) => read_scaling(scaling, theta, head_dim)?,
        None => (1.0, None),
    };
    let (theta, local_theta, factor) = (theta as f32, local_theta as f32, factor as f32);
    let rope = Rope { theta, local_theta, factor, has_divisors: false };
    Ok(RopeSettings { rope, divisors })
}

fn kind<'a>(scaling: &Fields<'a>) -> Result<&'a str, ModelError> {
    Ok(scaling.optional_text(KIND)?.unwrap_or(UNSCALED))
}

fn refuse_scaling(local: &Fields<'_>) -> Result<(), ModelError> {
    match kind(local)? {
        UNSCALED => Ok(()),
        other => Err(local.wrong(KIND, format!("`{other}` is not supported within a window"))),
    }
}

/// What all positions are divided by, and what each frequency is.
fn read_scaling(
    scaling: &Fields<'_>,
    theta: f64,
    head_dim: usize,
) -> Result<(f64, Option<Vec<f32>>), ModelError> {
    match kind(scaling)? {
        UNSCALED => Ok((1.0, None)),
        "linear" => Ok((scaling.number(&["factor"])?, None)),
        "llama3" => Ok((1.0, Some(Llama3::read(scaling)?.divisors(theta, head_dim)))),
        other => {
            let problem = format!("`{other}` is not supported; default, linear and llama3 are");
            Err(scaling.wrong(KIND, problem))
        }
    }
}

/// Scaling of Llama 3.1 ("The Llama 3 Herd of Models", arXiv 2407.21783, and its reference code):
/// waves that the old context holds a few times of are left alone, longer ones are stretched.
struct Llama3 {
    factor: f64,
    low: f64,
    high: f64,
    old_context: f64,
}

impl Llama3 {
    fn read(scaling: &Fields<'_>) -> Result<Self, ModelError> {
        let names = ["factor", "low_freq_factor", "high_freq_factor", OLD_CONTEXT];
        let mut numbers = [0.0; 4];
        for (number, name) in numbers.iter_mut().zip(names) {
            *number = scaling.number(&[name])?;
            if !(number.is_finite() && *number > 0.0) {
                return Err(scaling.wrong(&[name], "must be over 0"));
            }
        }
        let [factor, low, high, old_context] = numbers;
        if low >= high {
            return Err(scaling.wrong(&["low_freq_factor"], "must be below high_freq_factor"));
        }
        Ok(Self { factor, low, high, old_context })
    }

    fn divisors(&self, theta: f64, head_dim: usize) -> Vec<f32> {
        let pairs = 0..head_dim / 2;
        pairs
            .map(|pair| self.divisor(TAU * theta.powf(2.0 * pair as f64 / head_dim as f64)))
            .collect()
    }

    fn divisor(&self, wave: f64) -> f32 {
        let times = self.old_context / wave;
        let share = ((times - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        (1.0 / ((1.0 - share) / self.factor + share)) as f32
    }
}

const KIND: &[&str] = &["rope_type", "type"];
const UNSCALED: &str = "default";
const OLD_CONTEXT: &str = "original_max_position_embeddings";
const DEFAULT_THETA: f64 = 10_000.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ModelFile, source::MemorySource};
    use serde_json::json;
    use testkit::golden;

    /// The divisors in the golden file are those of transformers.
    #[test]
    fn divisors_are_those_of_transformers() {
        let bytes = golden("llama-q4_k_m").gguf.to_vec();
        let file = pollster::block_on(ModelFile::open(MemorySource(bytes))).expect("it is sound");
        let expected = pollster::block_on(file.vector("rope_freqs.weight")).expect("it has them");
        let config = json!({"rope_theta": 10_000.0, "rope_scaling": {
            "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        }});
        let fields = Fields { object: config.as_object().expect("a map"), prefix: "" };
        let read = read(&fields, file.config().head_dim, Architecture::Llama).expect("it is sound");
        let divisors = read.divisors.expect("it scales");
        assert_eq!(divisors.len(), expected.len());
        assert!(expected.contains(&1.0) && expected.iter().any(|&divisor| divisor > 7.0));
        for (divisor, expected) in divisors.iter().zip(&expected) {
            assert!((divisor - expected).abs() < 1e-5 * expected, "{divisors:?} {expected}");
        }
    }

    #[test]
    fn a_base_for_each_kind_of_attention_is_read() {
        let new = json!({"rope_parameters": {
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
            "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0},
        }});
        let old = json!({"rope_theta": 1e6, "rope_local_base_freq": 10_000.0,
            "rope_scaling": {"rope_type": "linear", "factor": 8.0}});
        for config in [new, old] {
            let fields = Fields { object: config.as_object().expect("a map"), prefix: "" };
            let read = read(&fields, 32, Architecture::Gemma3).expect("it is sound").rope;
            assert_eq!((read.theta, read.local_theta, read.factor), (1e6, 1e4, 8.0));
        }
    }
}
