//! Files that only their owner can read.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rcgen::KeyPair;
use tempfile::NamedTempFile;

use crate::Error;

/// Makes a folder for its owner alone, unless it is there.
pub(super) fn make_folder(folder: &Path) -> Result<(), Error> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| Error::IdentityFile { file: folder.into(), source })
}

/// Writes a file that only its owner can read; whole or not at all.
pub(super) fn write_private(file: &Path, text: &str) -> Result<(), Error> {
    let written = draft(file, text).and_then(|draft| Ok(draft.persist(file)?));
    written.map(drop).map_err(|source| Error::IdentityFile { file: file.into(), source })
}

/// The same, unless the file is there: another server that starts in the same moment may have made it.
fn write_private_once(file: &Path, text: &str) -> Result<(), Error> {
    let written = draft(file, text).and_then(|draft| Ok(draft.persist_noclobber(file)?));
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        written => {
            written.map(drop).map_err(|source| Error::IdentityFile { file: file.into(), source })
        }
    }
}

/// Beside the file, and for its owner alone from its first moment.
fn draft(file: &Path, text: &str) -> io::Result<NamedTempFile> {
    let mut draft = NamedTempFile::new_in(file.parent().unwrap_or(Path::new(".")))?;
    draft.write_all(text.as_bytes())?;
    draft.as_file().sync_all()?;
    Ok(draft)
}

/// A file's text; `None` where there is no such file.
pub(super) fn read(file: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::IdentityFile { file: file.into(), source }),
    }
}

/// The text of a file with a key; `None` where there is no such file.
///
/// # Errors
/// [`Error::OpenKey`] where others may read it: then the key may be theirs.
pub(super) fn read_private(file: &Path) -> Result<Option<String>, Error> {
    let failed = |source| Error::IdentityFile { file: file.into(), source };
    let mut opened = match File::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    if opened.metadata().map_err(failed)?.permissions().mode() & OTHERS != 0 {
        return Err(Error::OpenKey { file: file.into() });
    }
    let mut text = String::new();
    opened.read_to_string(&mut text).map_err(failed)?;
    Ok(Some(text))
}

/// Deletes a file that is there.
pub(super) fn remove(file: PathBuf) -> Result<(), Error> {
    fs::remove_file(&file).map_err(|source| Error::IdentityFile { file, source })
}

/// The key in `folder/name`, made where there is none.
pub(super) fn load_or_make_key(folder: &Path, name: &str) -> Result<KeyPair, Error> {
    let wrong = |error: rcgen::Error| unusable(folder, format!("{name}: {error}"));
    let file = folder.join(name);
    if read_private(&file)?.is_none() {
        let key = KeyPair::generate().map_err(wrong)?;
        write_private_once(&file, &key.serialize_pem())?;
    }
    KeyPair::from_pem(&read_private(&file)?.unwrap_or_default()).map_err(wrong)
}

/// What stands in the folder cannot be used.
pub(super) fn unusable(folder: &Path, reason: impl ToString) -> Error {
    Error::Identity { folder: folder.into(), reason: reason.to_string() }
}

/// What a file's group and all others may do.
const OTHERS: u32 = 0o077;
