//! From a file's metadata to the sizes of the model, and the check that its tensors fit them.

use graph::{Architecture, ModelConfig, Modules, NormKind, Rope};

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
    let hidden = fields.size("embedding_length")?;
    let heads = fields.size("attention.head_count")?;
    let head_dim = match fields.optional_size("attention.key_length")? {
        Some(length) => length,
        None => hidden.checked_div(heads).unwrap_or(0),
    };
    fields.expect("attention.value_length", head_dim)?;
    let epsilon = match architecture.traits().norm {
        NormKind::Rms => "attention.layer_norm_rms_epsilon",
        NormKind::Layer => "attention.layer_norm_epsilon",
    };
    let layers = fields.size("block_count")?;
    let scored_width = match (architecture, layers) {
        (Architecture::Gemma3, GEMMA_27B_LAYERS) => hidden.checked_div(heads).unwrap_or(0),
        _ => head_dim,
    };
    let config = ModelConfig {
        architecture,
        layers,
        hidden,
        ffn: fields.size("feed_forward_length")?,
        heads,
        kv_heads: fields.optional_size("attention.head_count_kv")?.unwrap_or(heads),
        head_dim,
        vocab: vocabulary(index)?,
        context_tokens: fields.size("context_length")?,
        rope: fields.rope(head_dim)?,
        score_scale: fields.score_scale(scored_width)?,
        window: fields.optional_size("attention.sliding_window")?.filter(|&window| window > 0),
        norm_epsilon: fields.number(epsilon)? as f32,
        tied_embeddings: !index.tensors.contains_key("output.weight"),
    };
    check(index, &config)?;
    Ok(config)
}

/// The sizes are those of a model that can be run, and the tensors are its tensors.
///
/// # Errors
/// [`ModelError::Config`], [`ModelError::Field`] and [`ModelError::Tensor`].
pub(crate) fn check(index: &Index, config: &ModelConfig) -> Result<(), ModelError> {
    config.validate()?;
    let head_dim = config.head_dim;
    if !head_dim.is_multiple_of(4) {
        let problem = format!("heads of {head_dim} elements are not a multiple of 4");
        return Err(ModelError::field("head_dim", problem));
    }
    if head_dim > MAX_HEAD_DIM {
        let problem = format!("heads of {head_dim} elements are more than {MAX_HEAD_DIM}");
        return Err(ModelError::field("head_dim", problem));
    }
    check_tensors(index, config)
}

fn architecture(index: &Index) -> Result<Architecture, ModelError> {
    let key = "general.architecture";
    let name = index.metadata.get(key).and_then(Value::as_str);
    let name = name.ok_or_else(|| ModelError::field(key, "is missing"))?;
    Architecture::named(name).ok_or_else(|| {
        let known = Architecture::ALL.map(Architecture::name).join(", ");
        ModelError::field(key, format!("`{name}` is not supported; {known} are"))
    })
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

    fn rope(&self, head_dim: usize) -> Result<Rope, ModelError> {
        self.expect("rope.dimension_count", head_dim)?;
        let theta = self.optional_number("rope.freq_base")?.unwrap_or(DEFAULT_ROPE_THETA);
        let local_theta = self.optional_number("rope.freq_base_swa")?;
        Ok(Rope {
            theta: theta as f32,
            local_theta: local_theta.unwrap_or(DEFAULT_ROPE_THETA) as f32,
            factor: self.rope_factor()? as f32,
            has_divisors: self.index.tensors.contains_key("rope_freqs.weight"),
        })
    }

    fn rope_factor(&self) -> Result<f64, ModelError> {
        let name = "rope.scaling.type";
        match self.get(name).and_then(Value::as_str) {
            None | Some("none") => Ok(1.0),
            Some("linear") => self.number("rope.scaling.factor"),
            Some(other) => Err(self.wrong(name, format!("`{other}` is not supported; linear is"))),
        }
    }

    fn score_scale(&self, width: usize) -> Result<f32, ModelError> {
        let given = self.optional_number("attention.scale")?.filter(|&scale| scale != 0.0);
        Ok(given.unwrap_or(1.0 / (width as f64).sqrt()) as f32)
    }
}

/// What the attention kernel's lanes can hold in 16 KiB of workgroup memory, WebGPU's least.
const MAX_HEAD_DIM: usize = 256;
/// The one Gemma 3 whose scores are scaled by another width than its heads' ("Gemma 3 Technical
/// Report", arXiv 2503.19786); its files do not say so.
const GEMMA_27B_LAYERS: usize = 62;
/// Where a file gives no base, the original one holds (RoFormer, arXiv 2104.09864).
const DEFAULT_ROPE_THETA: f64 = 10_000.0;
