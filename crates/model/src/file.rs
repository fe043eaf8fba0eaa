//! A model's files: their index, its sizes, and reading the tensors of single modules.

use std::sync::Arc;

use base::ModuleRange;
use graph::{Caches, GraphProfiles, ModelConfig, Modules, Positions};
use kernels::{CacheType, RopeStyle};

use crate::{
    config::read_config,
    error::ModelError,
    gguf::{Index, TensorInfo, Value, split_names},
    hugging_face::{self, Beside},
    precision::Precision,
    source::{ByteSource, Folder, Parts},
};

/// An opened model. Only the fronts of its files have been read.
#[derive(Clone, Debug)]
pub struct ModelFile<S> {
    pub(crate) source: S,
    index: Arc<Index>,
    config: ModelConfig,
    pub(crate) origin: Origin,
    pub(crate) precision: Precision,
    cache: CacheType,
}

/// T5's first files have biases for the distances from an answer to its prompt, which no reader uses.
fn is_unused(name: &str) -> bool {
    name.ends_with(".cross_attn_rel_b.weight")
}

/// Who wrote the files.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// The metadata has everything else.
    Gguf,
    /// Safetensors beside these.
    HuggingFace(Beside),
}

impl<S: ByteSource> ModelFile<Parts<S>> {
    /// Opens the model that `name` belongs to: a GGUF file or one of several, a safetensors file or
    /// one of several, or the index of those.
    ///
    /// # Errors
    /// Every kind of [`ModelError`] but those of the GPU.
    pub async fn find(folder: &impl Folder<File = S>, name: &str) -> Result<Self, ModelError> {
        if name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json") {
            return hugging_face::open(folder, name).await;
        }
        let mut parts = Parts(Vec::new());
        for name in split_names(name).unwrap_or_else(|| vec![name.to_owned()]) {
            parts.0.push(folder.file(&name).await?);
        }
        let mut indices = Vec::with_capacity(parts.0.len());
        for part in &parts.0 {
            indices.push(Index::fetch(part).await?);
        }
        let index = Index::join(indices, &parts.starts())?;
        Self::from_gguf(parts, index)
    }
}

impl<S: ByteSource> ModelFile<S> {
    /// Reads and checks the front of a GGUF file that is a whole model.
    ///
    /// # Errors
    /// Every kind of [`ModelError`] but those of the GPU.
    pub async fn open(source: S) -> Result<Self, ModelError> {
        let index = Index::join(vec![Index::fetch(&source).await?], &[0])?;
        Self::from_gguf(source, index)
    }

    /// The same model with its matrices of floats kept in another precision on the GPU.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The same model with its KV cache in another precision.
    pub fn with_cache(self, cache: CacheType) -> Self {
        Self { cache, ..self }
    }

    /// How keys and values are kept: as asked for, where the heads allow it.
    pub fn cache_type(&self) -> CacheType {
        self.cache.for_heads(self.config.head_dim)
    }

    fn from_gguf(source: S, mut index: Index) -> Result<Self, ModelError> {
        index.tensors.retain(|name, _| !is_unused(name));
        let config = read_config(&index)?;
        // They take tens of megabytes, and only the crate `text` needs them: see `text_files`.
        index.metadata.retain(|key, _| !key.starts_with("tokenizer."));
        Ok(Self::new(source, index, config, Origin::Gguf))
    }

    pub(crate) fn from_hugging_face(
        source: S,
        index: Index,
        config: ModelConfig,
        beside: Beside,
    ) -> Self {
        Self::new(source, index, config, Origin::HuggingFace(beside))
    }

    fn new(source: S, index: Index, config: ModelConfig, origin: Origin) -> Self {
        let (precision, cache) = (Precision::default(), CacheType::default());
        Self { source, index: Arc::new(index), config, origin, precision, cache }
    }

    /// The modules that it falls into.
    pub fn modules(&self) -> Modules {
        Modules::of(&self.config).expect("the sizes were checked when it was opened")
    }

    /// The model's sizes.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Metadata, without what it says of texts, and tensor index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Length of all its files in bytes.
    pub fn bytes(&self) -> u64 {
        self.source.len()
    }

    /// The same index over other data.
    pub fn with_source<T: ByteSource>(&self, source: T) -> ModelFile<T> {
        ModelFile {
            source,
            index: self.index.clone(),
            config: self.config.clone(),
            origin: self.origin.clone(),
            precision: self.precision,
            cache: self.cache,
        }
    }

    /// The name that the file gives the model, or its architecture.
    pub fn name(&self) -> &str {
        let named = self.index.metadata.get("general.name").and_then(Value::as_str);
        named.unwrap_or(self.config.architecture.name())
    }

    /// What the planner needs to know of the model's modules.
    ///
    /// # Errors
    /// [`ModelError::Config`] when the context is not one the model has.
    pub fn profiles(
        &self,
        context_tokens: usize,
        slots: usize,
    ) -> Result<GraphProfiles, ModelError> {
        let tensors = &self.index.tensors;
        let bytes_of =
            |tensor: &str| tensors.get(tensor).map_or(0, |info| self.resident_bytes(info));
        let caches = Caches { context_tokens, slots, value_bytes: self.cache_type().bytes() };
        Ok(graph::profiles(&self.config, &bytes_of, caches)?)
    }

    /// Whether modules on the GPU have something of their neighbours, so that a stage is loaded anew where its ends change:
    /// norms with the gains of the branch before them (Gemma 3).
    pub fn modules_depend(&self) -> bool {
        self.config.architecture.traits().branch_norm
    }

    /// Bytes that a stage of these modules reads from the file, each tensor once.
    ///
    /// # Errors
    /// [`ModelError::Step`] for modules that the model does not have.
    pub fn stage_bytes(&self, modules: ModuleRange) -> Result<u64, ModelError> {
        let all = self.modules();
        if modules.end > all.list.len() {
            return Err(ModelError::Step(format!("modules {modules} of 0..{}", all.list.len())));
        }
        let tensors = all.stage_tensors(modules);
        Ok(tensors
            .iter()
            .filter_map(|spec| self.index.tensors.get(&spec.name))
            .map(TensorInfo::bytes)
            .sum())
    }

    /// What each rotary frequency is divided by, `[head_dim / 2]`, where they differ (Llama 3.1).
    pub(crate) async fn rope_divisors(&self) -> Result<Option<Vec<f32>>, ModelError> {
        match &self.origin {
            Origin::Gguf if self.config.rope.has_divisors => {
                self.vector("rope_freqs.weight").await.map(Some)
            }
            Origin::Gguf => Ok(None),
            Origin::HuggingFace(beside) => Ok(beside.rope_divisors.as_deref().map(<[f32]>::to_vec)),
        }
    }

    /// How queries and keys are turned: the writers of GGUF files reorder Llama's rows.
    pub(crate) fn rope_style(&self) -> RopeStyle {
        match (&self.origin, self.config.architecture.traits().positions) {
            (Origin::Gguf, Positions::RotaryNeighbours) => RopeStyle::Neighbours,
            _ => RopeStyle::Halves,
        }
    }
}
