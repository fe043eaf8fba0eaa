//! Certificates of this machine for its names on private networks, signed by its own authority.

use std::{collections::BTreeSet, fmt, path::PathBuf, sync::Arc};

use rcgen::KeyPair;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use time::OffsetDateTime;

use super::{
    Clock,
    authority::{Authority, RENEWAL},
    certified::{Certified, Facts, is_signed_by},
    files::{load_or_make_key, unusable, write_private},
    names::{is_private, local_names},
};
use crate::Error;

/// Where this machine's certificates come from, and what they are for.
#[derive(Clone)]
pub struct Local {
    /// Where authority, certificate and keys are kept.
    pub folder: PathBuf,
    /// The machine's names and addresses of the moment; what is not private among them is left out.
    pub names: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    /// The time.
    pub clock: Clock,
}

impl Local {
    /// For this machine's own names.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let clock: Clock = Arc::new(OffsetDateTime::now_utc);
        Self { folder: folder.into(), names: Arc::new(local_names), clock }
    }

    /// Whether another certificate is wanted: for a new name, or because this one ends within a month.
    pub(super) fn is_due(&self, current: &Facts) -> bool {
        let ends_soon = current.ends < (self.clock)() + RENEWAL;
        ends_soon || !current.cover(&self.wanted())
    }

    /// The certificate that is kept, or a new one where that is due. The key stays, and names once covered stay covered.
    pub(super) fn load_or_make(&self) -> Result<Certified, Error> {
        let now = (self.clock)();
        let authority = Authority::load_or_make_at(&self.folder, now)?;
        let key = load_or_make_key(&self.folder, KEY)?;
        let kept = CertificateDer::from_pem_file(self.folder.join(CERTIFICATE)).ok();
        let kept = kept.filter(|kept| is_signed_by(kept, authority.certificate()));
        let facts = kept.as_ref().and_then(Facts::of);
        let leaf = match (kept, &facts) {
            (Some(kept), Some(facts)) if !self.is_due(facts) => kept,
            _ => self.make(&authority, &key, facts.map(|facts| facts.names), now)?,
        };
        let chain = vec![leaf, authority.certificate().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der());
        let key = key.map_err(|reason| unusable(&self.folder, reason))?;
        let certified = Certified::new(chain, key);
        let certified = certified.ok_or_else(|| unusable(&self.folder, "no fitting key"))?;
        Ok(Certified { authority: Some(authority.certificate().clone()), ..certified })
    }

    fn make(
        &self,
        authority: &Authority,
        key: &KeyPair,
        covered: Option<BTreeSet<String>>,
        now: OffsetDateTime,
    ) -> Result<CertificateDer<'static>, Error> {
        let wanted = self.wanted();
        let mut names = covered.unwrap_or_default();
        names.extend(wanted.iter().cloned());
        // A machine that visited very many networks forgets them all.
        let names = if names.len() > NAMES_MAX { wanted } else { names };
        let leaf = authority.issue(names, key, now);
        let leaf = leaf.map_err(|error| unusable(&self.folder, error))?;
        write_private(&self.folder.join(CERTIFICATE), &leaf.pem())?;
        Ok(leaf.der().clone())
    }

    fn wanted(&self) -> BTreeSet<String> {
        (self.names)().into_iter().filter(|name| is_private(name)).collect()
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Local").field(&self.folder).finish()
    }
}

const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
const NAMES_MAX: usize = 64;
