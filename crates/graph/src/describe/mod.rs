//! Descriptions: which operators an architecture consists of. One file each, and
//! one for the parts that they share.

mod decoder;
mod llama;
mod qwen2;
mod qwen3;

use crate::{Architecture, Graph, ModelConfig};

/// The operator graph of a config that has been validated.
pub(crate) fn describe(config: &ModelConfig) -> Graph {
    match config.architecture {
        Architecture::Llama => llama::describe(config),
        Architecture::Qwen2 => qwen2::describe(config),
        Architecture::Qwen3 => qwen3::describe(config),
    }
}
