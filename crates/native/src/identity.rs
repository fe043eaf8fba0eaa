//! The certificate that this computer shows on every link: who it is, from one time to the next.

use std::{
    fs,
    io::Write as _,
    path::Path,
    time::{Duration, SystemTime},
};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use sha2::{Digest as _, Sha256};
use webrtc::peer_connection::{
    RTCCertificate,
    crypto::{self, SignatureScheme},
};

use crate::NativeError;

/// A certificate with its key.
#[derive(Clone)]
pub struct Identity {
    pub(crate) certificate: RTCCertificate,
    /// SHA-256 of the certificate, as the other ends of links see it.
    pub(crate) fingerprint: [u8; 32],
}

impl Identity {
    /// The one that is kept in `folder`; a new one where there is none. Only its owner may read it.
    ///
    /// # Errors
    /// [`NativeError::File`] where it is damaged, or others could have read it; [`NativeError::Certificate`].
    pub fn load_or_make(folder: &Path) -> Result<Self, NativeError> {
        let path = folder.join(FILE);
        if !path.exists() {
            make(folder, &path)?;
        }
        check_readers(&path)?;
        let pem = fs::read(&path).map_err(|error| NativeError::file(&path, error))?;
        let damaged =
            || NativeError::file(&path, "it is damaged; remove it, and a new one is made");
        let certificate = CertificateDer::from_pem_slice(&pem).map_err(|_| damaged())?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| damaged())?;
        let fingerprint = Sha256::digest(&certificate).into();
        let provider = crypto::default_provider();
        let provider = provider.map_err(|error| NativeError::Certificate(error.to_string()))?;
        let certificate = RTCCertificate::from_pkcs8(
            provider.crypto(),
            SignatureScheme::EcdsaP256Sha256,
            vec![certificate],
            key.secret_pkcs8_der(),
            // What ends a link's certificate is the link: others know it by its hash.
            SystemTime::now() + YEAR,
        );
        Ok(Self { certificate: certificate.map_err(|_| damaged())?, fingerprint })
    }
}

fn make(folder: &Path, path: &Path) -> Result<(), NativeError> {
    let made = || -> Result<String, rcgen::Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "lingualinked");
        let certificate = params.self_signed(&key)?;
        Ok(format!("{}{}", certificate.pem(), key.serialize_pem()))
    };
    let pem = made().map_err(|error| NativeError::Certificate(error.to_string()))?;
    let failed = |error: std::io::Error| NativeError::file(path, error);
    // For its owner alone from its first byte on, and whole or not at all.
    let mut file = tempfile::Builder::new().tempfile_in(folder).map_err(failed)?;
    file.write_all(pem.as_bytes()).map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// A key that others could read may be theirs.
#[cfg(unix)]
fn check_readers(path: &Path) -> Result<(), NativeError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path).map_err(|error| NativeError::file(path, error))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        let reason =
            "others may read it, and could pose as this computer; remove it, and a new one is made";
        return Err(NativeError::file(path, reason));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_readers(_: &Path) -> Result<(), NativeError> {
    Ok(())
}

const FILE: &str = "identity.pem";
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_the_next_time_and_nobody_elses() {
        let [folder, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let first = Identity::load_or_make(folder.path()).unwrap();
        let again = Identity::load_or_make(folder.path()).unwrap();
        assert_eq!(first.fingerprint, again.fingerprint);
        assert_ne!(first.fingerprint, Identity::load_or_make(other.path()).unwrap().fingerprint);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        Identity::load_or_make(folder.path()).unwrap();
        let path = folder.path().join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = Identity::load_or_make(folder.path()).err().unwrap().to_string();
        assert!(refused.contains("others may read it"), "{refused}");
    }

    #[test]
    fn a_damaged_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        Identity::load_or_make(folder.path()).unwrap();
        let path = folder.path().join(FILE);
        let whole = fs::read(&path).unwrap();
        for end in [0, 40, whole.len() / 2, whole.len() - 40] {
            fs::write(&path, &whole[..end]).unwrap();
            assert!(Identity::load_or_make(folder.path()).is_err(), "{end} bytes of it");
        }
    }
}
