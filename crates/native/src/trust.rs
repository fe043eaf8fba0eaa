//! By what the room's server is known: the authorities that browsers trust, or the one that was named and no other.

use std::{fs, io::Read as _, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use sha2::{Digest as _, Sha256};
use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig},
};

use crate::{Invited, NativeError};

/// How the server is spoken to, and others.
pub struct Trust {
    /// For the socket to the room's server.
    pub tls: Arc<ClientConfig>,
    /// For the files of the room's server.
    pub own: Agent,
    /// For files elsewhere: what was named speaks for the room's server alone.
    pub public: Agent,
}

impl Trust {
    /// `named` is a file with an authority's certificate, or the authority's fingerprint as the server's terminal shows it.
    ///
    /// # Errors
    /// [`NativeError::Trust`], [`NativeError::File`].
    pub fn of(named: Option<&str>, invited: &Invited) -> Result<Self, NativeError> {
        let named = match named.map(|named| (named, fingerprint(named))) {
            None => Vec::new(),
            Some((_, Some(hash))) => vec![fetch(invited, hash)?],
            Some((path, None)) => read(path)?,
        };
        let mut roots = RootCertStore::empty();
        if named.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for certificate in &named {
            let refused = |error: rustls::Error| {
                NativeError::Trust(format!("no authority's certificate: {error}"))
            };
            roots.add(certificate.clone()).map_err(refused)?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| NativeError::Trust(error.to_string()))?;
        let tls = builder.with_root_certificates(roots).with_no_client_auth();
        let own_roots = match &named[..] {
            [] => RootCerts::WebPki,
            named => {
                let owned = named.iter().map(|der| Certificate::from_der(der).to_owned());
                RootCerts::new_with_certs(&owned.collect::<Vec<_>>())
            }
        };
        // As in a page, nothing that came over https leads to what did not.
        let [own, public] =
            [own_roots, RootCerts::WebPki].map(|roots| agent(roots, invited.is_secure));
        Ok(Self { tls: Arc::new(tls), own, public })
    }
}

fn agent(roots: RootCerts, https_only: bool) -> Agent {
    let tls = TlsConfig::builder()
        .root_certs(roots)
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(Duration::from_millis(peer::REQUEST_TIMEOUT_MS.into())))
        .http_status_as_error(false)
        .https_only(https_only)
        .max_redirects(MOST_REDIRECTS)
        .build();
    config.new_agent()
}

fn read(path: &str) -> Result<Vec<CertificateDer<'static>>, NativeError> {
    let failed = |error: &dyn ToString| NativeError::file(path, error.to_string());
    let file = fs::File::open(path).map_err(|error| failed(&error))?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if !bytes.starts_with(b"-----") {
        return Ok(vec![CertificateDer::from(bytes)]);
    }
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(failed(&"there is no certificate in it")),
    }
}

/// The authority's certificate, which the server gives to anybody over an open connection: whoever is between can only
/// give another one.
fn fetch(invited: &Invited, hash: [u8; 32]) -> Result<CertificateDer<'static>, NativeError> {
    let url = format!("{}{AUTHORITY_PATH}", invited.origin.replacen("https", "http", 1));
    let failed = |error: &dyn ToString| {
        NativeError::Trust(format!("the server does not show its authority: {}", error.to_string()))
    };
    let mut answer =
        agent(RootCerts::WebPki, false).get(&url).call().map_err(|error| failed(&error))?;
    let body = answer.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
    let body = body.map_err(|error| failed(&error))?;
    if <[u8; 32]>::from(Sha256::digest(&body)) != hash {
        return Err(NativeError::Trust(
            "the server shows another authority than the one with this fingerprint: compare it with the line \
             `authority (SHA-256)` in the server's terminal"
                .into(),
        ));
    }
    Ok(CertificateDer::from(body))
}

/// 32 bytes in hexadecimal, with colons between or without.
fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: String = text.chars().filter(|&c| c != ':').collect();
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

/// Where the server gives it (`signaling-server/src/plain.rs`).
const AUTHORITY_PATH: &str = "/lingualinked.crt";
/// A certificate has one or two kilobytes.
const MOST_BYTES: u64 = 64 << 10;
/// Large files of models are often on another server than the one that is asked.
const MOST_REDIRECTS: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_told_from_files() {
        let colons = vec!["0A"; 32].join(":");
        assert_eq!(fingerprint(&colons), Some([10; 32]));
        assert_eq!(fingerprint(&"ff".repeat(32)), Some([255; 32]));
        for text in ["", "authority.pem", &"0a".repeat(31), &"0g".repeat(32), "éé"] {
            assert_eq!(fingerprint(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_secure_leads_to_what_is_not() {
        let link = |origin: &str| format!("{origin}/#{}A", "B".repeat(42));
        for (origin, is_refused) in [("https://host", true), ("http://127.0.0.1:1", false)] {
            let trust = Trust::of(None, &Invited::read(&link(origin)).unwrap()).unwrap();
            for agent in [&trust.own, &trust.public] {
                let error = agent.get("http://127.0.0.1:1/x").call().unwrap_err();
                assert_eq!(
                    matches!(error, ureq::Error::RequireHttpsOnly(_)),
                    is_refused,
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authority.pem");
        let invited = Invited::read(&format!("https://host/#{}", "B".repeat(42) + "A")).unwrap();
        for bytes in [&b""[..], b"-----BEGIN CERTIFICATE-----\n", b"hello"] {
            fs::write(&path, bytes).unwrap();
            assert!(Trust::of(path.to_str(), &invited).is_err(), "{bytes:?}");
        }
        assert!(Trust::of(None, &invited).is_ok());
    }
}
