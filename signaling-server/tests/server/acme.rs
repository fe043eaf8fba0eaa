//! Certificates of a public authority.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use rustls::pki_types::CertificateDer;
use signaling_server::{Acme, Error, Identity};
use time::OffsetDateTime;
use tokio::time::sleep;

use crate::{TestServer, http, pebble::Pebble, soon, tls::connect_trusting};

const NAME: &str = "room.example.org";

#[tokio::test]
async fn a_public_name_gets_a_certificate_which_is_kept_and_renewed() {
    let Some(pebble) = Pebble::start().await else { return };
    let later_days = Arc::new(AtomicI64::new(0));
    let identity = Identity::acme(acme(&pebble, &later_days)).unwrap();
    assert_eq!(identity.certificate(), None);
    let used = identity.clone();
    let server = TestServer::start_on(pebble.tls_port, |config| config.identity = Some(used)).await;
    let first = changed(&identity, None).await;
    serves(&server, &pebble).await;

    // What is kept is private, and enough for the next start.
    let folder = pebble.path("acme");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() == 2 && files.iter().all(|file| mode(file) == 0o600), "{files:?}");
    let kept = Identity::acme(acme(&pebble, &later_days)).unwrap();
    assert_eq!(kept.certificate().as_ref(), Some(&first));
    let mut other = acme(&pebble, &later_days);
    other.domains = vec!["other.example.org".into()];
    assert_eq!(Identity::acme(other).unwrap().certificate(), None);

    // Pebble's certificates last five years; four later there is another, with the same account.
    let account = fs::read(folder.join("account.json")).unwrap();
    later_days.store(4 * 365, Ordering::SeqCst);
    changed(&identity, Some(&first)).await;
    assert_eq!(fs::read(folder.join("account.json")).unwrap(), account);
}

/// An ordinary client is served, and plain HTTP goes to HTTPS: there is nothing to explain.
async fn serves(server: &TestServer, pebble: &Pebble) {
    let root = pebble.root().await;
    let both: [&[u8]; 2] = [b"http/1.1", b"acme-tls/1"];
    for protocols in [&[][..], &both[..1], &both] {
        let stream = connect_trusting(server.address, root.clone(), NAME, protocols).await;
        let answer = http::ask_on(&mut stream.unwrap(), "GET", "/healthz", &[]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("strict-transport-security"), "max-age=63072000");
    }
    let plain = http::get(server.address, "/", &[("accept", "text/html")]).await;
    assert_eq!((plain.status, plain.header("location")), (307, "https://room/"));
    let certificate = http::get(server.address, "/lingualinked.crt", &[]).await;
    assert_eq!(certificate.status, 404);
    let nosy = connect_trusting(server.address, root, NAME, &[b"acme-tls/1"]).await;
    assert!(nosy.is_err(), "there is no question open");
}

/// Nobody answers where the name leads.
#[tokio::test]
async fn a_name_that_leads_elsewhere_gets_none() {
    let Some(pebble) = Pebble::start().await else { return };
    let identity = Identity::acme(acme(&pebble, &Arc::default())).unwrap();
    let error = soon(identity.renew_if_due()).await.unwrap_err();
    let said = error.to_string();
    assert!(said.contains(&pebble.directory()) && said.contains("Failed to connect"), "{said}");
    assert_eq!(identity.certificate(), None);
}

/// Pebble forgets all accounts when it ends, as an authority may forget one that was long unused.
#[tokio::test]
async fn an_account_that_is_forgotten_is_made_anew() {
    let Some(mut pebble) = Pebble::start().await else { return };
    let identity = Identity::acme(acme(&pebble, &Arc::default())).unwrap();
    soon(identity.renew_if_due()).await.unwrap_err();
    let account = pebble.path("acme/account.json");
    let first = fs::read(&account).unwrap();
    pebble.start_anew().await;
    soon(identity.renew_if_due()).await.unwrap_err();
    assert!(!account.exists());
    soon(identity.renew_if_due()).await.unwrap_err();
    assert_ne!(fs::read(&account).unwrap(), first);
}

#[tokio::test]
async fn an_authority_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let acme = Acme {
        folder: folder.path().join("acme"),
        domains: vec![NAME.into()],
        contact: None,
        directory: "https://localhost:9/dir".into(),
        root: None,
        clock: Arc::new(OffsetDateTime::now_utc),
    };
    let identity = Identity::acme(acme).unwrap();
    let error = soon(identity.renew_if_due()).await.unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, Error::Acme { .. }), "{said}");
    assert!(said.contains("https://localhost:9/dir"), "{said}");
}

fn acme(pebble: &Pebble, later_days: &Arc<AtomicI64>) -> Acme {
    let later_days = later_days.clone();
    let clock =
        move || OffsetDateTime::now_utc() + time::Duration::days(later_days.load(Ordering::SeqCst));
    Acme {
        folder: pebble.path("acme"),
        domains: vec![NAME.into()],
        contact: Some("anna@example.org".into()),
        directory: pebble.directory(),
        root: Some(pebble.path("root.pem")),
        clock: Arc::new(clock),
    }
}

/// Waits for another certificate than `before`.
async fn changed(
    identity: &Identity,
    before: Option<&CertificateDer<'static>>,
) -> CertificateDer<'static> {
    soon(async {
        loop {
            match identity.certificate() {
                Some(now) if Some(&now) != before => return now,
                _ => sleep(Duration::from_millis(50)).await,
            }
        }
    })
    .await
}
