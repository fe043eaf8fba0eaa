//! The authority of this machine: it vouches for names of private networks and for no others, so that who trusts it
//! gives nothing away elsewhere.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};
use tracing::warn;

use super::{
    certified::{Facts, common_name, fingerprint},
    files::{load_or_make_key, make_folder, read, remove, unusable, write_private},
    names::{host_name, is_private, private_only},
};
use crate::Error;

/// An authority that signs certificates of this machine, and whose own certificate people may trust.
pub struct Authority {
    file: PathBuf,
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    ends: OffsetDateTime,
}

impl Authority {
    /// The authority kept in `folder`; made where there is none, and anew where it ends within a month: then whoever
    /// trusted the old one has to trust the new one.
    ///
    /// # Errors
    /// [`Error::IdentityFile`], [`Error::OpenKey`] and [`Error::Identity`]: what is there and cannot be used is not replaced.
    pub fn load_or_make(folder: &Path) -> Result<Self, Error> {
        Self::load_or_make_at(folder, OffsetDateTime::now_utc())
    }

    pub(super) fn load_or_make_at(folder: &Path, now: OffsetDateTime) -> Result<Self, Error> {
        make_folder(folder)?;
        let key = load_or_make_key(folder, KEY)?;
        let file = folder.join(CERTIFICATE);
        if let Some(pem) = read(&file)? {
            let authority =
                Self::new(folder, &pem, key).map_err(|reason| unusable(folder, reason))?;
            if authority.ends > now + RENEWAL {
                return Ok(authority);
            }
            warn!("this machine's authority ends: a new one is made, and has to be trusted anew");
            remove(folder.join(CERTIFICATE))?;
            remove(folder.join(KEY))?;
        }
        Self::make(folder, &load_or_make_key(folder, KEY)?, now)
    }

    fn make(folder: &Path, key: &KeyPair, now: OffsetDateTime) -> Result<Self, Error> {
        let wrong = |error: rcgen::Error| unusable(folder, error);
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name_for(key));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints = Some(private_only());
        params.not_before = now - Duration::DAY;
        params.not_after = now + VALIDITY;
        let pem = params.self_signed(key).map_err(wrong)?.pem();
        write_private(&folder.join(CERTIFICATE), &pem)?;
        let key = load_or_make_key(folder, KEY)?;
        Self::new(folder, &pem, key).map_err(|reason| unusable(folder, reason))
    }

    fn new(folder: &Path, pem: &str, key: KeyPair) -> Result<Self, String> {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| format!("{CERTIFICATE}: {error}"))?;
        let facts = Facts::of(&certificate).ok_or(format!("{CERTIFICATE} is no certificate"))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|error| format!("{CERTIFICATE}: {error}"))?;
        Ok(Self { file: folder.join(CERTIFICATE), certificate, issuer, ends: facts.ends })
    }

    /// A certificate for the private ones of `names`, for somewhat more than a year.
    pub(super) fn issue(
        &self,
        names: impl IntoIterator<Item = String>,
        key: &KeyPair,
        now: OffsetDateTime,
    ) -> Result<Certificate, rcgen::Error> {
        let names: Vec<String> = names.into_iter().filter(|name| is_private(name)).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "LinguaLinked on your network");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        // Firefox refuses a second certificate with an issuer and number it has seen.
        params.serial_number = Some((now.unix_timestamp_nanos() as u64).into());
        params.not_before = now - Duration::DAY;
        params.not_after = (now + LEAF_VALIDITY).min(self.ends);
        params.signed_by(key, &self.issuer)
    }

    /// The authority's certificate, for those who are to trust it.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The file that has it, in PEM. Only its owner can read it.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What lists of authorities call it.
    pub fn name(&self) -> String {
        common_name(&self.certificate).unwrap_or_else(|| "LinguaLinked".to_owned())
    }

    /// The SHA-256 of its certificate, as phones show it: `AB:CD:..`.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.certificate)
    }
}

/// Two authorities of one machine are two names to whoever lists them.
fn name_for(key: &KeyPair) -> String {
    let digest = Sha256::digest(key.public_key_raw());
    let host = host_name().unwrap_or_else(|| "this computer".to_owned());
    let host: String = host.chars().take(40).collect();
    format!("LinguaLinked on {host} ({:02X}{:02X})", digest[0], digest[1])
}

const CERTIFICATE: &str = "authority.pem";
const KEY: &str = "authority-key.pem";

const VALIDITY: Duration = Duration::days(3650);
/// Apple's platforms take no more than 825 days; browsers no more than 398 of public authorities.
pub(super) const LEAF_VALIDITY: Duration = Duration::days(397);
/// How long before its end a certificate is renewed.
pub(super) const RENEWAL: Duration = Duration::days(30);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{
        RootCertStore,
        client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
        crypto::ring,
        pki_types::{ServerName, UnixTime},
    };

    use super::*;

    /// Not even whoever has the authority's key can do harm with it elsewhere.
    #[test]
    fn nothing_that_it_signs_is_trusted_for_a_public_name() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::load_or_make(folder.path()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate().clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let verifier = verifier.build().unwrap();
        let key = KeyPair::generate().unwrap();
        let is_trusted = |name: &str| {
            let leaf = CertificateParams::new([name.to_owned()]).unwrap();
            let leaf = leaf.signed_by(&key, &authority.issuer).unwrap();
            let name = ServerName::try_from(name.to_owned()).unwrap();
            verifier.verify_server_cert(leaf.der(), &[], &name, &[], UnixTime::now()).is_ok()
        };
        for name in ["localhost", "a.local", "192.168.0.1", "fd00::1"] {
            assert!(is_trusted(name), "{name}");
        }
        for name in ["example.org", "notlocal", "8.8.8.8", "2001:db8::1"] {
            assert!(!is_trusted(name), "{name}");
        }
    }
}
