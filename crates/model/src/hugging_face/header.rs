//! The front of a safetensors file: eight bytes with the length of a JSON header, the header with each
//! tensor's type, shape and place, and the data behind.

use std::collections::BTreeMap;

use graph::ModelConfig;
use kernels::WeightType;
use serde::Deserialize;
use serde_json::Value;

use super::{
    MAX_JSON_BYTES,
    names::{arrangement, is_computed, may_repeat, our_name},
};
use crate::{
    arrangement::Arrangement,
    error::ModelError,
    gguf::{TensorInfo, check_apart},
    source::ByteSource,
};

const LENGTH_BYTES: u64 = 8;
/// What the header has besides tensors.
const METADATA: &str = "__metadata__";

/// A tensor's line in the header.
#[derive(Deserialize)]
struct Line {
    dtype: String,
    /// Rows before columns.
    shape: Vec<u64>,
    /// From the end of the header, half-open.
    data_offsets: [u64; 2],
}

/// Reads a file's header: its tensors by our names, with their places in the file.
pub(super) async fn fetch(
    source: &impl ByteSource,
    file: &str,
    config: &ModelConfig,
) -> Result<BTreeMap<String, TensorInfo>, ModelError> {
    let wrong = |problem: String| ModelError::file(file, problem);
    if source.len() < LENGTH_BYTES {
        return Err(wrong("is too short for a safetensors file".into()));
    }
    let length = source.read(0..LENGTH_BYTES).await?;
    let length = <[u8; 8]>::try_from(length).map_or(u64::MAX, u64::from_le_bytes);
    if length > MAX_JSON_BYTES {
        return Err(wrong(format!(
            "is not a safetensors file, or its header of {length} bytes is over {MAX_JSON_BYTES}"
        )));
    }
    let data = LENGTH_BYTES + length;
    if data > source.len() {
        return Err(wrong("ends inside its header; download it again".into()));
    }
    let header = source.read(LENGTH_BYTES..data).await?;
    parse(&header, data, source.len(), file, config)
}

fn parse(
    header: &[u8],
    data: u64,
    file_bytes: u64,
    file: &str,
    config: &ModelConfig,
) -> Result<BTreeMap<String, TensorInfo>, ModelError> {
    let wrong = |problem: String| ModelError::file(file, problem);
    let lines: BTreeMap<String, Value> =
        serde_json::from_slice(header).map_err(|error| wrong(format!("its header: {error}")))?;
    let mut tensors = BTreeMap::new();
    for (theirs, line) in lines.into_iter().filter(|(name, _)| name != METADATA) {
        if is_computed(&theirs) {
            continue;
        }
        let name = our_name(config.architecture, &theirs).ok_or_else(|| {
            ModelError::tensor(&theirs, "is not one that this engine knows from any model")
        })?;
        let arrangement = arrangement(config, &name);
        let info = info(name, line, data, arrangement)
            .map_err(|problem| ModelError::tensor(&theirs, problem))?;
        if info.range.end > file_bytes {
            let problem = format!("its data ends behind `{file}`; download that file again");
            return Err(ModelError::tensor(theirs, problem));
        }
        let may_repeat = may_repeat(config, &info.name);
        if tensors.insert(info.name.clone(), info).is_some() && !may_repeat {
            return Err(ModelError::tensor(theirs, "is there twice"));
        }
    }
    check_apart(&tensors)?;
    Ok(tensors)
}

/// An entry of the index, or what is wrong with the line.
fn info(
    name: String,
    line: Value,
    data: u64,
    arrangement: Arrangement,
) -> Result<TensorInfo, String> {
    let line: Line = serde_json::from_value(line).map_err(|error| error.to_string())?;
    let tensor_type = match line.dtype.as_str() {
        "F32" => WeightType::F32,
        "F16" => WeightType::F16,
        "BF16" => WeightType::Bf16,
        other => return Err(format!("is stored as {other}; F32, F16 and BF16 can be read")),
    };
    if !(1..=2).contains(&line.shape.len()) {
        return Err(format!("has {} dimensions; 1 or 2 are expected", line.shape.len()));
    }
    let size = tensor_type.block_bytes() as u64;
    let size = line.shape.iter().try_fold(size, |size, &count| size.checked_mul(count));
    let [start, end] = line.data_offsets;
    if size.is_none_or(|size| size == 0 || start.checked_add(size) != Some(end)) {
        let shape = &line.shape;
        return Err(format!("bytes {start}..{end} are not a tensor of the shape {shape:?}"));
    }
    let range = start.saturating_add(data)..end.saturating_add(data);
    let mut shape = line.shape;
    if arrangement != Arrangement::Columns {
        shape.reverse();
    }
    Ok(TensorInfo { name, shape, tensor_type, range, arrangement })
}
