//! The GGUF container: metadata and an index of tensors up front, data behind.
//!
//! Only the front of a file is read here, so that a phone can fetch just the tensors it runs.
//! Its header is read by the crate `gguf`, whose bounds hold for the index, too.

mod index;
mod split;
mod tensor;

pub use ::gguf::{GgufError, Value};
pub use index::Index;
pub(crate) use index::{check_apart, front_pieces};
pub use split::split_names;
pub use tensor::{TensorInfo, TensorType};
