//! From a file's metadata to the sizes of the model, and the check that its tensors fit them.

use graph::{Architecture, ModelConfig, Modules};

use crate::{
    error::ModelError,
    gguf::{Index, Value},
};

/// Reads and checks the hyper-parameters of a file.
///
/// # Errors
/// [`ModelError::Field`] and [`ModelError::Config`].
pub(crate) fn read_config(index: &Index) -> Result<ModelConfig, ModelError> {
    let architecture = architecture(index)?;
    let fields = Fields { index, prefix: architecture.name() };
    fields.refuse_scaled_rope()?;
    let hidden = fields.size("embedding_length")?;
    let heads = fields.size("attention.head_count")?;
    let head_dim = match fields.optional_size("attention.key_length")? {
        Some(length) => length,
        None => hidden.checked_div(heads).unwrap_or(0),
    };
    fields.expect("attention.value_length", head_dim)?;
    fields.expect("rope.dimension_count", head_dim)?;
    let config = ModelConfig {
        architecture,
        layers: fields.size("block_count")?,
        hidden,
        ffn: fields.size("feed_forward_length")?,
        heads,
        kv_heads: fields.optional_size("attention.head_count_kv")?.unwrap_or(heads),
        head_dim,
        vocab: vocabulary(index)?,
        context_tokens: fields.size("context_length")?,
        rope_theta: fields.optional_number("rope.freq_base")?.unwrap_or(DEFAULT_ROPE_THETA) as f32,
        rms_epsilon: fields.number("attention.layer_norm_rms_epsilon")? as f32,
        tied_embeddings: !index.tensors.contains_key("output.weight"),
        qk_norm: architecture == Architecture::Qwen3,
        qkv_bias: architecture == Architecture::Qwen2,
    };
    config.validate()?;
    if !config.head_dim.is_multiple_of(4) {
        let problem = format!("heads of {head_dim} elements are not a multiple of 4");
        return Err(fields.wrong("attention.key_length", problem));
    }
    if config.head_dim > MAX_HEAD_DIM {
        let problem = format!("heads of {head_dim} elements are more than {MAX_HEAD_DIM}");
        return Err(fields.wrong("attention.key_length", problem));
    }
    check_tensors(index, &config)?;
    Ok(config)
}

fn architecture(index: &Index) -> Result<Architecture, ModelError> {
    let key = "general.architecture";
    match index.metadata.get(key).and_then(Value::as_str) {
        Some("llama") => Ok(Architecture::Llama),
        Some("qwen2") => Ok(Architecture::Qwen2),
        Some("qwen3") => Ok(Architecture::Qwen3),
        Some(other) => Err(ModelError::field(
            key,
            format!("`{other}` is not supported; llama, qwen2 and qwen3 are"),
        )),
        None => Err(ModelError::field(key, "is missing")),
    }
}

fn vocabulary(index: &Index) -> Result<usize, ModelError> {
    let tensor = "token_embd.weight";
    let info = index.tensors.get(tensor).ok_or_else(|| ModelError::tensor(tensor, "is missing"))?;
    match info.shape[..] {
        [_, rows] => Ok(usize::try_from(rows).unwrap_or(usize::MAX)),
        _ => Err(ModelError::tensor(tensor, "is not a matrix")),
    }
}

/// Every tensor of the model is in the file with its shape, and the file has no other.
fn check_tensors(index: &Index, config: &ModelConfig) -> Result<(), ModelError> {
    let modules = Modules::of(config)?;
    let mut known = std::collections::BTreeSet::new();
    for spec in (0..modules.list.len()).flat_map(|module| modules.tensors(module)) {
        let info = index
            .tensors
            .get(&spec.name)
            .ok_or_else(|| ModelError::tensor(&spec.name, "is missing"))?;
        let expected: Vec<u64> = spec.shape.iter().rev().map(|&size| size as u64).collect();
        if info.shape != expected {
            let problem = format!("has the shape {:?} where {expected:?} belongs", info.shape);
            return Err(ModelError::tensor(spec.name, problem));
        }
        known.insert(spec.name);
    }
    match index.tensors.keys().find(|name| !known.contains(*name)) {
        Some(other) => {
            Err(ModelError::tensor(other, "is not one that this architecture is known to have"))
        }
        None => Ok(()),
    }
}

/// The metadata under an architecture's prefix.
struct Fields<'a> {
    index: &'a Index,
    prefix: &'static str,
}

impl Fields<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.index.metadata.get(&self.key(name))
    }

    fn wrong(&self, name: &str, problem: impl Into<String>) -> ModelError {
        ModelError::field(self.key(name), problem)
    }

    fn optional_size(&self, name: &str) -> Result<Option<usize>, ModelError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
        size.map(Some).ok_or_else(|| self.wrong(name, "is not a count"))
    }

    fn size(&self, name: &str) -> Result<usize, ModelError> {
        self.optional_size(name)?.ok_or_else(|| self.wrong(name, "is missing"))
    }

    fn optional_number(&self, name: &str) -> Result<Option<f64>, ModelError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_f64().map(Some).ok_or_else(|| self.wrong(name, "is not a number"))
    }

    fn number(&self, name: &str) -> Result<f64, ModelError> {
        self.optional_number(name)?.ok_or_else(|| self.wrong(name, "is missing"))
    }

    fn expect(&self, name: &str, expected: usize) -> Result<(), ModelError> {
        match self.optional_size(name)? {
            Some(found) if found != expected => {
                Err(self.wrong(name, format!("is {found}; only {expected} is supported here")))
            }
            _ => Ok(()),
        }
    }

    fn refuse_scaled_rope(&self) -> Result<(), ModelError> {
        match self.get("rope.scaling.type").and_then(Value::as_str) {
            None | Some("none") => Ok(()),
            Some(other) => {
                Err(self.wrong("rope.scaling.type", format!("`{other}` is not supported yet")))
            }
        }
    }
}

/// What the attention kernel's lanes can hold in 16 KiB of workgroup memory, WebGPU's least.
const MAX_HEAD_DIM: usize = 252;
/// Where a file gives no base, the original one holds (RoFormer, arXiv 2104.09864).
const DEFAULT_ROPE_THETA: f64 = 10_000.0;
