//! A model file behind a URL, read by HTTP Range requests, and kept for the next time.

use std::{fmt::Debug, ops::Range, rc::Rc};

use model::{ByteSource, SourceError};
use platform::{now_secs, sleep};

use crate::fetched::Fetched;

/// How long one request may take: a piece at 35 kB/s.
pub const REQUEST_TIMEOUT_MS: u32 = 15_000;
/// No attempt starts later than this after the first. The last one ends before the time without
/// progress after which a room gives a phone up.
const RETRY_SECS: f64 = 25.0;
/// The pause after the first attempt; each is twice the one before.
const FIRST_PAUSE_SECS: f64 = 0.5;
/// The most bytes of one request; larger ranges are read in pieces.
const PIECE_BYTES: u64 = 512 << 10;

/// How parts of files come from servers, and where they are kept.
pub trait Pieces: Clone + Debug + 'static {
    /// Where pieces of one file are kept.
    type Store: Store;
    /// What of a file is on this device.
    type Local: ByteSource;

    /// The bytes of `range`, asked for once and within [`REQUEST_TIMEOUT_MS`].
    ///
    /// # Errors
    /// [`Failure`].
    #[allow(async_fn_in_trait, reason = "browser futures are not Send")]
    async fn get(&self, url: &str, range: &Range<u64>) -> Result<Reply, Failure>;

    /// The kept pieces of the file at `url` in this `version`; those of others are removed. None where nothing is kept.
    #[allow(async_fn_in_trait, reason = "browser futures are not Send")]
    async fn store(
        &self,
        url: &str,
        version: &str,
        warn: Rc<dyn Fn(String)>,
    ) -> Option<Self::Store>;

    /// The kept pieces of the file at `url` in the version of the last time, and that version. None where nothing is kept.
    #[allow(async_fn_in_trait, reason = "browser futures are not Send")]
    async fn latest(&self, url: &str, warn: Rc<dyn Fn(String)>) -> Option<(Self::Store, String)>;

    /// See [`ByteSource::local`].
    ///
    /// # Errors
    /// See [`ByteSource::local`].
    #[allow(async_fn_in_trait, reason = "browser futures are not Send")]
    async fn local(
        source: &HttpSource<Self>,
        pieces: &[Range<u64>],
    ) -> Result<Self::Local, SourceError>;
}

/// The kept pieces of one file.
pub trait Store: Debug {
    /// The piece, if it is kept and undamaged.
    #[allow(async_fn_in_trait, reason = "browser futures are not Send")]
    async fn read(&self, range: &Range<u64>) -> Option<Vec<u8>>;

    /// Keeps the piece if it can be kept. Warns once if not.
    #[allow(async_fn_in_trait, reason = "browser futures are not Send")]
    async fn write(&self, range: &Range<u64>, piece: &[u8]);
}

/// What a server gave of a file.
#[derive(Debug)]
pub struct Reply {
    /// The file's length, of which this is a part, if the server says.
    pub file_bytes: Option<u64>,
    /// What changes whenever the file does, if the server says.
    pub version: Option<String>,
    /// The part.
    pub bytes: Vec<u8>,
}

impl Reply {
    /// Of a part of a file with these headers.
    pub fn new(header: impl Fn(&str) -> Option<String>, bytes: Vec<u8>) -> Self {
        let range = header("content-range");
        let file_bytes = range.and_then(|range| range.rsplit('/').next()?.parse().ok());
        let version = header("etag").or_else(|| header("last-modified"));
        Self { file_bytes, version, bytes }
    }
}

/// Why a request gave nothing.
#[derive(Debug)]
pub enum Failure {
    /// Another attempt may succeed.
    Passing(String),
    /// None will.
    Lasting(String),
}

