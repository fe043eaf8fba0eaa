//! What the server proves itself with: a certificate of this machine's own authority ([`Local`]), or one of a public
//! authority ([`Acme`]). Either is renewed while the server runs.

mod acme;
mod authority;
mod certified;
mod files;
mod local;
mod names;
mod resolver;

use std::{fmt, sync::Arc, time::Duration};

use rustls::{ServerConfig, crypto::ring, pki_types::CertificateDer};
use time::OffsetDateTime;
use tokio::{task::spawn_blocking, time::sleep};
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use crate::Error;

pub use acme::Acme;
pub use authority::Authority;
pub use local::Local;
pub use names::local_names;
pub(crate) use resolver::ACME_TLS;

use certified::{Certified, Facts, fingerprint};
use resolver::Resolver;

/// What time it is.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// A certificate and its private key, ready to serve. Clones are handles to the same one.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    source: Source,
    resolver: Arc<Resolver>,
    config: Arc<ServerConfig>,
}

enum Source {
    Local(Local),
    Acme(Acme),
}

impl Identity {
    /// Certificates of this machine's own authority, for its private names.
    ///
    /// # Errors
    /// [`Error::IdentityFile`], [`Error::OpenKey`] and [`Error::Identity`].
    pub fn local(local: Local) -> Result<Self, Error> {
        let certified = local.load_or_make()?;
        let identity = Self::new(Source::Local(local), HTTP);
        identity.0.resolver.show(certified);
        Ok(identity)
    }

    /// Certificates of a public authority. Where none is kept, the server shows none until it has got one.
    ///
    /// # Errors
    /// [`Error::IdentityFile`] and [`Error::OpenKey`].
    pub fn acme(acme: Acme) -> Result<Self, Error> {
        let kept = acme.load()?;
        let identity = Self::new(Source::Acme(acme), &[HTTP, &[ACME_TLS]].concat());
        if let Some(kept) = kept {
            identity.0.resolver.show(kept);
        }
        Ok(identity)
    }

    fn new(source: Source, protocols: &[&[u8]]) -> Self {
        let resolver = Arc::new(Resolver::default());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has what these versions need")
            .with_no_client_auth()
            .with_cert_resolver(resolver.clone());
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Self(Arc::new(Inner { source, resolver, config: Arc::new(config) }))
    }

    /// The certificate of the moment.
    pub fn certificate(&self) -> Option<CertificateDer<'static>> {
        self.current().map(|certified| certified.leaf().clone())
    }

    /// Its SHA-256, as browsers show it: `AB:CD:..`.
    pub fn fingerprint(&self) -> Option<String> {
        self.current().map(|certified| fingerprint(certified.leaf()))
    }

    /// The certificate of the local authority that signed it, for clients that are to trust it.
    pub fn authority(&self) -> Option<CertificateDer<'static>> {
        self.current()?.authority.clone()
    }

    /// Its SHA-256.
    pub fn authority_fingerprint(&self) -> Option<String> {
        self.authority().as_ref().map(fingerprint)
    }

    /// Whether the certificate is for `name`, a host name or an address.
    pub fn covers(&self, name: &str) -> bool {
        self.current().is_some_and(|certified| certified.facts.names.contains(name))
    }

    /// Whether its certificates are those of an authority that its clients know by themselves.
    pub(crate) fn is_public(&self) -> bool {
        matches!(self.0.source, Source::Acme(_))
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.0.config.clone().into()
    }

    /// Renews the certificate whenever that is due. Never returns.
    pub(crate) async fn stay_fresh(&self) {
        let mut failures = 0;
        loop {
            let pause = match self.renew_if_due().await {
                Ok(()) => {
                    failures = 0;
                    LOOK_EVERY
                }
                Err(error) => {
                    failures += 1;
                    let pause = self.0.source.pause_after(failures);
                    warn!(%error, again_in_secs = pause.as_secs(), "no new certificate");
                    pause
                }
            };
            sleep(pause).await;
        }
    }

    /// Renews the certificate if that is due, as [`run`](crate::run) does by itself every few seconds.
    ///
    /// # Errors
    /// [`Error::IdentityFile`], [`Error::OpenKey`], [`Error::Identity`] and [`Error::Acme`]; the certificate stays what it was.
    /// [`Error::Clock`] where the new one would have to be renewed at once, so that no authority is asked without end.
    pub async fn renew_if_due(&self) -> Result<(), Error> {
        let Inner { source, resolver, .. } = &*self.0;
        if self.current().is_some_and(|current| !source.is_due(&current.facts)) {
            return Ok(());
        }
        let renewed = match source {
            Source::Local(local) => {
                let local = local.clone();
                let made = spawn_blocking(move || local.load_or_make()).await;
                made.expect("making certificates does not panic")?
            }
            Source::Acme(acme) => acme.obtain(resolver).await?,
        };
        info!(fingerprint = fingerprint(renewed.leaf()), ends = %renewed.facts.ends, "new certificate");
        let is_due_again = source.is_due(&renewed.facts);
        resolver.show(renewed);
        if is_due_again { Err(Error::Clock) } else { Ok(()) }
    }

    fn current(&self) -> Option<Arc<Certified>> {
        self.0.resolver.current()
    }
}

impl Source {
    fn is_due(&self, current: &Facts) -> bool {
        match self {
            Self::Local(local) => local.is_due(current),
            Self::Acme(acme) => acme.is_due(current),
        }
    }

    /// Authorities forbid names for an hour after five failures (Let's Encrypt), so the pauses grow.
    fn pause_after(&self, failures: u32) -> Duration {
        match self {
            Self::Local(_) => FIRST_PAUSE,
            Self::Acme(_) => LONGEST_PAUSE.min(FIRST_PAUSE * 4_u32.pow(failures.clamp(1, 6) - 1)),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.fingerprint()).finish()
    }
}

/// WebSockets are HTTP/1.1; one protocol is enough for a room of phones.
const HTTP: &[&[u8]] = &[b"http/1.1"];
/// How often names and time are looked at: a machine that came into another network is served there soon.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);

#[cfg(test)]
mod tests;
