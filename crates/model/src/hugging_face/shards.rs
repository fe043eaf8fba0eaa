//! Weights in several files, and the index that says which tensor is in which.

use std::collections::{BTreeMap, BTreeSet};

use graph::{Architecture, ModelConfig};
use serde::Deserialize;

use super::{
    header,
    names::{is_computed, our_name},
    read_json,
};
use crate::{
    error::ModelError,
    gguf::{TensorInfo, split_names},
    source::{Folder, Parts},
};

const INDEX_END: &str = ".safetensors.index.json";
/// Files of one model that are followed.
const MAX_FILES: usize = 256;

/// `model.safetensors.index.json`.
#[derive(Deserialize)]
struct ShardIndex {
    /// File of each tensor.
    weight_map: BTreeMap<String, String>,
}

/// Opens all files of the weights and reads their headers; the places are those in all files one
/// behind the other.
pub(super) async fn open<F: Folder>(
    folder: &F,
    name: &str,
    config: &ModelConfig,
) -> Result<(Parts<F::File>, BTreeMap<String, TensorInfo>), ModelError> {
    let Some(index_name) = index_name(name) else {
        let parts = Parts(vec![folder.file(name).await?]);
        let tensors = header::fetch(&parts, name, config).await?;
        return Ok((parts, tensors));
    };
    let index: ShardIndex = read_json(&folder.file(&index_name).await?, &index_name).await?;
    let names = file_names(&index, &index_name)?;
    let mut files = Vec::new();
    for name in &names {
        files.push(folder.file(name).await?);
    }
    let parts = Parts(files);
    let mut tensors = BTreeMap::new();
    for ((file, begin), name) in parts.0.iter().zip(parts.starts()).zip(&names) {
        let own = header::fetch(file, name, config).await?;
        let of_file = |(theirs, of): (&String, &String)| {
            (of == name).then(|| our_name(config.architecture, theirs)).flatten()
        };
        let expected = index.weight_map.iter().filter_map(of_file).collect();
        add(&mut tensors, own, begin, &expected, name)?;
    }
    check_complete(&tensors, &index, &index_name, config.architecture)?;
    Ok((parts, tensors))
}

/// The index's name when the weights are in several files.
fn index_name(name: &str) -> Option<String> {
    if name.ends_with(INDEX_END) {
        return Some(name.to_owned());
    }
    let first = split_names(name)?.into_iter().next()?;
    let stem = first.rsplit_once("-00001-of-").map(|(stem, _)| stem)?;
    Some(format!("{stem}{INDEX_END}"))
}

fn file_names(index: &ShardIndex, index_name: &str) -> Result<Vec<String>, ModelError> {
    let names: BTreeSet<&String> = index.weight_map.values().collect();
    let is_plain = |name: &&String| !name.is_empty() && !name.contains(['/', '\\', '?', '#']);
    if names.is_empty() || names.len() > MAX_FILES || !names.iter().all(is_plain) {
        let problem = format!("names no files, more than {MAX_FILES}, or files elsewhere");
        return Err(ModelError::file(index_name, problem));
    }
    Ok(names.into_iter().cloned().collect())
}

/// Adds the tensors of one file, which are those that the index says.
fn add(
    tensors: &mut BTreeMap<String, TensorInfo>,
    own: BTreeMap<String, TensorInfo>,
    begin: u64,
    expected: &BTreeSet<String>,
    file: &str,
) -> Result<(), ModelError> {
    for (name, mut info) in own {
        if !expected.contains(&name) {
            return Err(ModelError::tensor(name, format!("is in `{file}` against the index")));
        }
        let moved = |at: u64| at.saturating_add(begin);
        info.range = moved(info.range.start)..moved(info.range.end);
        tensors.insert(name, info);
    }
    Ok(())
}

fn check_complete(
    tensors: &BTreeMap<String, TensorInfo>,
    index: &ShardIndex,
    index_name: &str,
    architecture: Architecture,
) -> Result<(), ModelError> {
    let is_there = |theirs: &str| {
        our_name(architecture, theirs).is_some_and(|ours| tensors.contains_key(&ours))
    };
    let missing = index.weight_map.keys().find(|name| !is_there(name) && !is_computed(name));
    match missing {
        Some(name) => {
            Err(ModelError::tensor(name, format!("is in none of the files of `{index_name}`")))
        }
        None => Ok(()),
    }
}