/// A file on a server.
#[derive(Debug)]
pub struct HttpSource<P: Pieces> {
    pieces: P,
    url: String,
    file_bytes: u64,
    /// What changes whenever the file does, if the server says.
    version: Option<String>,
    fetched: Rc<Fetched>,
    kept: Option<Rc<P::Store>>,
}

impl<P: Pieces> HttpSource<P> {
    /// Asks the server for the file's length, and looks for what is kept of it. Where the server does not answer, what
    /// is kept is the file. `query` goes behind the URL and does not change the file; `warn` hears what a person should
    /// know though it stops nothing.
    ///
    /// # Errors
    /// [`SourceError`] when there is no such file or the server does not serve ranges.
    pub async fn open(
        pieces: P,
        url: &str,
        query: &str,
        fetched: Rc<Fetched>,
        warn: Rc<dyn Fn(String)>,
    ) -> Result<Self, SourceError> {
        let full_url = format!("{url}{query}");
        let range = 0..1;
        let reply = match pieces.get(&full_url, &range).await {
            Ok(reply) => reply,
            Err(Failure::Lasting(reason)) => return Err(SourceError { range, reason }),
            Err(Failure::Passing(_)) => {
                if let Some((kept, line)) = pieces.latest(url, warn.clone()).await
                    && let Some((file_bytes, version)) = Self::version_in(&line)
                {
                    // What is missing of it is asked for, and refused if it has changed since.
                    let (kept, version) = (Some(Rc::new(kept)), Some(version));
                    return Ok(Self { pieces, url: full_url, file_bytes, version, fetched, kept });
                }
                again_and_again(&range, || pieces.get(&full_url, &range)).await?
            }
        };
        let file_bytes = reply.file_bytes.ok_or_else(|| {
            let reason =
                "the server does not serve parts of files, or hides from other pages that it does";
            SourceError { range, reason: reason.into() }
        })?;
        let version = reply.version;
        let kept = match &version {
            Some(version) => pieces.store(url, &format!("{file_bytes} {version}"), warn).await,
            None => None,
        };
        Ok(Self { pieces, url: full_url, file_bytes, version, fetched, kept: kept.map(Rc::new) })
    }

    /// The length and the version that a line tells of what is kept.
    fn version_in(line: &str) -> Option<(u64, String)> {
        let (file_bytes, version) = line.split_once(' ')?;
        Some((file_bytes.parse().ok()?, version.into()))
    }

    /// A piece that is kept, or else comes from the server.
    async fn piece(&self, range: Range<u64>) -> Result<Vec<u8>, SourceError> {
        let known = match &self.kept {
            Some(kept) => kept.read(&range).await,
            None => None,
        };
        if let Some(piece) = known {
            self.fetched.add(piece.len() as u64);
            return Ok(piece);
        }
        if self.fetched.is_over() {
            return Err(SourceError { range, reason: "nobody waits for it any more".into() });
        }
        let piece = again_and_again(&range, || self.attempt(&range)).await?;
        self.fetched.add(piece.len() as u64);
        if let Some(kept) = &self.kept {
            kept.write(&range, &piece).await;
        }
        Ok(piece)
    }

    async fn attempt(&self, range: &Range<u64>) -> Result<Vec<u8>, Failure> {
        let Reply { file_bytes, version, bytes } = self.pieces.get(&self.url, range).await?;
        if file_bytes != Some(self.file_bytes) || version != self.version {
            return Err(Failure::Lasting("the file was changed on the server".into()));
        }
        if bytes.len() as u64 != range.end - range.start {
            return Err(Failure::Passing(format!("{} bytes came", bytes.len())));
        }
        Ok(bytes)
    }
}

impl<P: Pieces> ByteSource for HttpSource<P> {
    type Local = P::Local;

