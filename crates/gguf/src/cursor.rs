//! Reading bounded little-endian fields, each with a name for the error.

use crate::GgufError;

/// A position in the front of a file.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Elements that arrays may still have, all of them together: each takes more memory than bytes.
    elements_left: usize,
}

impl<'a> Cursor<'a> {
    /// At the first of `bytes`, with which a file begins.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, elements_left: MAX_ELEMENTS }
    }

    /// Bytes before the position.
    pub fn at(&self) -> usize {
        self.at
    }

    /// A byte.
    ///
    /// # Errors
    /// [`GgufError::Truncated`] when the bytes end inside it.
    pub fn u8(&mut self, field: &str) -> Result<u8, GgufError> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    /// An integer of four bytes.
    ///
    /// # Errors
    /// [`GgufError::Truncated`] when the bytes end inside it.
    pub fn u32(&mut self, field: &str) -> Result<u32, GgufError> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// An integer of eight bytes.
    ///
    /// # Errors
    /// [`GgufError::Truncated`] when the bytes end inside it.
    pub fn u64(&mut self, field: &str) -> Result<u64, GgufError> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// A count. It is not checked against the bytes that are left, since more of the file may be
    /// on its way, but it may not exceed `limit`.
    ///
    /// # Errors
    /// [`GgufError::Truncated`], and [`GgufError::Invalid`] for a count beyond the limit.
    pub fn count(&mut self, field: &str, limit: u64) -> Result<usize, GgufError> {
        let count = self.u64(field)?;
        if count > limit {
            return Err(GgufError::invalid(field, format!("{count} is over the limit of {limit}")));
        }
        Ok(count as usize)
    }

    /// A count of an array's elements.
    ///
    /// # Errors
    /// [`GgufError::Truncated`], and [`GgufError::Invalid`] where a file's arrays have too many.
    pub fn elements(&mut self, field: &str) -> Result<usize, GgufError> {
        let count = self.count(field, self.elements_left as u64)?;
        self.elements_left -= count;
        Ok(count)
    }

    /// A text behind its length.
    ///
    /// # Errors
    /// [`GgufError::Truncated`], and [`GgufError::Invalid`] where it is too long or not UTF-8.
    pub fn string(&mut self, field: &str) -> Result<String, GgufError> {
        let length = self.count(field, MAX_STRING_BYTES)?;
        let bytes = self.take(length, field)?.to_vec();
        String::from_utf8(bytes).map_err(|_| GgufError::invalid(field, "is not UTF-8"))
    }

    /// So many bytes.
    ///
    /// # Errors
    /// [`GgufError::Truncated`] when the bytes end inside it.
    pub fn array<const N: usize>(&mut self, field: &str) -> Result<[u8; N], GgufError> {
        let bytes = self.take(N, field)?;
        Ok(bytes.try_into().expect("`take` gives as many bytes as asked for"))
    }

    fn take(&mut self, count: usize, field: &str) -> Result<&'a [u8], GgufError> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else {
            return Err(GgufError::Truncated { field: field.to_owned(), at: self.at as u64 });
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }
}

/// Elements of all arrays of a file; vocabulary, scores, types and merges of today's largest models
/// come to 1.5 M.
const MAX_ELEMENTS: usize = 1 << 21;
/// Longest string in a file; chat templates are the longest in practice.
const MAX_STRING_BYTES: u64 = 1 << 20;
