//! A model file behind a URL, read by HTTP Range requests, and kept for the next time.

use std::{
    cell::{Cell, RefCell},
    fmt,
    ops::Range,
    rc::Rc,
};

use js_sys::Array;
use model::{ByteSource, SourceError};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Blob, Request, RequestInit, Response};

use crate::{
    browser::{bytes_of, scope, text},
    clock::{now_secs, sleep},
    kept::Kept,
    local::{LocalSource, blob_of, whole},
};

/// How long one request may take: a piece at 35 kB/s.
const REQUEST_TIMEOUT_MS: u32 = 15_000;
/// No attempt starts later than this after the first. The last one ends before the time without
/// progress after which a room gives a phone up.
const RETRY_SECS: f64 = 25.0;
/// The pause after the first attempt; each is twice the one before.
const FIRST_PAUSE_SECS: f64 = 0.5;
/// The most bytes of one request; larger ranges are read in pieces.
const PIECE_BYTES: u64 = 512 << 10;

/// Counts the bytes of model files that came, from wherever.
#[derive(Default)]
pub struct Fetched {
    bytes: Cell<u64>,
    listener: RefCell<Option<Rc<dyn Fn() -> bool>>>,
    is_over: Cell<bool>,
}

impl Fetched {
    /// All bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// From now on, tells `listener` of every piece. Once it says that no more are wanted, none is asked of a server.
    pub fn listen(&self, listener: Option<Rc<dyn Fn() -> bool>>) {
        *self.listener.borrow_mut() = listener;
        self.is_over.set(false);
    }

    /// Some more came.
    pub fn add(&self, bytes: u64) {
        self.bytes.set(self.bytes.get() + bytes);
        let listener = self.listener.borrow().clone();
        if let Some(listener) = listener {
            self.is_over.set(!listener());
        }
    }
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// Why a request gave nothing.
enum Failure {
    /// Another attempt may succeed.
    Passing(String),
    /// None will.
    Lasting(String),
}

/// A file on a server.
#[derive(Clone, Debug)]
pub struct HttpSource {
    url: String,
    file_bytes: u64,
    /// What changes whenever the file does, if the server says.
    version: Option<String>,
    fetched: Rc<Fetched>,
    kept: Option<Rc<Kept>>,
}

impl HttpSource {
    /// Asks the server for the file's length, and looks for what is kept of it. Where the server does not answer, what
    /// is kept is the file. `query` goes behind the URL and does not change the file; `warn` hears what a person should
    /// know though it stops nothing.
    ///
    /// # Errors
    /// [`SourceError`] when there is no such file or the server does not serve ranges.
    pub async fn open(
        url: &str,
        query: &str,
        fetched: Rc<Fetched>,
        warn: Rc<dyn Fn(String)>,
    ) -> Result<Self, SourceError> {
        let full_url = format!("{url}{query}");
        let range = 0..1;
        let response = match request(&full_url, &range).await {
            Ok(response) => response,
            Err(Failure::Lasting(reason)) => return Err(SourceError { range, reason }),
            Err(Failure::Passing(_)) => {
                if let Some(source) = Self::kept(url, &full_url, &fetched, &warn).await {
                    return Ok(source);
                }
                again_and_again(&range, || request(&full_url, &range)).await?
            }
        };
        let file_bytes = total_of(&response).ok_or_else(|| {
            let reason =
                "the server does not serve parts of files, or hides from other pages that it does";
            SourceError { range, reason: reason.into() }
        })?;
        let version = version_of(&response);
        let kept = match &version {
            Some(version) => Kept::open(url, &format!("{file_bytes} {version}"), warn).await,
            None => None,
        };
        Ok(Self { url: full_url, file_bytes, version, fetched, kept: kept.map(Rc::new) })
    }

    /// The file as it was the last time. What is missing of it is asked for, and refused if it has changed since.
    async fn kept(
        url: &str,
        full_url: &str,
        fetched: &Rc<Fetched>,
        warn: &Rc<dyn Fn(String)>,
    ) -> Option<Self> {
        let (kept, line) = Kept::latest(url, warn.clone()).await?;
        let (file_bytes, version) = line.split_once(' ')?;
        Some(Self {
            url: full_url.into(),
            file_bytes: file_bytes.parse().ok()?,
            version: Some(version.into()),
            fetched: fetched.clone(),
            kept: Some(Rc::new(kept)),
        })
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
        if self.fetched.is_over.get() {
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
        let passing = |error: JsValue| Failure::Passing(text(&error));
        let response = request(&self.url, range).await?;
        if total_of(&response) != Some(self.file_bytes) || version_of(&response) != self.version {
            return Err(Failure::Lasting("the file was changed on the server".into()));
        }
        let body = response.array_buffer().map_err(passing)?;
        let bytes = bytes_of(body).await.map_err(passing)?;
        if bytes.len() as u64 != range.end - range.start {
            return Err(Failure::Passing(format!("{} bytes came", bytes.len())));
        }
        Ok(bytes)
    }
}

impl ByteSource for HttpSource {
    type Local = LocalSource;

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

    async fn local(&self, pieces: &[Range<u64>]) -> Result<LocalSource, SourceError> {
        let range = whole(pieces);
        let failed = |error: JsValue| SourceError { range: range.clone(), reason: text(&error) };
        let blobs = Array::new();
        for piece in pieces {
            let blob = blob_of(&self.read(piece.clone()).await?).map_err(failed)?;
            blobs.push(&blob);
        }
        let blob = Blob::new_with_blob_sequence(&blobs).map_err(failed)?;
        Ok(LocalSource::new(self.file_bytes, range, blob))
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

async fn request(url: &str, range: &Range<u64>) -> Result<Response, Failure> {
    let lasting = |error: JsValue| Failure::Lasting(text(&error));
    let init = RequestInit::new();
    init.set_signal(Some(&AbortSignal::timeout_with_u32(REQUEST_TIMEOUT_MS)));
    let request = Request::new_with_str_and_init(url, &init).map_err(lasting)?;
    let wanted = format!("bytes={}-{}", range.start, range.end - 1);
    request.headers().set("range", &wanted).map_err(lasting)?;
    let response = JsFuture::from(scope().fetch_with_request(&request)).await;
    let response = response.map_err(|error| Failure::Passing(text(&error)))?;
    let response: Response = response.unchecked_into();
    match response.status() {
        206 => Ok(response),
        200 => Err(Failure::Lasting("the server does not serve parts of files".into())),
        404 => Err(Failure::Lasting("the server has no such file".into())),
        status @ 400..500 if !matches!(status, 408 | 429) => {
            Err(Failure::Lasting(format!("the server answered {status}")))
        }
        status => Err(Failure::Passing(format!("the server answered {status}"))),
    }
}

/// The file's length, of which this is a part.
fn total_of(response: &Response) -> Option<u64> {
    let range = response.headers().get("content-range").ok().flatten()?;
    range.rsplit('/').next()?.parse().ok()
}

fn version_of(response: &Response) -> Option<String> {
    let header = |name: &str| response.headers().get(name).ok().flatten();
    header("etag").or_else(|| header("last-modified"))
}
