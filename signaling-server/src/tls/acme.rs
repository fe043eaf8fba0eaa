//! Certificates of a public authority, by ACME (RFC 8555). That the name is ours is shown in a TLS handshake on the
//! server's own port (RFC 8737), so that no other port is needed.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use instant_acme::{
    Account, AccountBuilder, AccountCredentials, AuthorizationStatus, ChallengeType,
    Error as AcmeError, Identifier, KeyAuthorization, NewAccount, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use tokio::time::timeout;

use super::{
    Clock,
    certified::{Certified, Facts},
    files::{make_folder, read_private, remove, write_private},
    resolver::Resolver,
};
use crate::Error;

/// Whose certificates are for which names.
#[derive(Clone)]
pub struct Acme {
    /// Where account, certificate and keys are kept.
    pub folder: PathBuf,
    /// The names; the authority must reach this server as port 443 of each.
    pub domains: Vec<String>,
    /// The mail address that the authority writes to.
    pub contact: Option<String>,
    /// The URL of the authority's directory.
    pub directory: String,
    /// A PEM file with the certificate that the directory's own is checked with, in place of the system's.
    pub root: Option<PathBuf>,
    /// The time.
    pub clock: Clock,
}

impl Acme {
    /// The certificate that is kept, if it is for these names. It stands beside its key, and so does the account.
    pub(super) fn load(&self) -> Result<Option<Certified>, Error> {
        make_folder(&self.folder)?;
        read_private(&self.folder.join(ACCOUNT))?;
        let pem = read_private(&self.folder.join(CERTIFICATE))?;
        Ok(pem.and_then(|pem| certified(&pem)).filter(|kept| kept.facts.cover(&self.domains)))
    }

    /// Whether another certificate is wanted: because two thirds of this one's time are over.
    pub(super) fn is_due(&self, current: &Facts) -> bool {
        let left = current.ends - (self.clock)();
        left < (current.ends - current.begins) / 3
    }

    /// A new certificate. Meanwhile `resolver` has the answers to the authority's questions.
    pub(super) async fn obtain(&self, resolver: &Resolver) -> Result<Certified, Error> {
        let ordered = timeout(PATIENCE, self.order(resolver)).await;
        resolver.answer(BTreeMap::new());
        let pem = ordered.map_err(|_| self.failed("no answer"))??;
        let certified = certified(&pem).ok_or_else(|| self.failed("no usable certificate"))?;
        write_private(&self.folder.join(CERTIFICATE), &pem)?;
        Ok(certified)
    }

    async fn order(&self, resolver: &Resolver) -> Result<String, Error> {
        let account = self.account().await?;
        let domains: Vec<_> = self.domains.iter().cloned().map(Identifier::Dns).collect();
        let mut order = match account.new_order(&NewOrder::new(&domains)).await {
            Err(AcmeError::Api(problem)) if is_forgotten(problem.r#type.as_deref()) => {
                // The next attempt makes another account.
                remove(self.folder.join(ACCOUNT))?;
                return Err(self.failed(problem));
            }
            ordered => ordered.map_err(|error| self.failed(error))?,
        };
        let is_ready = answer(&mut order, resolver).await;
        if !is_ready.map_err(|error| self.failed(error))? {
            return Err(self.failed(refusal(&mut order).await));
        }
        let finished = async {
            let key = order.finalize().await?;
            Ok(key + &order.poll_certificate(&POLLING).await?)
        };
        finished.await.map_err(|error: AcmeError| self.failed(error))
    }

    /// The account that is kept, or a new one.
    async fn account(&self) -> Result<Account, Error> {
        let failed = |error: AcmeError| self.failed(error);
        let file = self.folder.join(ACCOUNT);
        let kept = read_private(&file)?.and_then(|kept| serde_json::from_str(&kept).ok());
        if let Some(kept) = kept {
            return self.builder()?.from_credentials(kept).await.map_err(failed);
        }
        let contact = self.contact.as_ref().map(|contact| format!("mailto:{contact}"));
        let contact: Vec<&str> = contact.as_deref().into_iter().collect();
        let wanted = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let made = self.builder()?.create(&wanted, self.directory.clone(), None).await;
        let (account, credentials): (_, AccountCredentials) = made.map_err(failed)?;
        let text = serde_json::to_string(&credentials).expect("an account makes JSON");
        write_private(&file, &text)?;
        Ok(account)
    }

    fn builder(&self) -> Result<AccountBuilder, Error> {
        let builder = match &self.root {
            Some(root) => Account::builder_with_root(root),
            None => Account::builder(),
        };
        builder.map_err(|error| self.failed(error))
    }

    fn failed(&self, reason: impl ToString) -> Error {
        Error::Acme { directory: self.directory.clone(), reason: reason.to_string() }
    }
}

/// Lets the authority ask about each name, and waits until it is content; `false` where it is not.
async fn answer(order: &mut Order, resolver: &Resolver) -> Result<bool, AcmeError> {
    let mut answers = BTreeMap::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let challenge = authorization.challenge(ChallengeType::TlsAlpn01);
        let mut challenge = challenge.ok_or(AcmeError::Unsupported("tls-alpn-01"))?;
        let name = challenge.identifier().to_string();
        answers.insert(name.clone(), proof(&name, &challenge.key_authorization())?);
        resolver.answer(answers.clone());
        challenge.set_ready().await?;
    }
    Ok(order.poll_ready(&POLLING).await? == OrderStatus::Ready)
}

/// The certificate that shows the authority who asked for its question (RFC 8737, section 3).
fn proof(name: &str, authorization: &KeyAuthorization) -> Result<Arc<CertifiedKey>, AcmeError> {
    let other = |error: rcgen::Error| AcmeError::Other(Box::new(error));
    let key = KeyPair::generate().map_err(other)?;
    let mut params = CertificateParams::new([name.to_owned()]).map_err(other)?;
    let digest = authorization.digest();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest.as_ref())];
    let certificate = params.self_signed(&key).map_err(other)?.der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(AcmeError::Str)?;
    let key = ring::default_provider().key_provider.load_private_key(key);
    let key = key.map_err(|error| AcmeError::Other(Box::new(error)))?;
    // Not `from_der`, which refuses the extension that this is about.
    Ok(Arc::new(CertifiedKey::new(vec![certificate], key)))
}

/// What the authority says of the names that it does not believe to be ours.
async fn refusal(order: &mut Order) -> String {
    let mut reasons = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if authorization.refresh().await.is_ok() {
            let errors = authorization.challenges.iter().filter_map(|one| one.error.as_ref());
            reasons.extend(errors.map(ToString::to_string));
        }
    }
    match reasons.is_empty() {
        true => "the order was refused".to_owned(),
        false => reasons.join("; "),
    }
}

/// Whether the authority knows nothing of the account.
fn is_forgotten(problem: Option<&str>) -> bool {
    problem == Some("urn:ietf:params:acme:error:accountDoesNotExist")
}

/// Key and chain, as they stand one after the other in a file.
fn certified(pem: &str) -> Option<Certified> {
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    Certified::new(chain.ok()?, key)
}

const ACCOUNT: &str = "account.json";
const CERTIFICATE: &str = "certificate.pem";
/// For an order, in all.
const PATIENCE: Duration = Duration::from_secs(300);
const POLLING: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(120));
