//! Where a model file's bytes come from.

use std::{collections::BTreeMap, ops::Range};

use crate::error::ModelError;

/// A byte range that could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bytes {}..{} of the model file could not be read: {reason}", range.start, range.end)]
pub struct SourceError {
    /// What was asked for.
    pub range: Range<u64>,
    /// Why it could not be had.
    pub reason: String,
}

/// A file that can be read in ranges: HTTP Range requests, a local file, memory.
#[allow(async_fn_in_trait, reason = "browser futures are not Send, native callers block on them")]
pub trait ByteSource {
    /// Length of the file in bytes.
    fn len(&self) -> u64;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Exactly the bytes of `range`.
    ///
    /// # Errors
    /// [`SourceError`] when they cannot be had, or not all of them.
    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, SourceError>;
}

/// Files that lie beside each other: the parts of one model.
#[allow(async_fn_in_trait, reason = "browser futures are not Send, native callers block on them")]
pub trait Folder {
    /// What its files are read from.
    type File: ByteSource;

    /// The file of that name.
    ///
    /// # Errors
    /// [`ModelError`] when there is none or it cannot be opened.
    async fn file(&self, name: &str) -> Result<Self::File, ModelError>;
}

/// A model file held in memory.
#[derive(Clone, Debug)]
pub struct MemorySource(pub Vec<u8>);

impl ByteSource for MemorySource {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, SourceError> {
        let bytes = usize::try_from(range.start)
            .ok()
            .zip(usize::try_from(range.end).ok())
            .and_then(|(start, end)| self.0.get(start..end));
        bytes.map(<[u8]>::to_vec).ok_or_else(|| SourceError {
            range,
            reason: format!("the file has {} bytes", self.0.len()),
        })
    }
}

/// Model files held in memory, by name.
#[derive(Clone, Debug, Default)]
pub struct MemoryFolder(pub BTreeMap<String, Vec<u8>>);

impl Folder for MemoryFolder {
    type File = MemorySource;

    async fn file(&self, name: &str) -> Result<MemorySource, ModelError> {
        let bytes = self.0.get(name).cloned();
        bytes.map(MemorySource).ok_or_else(|| ModelError::file(name, "is missing"))
    }
}

/// Files one behind the other, read as if they were one.
#[derive(Clone, Debug)]
pub struct Parts<S>(pub Vec<S>);

impl<S: ByteSource> Parts<S> {
    /// Where each part begins.
    pub(crate) fn starts(&self) -> Vec<u64> {
        let begin = |at: &mut u64, part: &S| {
            let start = *at;
            *at = start.saturating_add(part.len());
            Some(start)
        };
        self.0.iter().scan(0, begin).collect()
    }
}

impl<S: ByteSource> ByteSource for Parts<S> {
    fn len(&self) -> u64 {
        self.0.iter().fold(0, |sum, part| sum.saturating_add(part.len()))
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, SourceError> {
        let mut bytes = Vec::with_capacity(range.end.saturating_sub(range.start) as usize);
        for (part, begin) in self.0.iter().zip(self.starts()) {
            let start = range.start.max(begin);
            let end = range.end.min(begin.saturating_add(part.len()));
            if start < end {
                bytes.extend(part.read(start - begin..end - begin).await?);
            }
        }
        Ok(bytes)
    }
}
