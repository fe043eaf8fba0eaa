//! The labels of a classifier in a GGUF file, as llama.cpp has them.

use graph::SCORES_MATRIX;

use crate::{
    error::ModelError,
    gguf::{Index, Value},
};

/// Names of the labels in the order of the head's rows, or none where the file is no classifier's.
///
/// # Errors
/// [`ModelError::Field`] where the head has rows and they have no names.
pub(crate) fn read(index: &Index, architecture: &str) -> Result<Vec<String>, ModelError> {
    let key = format!("{architecture}.classifier.output_labels");
    let Some(value) = index.metadata.get(&key) else {
        return match index.tensors.contains_key(SCORES_MATRIX) {
            true => Err(ModelError::field(key, "is missing, so that labels have no names")),
            false => Ok(Vec::new()),
        };
    };
    let name = |value: &Value| value.as_str().map(str::to_owned);
    let names = value.as_array().and_then(|values| values.iter().map(name).collect());
    match names {
        Some(names) if !Vec::is_empty(&names) => Ok(names),
        _ => Err(ModelError::field(key, "is not a list of names")),
    }
}
