//! What can be wrong with a file.

/// A file that is not sound GGUF.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// The file ends inside a field.
    #[error("the file ends inside {field} (at byte {at}); download it again")]
    Truncated {
        /// What was being read.
        field: String,
        /// Where the field starts.
        at: u64,
    },
    /// The file is something else.
    #[error("this is not a GGUF file: it starts with {0:02x?}")]
    Magic([u8; 4]),
    /// A version of the format that is not read.
    #[error("GGUF version {0} is not supported; versions 2 and 3 are")]
    Version(u32),
    /// A field has a value that cannot be.
    #[error("{field}: {problem}")]
    Invalid {
        /// The field.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A tensor is stored in a type that is not supported.
    #[error("tensor `{tensor}` is stored as GGML type {ggml_type}; what can be read is {known}")]
    TensorType {
        /// The tensor.
        tensor: String,
        /// The number of its type in the file.
        ggml_type: u32,
        /// The types that can be read, for a person.
        known: String,
    },
    /// A tensor's data is not inside the file.
    #[error(
        "the data of tensor `{tensor}` would end at byte {end} of a file of {file_bytes}; download it again"
    )]
    OutOfFile {
        /// The tensor.
        tensor: String,
        /// Where its data would end.
        end: u64,
        /// Length of the file.
        file_bytes: u64,
    },
}

impl GgufError {
    /// A `field` that has a value that cannot be, and the `problem` with it.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), problem: problem.into() }
    }
}
