//! Model files that a person picked on this phone.

use std::{ops::Range, rc::Rc};

use model::{Address, ByteSource, FileMark, ModelError, Place, SourceError};
use peer::{Fetched, whole};
use wasm_bindgen::JsValue;
use web_sys::File;

use crate::{
    browser::{bytes_of, sha256, text},
    folder::Means,
    local::LocalSource,
};

/// A picked file.
#[derive(Clone, Debug)]
pub struct PickedSource {
    file: File,
    fetched: Rc<Fetched>,
}

impl PickedSource {
    /// The file of that name among those that were picked.
    ///
    /// # Errors
    /// [`ModelError::Unavailable`] when it was not picked, with what to do.
    pub fn find(files: &[File], name: &str, fetched: &Rc<Fetched>) -> Result<Self, ModelError> {
        let file = files.iter().find(|file| file.name() == name).cloned();
        let file = file.ok_or_else(|| {
            let problem = format!("The file `{name}` has to be picked on this phone too.");
            ModelError::Unavailable(problem)
        })?;
        Ok(Self { file, fetched: fetched.clone() })
    }

    /// What tells it from others of its name.
    ///
    /// # Errors
    /// [`ModelError::Source`].
    pub async fn mark(&self) -> Result<FileMark, ModelError> {
        let bytes = self.len();
        let front = 0..bytes.min(FileMark::FRONT_BYTES);
        let data = self.read(front.clone()).await?;
        let front_hash = sha256(&data).await.map_err(|error| failed(&front, &error))?;
        Ok(FileMark { bytes, front_hash })
    }

    /// Fails unless this is the file that the room began with.
    ///
    /// # Errors
    /// [`ModelError::Unavailable`] when it is another one, with what to do.
    pub fn expect(&self, found: FileMark, expected: FileMark) -> Result<(), ModelError> {
        if found == expected {
            return Ok(());
        }
        let name = self.file.name();
        let difference = match found.bytes == expected.bytes {
            true => "its contents differ".to_owned(),
            false => format!("it has {} bytes instead of {}", found.bytes, expected.bytes),
        };
        Err(ModelError::Unavailable(format!(
            "The file `{name}` on this phone is not the one that the room began with: {difference}. \
             Pick that one."
        )))
    }
}

impl ByteSource for PickedSource {
    type Local = LocalSource;

    fn len(&self) -> u64 {
        self.file.size() as u64
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, SourceError> {
        let slice = self.file.slice_with_f64_and_f64(range.start as f64, range.end as f64);
        let slice = slice.map_err(|error| failed(&range, &error))?;
        let bytes = bytes_of(slice.array_buffer()).await.map_err(|error| failed(&range, &error))?;
        if bytes.len() as u64 != range.end - range.start {
            let reason = format!("the file gave {} bytes; pick it again", bytes.len());
            return Err(SourceError { range, reason });
        }
        self.fetched.add(bytes.len() as u64);
        Ok(bytes)
    }

    async fn local(&self, pieces: &[Range<u64>]) -> Result<LocalSource, SourceError> {
        let range = whole(pieces);
        let slice = self.file.slice_with_f64_and_f64(range.start as f64, range.end as f64);
        let slice = slice.map_err(|error| failed(&range, &error))?;
        self.fetched.add(range.end - range.start);
        Ok(LocalSource::new(self.len(), range, slice))
    }
}

/// Of a picked file: says in the address which it is, or checks that it is the one that is said.
///
/// # Errors
/// [`ModelError::Unavailable`], with what to do.
pub async fn mark(address: &mut Address, means: &Means) -> Result<(), ModelError> {
    let Place::Picked { name, mark } = &mut address.place else { return Ok(()) };
    let file = PickedSource::find(&means.picked, name, &means.fetched)?;
    let found = file.mark().await?;
    file.expect(found, *mark.get_or_insert(found))
}

fn failed(range: &Range<u64>, error: &JsValue) -> SourceError {
    let reason = format!("{}; pick the file again", text(error));
    SourceError { range: range.clone(), reason }
}
