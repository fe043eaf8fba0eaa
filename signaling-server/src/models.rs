//! Model files by HTTP Range (RFC 9110, section 14), so that each phone fetches
//! only its own tensors; never compressed, so that offsets stay offsets.

use std::{
    fs::Metadata,
    io::SeekFrom,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use axum::{
    body::Body,
    extract::{Path as UrlPath, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
};
use tokio_util::io::ReaderStream;

use crate::{Error, Server, catalogue::SETTINGS};

/// Fails unless every folder can be read.
pub(crate) fn check(folders: &[PathBuf]) -> Result<(), Error> {
    folders.iter().try_for_each(|folder| match std::fs::read_dir(folder) {
        Ok(_) => Ok(()),
        Err(source) => Err(Error::Models { folder: folder.clone(), source }),
    })
}

/// `GET /models/NAME.gguf`, or the `NAME.json` beside it; whole or one range.
pub(crate) async fn serve(
    State(server): State<Server>,
    name: Option<UrlPath<String>>,
    headers: HeaderMap,
) -> Response {
    let Some(UrlPath(name)) = name else { return StatusCode::NOT_FOUND.into_response() };
    match find(&server.0.config.model_dirs, &name).await {
        Some((file, metadata)) => answer(file, &metadata, &name, &headers).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `GET /models/FOLDER/NAME`: a file of a model as Hugging Face has it; whole or one range.
pub(crate) async fn serve_of_folder(
    State(server): State<Server>,
    path: Option<UrlPath<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let Some(UrlPath((folder, name))) = path else { return StatusCode::NOT_FOUND.into_response() };
    match find_in_model(&server.0.config.model_dirs, &folder, &name).await {
        Some((file, metadata)) => answer(file, &metadata, &name, &headers).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn find_in_model(dirs: &[PathBuf], folder: &str, name: &str) -> Option<(File, Metadata)> {
    let is_offered = name.ends_with(".safetensors") || name.ends_with(".json");
    if !is_plain(folder) || !is_plain(name) || !is_offered {
        return None;
    }
    for dir in dirs {
        let (settings, path) = (dir.join(folder).join(SETTINGS), dir.join(folder).join(name));
        if is_file(&settings).await && is_file(&path).await {
            return open_file(&path).await;
        }
    }
    None
}

async fn find(folders: &[PathBuf], name: &str) -> Option<(File, Metadata)> {
    if !is_plain(name) {
        return None;
    }
    for folder in folders {
        if let Some(found) = open(folder, name).await {
            return Some(found);
        }
    }
    None
}

async fn open(folder: &Path, name: &str) -> Option<(File, Metadata)> {
    let is_offered = match name.rsplit_once('.')? {
        (_, "gguf") => true,
        (stem, "json") => is_file(&folder.join(format!("{stem}.gguf"))).await,
        _ => false,
    };
    let path = folder.join(name);
    if !is_offered || !is_file(&path).await {
        return None;
    }
    open_file(&path).await
}

async fn open_file(path: &Path) -> Option<(File, Metadata)> {
    let file = File::open(path).await.ok()?;
    let metadata = file.metadata().await.ok()?;
    Some((file, metadata))
}

/// Asked before opening, because opening a pipe would wait for its other end.
pub(crate) async fn is_file(path: &Path) -> bool {
    tokio::fs::metadata(path).await.is_ok_and(|metadata| metadata.is_file())
}

/// A name that means the same in a URL, on every file system, and to a reader.
pub(crate) fn is_plain(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    name.len() <= 255 && !name.starts_with('.') && name.chars().all(is_plain)
}

async fn answer(file: File, metadata: &Metadata, name: &str, headers: &HeaderMap) -> Response {
    let size = metadata.len();
    let tag = entity_tag(metadata);
    let about = about(name, &tag);
    if matches_any(headers.get(header::IF_NONE_MATCH), &tag) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    match asked_range(headers, &tag).map(|text| parse_range(text, size)) {
        None | Some(Asked::OtherUnit) => {
            let length = [(header::CONTENT_LENGTH, size.to_string())];
            (StatusCode::OK, about, length, body(file, 0, size).await).into_response()
        }
        Some(Asked::Bytes { start, end }) => {
            let length = end - start;
            let part = [
                (header::CONTENT_RANGE, format!("bytes {start}-{}/{size}", end - 1)),
                (header::CONTENT_LENGTH, length.to_string()),
            ];
            let body = body(file, start, length).await;
            (StatusCode::PARTIAL_CONTENT, about, part, body).into_response()
        }
        Some(Asked::Unsatisfiable) => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            (StatusCode::RANGE_NOT_SATISFIABLE, about, range).into_response()
        }
    }
}

async fn body(mut file: File, start: u64, length: u64) -> Body {
    match file.seek(SeekFrom::Start(start)).await {
        Ok(_) => Body::from_stream(ReaderStream::with_capacity(file.take(length), READ_BYTES)),
        // Shorter than its Content-Length, so that the connection breaks and the client knows.
        Err(_) => Body::empty(),
    }
}

/// Changes whenever the file does, as far as its size and time can tell.
fn entity_tag(metadata: &Metadata) -> String {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    format!("\"{:x}-{:x}\"", metadata.len(), modified.unwrap_or_default().as_nanos())
}

fn about(name: &str, tag: &str) -> [(HeaderName, HeaderValue); 4] {
    let kind =
        if name.ends_with(".json") { "application/json" } else { "application/octet-stream" };
    [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform")),
        (header::ETAG, HeaderValue::from_str(tag).expect("a tag is hexadecimal digits in quotes")),
    ]
}

/// Whether `If-None-Match` names the tag; weakly, as RFC 9110, section 13.1.2, has it.
fn matches_any(tags: Option<&HeaderValue>, tag: &str) -> bool {
    let Some(Ok(tags)) = tags.map(HeaderValue::to_str) else { return false };
    tags.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

/// The range, unless it is for another version of the file.
fn asked_range<'h>(headers: &'h HeaderMap, tag: &str) -> Option<&'h str> {
    let is_current = headers.get(header::IF_RANGE).is_none_or(|version| version == tag);
    let range = headers.get(header::RANGE).filter(|_| is_current)?;
    Some(range.to_str().unwrap_or("bytes=unreadable"))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    /// `start..end`, not empty.
    Bytes { start: u64, end: u64 },
    /// Not in bytes: ignored, as RFC 9110, section 14.2, has it.
    OtherUnit,
    /// Outside the file, several ranges, or no range. A server may ignore the
    /// last two, but a phone that asked for a part should not get gigabytes.
    Unsatisfiable,
}

fn parse_range(text: &str, size: u64) -> Asked {
    let Some((unit, range)) = text.split_once('=') else { return Asked::Unsatisfiable };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Asked::OtherUnit;
    }
    let asked = range.trim().split_once('-').and_then(|(first, last)| match (first, last) {
        ("", last) => Some((size.saturating_sub(digits(last)?), size)),
        (first, "") => Some((digits(first)?, size)),
        (first, last) => Some((digits(first)?, digits(last)?.saturating_add(1).min(size))),
    });
    match asked {
        Some((start, end)) if start < end => Asked::Bytes { start, end },
        _ => Asked::Unsatisfiable,
    }
}

/// Decimal digits alone; more than fit are as good as the largest number.
fn digits(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// How much is read from the disk at a time.
const READ_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges() {
        let bytes = |start, end| Asked::Bytes { start, end };
        for (text, expected) in [
            ("bytes=0-0", bytes(0, 1)),
            ("bytes=0-9", bytes(0, 10)),
            ("bytes=2-4", bytes(2, 5)),
            ("Bytes=5-", bytes(5, 10)),
            ("bytes=-3", bytes(7, 10)),
            ("bytes=-30", bytes(0, 10)),
            ("bytes=8-99999999999999999999999", bytes(8, 10)),
            ("items=0-1", Asked::OtherUnit),
        ] {
            assert_eq!(parse_range(text, 10), expected, "{text}");
        }
        for text in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=-0",
            "bytes=10-",
            "bytes=10-11",
            "bytes=4-3",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=0x1-2",
            "bytes=1-2,4-5",
            "bytes=1-2-3",
            "bytes=1",
            "bytes=99999999999999999999999-",
        ] {
            assert_eq!(parse_range(text, 10), Asked::Unsatisfiable, "{text}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Asked::Unsatisfiable);
    }

    proptest! {
        /// Ranges, what is nearly one, and anything.
        #[test]
        fn whatever_is_asked_lies_within_the_file(
            text in "bytes=[0-9]{0,21}-[0-9]{0,21}|[a-z= ]{0,8}[0-9,-]{0,9}|\\PC{0,60}",
            size in prop_oneof![0..1000_u64, any::<u64>(), Just(u64::MAX)],
        ) {
            if let Asked::Bytes { start, end } = parse_range(&text, size) {
                prop_assert!(start < end && end <= size, "{start}..{end} of {size}");
            }
        }

        #[test]
        fn ranges_are_the_bytes_that_they_name(
            first in 0..99_u64, more in 0..99_u64, size in 0..99_u64,
        ) {
            let asked = parse_range(&format!("bytes={first}-{}", first + more), size);
            let end = size.min(first + more + 1);
            let is_there = first < size;
            prop_assert_eq!(asked == Asked::Unsatisfiable, !is_there);
            prop_assert_eq!(asked == Asked::Bytes { start: first, end }, is_there);
        }
    }

    #[test]
    fn plain_names() {
        assert!(is_plain("Qwen3-0.6B_Q8_0.gguf"));
        for name in
            ["..", ".hidden.gguf", "a/b.gguf", "a\\b.gguf", "a b.gguf", "ä.gguf", "a\0.gguf"]
        {
            assert!(!is_plain(name), "{name}");
        }
        assert!(!is_plain(&"a".repeat(256)));
    }
}
