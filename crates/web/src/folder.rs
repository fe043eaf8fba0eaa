//! The files of a model, wherever they are.

use std::{ops::Range, rc::Rc};

use model::{Address, ByteSource, Folder, ModelError, ModelFile, Parts, Place, SourceError};
use peer::{Fetched, Files, HttpSource};
use web_sys::File;

use crate::{
    http::BrowserPieces,
    local::LocalSource,
    picked::{PickedSource, mark},
};

/// What opening files takes.
#[derive(Clone)]
pub struct Means {
    /// How the server's log names this phone.
    pub me: String,
    /// Counts what comes.
    pub fetched: Rc<Fetched>,
    /// Files that were picked on this phone.
    pub picked: Vec<File>,
    /// For what a person should know though it stops nothing.
    pub warn: Rc<dyn Fn(String)>,
}

impl Files for Means {
    type File = WebFile;
    type Picked = File;

    fn fetched(&self) -> &Rc<Fetched> {
        &self.fetched
    }

    fn pick(&mut self, picked: Vec<File>) {
        self.picked = picked;
    }

    async fn find(&self, address: &mut Address) -> Result<ModelFile<Parts<WebFile>>, ModelError> {
        mark(address, self).await?;
        ModelFile::find(&WebFolder { address, means: self }, address.name()).await
    }
}

/// The files beside the one that an address names.
pub struct WebFolder<'a> {
    /// The address.
    pub address: &'a Address,
    /// What opening them takes.
    pub means: &'a Means,
}

impl Folder for WebFolder<'_> {
    type File = WebFile;

    async fn file(&self, name: &str) -> Result<WebFile, ModelError> {
        let Means { me, fetched, picked, warn } = self.means;
        let Some(url) = self.address.beside(name) else {
            return Ok(WebFile::Picked(PickedSource::find(picked, name, fetched)?));
        };
        // Only our own server is told who asks.
        let query = match self.address.place {
            Place::Server { .. } => format!("?peer={me}"),
            _ => String::new(),
        };
        let source =
            HttpSource::open(BrowserPieces, &url, &query, fetched.clone(), warn.clone()).await?;
        Ok(WebFile::Http(source))
    }
}

/// One file of a model.
#[derive(Debug)]
pub enum WebFile {
    /// Behind an address.
    Http(HttpSource<BrowserPieces>),
    /// Picked on this phone.
    Picked(PickedSource),
}

impl ByteSource for WebFile {
    type Local = LocalSource;

    fn len(&self) -> u64 {
        match self {
            Self::Http(source) => source.len(),
            Self::Picked(source) => source.len(),
        }
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, SourceError> {
        match self {
            Self::Http(source) => source.read(range).await,
            Self::Picked(source) => source.read(range).await,
        }
    }

    async fn local(&self, pieces: &[Range<u64>]) -> Result<LocalSource, SourceError> {
        match self {
            Self::Http(source) => source.local(pieces).await,
            Self::Picked(source) => source.local(pieces).await,
        }
    }
}
