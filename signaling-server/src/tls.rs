//! A self-signed certificate for this machine. It proves nobody's identity -
//! browsers warn, once per phone - but gives pages the secure context that
//! WebGPU and the camera ask for.

use std::{
    collections::BTreeSet,
    fmt::{self, Write as _},
    fs,
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    sync::Arc,
};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use time::{Duration, OffsetDateTime};
use tokio_rustls::TlsAcceptor;

use crate::Error;

/// A certificate and its private key, ready to serve.
#[derive(Clone)]
pub struct Identity {
    certificate: CertificateDer<'static>,
    config: Arc<ServerConfig>,
}

impl Identity {
    /// The identity kept in `folder`, so that its fingerprint stays the same. A
    /// new certificate is made when there is none, when it does not cover one
    /// of `names` (host names and addresses), or when it ends within a month;
    /// the key stays, and names once covered stay covered.
    ///
    /// # Errors
    /// [`Error::IdentityFile`] and [`Error::Identity`].
    pub fn load_or_make(folder: &Path, names: &[String]) -> Result<Self, Error> {
        make_folder(folder)?;
        let now = OffsetDateTime::now_utc();
        let covers = Covers::read(folder);
        if !covers.as_ref().is_some_and(|covers| covers.suffices(names, now)) {
            make(folder, covers.unwrap_or_default().with(names), now)?;
        }
        Self::load(folder)
    }

    /// The certificate, for clients that are to trust it.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The certificate's SHA-256, as browsers show it: `AB:CD:..`.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(&self.certificate);
        digest.iter().enumerate().fold(String::new(), |mut text, (index, byte)| {
            let colon = if index > 0 { ":" } else { "" };
            write!(text, "{colon}{byte:02X}").expect("writing to a String succeeds");
            text
        })
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.config.clone().into()
    }

    fn load(folder: &Path) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Identity { folder: folder.into(), reason };
        let certificate = CertificateDer::from_pem_file(folder.join(CERTIFICATE))
            .map_err(|error| wrong(format!("{CERTIFICATE}: {error}")))?;
        let key = PrivateKeyDer::from_pem_file(folder.join(KEY))
            .map_err(|error| wrong(format!("{KEY}: {error}")))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .map_err(|error| wrong(error.to_string()))?;
        // WebSockets are HTTP/1.1; one protocol is enough for a room of phones.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { certificate, config: Arc::new(config) })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.fingerprint()).finish()
    }
}

/// What phones on the same network may call this machine. Without its IPv6
/// addresses: they change daily, and the certificate would have to.
pub fn local_names() -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let host = gethostname::gethostname().to_string_lossy().to_ascii_lowercase();
    if is_host_name(&host) {
        names.push(format!("{}.local", host.trim_end_matches(".local")));
        names.push(host);
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = interfaces.iter().map(if_addrs::Interface::ip);
    names.extend(addresses.filter(|ip| ip.is_ipv4() && !ip.is_loopback()).map(|ip| ip.to_string()));
    names
}

fn is_host_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    (1..=253).contains(&text.len()) && text.chars().all(is_plain) && text != "localhost"
}

/// What the certificate beside it is good for.
#[derive(Default, Serialize, Deserialize)]
struct Covers {
    names: BTreeSet<String>,
    /// Unix time.
    ends_secs: i64,
}

impl Covers {
    /// `None` where nothing was made yet, or not completely.
    fn read(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(folder.join(COVERS)).ok()?;
        let has_files = folder.join(KEY).exists() && folder.join(CERTIFICATE).exists();
        serde_json::from_str(&text).ok().filter(|_| has_files)
    }

    fn suffices(&self, names: &[String], now: OffsetDateTime) -> bool {
        let ends_soon = self.ends_secs < (now + RENEWAL).unix_timestamp();
        !ends_soon && names.iter().all(|name| self.names.contains(name))
    }

    /// A machine that visited very many networks forgets them all.
    fn with(mut self, names: &[String]) -> Self {
        self.names.extend(names.iter().cloned());
        if self.names.len() > NAMES_MAX {
            self.names = names.iter().cloned().collect();
        }
        self
    }
}

