//! Part of a model file on this device, as browsers keep large data: outside the engine's memory, and
//! on disk where memory is short.

use std::{ops::Range, pin::pin};

use futures_util::future::{Either, select};
use js_sys::{Array, Uint8Array};
use model::{ByteSource, SourceError};
use platform::sleep;
use wasm_bindgen::JsValue;
use web_sys::Blob;

use crate::browser::{bytes_of, text};

/// Reading a few kilobytes takes about a millisecond.
const READ_SECS: f64 = 10.0;

/// Bytes of a file that need no network and are read without anybody knowing which.
#[derive(Clone, Debug)]
pub struct LocalSource {
    file_bytes: u64,
    /// What of the file the blob is.
    range: Range<u64>,
    blob: Blob,
}

impl LocalSource {
    /// `blob` is the `range` of a file of `file_bytes` bytes.
    pub fn new(file_bytes: u64, range: Range<u64>, blob: Blob) -> Self {
        Self { file_bytes, range, blob }
    }
}

impl ByteSource for LocalSource {
    type Local = Self;

    fn len(&self) -> u64 {
        self.file_bytes
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, SourceError> {
        let failed = |reason: String| SourceError { range: range.clone(), reason };
        if range.start < self.range.start || range.end > self.range.end {
            return Err(failed("they are not on this device".into()));
        }
        let [start, end] = [range.start, range.end].map(|at| (at - self.range.start) as f64);
        let slice = self.blob.slice_with_f64_and_f64(start, end);
        let slice = slice.map_err(|error| failed(text(&error)))?;
        let read = bytes_of(slice.array_buffer());
        let bytes = match select(pin!(read), pin!(sleep(READ_SECS))).await {
            Either::Left((bytes, _)) => bytes.map_err(|error| failed(text(&error)))?,
            Either::Right(_) => return Err(failed(format!("not within {READ_SECS} s"))),
        };
        match bytes.len() as u64 == range.end - range.start {
            true => Ok(bytes),
            false => Err(failed(format!("{} bytes came; reload the page", bytes.len()))),
        }
    }

    async fn local(&self, _: &[Range<u64>]) -> Result<Self, SourceError> {
        Ok(self.clone())
    }
}

/// A blob of these bytes; the browser has its own copy of them.
///
/// # Errors
/// The browser's.
pub fn blob_of(bytes: &[u8]) -> Result<Blob, JsValue> {
    Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(bytes)))
}
