//! Parts of model files by `fetch`, kept in the browser's private file system.

use std::{ops::Range, rc::Rc};

use js_sys::Array;
use model::{ByteSource as _, SourceError};
use peer::{Failure, HttpSource, Pieces, REQUEST_TIMEOUT_MS, Reply, whole};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Blob, Request, RequestInit, Response};

use crate::{
    browser::{bytes_of, scope, text},
    kept::Kept,
    local::{LocalSource, blob_of},
};

/// How a worker has them.
#[derive(Clone, Debug)]
pub struct BrowserPieces;

impl Pieces for BrowserPieces {
    type Store = Kept;
    type Local = LocalSource;

    async fn get(&self, url: &str, range: &Range<u64>) -> Result<Reply, Failure> {
        let passing = |error: JsValue| Failure::Passing(text(&error));
        let response = request(url, range).await?;
        let body = response.array_buffer().map_err(passing)?;
        let bytes = bytes_of(body).await.map_err(passing)?;
        Ok(Reply::new(|name| response.headers().get(name).ok().flatten(), bytes))
    }

    async fn store(&self, url: &str, version: &str, warn: Rc<dyn Fn(String)>) -> Option<Kept> {
        Kept::open(url, version, warn).await
    }

    async fn latest(&self, url: &str, warn: Rc<dyn Fn(String)>) -> Option<(Kept, String)> {
        Kept::latest(url, warn).await
    }

    async fn local(
        source: &HttpSource<Self>,
        pieces: &[Range<u64>],
    ) -> Result<LocalSource, SourceError> {
        let range = whole(pieces);
        let failed = |error: JsValue| SourceError { range: range.clone(), reason: text(&error) };
        let blobs = Array::new();
        for piece in pieces {
            let blob = blob_of(&source.read(piece.clone()).await?).map_err(failed)?;
            blobs.push(&blob);
        }
        let blob = Blob::new_with_blob_sequence(&blobs).map_err(failed)?;
        Ok(LocalSource::new(source.len(), range, blob))
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
        status => Err(Failure::of_status(status)),
    }
}