fn make(folder: &Path, mut covers: Covers, now: OffsetDateTime) -> Result<(), Error> {
    let wrong =
        |error: rcgen::Error| Error::Identity { folder: folder.into(), reason: error.to_string() };
    let key = load_or_make_key(folder)?;
    let names: Vec<String> = covers.names.iter().cloned().collect();
    let mut params = CertificateParams::new(names).map_err(wrong)?;
    params.distinguished_name.push(DnType::CommonName, "LinguaLinked on your network");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Firefox refuses a second certificate with an issuer and number it has seen.
    params.serial_number = Some((now.unix_timestamp_nanos() as u64).into());
    params.not_before = now - Duration::DAY;
    params.not_after = now + VALIDITY;
    let certificate = params.self_signed(&key).map_err(wrong)?;
    covers.ends_secs = params.not_after.unix_timestamp();
    let covers = serde_json::to_string_pretty(&covers).expect("names and a number make JSON");
    write_private(&folder.join(CERTIFICATE), &certificate.pem())?;
    write_private(&folder.join(COVERS), &covers)
}

fn load_or_make_key(folder: &Path) -> Result<KeyPair, Error> {
    let file = folder.join(KEY);
    let wrong =
        |error: rcgen::Error| Error::Identity { folder: folder.into(), reason: error.to_string() };
    match fs::read_to_string(&file) {
        Ok(pem) => KeyPair::from_pem(&pem).map_err(wrong),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = KeyPair::generate().map_err(wrong)?;
            write_private(&file, &key.serialize_pem())?;
            Ok(key)
        }
        Err(source) => Err(Error::IdentityFile { file, source }),
    }
}

fn make_folder(folder: &Path) -> Result<(), Error> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| Error::IdentityFile { file: folder.into(), source })
}

/// Writes a file that only its owner can read; whole or not at all.
fn write_private(file: &Path, text: &str) -> Result<(), Error> {
    let write = || -> io::Result<()> {
        // Made for its owner alone.
        let mut draft = NamedTempFile::new_in(file.parent().unwrap_or(Path::new(".")))?;
        draft.write_all(text.as_bytes())?;
        draft.as_file().sync_all()?;
        draft.persist(file)?;
        Ok(())
    };
    write().map_err(|source| Error::IdentityFile { file: file.into(), source })
}

const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
const COVERS: &str = "covers.json";

/// Apple's platforms take no more than 825 days; a year and a month is plenty.
const VALIDITY: Duration = Duration::days(397);
const RENEWAL: Duration = Duration::days(30);
const NAMES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_fingerprint_stays_until_a_name_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("state");
        let print = |wanted: &[&str]| {
            Identity::load_or_make(&folder, &names(wanted)).unwrap().fingerprint()
        };
        let home = print(&["localhost", "192.168.1.2"]);
        assert_eq!(home.len(), 32 * 3 - 1);
        assert_eq!(print(&["localhost"]), home);
        let key = fs::read(folder.join(KEY)).unwrap();
        let office = print(&["localhost", "10.0.0.7"]);
        assert_ne!(office, home);
        assert_eq!(fs::read(folder.join(KEY)).unwrap(), key);
        assert_eq!(print(&["localhost", "192.168.1.2"]), office, "both places are covered now");
    }

    #[test]
    fn the_key_is_private() {
        let folder = tempfile::tempdir().unwrap();
        Identity::load_or_make(folder.path(), &names(&["localhost"])).unwrap();
        let mode = fs::metadata(folder.path().join(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_certificate_about_to_end_is_renewed() {
        let folder = tempfile::tempdir().unwrap();
        let before = OffsetDateTime::now_utc() - VALIDITY + Duration::days(29);
        make(folder.path(), Covers::default().with(&names(&["localhost"])), before).unwrap();
        let old = Identity::load(folder.path()).unwrap().fingerprint();
        let new = Identity::load_or_make(folder.path(), &names(&["localhost"])).unwrap();
        assert_ne!(new.fingerprint(), old);
    }

    #[test]
    fn a_broken_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(KEY), "no key").unwrap();
        let refused = Identity::load_or_make(folder.path(), &names(&["localhost"]));
        let message = refused.unwrap_err().to_string();
        assert!(message.contains(folder.path().to_str().unwrap()), "{message}");
    }

    #[test]
    fn this_machine_has_names() {
        let names = local_names();
        assert!(names.contains(&"localhost".into()) && names.contains(&"127.0.0.1".into()));
    }
}
