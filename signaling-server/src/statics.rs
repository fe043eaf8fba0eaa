//! The built app: its files, and the headers that keep it to itself.

use std::{convert::Infallible, path::Path};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::Response,
};
use tower::ServiceExt as _;
use tower_http::services::ServeDir;

use crate::{Error, Server};

/// The app's folder. `file.br` and `file.gz` beside a file are served in its
/// place to those who accept them.
pub(crate) struct Statics {
    files: ServeDir,
}

impl Statics {
    /// The files of `folder`, which has an `index.html`.
    pub(crate) fn new(folder: &Path) -> Result<Self, Error> {
        if !folder.join("index.html").is_file() {
            return Err(Error::App { folder: folder.into() });
        }
        let files = ServeDir::new(folder)
            .precompressed_br()
            .precompressed_gzip()
            .redirect_to_trailing_slash(false)
            .ignore_multi_range_requests(true);
        Ok(Self { files })
    }

    async fn fetch(&self, request: Request) -> Response {
        let fetched: Result<_, Infallible> = self.files.clone().oneshot(request).await;
        let Ok(response) = fetched;
        response.map(Body::new)
    }
}

/// A file of the app; its page for a navigation to anything that is no file.
pub(crate) async fn serve(State(server): State<Server>, mut request: Request) -> Response {
    let statics = &server.0.statics;
    let path = request.uri().path().to_owned();
    let page = is_navigation(&request).then(|| page_request(request.headers()));
    *request.uri_mut() = Uri::try_from(path.as_str()).unwrap_or_default();
    let response = statics.fetch(request).await;
    let is_missing = response.status() == StatusCode::NOT_FOUND;
    match page.filter(|_| is_missing && !path.starts_with("/models")) {
        Some(page) => with_caching("/index.html", statics.fetch(page).await),
        None => with_caching(&path, response),
    }
}

/// Adds to every answer what a browser must know to guard the page. Cross-origin
/// isolation gives the page precise clocks; the rest forbids everything that it
/// does not do. `wasm-unsafe-eval` is what compiling wasm is called. A WebSocket of the
/// page's own server is `self`, and a model may come from any https address.
pub(crate) async fn guard(mut response: Response) -> Response {
    for (name, value) in GUARDS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

const GUARDS: [(HeaderName, &str); 7] = [
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
         connect-src 'self' https:; img-src 'self' data: blob:; media-src 'self' blob:; \
         worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(self), screen-wake-lock=(self), microphone=(), geolocation=(), payment=(), usb=()",
    ),
];

/// With a certificate that every browser knows, browsers come by HTTPS alone from then on, for two years, and let no person
/// go on past a certificate that is wrong. With another they have to.
pub(crate) async fn keep_to_https(mut response: Response) -> Response {
    let value = HeaderValue::from_static("max-age=63072000");
    response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, value);
    response
}

/// Whether a person goes to a page, and not a page to one of its files. Old
/// browsers do not say; they accept HTML.
pub(crate) fn is_navigation(request: &Request) -> bool {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let asks_for_page = match text("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => text("accept").is_some_and(|accept| accept.contains("text/html")),
    };
    asks_for_page && matches!(*request.method(), Method::GET | Method::HEAD)
}

/// The page, as compressed as the original request accepts it.
fn page_request(headers: &HeaderMap) -> Request {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from_static("/index.html");
    let headers = headers.iter().filter(|(name, _)| *name == header::ACCEPT_ENCODING);
    request.headers_mut().extend(headers.map(|(name, value)| (name.clone(), value.clone())));
    request
}

/// Files in `assets/` have their content's hash in their name, so they never
/// change; everything else is asked for again, the service worker among it.
fn with_caching(path: &str, mut response: Response) -> Response {
    let is_hashed = path.starts_with("/assets/") && !response.status().is_client_error();
    let caching = if is_hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers
        .insert(header::VARY, HeaderValue::from_static("accept-encoding, sec-fetch-mode, accept"));
    response
}
