//! Which certificate a client is shown: the one of the moment, or the answer to an authority's question.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::certified::Certified;

/// The protocol in which authorities ask (RFC 8737).
pub(crate) const ACME_TLS: &[u8] = b"acme-tls/1";

/// What is shown now. It changes while connections come.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    current: RwLock<Option<Arc<Certified>>>,
    /// By the name that is asked about.
    answers: RwLock<BTreeMap<String, Arc<CertifiedKey>>>,
}

impl Resolver {
    pub(super) fn current(&self) -> Option<Arc<Certified>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn show(&self, certified: Certified) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Some(Arc::new(certified));
    }

    /// What the authority is shown that asks about each name; in place of what it was shown before.
    pub(super) fn answer(&self, answers: BTreeMap<String, Arc<CertifiedKey>>) {
        *self.answers.write().unwrap_or_else(PoisonError::into_inner) = answers;
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_authority = client.alpn().is_some_and(|protocols| protocols.eq([ACME_TLS]));
        if is_authority {
            let answers = self.answers.read().unwrap_or_else(PoisonError::into_inner);
            return answers.get(client.server_name()?).cloned();
        }
        self.current().map(|certified| certified.key.clone())
    }
}
