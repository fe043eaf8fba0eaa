//! Where NATS is, and who this server is there.

use std::{fmt, io, path::PathBuf, str::FromStr as _, time::Duration};

use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;

use crate::Error;

/// Where NATS is, and who this server is there.
#[derive(Clone)]
pub struct Nats {
    /// `nats://` or `tls://`, with `user:password@` or `token@` where that is asked for; several with commas.
    pub url: String,
    /// A credentials file, as `nsc` writes it.
    pub credentials: Option<PathBuf>,
    /// A PEM file with the certificate that NATS's own is checked with, in place of the system's; TLS is required then.
    pub root: Option<PathBuf>,
    /// After so long a silence another server is thought to be gone.
    pub lease: Duration,
}

impl Nats {
    /// With the usual lease, and nothing else.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), credentials: None, root: None, lease: Duration::from_secs(4) }
    }

    /// The addresses, and what to tell them of who we are.
    pub(super) async fn parse(&self) -> Result<(Vec<ServerAddr>, ConnectOptions), Error> {
        let parts = self.url.split(',').map(|part| ServerAddr::from_str(part.trim()));
        let addresses: Vec<_> =
            parts.collect::<Result<_, _>>().map_err(|error| self.failed(error))?;
        let is_odd = |address: &ServerAddr| address.is_websocket() || address.host().is_empty();
        if addresses.iter().any(is_odd) {
            return Err(self.failed("expected nats:// or tls://"));
        }
        // Whoever gives a certificate to check, or one address with TLS, wants no password to go another way.
        let is_tls = self.root.is_some() || addresses.iter().any(ServerAddr::tls_required);
        let mut options = ConnectOptions::new().require_tls(is_tls);
        if let Some((user, password)) = addresses.iter().find_map(named) {
            options = match password {
                Some(password) => options.user_and_password(user, password),
                None => options.token(user),
            };
        }
        if let Some(file) = &self.credentials {
            let failed = |error: io::Error| self.failed(format!("{}: {error}", file.display()));
            options = options.credentials_file(file).await.map_err(failed)?;
        }
        if let Some(root) = &self.root {
            options = options.add_root_certificates(root.clone());
        }
        Ok((addresses, options))
    }

    pub(super) fn failed(&self, reason: impl fmt::Display) -> Error {
        Error::Nats { url: self.without_secrets(), reason: reason.to_string() }
    }

    /// For logs and errors.
    fn without_secrets(&self) -> String {
        let bare = |part: &str| match (part.split_once("://"), part.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
            (None, Some((_, host))) => host.to_owned(),
            (_, None) => part.to_owned(),
        };
        self.url.split(',').map(bare).collect::<Vec<_>>().join(",")
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nats({})", self.without_secrets())
    }
}

/// User and password; a user without one is a token.
fn named(address: &ServerAddr) -> Option<(String, Option<String>)> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some((decode(address.username()?), address.password().map(decode)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_in_no_error() {
        for (url, shown) in [
            ("nats://a:4222", "nats://a:4222"),
            ("nats://user:p%40ss@a,tls://token@b:1", "nats://a,tls://b:1"),
            ("user:p@ss@a", "a"),
        ] {
            let nats = Nats::new(url);
            assert_eq!(format!("{nats:?}"), format!("Nats({shown})"));
            assert!(!nats.failed("no").to_string().contains("ss@"));
        }
    }

    #[tokio::test]
    async fn odd_addresses_are_refused() {
        for url in ["", "http://a", "ws://a", "nats://a,ftp://b", "nats://"] {
            let is_refused = Nats::new(url).parse().await.is_err();
            assert!(is_refused, "{url}");
        }
        assert!(Nats::new("a:4222, tls://user:word@b").parse().await.is_ok());
    }

    #[tokio::test]
    async fn tls_is_for_all_addresses_or_none() {
        let root = Some(PathBuf::from("root.pem"));
        for (nats, is_required) in [
            (Nats::new("nats://a"), false),
            (Nats::new("nats://a,tls://b"), true),
            (Nats { root, ..Nats::new("nats://a") }, true),
        ] {
            let options = format!("{:?}", nats.parse().await.unwrap().1);
            assert!(options.contains(&format!(r#""tls_required": {is_required}"#)), "{options}");
        }
    }

    #[test]
    fn users_passwords_and_tokens() {
        let named = |url: &str| named(&url.parse().unwrap());
        let some = |text: &str| text.to_owned();
        assert_eq!(named("nats://a"), None);
        assert_eq!(named("nats://to%2Fken@a"), Some((some("to/ken"), None)));
        assert_eq!(named("nats://u:p%40@a"), Some((some("u"), Some(some("p@")))));
    }
}
