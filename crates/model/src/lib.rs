//! From model files to choices: reads GGUF and safetensors by their index, runs a range of
//! modules on a GPU, and chooses a token by its logits.
//!
//! One law: this crate **knows no peers**. A [`Stage`] takes rows and gives rows; who
//! sent them and who wants them is somebody else's business.

mod address;
mod arrangement;
mod config;
mod error;
mod file;
pub mod gguf;
mod hugging_face;
mod labels;
mod logprobs;
mod precision;
mod rows;
mod sampler;
mod source;
mod stage;
mod stages;
mod text_files;

pub use address::{Address, AddressError, FileMark, Place};
pub use arrangement::{Arrangement, Piece};
pub use error::ModelError;
pub use file::ModelFile;
pub use logprobs::Logprobs;
pub use precision::Precision;
pub use rows::Rows;
pub use sampler::{Sampler, Sampling};
pub use source::{ByteSource, Folder, MemoryFolder, MemoryPart, MemorySource, Parts, SourceError};
pub use stage::{HEAD_ROWS, Stage, StageInput, StageOptions, StageOutput};
pub use stages::{Stages, Wanted};
pub use text_files::TextFiles;
