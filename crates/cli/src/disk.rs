//! Model files in a folder of this computer.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Error, Result, anyhow, bail};
use model::{ByteSource, Folder, ModelError, SourceError, gguf::split_names};

/// A folder with a model in it.
pub struct DiskFolder(PathBuf);

/// A file of it, read where it lies.
#[derive(Clone, Debug)]
pub struct DiskFile {
    /// None for a file whose contents nobody here asks for.
    file: Option<Arc<File>>,
    bytes: u64,
}

/// The folder and the main file of the model at `path`: a file, or a folder that has one model.
///
/// # Errors
/// There is nothing at `path`, or a folder without a model or with several.
pub fn find(path: &Path) -> Result<(DiskFolder, String)> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, error))?;
    if metadata.is_dir() {
        return Ok((DiskFolder(path.to_owned()), main_file(path)?));
    }
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| format!("`{}` is not a file's name", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    Ok((DiskFolder(folder.to_owned()), name.to_owned()))
}

/// The file that stands for the one model in a folder.
fn main_file(folder: &Path) -> Result<String> {
    let names = models_in(folder).map_err(|error| unreadable(folder, error))?;
    match &names[..] {
        [one] => Ok(one.clone()),
        [] => bail!("the folder `{}` has no model in it; {WANTED}", folder.display()),
        [one, ..] => bail!(
            "the folder `{}` has {} models in it; name the file of one, such as `{one}`",
            folder.display(),
            names.len()
        ),
    }
}

/// The main files in a folder, in the order of their names.
fn models_in(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string());
    }
    if let Some(weights) = WEIGHTS.into_iter().find(|&weights| names.contains(weights)) {
        return Ok(vec![weights.to_owned()]);
    }
    names.retain(|name| name.ends_with(".gguf") || name.ends_with(".safetensors"));
    // The parts of a model are one.
    let first_part = |name: String| match split_names(&name) {
        Some(parts) => parts.into_iter().next().unwrap_or(name),
        None => name,
    };
    let firsts: BTreeSet<String> = names.into_iter().map(first_part).collect();
    Ok(firsts.into_iter().collect())
}

impl Folder for DiskFolder {
    type File = DiskFile;

    async fn file(&self, name: &str) -> Result<DiskFile, ModelError> {
        if FOR_TEXTS.contains(&name) {
            return Ok(DiskFile { file: None, bytes: 0 });
        }
        let path = self.0.join(name);
        let file = open(&path);
        file.map_err(|error| ModelError::Unavailable(unreadable(&path, error).to_string()))
    }
}

fn open(path: &Path) -> io::Result<DiskFile> {
    // Opening a pipe would wait for somebody to write to it.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    Ok(DiskFile { file: Some(Arc::new(File::open(path)?)), bytes: metadata.len() })
}

fn unreadable(path: &Path, why: io::Error) -> Error {
    anyhow!("`{}` cannot be read: {why}; {WANTED}", path.display())
}

impl ByteSource for DiskFile {
    type Local = Self;

    fn len(&self) -> u64 {
        self.bytes
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, SourceError> {
        let failed = |reason: String| SourceError { range: range.clone(), reason };
        let inside = range.start <= range.end && range.end <= self.bytes;
        let Some(mut file) = self.file.as_deref().filter(|_| inside) else {
            return Err(failed(format!("the file has {} bytes", self.bytes)));
        };
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let read =
            file.seek(SeekFrom::Start(range.start)).and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|error| failed(error.to_string()))?;
        Ok(bytes)
    }

    /// All of it is on this computer.
    async fn local(&self, _: &[Range<u64>]) -> Result<Self, SourceError> {
        Ok(self.clone())
    }
}

/// What is to be given.
pub const WANTED: &str =
    "give a GGUF file, a safetensors file, or the folder that it and config.json are in";
/// The weights of a folder, or their index where they are in several files.
const WEIGHTS: [&str; 2] = ["model.safetensors.index.json", "model.safetensors"];
/// They are opened with the weights, but only texts need them: they may be missing here.
const FOR_TEXTS: [&str; 2] = ["tokenizer.json", "tokenizer_config.json"];
