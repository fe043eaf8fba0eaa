//! GGUF's header: metadata values and the cursor that reads them.
//!
//! Source: the GGUF specification (version 3; version 2 has the same layout). What comes behind
//! the header, the index of tensors and their data, is for those who know the types of tensors.
//!
//! One law: everything is **bounded by the bytes at hand**. No count in a file makes us allocate.

mod cursor;
mod error;
mod header;
mod value;

pub use cursor::Cursor;
pub use error::GgufError;
pub use header::Header;
pub use value::Value;
