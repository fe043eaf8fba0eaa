//! A certificate with its key, and what it is good for.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::CertifiedKey,
};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _};

/// A chain of certificates with the key of the first, ready to serve.
#[derive(Debug)]
pub(crate) struct Certified {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) facts: Facts,
    /// The local authority that signed it.
    pub(super) authority: Option<CertificateDer<'static>>,
}

impl Certified {
    /// Nothing where the key is not that of the first certificate, or either cannot be read.
    pub(super) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Option<Self> {
        let facts = Facts::of(chain.first()?)?;
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider()).ok()?;
        Some(Self { key: Arc::new(key), facts, authority: None })
    }

    pub(super) fn leaf(&self) -> &CertificateDer<'static> {
        &self.key.cert[0]
    }
}

/// What a certificate is good for.
#[derive(Debug)]
pub(super) struct Facts {
    /// Host names and addresses.
    pub(super) names: BTreeSet<String>,
    pub(super) begins: OffsetDateTime,
    pub(super) ends: OffsetDateTime,
}

impl Facts {
    /// Nothing for what is no certificate.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = parse(certificate)?;
        let named = certificate.subject_alternative_name().ok()?;
        let named = named.map_or(&[][..], |extension| &extension.value.general_names);
        let validity = certificate.validity();
        Some(Self {
            names: named.iter().filter_map(text).collect(),
            begins: validity.not_before.to_datetime(),
            ends: validity.not_after.to_datetime(),
        })
    }

    pub(super) fn cover<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> bool {
        names.into_iter().all(|name| self.names.contains(name))
    }
}

/// Whether `authority` signed `certificate`.
pub(super) fn is_signed_by(
    certificate: &CertificateDer<'_>,
    authority: &CertificateDer<'_>,
) -> bool {
    let (Some(certificate), Some(authority)) = (parse(certificate), parse(authority)) else {
        return false;
    };
    certificate.verify_signature(Some(authority.public_key())).is_ok()
}

/// The name of whom a certificate is about, for people.
pub(super) fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = parse(certificate)?;
    let name = certificate.subject().iter_common_name().next()?;
    name.as_str().ok().map(ToOwned::to_owned)
}

/// A certificate's SHA-256, as browsers show it: `AB:CD:..`.
pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = Sha256::digest(certificate);
    digest.iter().enumerate().fold(String::new(), |mut text, (index, byte)| {
        let colon = if index > 0 { ":" } else { "" };
        write!(text, "{colon}{byte:02X}").expect("writing to a String succeeds");
        text
    })
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    X509Certificate::from_der(certificate).ok().map(|(_, certificate)| certificate)
}

fn text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|ip| ip.to_string()),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| Ipv6Addr::from(bytes).into())).ok()
}
