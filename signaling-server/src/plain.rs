//! What plain HTTP gets on a port for HTTPS. Where the certificate is of this machine's own authority, people get a
//! page that says what to do, and the authority's certificate; everything else is sent to HTTPS.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header, uri::Authority},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{
    Identity, Server, access_log, metrics,
    qr::{lan_address, qr_svg},
    statics::is_navigation,
};

#[derive(Clone)]
struct Plain {
    identity: Identity,
    listen: SocketAddr,
}

/// All that is answered to plain HTTP by a server that listens on `listen`.
pub(crate) fn app(server: &Server, identity: &Identity, listen: SocketAddr) -> Router {
    let plain = Arc::new(Plain { identity: identity.clone(), listen });
    Router::new()
        .route("/lingualinked.crt", get(certificate))
        .route("/lingualinked.css", get(style))
        .fallback(answer)
        .layer(middleware::map_response_with_state(server.clone(), metrics::count_answer))
        .layer(middleware::from_fn_with_state(server.clone(), access_log::record))
        .with_state(plain)
}

async fn answer(State(plain): State<Arc<Plain>>, request: Request) -> Response {
    let is_for_people = is_navigation(&request);
    match plain.page(request.headers()).filter(|_| is_for_people) {
        Some(page) => (GUARDS, HTML, page).into_response(),
        None => plain.to_https(&request),
    }
}

/// What a phone's settings install. The one thing of the state folder that is everybody's.
async fn certificate(State(plain): State<Arc<Plain>>) -> Response {
    match plain.identity.authority() {
        Some(authority) => (GUARDS, CERTIFICATE, authority.to_vec()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn style() -> impl IntoResponse {
    (GUARDS, CSS, STYLE)
}

impl Plain {
    fn page(&self, headers: &HeaderMap) -> Option<String> {
        let fingerprint = self.identity.authority_fingerprint()?;
        let host = self.known_host(headers).unwrap_or_else(|| self.lan());
        let page = PAGE
            .replace("{{address}}", &format!("https://{host}/"))
            .replace("{{fingerprint}}", &fingerprint.replace(':', ":<wbr>"))
            .replace("{{other}}", &self.other_phone());
        Some(page)
    }

    /// What the client calls this machine, where the certificate is for that too.
    fn known_host(&self, headers: &HeaderMap) -> Option<String> {
        let host: Authority = headers.get(header::HOST)?.to_str().ok()?.parse().ok()?;
        let name = host.host().trim_matches(['[', ']']).to_ascii_lowercase();
        let is_plain = !host.as_str().contains('@') && self.identity.covers(&name);
        is_plain.then(|| host.as_str().to_ascii_lowercase())
    }

    /// This page's address as a code, for the next phone; nothing where no phone can reach this machine.
    fn other_phone(&self) -> String {
        if self.listen.ip().is_loopback() {
            return String::new();
        }
        let address = format!("http://{}/", self.lan());
        match qr_svg(&address) {
            Ok(code) => OTHER_PHONE.replace("{{code}}", &code).replace("{{page}}", &address),
            Err(_) => String::new(),
        }
    }

    fn lan(&self) -> String {
        lan_address(self.listen).to_string()
    }

    fn to_https(&self, request: &Request) -> Response {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.map_or_else(|| self.lan(), ToOwned::to_owned);
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let there = [(header::LOCATION, format!("https://{host}{path}"))];
        (StatusCode::TEMPORARY_REDIRECT, [(header::CONNECTION, "close")], there).into_response()
    }
}

/// The page does nothing but show itself.
const GUARDS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (header::CONNECTION, "close"),
];
const HTML: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
const CSS: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
const CERTIFICATE: [(HeaderName, &str); 2] = [
    (header::CONTENT_TYPE, "application/x-x509-ca-cert"),
    (header::CONTENT_DISPOSITION, "attachment; filename=\"lingualinked.crt\""),
];
const PAGE: &str = include_str!("plain/page.html");
const OTHER_PHONE: &str = include_str!("plain/other-phone.html");
const STYLE: &str = include_str!("plain/style.css");

#[cfg(test)]
mod tests {
    use super::*;

    /// The page looks like the app: each of its colours is one of the app's.
    #[test]
    fn colours_are_the_apps() {
        let theme = include_str!("../../web/src/ui/theme.css");
        let colours: Vec<&str> =
            STYLE.lines().map(str::trim).filter(|line| line.contains("light-dark(")).collect();
        assert!(colours.len() > 5, "{colours:?}");
        for colour in colours {
            assert!(theme.contains(colour), "{colour}");
        }
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere_and_nothing_runs() {
        for text in [PAGE, OTHER_PHONE] {
            let is_active = |word: &str| word.starts_with("on") && word.contains('=');
            assert!(!text.contains("<script") && !text.contains("style="));
            assert!(!text.split_whitespace().any(is_active));
        }
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    }
}
