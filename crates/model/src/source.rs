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
    /// What has part of the file on this device.
    type Local: ByteSource;

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

    /// The same file, of which the bytes of `pieces` are on this device from then on and no others can
    /// be read: nobody learns which of them are, and nobody is waited for. The pieces follow each other
    /// without gaps, and are read as [`Self::read`] reads them.
    ///
    /// # Errors
    /// [`SourceError`] when they cannot be had, or not all of them.
    async fn local(&self, pieces: &[Range<u64>]) -> Result<Self::Local, SourceError>;
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
    type Local = MemoryPart;

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

    async fn local(&self, pieces: &[Range<u64>]) -> Result<MemoryPart, SourceError> {
        let mut bytes = Vec::new();
        for piece in pieces {
            bytes.extend(self.read(piece.clone()).await?);
        }
        let start = pieces.first().map_or(0, |first| first.start);
        Ok(MemoryPart { file_bytes: self.len(), start, bytes })
    }
}

/// Part of a model file held in memory.
#[derive(Clone, Debug)]
pub struct MemoryPart {
    file_bytes: u64,
    /// Where the bytes begin in the file.
    start: u64,
    bytes: Vec<u8>,
}

impl ByteSource for MemoryPart {
    type Local = Self;

    fn len(&self) -> u64 {
        self.file_bytes
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, SourceError> {
        let place = |at: u64| usize::try_from(at.checked_sub(self.start)?).ok();
        let bytes = place(range.start)
            .zip(place(range.end))
            .and_then(|(start, end)| self.bytes.get(start..end));
        let reason = "they are not on this device";
        bytes.map(<[u8]>::to_vec).ok_or_else(|| SourceError { range, reason: reason.into() })
    }

    async fn local(&self, _: &[Range<u64>]) -> Result<Self, SourceError> {
        Ok(self.clone())
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

    /// Each part, and what of it lies in `range`.
    fn shares(&self, range: &Range<u64>) -> impl Iterator<Item = (&S, Range<u64>)> {
        self.0.iter().zip(self.starts()).map(|(part, begin)| {
            let within = |at: u64| at.saturating_sub(begin).min(part.len());
            (part, within(range.start)..within(range.end))
        })
    }
}

impl<S: ByteSource> ByteSource for Parts<S> {
    type Local = Parts<S::Local>;

    fn len(&self) -> u64 {
        self.0.iter().fold(0, |sum, part| sum.saturating_add(part.len()))
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, SourceError> {
        let mut bytes = Vec::with_capacity(range.end.saturating_sub(range.start) as usize);
        for (part, own) in self.shares(&range) {
            if !own.is_empty() {
                bytes.extend(part.read(own).await?);
            }
        }
        Ok(bytes)
    }

    async fn local(&self, pieces: &[Range<u64>]) -> Result<Self::Local, SourceError> {
        let mut parts = Vec::with_capacity(self.0.len());
        for (at, part) in self.0.iter().enumerate() {
            let own = pieces.iter().filter_map(|piece| self.shares(piece).nth(at));
            let own: Vec<_> = own.map(|(_, own)| own).filter(|own| !own.is_empty()).collect();
            parts.push(part.local(&own).await?);
        }
        Ok(Parts(parts))
    }
}
