//! Part of a model file on this computer: on its disk, whose cache gives it back as fast as memory does.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    ops::Range,
    rc::Rc,
};

use model::{ByteSource, SourceError};

/// Bytes of a file that need no network and are read without anybody knowing which. They go with the last clone.
#[derive(Clone, Debug)]
pub struct LocalSource {
    file_bytes: u64,
    /// What of the file is there.
    range: Range<u64>,
    file: Rc<File>,
}

impl LocalSource {
    /// `file` has the `range` of a file of `file_bytes` bytes.
    pub fn new(file_bytes: u64, range: Range<u64>, file: File) -> Self {
        Self { file_bytes, range, file: Rc::new(file) }
    }
}

impl ByteSource for LocalSource {
    type Local = Self;

    fn len(&self) -> u64 {
        self.file_bytes
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, SourceError> {
        let failed = |reason: String| SourceError { range: range.clone(), reason };
        if range.start < self.range.start || range.end > self.range.end || range.start > range.end {
            return Err(failed("they are not on this computer".into()));
        }
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let mut file = &*self.file;
        let read = file
            .seek(SeekFrom::Start(range.start - self.range.start))
            .and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|error| failed(error.to_string()))?;
        Ok(bytes)
    }

    async fn local(&self, _: &[Range<u64>]) -> Result<Self, SourceError> {
        Ok(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn it_reads_what_it_has_and_nothing_else() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"defgh").unwrap();
        let local = LocalSource::new(26, 3..8, file);
        let read = |range| pollster::block_on(local.read(range));
        assert_eq!(read(4..7).unwrap(), b"efg");
        assert_eq!(read(3..8).unwrap(), b"defgh");
        assert_eq!(read(5..5).unwrap(), b"");
        for outside in [0..4, 7..9, 2..9] {
            assert!(read(outside).is_err());
        }
    }
}
