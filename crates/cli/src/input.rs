//! JSON files that people write.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use serde::de::DeserializeOwned;

/// What a file holds.
///
/// # Errors
/// A file that cannot be read, or a value that cannot be there: one sentence, with the place in the file.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut json = serde_json::Deserializer::from_str(&text);
    let input = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let (place, problem) = (error.path().to_string(), error.inner().to_string());
        let place = if [".", "?"].contains(&place.as_str()) { String::new() } else { place };
        match (missing_field(&problem), place.as_str()) {
            (Some(field), "") => anyhow!("{field}: is missing"),
            (Some(field), place) => anyhow!("{place}.{field}: is missing"),
            (None, "") => anyhow!("{}: {problem}", path.display()),
            (None, place) => anyhow!("{place}: {problem}"),
        }
    })?;
    json.end().with_context(|| format!("{}", path.display()))?;
    Ok(input)
}

/// The name in serde's "missing field `name` at line 1 column 2".
fn missing_field(problem: &str) -> Option<&str> {
    problem.strip_prefix("missing field `")?.split('`').next()
}
