//! Reading a JSON object by the names that its fields have had over time.

use serde_json::{Map, Value};

use crate::error::ModelError;

/// An object, and what stands before its fields' names in errors.
pub(super) struct Fields<'a> {
    pub(super) object: &'a Map<String, Value>,
    pub(super) prefix: &'static str,
}

impl<'a> Fields<'a> {
    /// The first of the names that the object has with a value.
    pub(super) fn get(&self, names: &[&str]) -> Option<&'a Value> {
        names.iter().find_map(|&name| self.object.get(name).filter(|value| !value.is_null()))
    }

    pub(super) fn optional_size(&self, names: &[&str]) -> Result<Option<usize>, ModelError> {
        let size = |value: &Value| value.as_u64().and_then(|size| usize::try_from(size).ok());
        self.optional(names, size, "is not a count")
    }

    pub(super) fn size(&self, names: &[&str]) -> Result<usize, ModelError> {
        self.optional_size(names)?.ok_or_else(|| self.wrong(names, "is missing"))
    }

    pub(super) fn optional_number(&self, names: &[&str]) -> Result<Option<f64>, ModelError> {
        self.optional(names, Value::as_f64, "is not a number")
    }

    pub(super) fn number(&self, names: &[&str]) -> Result<f64, ModelError> {
        self.optional_number(names)?.ok_or_else(|| self.wrong(names, "is missing"))
    }

    pub(super) fn optional_text(&self, names: &[&str]) -> Result<Option<&'a str>, ModelError> {
        self.optional(names, Value::as_str, "is not a text")
    }

    pub(super) fn optional_flag(&self, names: &[&str]) -> Result<Option<bool>, ModelError> {
        self.optional(names, Value::as_bool, "is not true or false")
    }

    /// An object within this one.
    pub(super) fn inner(&self, name: &'static str) -> Result<Option<Fields<'a>>, ModelError> {
        let object = self.optional(&[name], Value::as_object, "is not an object")?;
        Ok(object.map(|object| Fields { object, prefix: name }))
    }

    pub(super) fn wrong(&self, names: &[&str], problem: impl Into<String>) -> ModelError {
        let dot = if self.prefix.is_empty() { "" } else { "." };
        ModelError::field(format!("{}{dot}{}", self.prefix, names[0]), problem)
    }

    fn optional<T>(
        &self,
        names: &[&str],
        read: impl FnOnce(&'a Value) -> Option<T>,
        problem: &str,
    ) -> Result<Option<T>, ModelError> {
        let Some(value) = self.get(names) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| self.wrong(names, problem))
    }
}
