//! The link that invites to a room.

use protocol::signal::Invitation;
use tokio_tungstenite::tungstenite::http::Uri;

use crate::NativeError;

/// What a link says. The secret is shown to nobody.
#[derive(Clone)]
pub struct Invited {
    /// Where the server is: scheme, host and perhaps a port, without a slash at its end.
    pub origin: String,
    /// The server's name or address, without brackets.
    pub host: String,
    /// Where it listens.
    pub port: u16,
    /// Whether it is spoken to over TLS.
    pub is_secure: bool,
    pub(crate) secret: String,
}

impl Invited {
    /// Reads a link as the first phone shows it, `https://HOST:PORT/#SECRET`.
    ///
    /// # Errors
    /// [`NativeError::NoInvitation`].
    pub fn read(link: &str) -> Result<Self, NativeError> {
        let none = || NativeError::NoInvitation;
        let (page, secret) = link.trim().split_once('#').ok_or_else(none)?;
        Invitation::from_fragment(secret).map_err(|_| none())?;
        let page: Uri = page.parse().map_err(|_| none())?;
        let is_secure = match page.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(none()),
        };
        let authority =
            page.authority().filter(|it| !it.as_str().contains('@')).ok_or_else(none)?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let scheme = if is_secure { "https" } else { "http" };
        let origin = format!("{scheme}://{authority}");
        Ok(Self { origin, host, port, is_secure, secret: secret.to_owned() })
    }

    /// Where the server introduces phones to each other.
    pub(crate) fn signal_url(&self) -> String {
        format!("{}/signal", self.origin.replacen("http", "ws", 1))
    }
}

impl std::fmt::Debug for Invited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invited").field("origin", &self.origin).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

    #[test]
    fn links_of_pages_are_read() {
        let lan = Invited::read(&format!(" https://192.168.1.7:8443/?name=x#{SECRET}\n")).unwrap();
        assert_eq!((lan.host.as_str(), lan.port, lan.is_secure), ("192.168.1.7", 8443, true));
        assert_eq!(lan.origin, "https://192.168.1.7:8443");
        assert_eq!(lan.signal_url(), "wss://192.168.1.7:8443/signal");
        let here = Invited::read(&format!("http://[::1]:8080/#{SECRET}")).unwrap();
        assert_eq!((here.host.as_str(), here.port), ("::1", 8080));
        assert_eq!(here.signal_url(), "ws://[::1]:8080/signal");
        let public = Invited::read(&format!("https://room.example.org/#{SECRET}")).unwrap();
        assert_eq!((public.port, public.secret.as_str()), (443, SECRET));
    }

    #[test]
    fn others_are_refused() {
        let links = [
            String::new(),
            SECRET.to_owned(),
            format!("#{SECRET}"),
            format!("ftp://host/#{SECRET}"),
            format!("https:///#{SECRET}"),
            format!("https://me:secret@host/#{SECRET}"),
            "https://host/".to_owned(),
            format!("https://host/#{}", &SECRET[1..]),
        ];
        for link in links {
            assert!(matches!(Invited::read(&link), Err(NativeError::NoInvitation)), "{link}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let invited = Invited::read(&format!("https://host/#{SECRET}")).unwrap();
        assert!(!format!("{invited:?}").contains(SECRET));
    }
}