    fn len(&self) -> u64 {
        self.file_bytes
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, SourceError> {
        if range.start > range.end || range.end > self.file_bytes {
            let reason = format!("the file has {} bytes", self.file_bytes);
            return Err(SourceError { range, reason });
        }
        let mut bytes = Vec::with_capacity((range.end - range.start) as usize);
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + PIECE_BYTES);
            bytes.extend(self.piece(start..end).await?);
            start = end;
        }
        Ok(bytes)
    }

    async fn local(&self, pieces: &[Range<u64>]) -> Result<P::Local, SourceError> {
        P::local(self, pieces).await
    }
}

/// What pieces that follow each other are together.
pub fn whole(pieces: &[Range<u64>]) -> Range<u64> {
    match pieces {
        [first, .., last] => first.start..last.end,
        [only] => only.clone(),
        [] => 0..0,
    }
}

/// Tries until it succeeds, with growing pauses, while another attempt may help.
async fn again_and_again<T>(
    range: &Range<u64>,
    attempt: impl AsyncFn() -> Result<T, Failure>,
) -> Result<T, SourceError> {
    let (started, mut pause_secs) = (now_secs(), FIRST_PAUSE_SECS);
    loop {
        let reason = match attempt().await {
            Ok(outcome) => return Ok(outcome),
            Err(Failure::Passing(_)) if now_secs() + pause_secs < started + RETRY_SECS => {
                sleep(pause_secs).await;
                pause_secs *= 2.0;
                continue;
            }
            Err(Failure::Passing(reason) | Failure::Lasting(reason)) => reason,
        };
        return Err(SourceError { range: range.clone(), reason });
    }
}

