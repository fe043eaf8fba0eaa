//! The list of models: GGUF files, alone or in parts, and folders as Hugging Face has them.

use std::{collections::BTreeMap, path::Path};

use axum::{Json, extract::State, response::IntoResponse};
use serde::Serialize;

use crate::{
    NO_STORE, Server,
    models::{is_file, is_plain},
};

/// What a folder of a model has beside its weights.
pub(crate) const SETTINGS: &str = "config.json";
/// The weights of a folder, or their index where they are in several files.
const WEIGHTS: [&str; 2] = ["model.safetensors.index.json", "model.safetensors"];

/// `GET /api/models`: what there is, by name.
pub(crate) async fn list(State(server): State<Server>) -> impl IntoResponse {
    let mut models = BTreeMap::new();
    // The first folder that has a name wins, so it is the last to be written.
    for folder in server.0.config.model_dirs.iter().rev() {
        models.extend(models_in(folder).await);
    }
    (NO_STORE, Json(models.into_values().collect::<Vec<Model>>()))
}

#[derive(Serialize)]
struct Model {
    name: String,
    bytes: u64,
    url: String,
}

async fn models_in(folder: &Path) -> BTreeMap<String, Model> {
    let mut models = BTreeMap::new();
    let Ok(mut entries) = tokio::fs::read_dir(folder).await else { return models };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Ok(metadata) = tokio::fs::metadata(entry.path()).await else { continue };
        if !is_plain(&name) {
            continue;
        }
        if metadata.is_file() && name.ends_with(".gguf") {
            let name = first_part(&name).unwrap_or(name);
            let url = format!("/models/{name}");
            let model = Model { name: name.clone(), bytes: 0, url };
            models.entry(name).or_insert(model).bytes += metadata.len();
        } else if metadata.is_dir()
            && let Some(model) = model_of(&entry.path(), &name).await
        {
            models.insert(name, model);
        }
    }
    models
}

/// A folder that holds a model.
async fn model_of(folder: &Path, name: &str) -> Option<Model> {
    if !is_file(&folder.join(SETTINGS)).await {
        return None;
    }
    for weights in WEIGHTS {
        if is_file(&folder.join(weights)).await {
            let (name, url) = (name.to_owned(), format!("/models/{name}/{weights}"));
            return Some(Model { name, bytes: weights_bytes(folder).await, url });
        }
    }
    None
}

async fn weights_bytes(folder: &Path) -> u64 {
    let mut bytes = 0;
    let Ok(mut entries) = tokio::fs::read_dir(folder).await else { return bytes };
    while let Ok(Some(entry)) = entries.next_entry().await {
        if entry.path().extension().is_some_and(|extension| extension == "safetensors") {
            bytes += tokio::fs::metadata(entry.path()).await.map_or(0, |metadata| metadata.len());
        }
    }
    bytes
}

/// The first file of a model in parts, `x-00001-of-00003.gguf`, of which `name` is one.
fn first_part(name: &str) -> Option<String> {
    let (rest, count) = name.strip_suffix(".gguf")?.rsplit_once("-of-")?;
    let (base, number) = rest.rsplit_once('-')?;
    let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(number) && is_number(count)).then(|| format!("{base}-00001-of-{count}.gguf"))
}

#[cfg(test)]
mod tests {
    use super::first_part;

    #[test]
    fn parts_have_a_first() {
        let first = first_part("a-b-00002-of-00003.gguf");
        assert_eq!(first.as_deref(), Some("a-b-00001-of-00003.gguf"));
        for whole in ["a.gguf", "a-00002-of-3.gguf", "a-2-of-00003.gguf", "a-00002-of-00003.json"] {
            assert_eq!(first_part(whole), None, "{whole}");
        }
    }
}
