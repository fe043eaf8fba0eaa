//! Where a model file's bytes come from.

use std::ops::Range;

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
