//! A GGUF file taken apart far enough to put it together wrong.

use core::iter;

/// GGUF version 3, little-endian: header, metadata entries, tensor table, data.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Image {
    pub entries: Vec<Entry>,
    pub tensors: Vec<Tensor>,
    /// Everything from the aligned start of the data to the end of the file.
    pub data: Vec<u8>,
}

/// One key with its value as the file spells it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Entry {
    pub key: Vec<u8>,
    pub kind: u32,
    pub value: Vec<u8>,
}

/// One line of the tensor table.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Tensor {
    pub name: Vec<u8>,
    /// Innermost first.
    pub dims: Vec<u64>,
    pub kind: u32,
    /// From the start of the data.
    pub offset: u64,
}

pub(crate) const KIND_U32: u32 = 4;
pub(crate) const KIND_STRING: u32 = 8;
pub(crate) const KIND_ARRAY: u32 = 9;
pub(crate) const ALIGNMENT: usize = 32;
/// Magic, version, tensor count, entry count.
pub(crate) const HEADER_BYTES: usize = 24;

impl Image {
    /// Take a file apart; `None` unless its structure is sound: known value
    /// types, no arrays of arrays, UTF-8 names, one to four dimensions.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader { bytes, at: 0 };
        if reader.take(4)? != b"GGUF" || reader.u32()? != 3 {
            return None;
        }
        let (tensors, entries) = (reader.u64()?, reader.u64()?);
        let entries = (0..entries).map(|_| reader.entry()).collect::<Option<Vec<_>>>()?;
        if entries.iter().any(|entry| entry.key == b"general.alignment") {
            return None;
        }
        let tensors = (0..tensors).map(|_| reader.tensor()).collect::<Option<_>>()?;
        let data = bytes.get(reader.at.next_multiple_of(ALIGNMENT)..)?.to_vec();
        Some(Self { entries, tensors, data })
    }

    /// Put the file together.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.entries.len() as u64).to_le_bytes());
        self.entries.iter().for_each(|entry| entry.write(&mut bytes));
        self.tensors.iter().for_each(|tensor| tensor.write(&mut bytes));
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        bytes.extend(&self.data);
        bytes
    }

    /// Where each entry and each line of the tensor table starts, and where the table ends.
    pub fn marks(&self) -> Vec<usize> {
        let sizes = self.entries.iter().map(Entry::len).chain(self.tensors.iter().map(Tensor::len));
        let ends = sizes.scan(HEADER_BYTES, |at, size| {
            *at += size;
            Some(*at)
        });
        iter::once(HEADER_BYTES).chain(ends).collect()
    }

    /// The entry with this key, which the file must have.
    pub fn entry(&mut self, key: &str) -> &mut Entry {
        let found = self.entries.iter_mut().find(|entry| entry.key == key.as_bytes());
        found.unwrap_or_else(|| panic!("the model file has no key {key}"))
    }

    /// The tensor with this name, which the file must have.
    pub fn tensor(&mut self, name: &str) -> &mut Tensor {
        let found = self.tensors.iter_mut().find(|tensor| tensor.name == name.as_bytes());
        found.unwrap_or_else(|| panic!("the model file has no tensor {name}"))
    }
}

impl Entry {
    fn len(&self) -> usize {
        8 + self.key.len() + 4 + self.value.len()
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(string(&self.key));
        bytes.extend(self.kind.to_le_bytes());
        bytes.extend(&self.value);
    }
}

impl Tensor {
    fn len(&self) -> usize {
        8 + self.name.len() + 4 + 8 * self.dims.len() + 4 + 8
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(string(&self.name));
        bytes.extend((self.dims.len() as u32).to_le_bytes());
        self.dims.iter().for_each(|dim| bytes.extend(dim.to_le_bytes()));
        bytes.extend(self.kind.to_le_bytes());
        bytes.extend(self.offset.to_le_bytes());
    }
}

/// A string as GGUF spells it: length, then bytes.
pub(crate) fn string(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text].concat()
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    fn skip_string(&mut self) -> Option<()> {
        let bytes = self.u64()?;
        self.take(usize::try_from(bytes).ok()?).map(|_| ())
    }

    fn name(&mut self) -> Option<Vec<u8>> {
        let bytes = self.u64()?;
        let name = self.take(usize::try_from(bytes).ok()?)?;
        (!name.is_empty() && str::from_utf8(name).is_ok()).then(|| name.to_vec())
    }

    fn entry(&mut self) -> Option<Entry> {
        let (key, kind) = (self.name()?, self.u32()?);
        let start = self.at;
        self.skip_value(kind)?;
        Some(Entry { key, kind, value: self.bytes[start..self.at].to_vec() })
    }

    fn skip_value(&mut self, kind: u32) -> Option<()> {
        match kind {
            KIND_ARRAY => self.skip_array(),
            KIND_STRING => self.name().map(|_| ()),
            kind => self.take(scalar_bytes(kind)?).map(|_| ()),
        }
    }

    fn skip_array(&mut self) -> Option<()> {
        let (kind, count) = (self.u32()?, self.u64()?);
        if kind == KIND_STRING {
            return (0..count).try_for_each(|_| self.skip_string());
        }
        let bytes = usize::try_from(count).ok()?.checked_mul(scalar_bytes(kind)?)?;
        self.take(bytes).map(|_| ())
    }

    fn tensor(&mut self) -> Option<Tensor> {
        let name = self.name()?;
        let dims = self.u32().filter(|dims| (1..=4).contains(dims))?;
        let dims = (0..dims).map(|_| self.u64()).collect::<Option<_>>()?;
        Some(Tensor { name, dims, kind: self.u32()?, offset: self.u64()? })
    }
}

/// Bytes of a value that is neither a string nor an array.
fn scalar_bytes(kind: u32) -> Option<usize> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MODELS, golden};

    #[test]
    fn a_file_survives_being_taken_apart() {
        for name in MODELS {
            let bytes = golden(name).gguf;
            let image = Image::parse(bytes).expect("golden files are well formed");
            assert_eq!(image.to_bytes(), bytes, "{name}");
            assert_eq!(image.marks().len(), image.entries.len() + image.tensors.len() + 1);
        }
    }
}
