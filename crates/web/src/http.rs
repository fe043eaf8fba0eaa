//! A model file behind a URL, read by HTTP Range requests.

use std::{
    cell::{Cell, RefCell},
    fmt,
    ops::Range,
    rc::Rc,
};

use js_sys::Uint8Array;
use model::{ByteSource, SourceError};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Request, RequestInit, Response, WorkerGlobalScope};

use crate::clock::sleep;

/// How long one request may take: a piece at 35 kB/s. All attempts together stay under the time
/// without progress after which a room gives a phone up.
const REQUEST_TIMEOUT_MS: u32 = 15_000;
/// How often a request is tried, with pauses between.
const ATTEMPTS: usize = 3;
const PAUSE_SECS: f64 = 1.0;
/// The most bytes of one request; larger ranges are read in pieces.
const PIECE_BYTES: u64 = 512 << 10;
const NO_SUCH_FILE: &str = "the server has no such file";

/// Counts the bytes that came from the server.
#[derive(Default)]
pub struct Fetched {
    bytes: Cell<u64>,
    listener: RefCell<Option<Rc<dyn Fn()>>>,
}

impl Fetched {
    /// All bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// From now on, tells `listener` of every piece.
    pub fn listen(&self, listener: Option<Rc<dyn Fn()>>) {
        *self.listener.borrow_mut() = listener;
    }

    fn add(&self, bytes: u64) {
        self.bytes.set(self.bytes.get() + bytes);
        let listener = self.listener.borrow().clone();
        if let Some(listener) = listener {
            listener();
        }
    }
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// A file on the server.
#[derive(Clone, Debug)]
pub struct HttpSource {
    url: String,
    file_bytes: u64,
    fetched: Rc<Fetched>,
}

impl HttpSource {
    /// Asks the server for the file's length.
    ///
    /// # Errors
    /// [`SourceError`] when there is no such file or the server does not serve ranges.
    pub async fn open(url: &str, fetched: Rc<Fetched>) -> Result<Self, SourceError> {
        let range = 0..1;
        let response = again_and_again(&range, || request(url, &range)).await?;
        let total = response.headers().get("content-range").ok().flatten();
        let total = total.as_deref().and_then(|range| range.rsplit('/').next()?.parse().ok());
        let file_bytes =
            total.ok_or_else(|| failed(&range, "the server does not serve parts of files"))?;
        Ok(Self { url: url.to_owned(), file_bytes, fetched })
    }

    async fn piece(&self, range: Range<u64>) -> Result<Vec<u8>, SourceError> {
        again_and_again(&range, || self.attempt(&range)).await
    }

    async fn attempt(&self, range: &Range<u64>) -> Result<Vec<u8>, SourceError> {
        let response = request(&self.url, range).await?;
        let body = response.array_buffer().map_err(|error| failed(range, &text(&error)))?;
        let body = JsFuture::from(body).await.map_err(|error| failed(range, &text(&error)))?;
        let bytes = Uint8Array::new(&body);
        if u64::from(bytes.length()) != range.end - range.start {
            return Err(failed(range, &format!("{} bytes came", bytes.length())));
        }
        self.fetched.add(bytes.length().into());
        Ok(bytes.to_vec())
    }
}

impl ByteSource for HttpSource {
    fn len(&self) -> u64 {
        self.file_bytes
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, SourceError> {
        if range.start > range.end || range.end > self.file_bytes {
            return Err(failed(&range, &format!("the file has {} bytes", self.file_bytes)));
        }
        let mut bytes = Vec::new();
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + PIECE_BYTES);
            bytes.extend(self.piece(start..end).await?);
            start = end;
        }
        Ok(bytes)
    }
}

/// Tries until it succeeds, with pauses, unless trying again cannot help.
async fn again_and_again<T>(
    range: &Range<u64>,
    attempt: impl AsyncFn() -> Result<T, SourceError>,
) -> Result<T, SourceError> {
    let mut last = failed(range, "it was not tried");
    for number in 0..ATTEMPTS {
        if number > 0 {
            sleep(PAUSE_SECS).await;
        }
        match attempt().await {
            Err(error) if error.reason != NO_SUCH_FILE => last = error,
            outcome => return outcome,
        }
    }
    Err(last)
}

async fn request(url: &str, range: &Range<u64>) -> Result<Response, SourceError> {
    let wrong = |error: JsValue| failed(range, &text(&error));
    let init = RequestInit::new();
    init.set_signal(Some(&AbortSignal::timeout_with_u32(REQUEST_TIMEOUT_MS)));
    let request = Request::new_with_str_and_init(url, &init).map_err(wrong)?;
    let wanted = format!("bytes={}-{}", range.start, range.end - 1);
    request.headers().set("range", &wanted).map_err(wrong)?;
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let response = JsFuture::from(scope.fetch_with_request(&request)).await.map_err(wrong)?;
    let response: Response = response.unchecked_into();
    match response.status() {
        206 => Ok(response),
        404 => Err(failed(range, NO_SUCH_FILE)),
        status => Err(failed(range, &format!("the server answered {status}"))),
    }
}

fn failed(range: &Range<u64>, reason: &str) -> SourceError {
    SourceError { range: range.clone(), reason: reason.to_owned() }
}

fn text(error: &JsValue) -> String {
    error
        .dyn_ref::<js_sys::Error>()
        .map_or_else(|| format!("{error:?}"), |error| String::from(error.message()))
}