impl Failure {
    /// Of an answer that is none of the asked part.
    pub fn of_status(status: u16) -> Self {
        match status {
            200 => Self::Lasting("the server does not serve parts of files".into()),
            404 => Self::Lasting("the server has no such file".into()),
            400..500 if !matches!(status, 408 | 429) => {
                Self::Lasting(format!("the server answered {status}"))
            }
            _ => Self::Passing(format!("the server answered {status}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::BTreeMap};

    use model::{MemoryPart, MemorySource};

    use super::*;

    type Kept = Rc<RefCell<BTreeMap<u64, Vec<u8>>>>;

    /// A server whose next answers are given, and where pieces are kept.
    #[derive(Clone, Debug, Default)]
    struct Played {
        /// Why the next answers do not come, the last one first.
        failures: Rc<RefCell<Vec<Failure>>>,
        version: Rc<RefCell<String>>,
        asked: Rc<RefCell<Vec<Range<u64>>>>,
        kept: Kept,
        /// The line that tells of what is kept.
        line: Rc<RefCell<Option<String>>>,
    }

    #[derive(Debug)]
    struct PlayedStore(Kept);

    const FILE_BYTES: u64 = 2 * PIECE_BYTES + 100;

    impl Pieces for Played {
        type Store = PlayedStore;
        type Local = MemoryPart;

        async fn get(&self, _: &str, range: &Range<u64>) -> Result<Reply, Failure> {
            self.asked.borrow_mut().push(range.clone());
            match self.failures.borrow_mut().pop() {
                Some(failure) => Err(failure),
                None => Ok(Reply {
                    file_bytes: Some(FILE_BYTES),
                    version: Some(self.version.borrow().clone()),
                    bytes: range.clone().map(|at| at as u8).collect(),
                }),
            }
        }

        async fn store(&self, _: &str, _: &str, _: Rc<dyn Fn(String)>) -> Option<PlayedStore> {
            Some(PlayedStore(self.kept.clone()))
        }

        async fn latest(&self, _: &str, _: Rc<dyn Fn(String)>) -> Option<(PlayedStore, String)> {
            Some((PlayedStore(self.kept.clone()), self.line.borrow().clone()?))
        }

        async fn local(
            source: &HttpSource<Self>,
            pieces: &[Range<u64>],
        ) -> Result<MemoryPart, SourceError> {
            MemorySource(source.read(0..source.len()).await?).local(pieces).await
        }
    }

    impl Store for PlayedStore {
        async fn read(&self, range: &Range<u64>) -> Option<Vec<u8>> {
            self.0.borrow().get(&range.start).cloned()
        }

        async fn write(&self, range: &Range<u64>, piece: &[u8]) {
            self.0.borrow_mut().insert(range.start, piece.to_vec());
        }
    }

    #[test]
    fn what_fails_in_passing_is_asked_for_again_and_what_lasts_is_not() {
        let played = Played::default();
        let passing = || Failure::Passing("busy".into());
        *played.failures.borrow_mut() = vec![passing(), passing()];
        let source = open(&played).unwrap();
        assert_eq!(played.asked.borrow().len(), 3);
        *played.failures.borrow_mut() = vec![passing(), Failure::Lasting("gone".into())];
        let failed = soon(source.read(0..10)).unwrap_err();
        assert!(failed.to_string().contains("gone"), "{failed}");
        assert_eq!(played.asked.borrow().len(), 4);
        *played.failures.borrow_mut() = std::iter::repeat_with(passing).take(100).collect();
        assert!(soon(source.read(0..10)).is_err());
        assert!(played.asked.borrow().len() < 20, "it gives up");
    }

    #[test]
    fn a_file_comes_in_pieces_and_kept_ones_are_not_asked_for() {
        let played = Played::default();
        let source = open(&played).unwrap();
        played.kept.borrow_mut().insert(PIECE_BYTES, vec![7; PIECE_BYTES as usize]);
        let bytes = soon(source.read(0..FILE_BYTES)).unwrap();
        assert_eq!(bytes.len() as u64, FILE_BYTES);
        assert_eq!(bytes[PIECE_BYTES as usize], 7);
        let wanted = [0..1, 0..PIECE_BYTES, 2 * PIECE_BYTES..FILE_BYTES];
        assert_eq!(*played.asked.borrow(), wanted);
        assert_eq!(played.kept.borrow().len(), 3);
        assert!(soon(source.read(0..FILE_BYTES + 1)).is_err());
    }

    #[test]
    fn what_is_kept_is_the_file_where_the_server_does_not_answer() {
        let played = Played::default();
        *played.failures.borrow_mut() = vec![Failure::Passing("away".into())];
        *played.line.borrow_mut() = Some(format!("{FILE_BYTES} the last"));
        played.kept.borrow_mut().insert(0, vec![7; 10]);
        let source = open(&played).unwrap();
        assert_eq!((source.len(), played.asked.borrow().len()), (FILE_BYTES, 1));
        assert_eq!(soon(source.read(0..10)).unwrap(), [7; 10]);
        assert!(soon(source.read(10..20)).is_err(), "it is of another version by now");
    }

    #[test]
    fn a_file_that_was_changed_is_refused() {
        let played = Played::default();
        let source = open(&played).unwrap();
        *played.version.borrow_mut() = "another".into();
        let failed = soon(source.read(0..10)).unwrap_err();
        assert!(failed.to_string().contains("changed"), "{failed}");
        assert!(played.kept.borrow().is_empty());
    }

    #[test]
    fn nothing_is_asked_for_that_nobody_waits_for() {
        let (played, fetched) = (Played::default(), Rc::<Fetched>::default());
        let opened = HttpSource::open(played.clone(), "", "", fetched.clone(), Rc::new(|_| ()));
        let source = soon(opened).unwrap();
        fetched.listen(Some(Rc::new(|| false)));
        assert!(soon(source.read(0..FILE_BYTES)).is_err());
        assert_eq!(played.asked.borrow().len(), 2, "the one after which nobody wanted more");
    }

    fn open(played: &Played) -> Result<HttpSource<Played>, SourceError> {
        soon(HttpSource::open(played.clone(), "x", "", Rc::default(), Rc::new(|_| ())))
    }

    /// Where every pause is over at once.
    fn soon<T>(task: impl Future<Output = T>) -> T {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(task)
    }
}
