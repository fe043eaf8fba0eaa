//! One line of JSON per answer. Never what a socket or a body carries.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{Error, Server};

/// The open log. Clones write to the same file.
#[derive(Clone)]
pub(crate) struct AccessLog(Arc<File>);

impl AccessLog {
    /// Appends to `file`, which is made if it is not there.
    pub(crate) fn open(file: &Path) -> Result<Self, Error> {
        let opened = OpenOptions::new().append(true).create(true).open(file);
        let opened = opened.map_err(|source| Error::AccessLog { file: file.into(), source })?;
        Ok(Self(Arc::new(opened)))
    }

    /// One write per line, so that lines of several threads never mix. The
    /// kernel buffers it; a full disk loses lines, not answers.
    fn write(&self, line: &Line) {
        let mut text = serde_json::to_string(line).expect("a line has text keys and integers only");
        text.push('\n');
        let _ = (&*self.0).write_all(text.as_bytes());
    }
}

/// The layer that notes every answer when its body is over or given up.
pub(crate) async fn record(State(server): State<Server>, request: Request, next: Next) -> Response {
    let Some(log) = server.0.access_log.clone() else { return next.run(request).await };
    let asked = Asked::new(request.method(), request.uri(), request.headers());
    let response = next.run(request).await;
    let line = asked.answered(response.status());
    response.map(|body| Body::new(Counted { body, line, log }))
}

#[derive(Serialize)]
struct Line {
    /// When the answer began.
    time: String,
    method: String,
    /// Path and query.
    uri: String,
    range: Option<String>,
    status: u16,
    /// Bytes of the body that were really handed to the connection.
    bytes: u64,
}

struct Asked {
    method: String,
    uri: String,
    range: Option<String>,
}

impl Asked {
    fn new(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let range = headers.get(header::RANGE);
        Self {
            method: method.to_string(),
            uri: uri.path_and_query().map_or_else(String::new, ToString::to_string),
            range: range.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        }
    }

    fn answered(self, status: StatusCode) -> Line {
        let Self { method, uri, range } = self;
        let time = OffsetDateTime::now_utc().format(&Rfc3339);
        let time = time.expect("the year has four digits until 10000");
        Line { time, method, uri, range, status: status.as_u16(), bytes: 0 }
    }
}

/// A body that counts its bytes and writes its line when it is dropped.
struct Counted {
    body: Body,
    line: Line,
    log: AccessLog,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.line.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.log.write(&self.line);
    }
}
