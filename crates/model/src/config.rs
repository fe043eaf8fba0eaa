//! From a file's metadata to the sizes of the model, and the check that its tensors fit them.

use std::collections::BTreeSet;

use graph::{
    Architecture, Encoder, LOGITS_MATRIX, ModelConfig, Modules, NormKind, Positions,
    RelativePositions, Rope,
};

use crate::{
    error::ModelError,
    gguf::{Index, Value},
    labels,
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
    let first_stack_layers = fields.size("block_count")?;
    let encoder = match architecture.traits().has_encoder {
        true => Some(fields.encoder(first_stack_layers)?),
        false => None,
    };
    let layers = match encoder {
        Some(_) => fields.optional_size("decoder_block_count")?.unwrap_or(first_stack_layers),
        None => first_stack_layers,
    };
    let labels = labels::read(index, architecture.name())?;
    let tied_embeddings = labels.is_empty() && !index.tensors.contains_key(LOGITS_MATRIX);
    let scored_width = match (architecture, layers) {
        (Architecture::Gemma3, GEMMA_27B_LAYERS) => hidden.checked_div(heads).unwrap_or(0),
        _ => head_dim,
    };
    let config = ModelConfig {
        architecture,
        layers,
        encoder,
        hidden,
        ffn: fields.size("feed_forward_length")?,
        heads,
        kv_heads: fields.optional_size("attention.head_count_kv")?.unwrap_or(heads),
        head_dim,
        vocab: vocabulary(index)?,
        context_tokens: fields.size("context_length")?,
        rope: fields.rope(head_dim)?,
        relative: fields.relative(architecture)?,
        score_scale: match architecture.traits().positions {
            Positions::Relative => 1.0,
            _ => fields.score_scale(scored_width)?,
        },
        logits_scale: logits_scale(architecture, tied_embeddings, hidden),
        window: fields.optional_size("attention.sliding_window")?.filter(|&window| window > 0),
        norm_epsilon: fields.number(epsilon)? as f32,
        tied_embeddings,
        labels,
    };
    check(index, &config)?;
    Ok(config)
}

/// What logits are multiplied with: T5 scales them where they come from the embedding's table.
pub(crate) fn logits_scale(architecture: Architecture, is_tied: bool, hidden: usize) -> f32 {
    let is_scaled = architecture.traits().has_encoder && is_tied;
    if is_scaled { (1.0 / (hidden as f64).sqrt()) as f32 } else { 1.0 }
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
    match Architecture::named(name) {
        Some(Architecture::T5) if index.tensors.contains_key(GATE) => Ok(Architecture::T5Gated),
        Some(architecture) => Ok(architecture),
        None => {
            let known = BTreeSet::from(Architecture::ALL.map(Architecture::name));
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            Err(ModelError::field(key, format!("`{name}` is not supported; {known} are")))
        }
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
    let mut known = BTreeSet::new();
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

    fn encoder(&self, layers: usize) -> Result<Encoder, ModelError> {
        let name = "decoder_start_token_id";
        // Where a file does not say, it is T5's own: what texts are padded with.
        let token = self.optional_size(name)?.unwrap_or(0);
        let token = u32::try_from(token).map_err(|_| self.wrong(name, "is not a token"))?;
        Ok(Encoder { layers, first_token: token })
    }

    fn relative(
        &self,
        architecture: Architecture,
    ) -> Result<Option<RelativePositions>, ModelError> {
        if architecture.traits().positions != Positions::Relative {
            return Ok(None);
        }
        let buckets = self.size("attention.relative_buckets_count")?;
        Ok(Some(RelativePositions { buckets, max_distance: RELATIVE_MAX_DISTANCE }))
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
/// The files do not say it, and no T5 has another (arXiv 1910.10683, section 2.1).
pub(crate) const RELATIVE_MAX_DISTANCE: usize = 128;
/// Both kinds of T5 have one name, and only one of them has this tensor.
const GATE: &str = "enc.blk.0.ffn_gate.weight";
/// The one Gemma 3 whose scores are scaled by another width than its heads' ("Gemma 3 Technical
/// Report", arXiv 2503.19786); its files do not say so.
const GEMMA_27B_LAYERS: usize = 62;
/// Where a file gives no base, the original one holds (RoFormer, arXiv 2104.09864).
const DEFAULT_ROPE_THETA: f64 = 10_000.0;
