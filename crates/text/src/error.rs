//! What can be wrong with a tokenizer or a chat template.

use gguf::GgufError;

/// Texts that cannot be made into tokens, or files that do not say how.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The file is not a sound GGUF file.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// A metadata field is missing, of the wrong type, or has a value that cannot be.
    #[error("metadata field `{field}`: {problem}")]
    Field {
        /// The metadata key.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The tokenizer could not be built from what the files say.
    #[error("the tokenizer in the file cannot be used: {0}")]
    Tokenizer(String),
    /// The chat template cannot be read, or does not take the conversation.
    #[error("the chat template in the file cannot be used: {0}")]
    Template(String),
}

impl TextError {
    pub(crate) fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Field { field: field.into(), problem: problem.into() }
    }
}
