//! What can be wrong with a model's description.

/// A config that describes no model we could run, or a question about a module it lacks.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// A size is 0 or larger than any model we expect.
    #[error("{field} is {value}: must be 1 to {limit}; check the model file's metadata")]
    Size {
        /// The config's field.
        field: &'static str,
        /// What it held.
        value: usize,
        /// The largest value accepted.
        limit: usize,
    },
    /// A size does not come in the whole pieces that the kernels and formats need.
    #[error("{field} is {value}: must be a multiple of {multiple_of} ({reason})")]
    Multiple {
        /// The config's field, or a product of fields.
        field: &'static str,
        /// What it held.
        value: usize,
        /// What it must be a multiple of.
        multiple_of: usize,
        /// Why.
        reason: &'static str,
    },
    /// A constant is outside its sensible range.
    #[error("{field} is {value}: must be {expected}; check the model file's metadata")]
    Constant {
        /// The config's field.
        field: &'static str,
        /// What it held.
        value: f32,
        /// The accepted range, in words.
        expected: &'static str,
    },
    /// Something that an architecture has is missing, or is not as it has it.
    #[error("{field} does not fit {architecture}: {reason}; check the model file's metadata")]
    Part {
        /// The config's field.
        field: &'static str,
        /// The architecture's name.
        architecture: &'static str,
        /// What is to be so.
        reason: &'static str,
    },
    /// A module number past the last.
    #[error("module {index} does not exist: the model has modules 0 to {}", count - 1)]
    NoSuchModule {
        /// The number asked for.
        index: usize,
        /// How many modules there are; at least 1.
        count: usize,
    },
}
