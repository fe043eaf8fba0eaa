//! A model file: its index, its sizes, and reading the tensors of single modules.

use std::sync::Arc;

use base::ModuleRange;
use graph::{GraphProfiles, ModelConfig, Modules};
use kernels::RowSource;

use crate::{
    config::read_config,
    error::ModelError,
    gguf::{Index, TensorInfo, Value},
    source::ByteSource,
    tokenizer::Tokenizer,
};

/// An opened model file. Only its front has been read.
#[derive(Clone, Debug)]
pub struct ModelFile<S> {
    source: S,
    index: Arc<Index>,
    config: ModelConfig,
}

impl<S: ByteSource> ModelFile<S> {
    /// Reads and checks the front of the file.
    ///
    /// # Errors
    /// Every kind of [`ModelError`] but those of the GPU.
    pub async fn open(source: S) -> Result<Self, ModelError> {
        let index = Index::fetch(&source).await?;
        let config = read_config(&index)?;
        Ok(Self { source, index: Arc::new(index), config })
    }

    /// The model's sizes.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Metadata and tensor index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Length of the file in bytes.
    pub fn bytes(&self) -> u64 {
        self.source.len()
    }

    /// The same index over other data.
    pub fn with_source<T: ByteSource>(&self, source: T) -> ModelFile<T> {
        ModelFile { source, index: self.index.clone(), config: self.config.clone() }
    }

    /// The name that the file gives the model, or its architecture.
    pub fn name(&self) -> &str {
        let named = self.index.metadata.get("general.name").and_then(Value::as_str);
        named.unwrap_or(self.config.architecture.name())
    }

    /// The tokenizer in the file.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] and [`ModelError::Field`].
    pub fn tokenizer(&self) -> Result<Tokenizer, ModelError> {
        Tokenizer::from_metadata(&self.index.metadata, self.config.vocab)
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
        let bytes_of = |tensor: &str| tensors.get(tensor).map_or(0, TensorInfo::resident_bytes);
        Ok(graph::profiles(&self.config, &bytes_of, context_tokens, slots)?)
    }

    /// Bytes that a stage of these modules reads from the file, each tensor once.
    ///
    /// # Errors
    /// [`ModelError::Config`]; not for a file that could be opened.
    pub fn stage_bytes(&self, modules: ModuleRange) -> Result<u64, ModelError> {
        let tensors = Modules::of(&self.config)?.stage_tensors(modules);
        Ok(tensors
            .iter()
            .filter_map(|spec| self.index.tensors.get(&spec.name))
            .map(TensorInfo::bytes)
            .sum())
    }

    /// Reads one tensor.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] when there is none of that name, [`ModelError::Source`].
    pub async fn tensor(&self, name: &str) -> Result<Tensor, ModelError> {
        let info = self.index.tensors.get(name);
        let info = info.ok_or_else(|| ModelError::tensor(name, "is missing"))?.clone();
        let bytes = self.source.read(info.range.clone()).await?;
        if bytes.len() as u64 != info.bytes() {
            let problem = format!("{} of its {} bytes came", bytes.len(), info.bytes());
            return Err(ModelError::tensor(name, problem));
        }
        Ok(Tensor { info, bytes })
    }
}

/// A tensor and its data.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Its entry in the index.
    pub info: TensorInfo,
    /// Its data, as in the file.
    pub bytes: Vec<u8>,
}

impl Tensor {
    /// The tensor as rows: the first size of the shape is the columns, the rest are rows.
    pub fn rows(&self) -> RowSource<'_> {
        RowSource {
            weight_type: self.info.tensor_type,
            rows: self.info.shape[1..].iter().product::<u64>() as usize,
            columns: self.info.shape[0] as usize,
            bytes: &self.bytes,
        }
    }

    /// A vector's values.
    pub fn values(&self) -> Vec<f32> {
        self.rows().widened_row(0)
    }
}
