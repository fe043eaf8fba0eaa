//! Reading bounded little-endian fields, each with a name for the error.

use super::tensor::known_types;

/// A file that is not sound GGUF.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// The file ends inside a field.
    #[error("the file ends inside {field} (at byte {at}); download it again")]
    Truncated {
        /// What was being read.
        field: String,
        /// Where the field starts.
        at: u64,
    },
    /// The file is something else.
    #[error("this is not a GGUF file: it starts with {0:02x?}")]
    Magic([u8; 4]),
    /// A version of the format that is not read.
    #[error("GGUF version {0} is not supported; versions 2 and 3 are")]
    Version(u32),
    /// A field has a value that cannot be.
    #[error("{field}: {problem}")]
    Invalid {
        /// The field.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A tensor is stored in a type that is not supported.
    #[error(
        "tensor `{tensor}` is stored as GGML type {ggml_type}; what can be read is {}",
        known_types()
    )]
    TensorType {
        /// The tensor.
        tensor: String,
        /// The number of its type in the file.
        ggml_type: u32,
    },
    /// A tensor's data is not inside the file.
    #[error(
        "the data of tensor `{tensor}` would end at byte {end} of a file of {file_bytes}; download it again"
    )]
    OutOfFile {
        /// The tensor.
        tensor: String,
        /// Where its data would end.
        end: u64,
        /// Length of the file.
        file_bytes: u64,
    },
}

impl GgufError {
    pub(crate) fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), problem: problem.into() }
    }
}

/// A position in the front of a file.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Elements that arrays may still have, all of them together: each takes more memory than bytes.
    elements_left: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, elements_left: MAX_ELEMENTS }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn u8(&mut self, field: &str) -> Result<u8, GgufError> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self, field: &str) -> Result<u32, GgufError> {
        self.array(field).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, field: &str) -> Result<u64, GgufError> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// A count of things of at least `least_bytes` each. It is not checked against
    /// the bytes that are left, since more of the file may be on its way, but it may
    /// not exceed `limit`.
    pub(crate) fn count(&mut self, field: &str, limit: u64) -> Result<usize, GgufError> {
        let count = self.u64(field)?;
        if count > limit {
            return Err(GgufError::invalid(field, format!("{count} is over the limit of {limit}")));
        }
        Ok(count as usize)
    }

    /// A count of an array's elements.
    pub(crate) fn elements(&mut self, field: &str) -> Result<usize, GgufError> {
        let count = self.count(field, self.elements_left as u64)?;
        self.elements_left -= count;
        Ok(count)
    }

    pub(crate) fn string(&mut self, field: &str) -> Result<String, GgufError> {
        let length = self.count(field, MAX_STRING_BYTES)?;
        let bytes = self.take(length, field)?.to_vec();
        String::from_utf8(bytes).map_err(|_| GgufError::invalid(field, "is not UTF-8"))
    }

    pub(crate) fn array<const N: usize>(&mut self, field: &str) -> Result<[u8; N], GgufError> {
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
