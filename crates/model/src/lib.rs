//! From a model file to tokens: reads GGUF files by their index, runs a range of
//! modules on a GPU, and turns text into tokens and logits into a choice.
//!
//! One law: this crate **knows no peers**. A [`Stage`] takes rows and gives rows; who
//! sent them and who wants them is somebody else's business.

mod config;
mod error;
mod file;
pub mod gguf;
mod sampler;
mod source;
mod stage;
mod tokenizer;

pub use error::ModelError;
pub use file::ModelFile;
pub use sampler::{Sampler, Sampling};
pub use source::{ByteSource, MemorySource, SourceError};
pub use stage::{Stage, StageInput, StageOptions, StageOutput};
pub use tokenizer::{Decoder, Tokenizer};
