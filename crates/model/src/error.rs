//! What can be wrong with a model.

use crate::{gguf::GgufError, source::SourceError};

/// A model that cannot be loaded or run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The file is not a sound GGUF file.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The files cannot be had as things are: why, and what to do.
    #[error("{0}")]
    Unavailable(String),
    /// A file of a model that has several is not what it should be.
    #[error("the file `{file}` cannot be used: {problem}")]
    File {
        /// Its name.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A metadata field is missing, of the wrong type, or has a value that cannot be.
    #[error("metadata field `{field}`: {problem}")]
    Field {
        /// The metadata key.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A tensor is missing, superfluous, or has the wrong shape.
    #[error("tensor `{tensor}`: {problem}")]
    Tensor {
        /// The tensor's name.
        tensor: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The sizes that the metadata gives cannot be those of a model.
    #[error("the model's sizes make no sense: {0}")]
    Config(#[from] graph::GraphError),
    /// A tensor needs a larger binding than this GPU has.
    #[error("`{tensor}` needs {needed} bytes in one piece and this GPU binds {limit}")]
    TooLarge {
        /// The tensor's name, or the cache's.
        tensor: String,
        /// Bytes that it takes.
        needed: u64,
        /// Bytes that the GPU can bind.
        limit: u64,
    },
    /// The input of a step does not fit the stage.
    #[error("the stage cannot run this step: {0}")]
    Step(String),
    /// The GPU failed.
    #[error(transparent)]
    Gpu(#[from] kernels::GpuError),
}

impl ModelError {
    pub(crate) fn file(file: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::File { file: file.into(), problem: problem.into() }
    }

    pub(crate) fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Field { field: field.into(), problem: problem.into() }
    }

    pub(crate) fn tensor(tensor: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Tensor { tensor: tensor.into(), problem: problem.into() }
    }
}
