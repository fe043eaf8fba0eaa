//! The front of a file: metadata and the tensors' names, shapes, types and places.

use std::{collections::BTreeMap, ops::Range};

use ::gguf::{Cursor, GgufError, Header, Value};

use super::tensor::TensorInfo;
use crate::{error::ModelError, rows::PIECE_BYTES, source::ByteSource};

/// What is in a file and where.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    /// Metadata by key; none beside safetensors.
    pub metadata: BTreeMap<String, Value>,
    /// Tensors by name, with absolute ranges.
    pub tensors: BTreeMap<String, TensorInfo>,
    /// How many bytes of the first GGUF file this was read from; all metadata is in them.
    pub front_bytes: u64,
}

impl Index {
    /// Reads the front of a file, asking for more bytes until it is complete.
    ///
    /// # Errors
    /// [`ModelError::Source`] and [`ModelError::Gguf`].
    pub async fn fetch(source: &impl ByteSource) -> Result<Self, ModelError> {
        let mut front = Vec::new();
        for piece in front_pieces(source.len().min(MAX_FRONT_BYTES)) {
            front.extend(source.read(piece).await?);
            match Self::parse(&front, source.len()) {
                Err(GgufError::Truncated { .. }) => {}
                parsed => return Ok(parsed?),
            }
        }
        Ok(Self::parse(&front, source.len())?)
    }

    /// Reads the front of a file of `file_bytes` bytes from its first bytes.
    ///
    /// # Errors
    /// [`GgufError::Truncated`] when `front` ends too early, else what is wrong.
    pub fn parse(front: &[u8], file_bytes: u64) -> Result<Self, GgufError> {
        let mut cursor = Cursor::new(front);
        let Header { metadata, tensor_count } = Header::read(&mut cursor)?;
        let relative = (0..tensor_count)
            .map(|number| TensorInfo::read(&mut cursor, number))
            .collect::<Result<Vec<_>, _>>()?;
        let alignment = alignment(&metadata)?;
        let data = (cursor.at() as u64).next_multiple_of(alignment);
        let tensors = place(relative, data, alignment, file_bytes)?;
        Ok(Self { metadata, tensors, front_bytes: front.len() as u64 })
    }
}

/// The pieces in which the first `bytes` bytes of a file are read: each is as long as all before it,
/// but for the first, and none is longer than [`PIECE_BYTES`].
pub(crate) fn front_pieces(bytes: u64) -> impl Iterator<Item = Range<u64>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let wanted = start.clamp(FIRST_READ_BYTES, PIECE_BYTES as u64);
        let piece = start..bytes.min(start + wanted);
        start = piece.end;
        (!piece.is_empty()).then_some(piece)
    })
}

fn alignment(metadata: &BTreeMap<String, Value>) -> Result<u64, GgufError> {
    let key = "general.alignment";
    let alignment = match metadata.get(key) {
        None => DEFAULT_ALIGNMENT,
        Some(value) => value.as_u64().unwrap_or(0),
    };
    if !alignment.is_power_of_two() || alignment > MAX_ALIGNMENT {
        return Err(GgufError::invalid(key, format!("{alignment} is not a usable power of two")));
    }
    Ok(alignment)
}

/// Makes the ranges absolute and checks that each lies in the file, apart from the others.
fn place(
    relative: Vec<TensorInfo>,
    data: u64,
    alignment: u64,
    file_bytes: u64,
) -> Result<BTreeMap<String, TensorInfo>, GgufError> {
    let mut tensors = BTreeMap::new();
    for mut tensor in relative {
        if !tensor.range.start.is_multiple_of(alignment) {
            let problem = format!("its data is not aligned to {alignment} bytes");
            return Err(GgufError::invalid(format!("tensor `{}`", tensor.name), problem));
        }
        let end = tensor.range.end.checked_add(data).filter(|&end| end <= file_bytes);
        let Some(end) = end else {
            let end = tensor.range.end.saturating_add(data);
            return Err(GgufError::OutOfFile { tensor: tensor.name, end, file_bytes });
        };
        tensor.range = tensor.range.start + data..end;
        if let Some(twin) = tensors.insert(tensor.name.clone(), tensor) {
            return Err(GgufError::invalid(format!("tensor `{}`", twin.name), "is there twice"));
        }
    }
    check_apart(&tensors)?;
    Ok(tensors)
}

/// No two tensors share bytes.
pub(crate) fn check_apart(tensors: &BTreeMap<String, TensorInfo>) -> Result<(), GgufError> {
    let mut by_place: Vec<&TensorInfo> = tensors.values().collect();
    by_place.sort_by_key(|tensor| tensor.range.start);
    for pair in by_place.windows(2) {
        if pair[0].range.end > pair[1].range.start {
            let problem = format!("its data overlaps that of tensor `{}`", pair[0].name);
            return Err(GgufError::invalid(format!("tensor `{}`", pair[1].name), problem));
        }
    }
    Ok(())
}

/// Every phone reads so much before its own tensors: less than a small model's front.
const FIRST_READ_BYTES: u64 = 32 << 10;
/// The front of a file with a large vocabulary takes some 10 MB.
const MAX_FRONT_BYTES: u64 = 64 << 20;
const DEFAULT_ALIGNMENT: u64 = 32;
const MAX_ALIGNMENT: u64 = 1 << 16;
