//! The GGUF container: metadata and an index of tensors up front, data behind.
//!
//! Source: the GGUF specification (version 3; version 2 has the same layout). Only the
//! front of a file is read here, so that a phone can fetch just the tensors it runs.
//! Everything is bounded by the bytes at hand: no count in a file makes us allocate.

mod cursor;
mod index;
mod split;
mod tensor;
mod value;

pub use cursor::GgufError;
pub use index::Index;
pub(crate) use index::check_apart;
pub use split::split_names;
pub use tensor::{TensorInfo, TensorType};
pub use value::Value;
