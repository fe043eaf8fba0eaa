//! Parts of model files over HTTP, kept on the disk.

use std::{io::Write as _, ops::Range, path::PathBuf, rc::Rc};

use model::{ByteSource as _, SourceError};
use peer::{Failure, HttpSource, Pieces, Reply, whole};
use tokio::task::spawn_blocking;
use ureq::Agent;

use crate::{kept::Kept, local::LocalSource};

/// How a program has them.
#[derive(Clone, Debug)]
pub struct DiskPieces {
    /// What asks.
    pub agent: Agent,
    /// Where pieces are kept.
    pub folder: PathBuf,
    /// How much of other files stays when one is opened.
    pub most_bytes: u64,
}

impl Pieces for DiskPieces {
    type Store = Kept;
    type Local = LocalSource;

    async fn get(&self, url: &str, range: &Range<u64>) -> Result<Reply, Failure> {
        let (agent, url, range) = (self.agent.clone(), url.to_owned(), range.clone());
        // It ends with its own time-out.
        let asked = spawn_blocking(move || get(&agent, &url, &range)).await;
        asked.unwrap_or_else(|error| Err(Failure::Passing(error.to_string())))
    }

    async fn store(&self, url: &str, version: &str, warn: Rc<dyn Fn(String)>) -> Option<Kept> {
        Kept::open(&self.folder, url, version, self.most_bytes, warn)
    }

    async fn latest(&self, url: &str, warn: Rc<dyn Fn(String)>) -> Option<(Kept, String)> {
        Kept::latest(&self.folder, url, warn)
    }

    async fn local(
        source: &HttpSource<Self>,
        pieces: &[Range<u64>],
    ) -> Result<LocalSource, SourceError> {
        let range = whole(pieces);
        let failed =
            |error: std::io::Error| SourceError { range: range.clone(), reason: error.to_string() };
        let mut file = tempfile::tempfile().map_err(failed)?;
        for piece in pieces {
            file.write_all(&source.read(piece.clone()).await?).map_err(failed)?;
        }
        Ok(LocalSource::new(source.len(), range, file))
    }
}

fn get(agent: &Agent, url: &str, range: &Range<u64>) -> Result<Reply, Failure> {
    let passing = |error: ureq::Error| Failure::Passing(error.to_string());
    let wanted = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
    let mut response = agent.get(url).header("range", wanted).call().map_err(passing)?;
    match response.status().as_u16() {
        206 => {}
        status => return Err(Failure::of_status(status)),
    }
    // One more, so that a part that is too long is seen to be.
    let most = range.end - range.start + 1;
    let bytes = response.body_mut().with_config().limit(most).read_to_vec().map_err(passing)?;
    let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    Ok(Reply::new(header, bytes))
}
