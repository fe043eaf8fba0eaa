//! The files of a model, wherever they are.

use std::{convert::Infallible, rc::Rc};

use model::{Address, Folder, ModelError, ModelFile, Parts, Place};
use peer::{Fetched, Files, HttpSource};

use crate::{pieces::DiskPieces, world::Program};

/// What opening files takes.
pub struct ProgramFiles {
    pub(crate) program: Program,
    /// How the server's log names this computer.
    pub(crate) me: String,
    /// Counts what comes.
    pub(crate) fetched: Rc<Fetched>,
    /// For what a person should know though it stops nothing.
    pub(crate) warn: Rc<dyn Fn(String)>,
}

impl Files for ProgramFiles {
    type File = HttpSource<DiskPieces>;
    /// Nobody picks files here.
    type Picked = Infallible;

    fn fetched(&self) -> &Rc<Fetched> {
        &self.fetched
    }

    fn pick(&mut self, _: Vec<Infallible>) {}

    async fn find(
        &self,
        address: &mut Address,
    ) -> Result<ModelFile<Parts<Self::File>>, ModelError> {
        ModelFile::find(&Beside { address, files: self }, address.name()).await
    }
}

/// The files beside the one that an address names.
struct Beside<'a> {
    address: &'a Address,
    files: &'a ProgramFiles,
}

impl Folder for Beside<'_> {
    type File = HttpSource<DiskPieces>;

    async fn file(&self, name: &str) -> Result<Self::File, ModelError> {
        let ProgramFiles { program, me, fetched, warn } = self.files;
        let Some(beside) = self.address.beside(name) else {
            let problem = "The room's model is a file that was picked by hand on the phones, which a computer without \
                           a page cannot do: start the room with a model of the server or of an address.";
            return Err(ModelError::Unavailable(problem.into()));
        };
        // Only our own server is told who asks.
        let (url, query, agent) = match self.address.place {
            Place::Server { .. } => {
                let url = format!("{}{beside}", program.invited.origin);
                (url, format!("?peer={me}"), &program.trust.own)
            }
            _ => (beside, String::new(), &program.trust.public),
        };
        let pieces = DiskPieces {
            agent: agent.clone(),
            folder: program.folder.join(MODELS),
            most_bytes: program.kept_bytes,
        };
        Ok(HttpSource::open(pieces, &url, &query, fetched.clone(), warn.clone()).await?)
    }
}

/// The folder of all kept pieces.
const MODELS: &str = "models";
