//! Pieces of files kept on this phone, in the browser's private file system, each with its SHA-256.
//!
//! Below `models/` every address has a folder, and every piece in it a file `START-END`: the hash, then
//! the bytes. All work is done beside this thread. What cannot be kept or read is fetched again.

use std::{cell::Cell, ops::Range, rc::Rc};

use js_sys::Promise;
use peer::Store;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    DomException, File, FileSystemDirectoryHandle, FileSystemFileHandle,
    FileSystemGetDirectoryOptions, FileSystemGetFileOptions, FileSystemRemoveOptions,
    FileSystemWritableFileStream,
};

use crate::browser::{bytes_of, scope, settled, sha256, text};

/// The folder of everything that is kept; `web/src/ui/lib/kept.ts` empties it.
const FOLDER: &str = "models";
/// A file beside the pieces that says which version of the file they are of.
const VERSION: &str = "version";
const HASH_BYTES: usize = 32;

/// Why a piece was not kept.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    /// The browser allots no more.
    #[error("there is no more room for it")]
    Full,
    /// Something else.
    #[error("the browser refuses: {0}")]
    Refused(String),
}

/// The kept pieces of one file.
pub struct Kept {
    folder: FileSystemDirectoryHandle,
    /// Whether a piece could not be kept; no other is tried then.
    has_failed: Cell<bool>,
    warn: Rc<dyn Fn(String)>,
}

impl Kept {
    /// The pieces of the file at `url` in this `version`; those of others are removed. None where the
    /// browser keeps nothing, as in a private window.
    pub async fn open(url: &str, version: &str, warn: Rc<dyn Fn(String)>) -> Option<Self> {
        let folder = folder_of(url, version).await.ok()?;
        Some(Self { folder, has_failed: Cell::new(false), warn })
    }

    /// The pieces of the file at `url` in the version of the last time, and that version. None where nothing is kept.
    pub async fn latest(url: &str, warn: Rc<dyn Fn(String)>) -> Option<(Self, String)> {
        let folder = known_folder(url).await.ok()?;
        let version = String::from_utf8(read_file(&folder, VERSION).await.ok()?).ok()?;
        Some((Self { folder, has_failed: Cell::new(false), warn }, version))
    }

    async fn try_write(&self, range: &Range<u64>, piece: &[u8]) -> Result<(), KeepError> {
        let write = async {
            let bytes = [&sha256(piece).await?[..], piece].concat();
            write_file(&self.folder, &name_of(range), &bytes).await
        };
        write.await.map_err(|error| {
            let exception = error.dyn_ref::<DomException>().map(DomException::name);
            match exception.as_deref() {
                Some("QuotaExceededError") => KeepError::Full,
                _ => KeepError::Refused(text(&error)),
            }
        })
    }
}

impl Store for Kept {
    async fn read(&self, range: &Range<u64>) -> Option<Vec<u8>> {
        let mut bytes = read_file(&self.folder, &name_of(range)).await.ok()?;
        if bytes.len() < HASH_BYTES {
            return None;
        }
        let piece = bytes.split_off(HASH_BYTES);
        let is_whole = piece.len() as u64 == range.end - range.start;
        (is_whole && sha256(&piece).await.is_ok_and(|hash| bytes == hash)).then_some(piece)
    }

    async fn write(&self, range: &Range<u64>, piece: &[u8]) {
        if self.has_failed.get() {
            return;
        }
        if let Err(error) = self.try_write(range, piece).await {
            self.has_failed.set(true);
            (self.warn)(format!(
                "The model cannot be kept on this phone for the next time: {error}. It runs all the same."
            ));
        }
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("has_failed", &self.has_failed).finish_non_exhaustive()
    }
}

async fn folder_of(url: &str, version: &str) -> Result<FileSystemDirectoryHandle, JsValue> {
    let models = subfolder(&root().await?, FOLDER).await?;
    let name = folder_name(url).await?;
    let folder = subfolder(&models, &name).await?;
    let known = read_file(&folder, VERSION).await.unwrap_or_default();
    if known == version.as_bytes() {
        return Ok(folder);
    }
    if known.is_empty() {
        // Pieces come after the version, so there are none.
        write_file(&folder, VERSION, version.as_bytes()).await?;
        return Ok(folder);
    }
    let options = FileSystemRemoveOptions::new();
    options.set_recursive(true);
    settled::<JsValue>(models.remove_entry_with_options(&name, &options)).await?;
    let folder = subfolder(&models, &name).await?;
    write_file(&folder, VERSION, version.as_bytes()).await?;
    Ok(folder)
}

/// Makes none where there is none.
async fn known_folder(url: &str) -> Result<FileSystemDirectoryHandle, JsValue> {
    let models: FileSystemDirectoryHandle =
        settled(root().await?.get_directory_handle(FOLDER)).await?;
    settled(models.get_directory_handle(&folder_name(url).await?)).await
}

async fn root() -> Result<FileSystemDirectoryHandle, JsValue> {
    settled(scope().navigator().storage().get_directory()).await
}

/// `web/src/ui/lib/kept.ts` knows it, too.
async fn folder_name(url: &str) -> Result<String, JsValue> {
    Ok(sha256(url.as_bytes()).await?.iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn subfolder(
    folder: &FileSystemDirectoryHandle,
    name: &str,
) -> Result<FileSystemDirectoryHandle, JsValue> {
    let options = FileSystemGetDirectoryOptions::new();
    options.set_create(true);
    settled(folder.get_directory_handle_with_options(name, &options)).await
}

async fn read_file(folder: &FileSystemDirectoryHandle, name: &str) -> Result<Vec<u8>, JsValue> {
    let handle: FileSystemFileHandle = settled(folder.get_file_handle(name)).await?;
    let file: File = settled(handle.get_file()).await?;
    bytes_of(file.array_buffer()).await
}

/// Writes a whole file. It is there when all of it is, and not before.
async fn write_file(
    folder: &FileSystemDirectoryHandle,
    name: &str,
    bytes: &[u8],
) -> Result<(), JsValue> {
    let options = FileSystemGetFileOptions::new();
    options.set_create(true);
    let handle = settled(folder.get_file_handle_with_options(name, &options)).await?;
    let handle: FileSystemFileHandle = handle;
    let stream: FileSystemWritableFileStream = settled(handle.create_writable()).await?;
    let data = js_sys::Uint8Array::from(bytes);
    let written: Promise = stream.write_with_js_u8_array(&data)?;
    settled::<JsValue>(written).await?;
    settled::<JsValue>(stream.close()).await.map(drop)
}

fn name_of(range: &Range<u64>) -> String {
    format!("{}-{}", range.start, range.end)
}
