//! What a file begins with: its counts and its metadata.

use std::collections::BTreeMap;

use crate::{Cursor, GgufError, Value};

/// The beginning of a file, before the index of its tensors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// Metadata by key.
    pub metadata: BTreeMap<String, Value>,
    /// How many tensors the index has that follows.
    pub tensor_count: usize,
}

impl Header {
    /// Reads the header from the first bytes of a file, which may be more than the header.
    ///
    /// # Errors
    /// [`GgufError::Truncated`] when `front` ends too early, else what is wrong.
    pub fn parse(front: &[u8]) -> Result<Self, GgufError> {
        Self::read(&mut Cursor::new(front))
    }

    /// Reads the header; the index of tensors follows at the cursor's new place.
    ///
    /// # Errors
    /// [`GgufError::Truncated`] when the bytes end too early, else what is wrong.
    pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, GgufError> {
        let magic = cursor.array("the file's first bytes")?;
        if &magic != b"GGUF" {
            return Err(GgufError::Magic(magic));
        }
        let version = cursor.u32("the version")?;
        if !(2..=3).contains(&version) {
            return Err(GgufError::Version(version));
        }
        let tensor_count = cursor.count("the number of tensors", MAX_ENTRIES)?;
        let metadata_count = cursor.count("the number of metadata fields", MAX_ENTRIES)?;
        let metadata = read_metadata(cursor, metadata_count)?;
        Ok(Self { metadata, tensor_count })
    }
}

fn read_metadata(
    cursor: &mut Cursor<'_>,
    count: usize,
) -> Result<BTreeMap<String, Value>, GgufError> {
    let mut metadata = BTreeMap::new();
    for number in 0..count {
        let field = format!("the key of metadata field {number}");
        let key = cursor.string(&field)?;
        if key.is_empty() {
            return Err(GgufError::invalid(field, "is empty"));
        }
        let value = Value::read(cursor, &key)?;
        if metadata.insert(key.clone(), value).is_some() {
            return Err(GgufError::invalid(key, "is there twice"));
        }
    }
    Ok(metadata)
}

/// Tensors of a file, and fields of its metadata.
const MAX_ENTRIES: u64 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// One field `a` that is the number 7, and a byte behind it.
    const FILE: &[u8] = b"GGUF\x03\0\0\0\
        \x05\0\0\0\0\0\0\0\
        \x01\0\0\0\0\0\0\0\
        \x01\0\0\0\0\0\0\0a\x04\0\0\0\x07\0\0\0\
        !";

    #[test]
    fn the_index_of_tensors_follows_the_header() {
        let mut cursor = Cursor::new(FILE);
        let header = Header::read(&mut cursor).expect("it is sound");
        assert_eq!(header.tensor_count, 5);
        assert_eq!(header.metadata, [("a".to_owned(), Value::Unsigned(7))].into());
        assert_eq!(FILE[cursor.at()..], *b"!");
        assert_eq!(Header::parse(FILE), Ok(header));
    }

    #[test]
    fn a_header_that_ends_too_early_says_so() {
        for length in 0..FILE.len() - 1 {
            let error = Header::parse(&FILE[..length]).expect_err("it is not whole");
            assert!(matches!(error, GgufError::Truncated { .. }), "{length} bytes: {error}");
        }
    }

    #[test]
    fn a_count_beyond_the_limit_is_refused() {
        let mut file = FILE.to_vec();
        file[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
        let error = Header::parse(&file).expect_err("there are not so many").to_string();
        assert!(error.contains("the number of metadata fields"), "{error}");
    }
}
