use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{Mutex, PoisonError},
};

use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    pki_types::{ServerName, UnixTime},
};
use time::Duration as Days;
use tokio::time::{advance, sleep};

use super::{authority::LEAF_VALIDITY, *};

/// Names and time as a test wants them.
#[derive(Clone)]
struct World(Arc<Mutex<(Vec<String>, OffsetDateTime)>>);

impl World {
    fn new(names: &[&str]) -> Self {
        let world = Self(Arc::new(Mutex::new((Vec::new(), OffsetDateTime::now_utc()))));
        world.is_called(names);
        world
    }

    fn is_called(&self, names: &[&str]) {
        self.lock().0 = names.iter().map(ToString::to_string).collect();
    }

    fn waits(&self, time: Days) {
        self.lock().1 += time;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Vec<String>, OffsetDateTime)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn local(&self, folder: &Path) -> Local {
        let (names, clock) = (self.clone(), self.clone());
        Local {
            folder: folder.into(),
            names: Arc::new(move || names.lock().0.clone()),
            clock: Arc::new(move || clock.lock().1),
        }
    }
}

/// What a client says that trusts the authority, at a time.
fn checked(identity: &Identity, name: &str, time: OffsetDateTime) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(identity.authority().unwrap()).unwrap();
    checked_with(roots, identity, name, time)
}

fn checked_with(
    roots: RootCertStore,
    identity: &Identity,
    name: &str,
    time: OffsetDateTime,
) -> Result<(), rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let secs = u64::try_from(time.unix_timestamp()).unwrap();
    let time = UnixTime::since_unix_epoch(Duration::from_secs(secs));
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let leaf = identity.certificate().unwrap();
    verifier.verify_server_cert(&leaf, &[], &name, &[], time).map(drop)
}

#[test]
fn the_certificate_stays_until_a_name_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("state");
    let world = World::new(&["localhost", "192.168.1.2"]);
    let print = |names: &[&str]| {
        world.is_called(names);
        let identity = Identity::local(world.local(&folder)).unwrap();
        (identity.fingerprint().unwrap(), identity.authority_fingerprint().unwrap())
    };
    let home = print(&["localhost", "192.168.1.2"]);
    assert_eq!(home.0.len(), 32 * 3 - 1);
    assert_eq!(print(&["localhost"]), home);
    let key = fs::read(folder.join("key.pem")).unwrap();
    let office = print(&["localhost", "10.0.0.7"]);
    assert_ne!(office.0, home.0);
    assert_eq!(office.1, home.1, "who trusted the authority goes on trusting");
    assert_eq!(fs::read(folder.join("key.pem")).unwrap(), key);
    assert_eq!(print(&["localhost", "192.168.1.2"]), office, "both places are covered now");
}

#[test]
fn clients_that_trust_the_authority_trust_private_names() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(&["localhost", "192.168.1.2", "desk.local", "desk", "8.8.8.8"]);
    let identity = Identity::local(world.local(folder.path())).unwrap();
    let now = OffsetDateTime::now_utc();
    for name in ["localhost", "192.168.1.2", "desk.local"] {
        assert_eq!(checked(&identity, name, now), Ok(()), "{name}");
        let late = checked(&identity, name, now + LEAF_VALIDITY + Days::DAY);
        assert!(late.is_err(), "{name}");
    }
    for name in ["desk", "8.8.8.8", "192.168.1.3"] {
        assert!(checked(&identity, name, now).is_err(), "{name}");
    }
    let old = world.0.lock().unwrap().1 - Days::days(2);
    assert!(checked(&identity, "localhost", old).is_err());
}

#[test]
fn all_files_are_private() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("state");
    Identity::local(World::new(&["localhost"]).local(&folder)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 4);
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
}

/// The kept key may be somebody else's, too.
#[test]
fn a_key_that_others_may_read_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let load = || Identity::local(World::new(&["localhost"]).local(folder.path()));
    let print = load().unwrap().fingerprint();
    for name in ["key.pem", "authority-key.pem"] {
        let file = folder.path().join(name);
        let key = fs::read(&file).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            allow(&file, mode);
            refuses(load(), &file);
        }
        assert_eq!(fs::read(&file).unwrap(), key);
        allow(&file, 0o600);
        assert_eq!(load().unwrap().fingerprint(), print, "as the message says");
    }
}

/// A public certificate stands in one file with its key, and the account has a key of its own.
#[test]
fn so_are_those_of_a_public_name() {
    let folder = tempfile::tempdir().unwrap();
    let acme = || Acme {
        folder: folder.path().into(),
        domains: vec!["room.example.org".to_owned()],
        contact: None,
        directory: "https://localhost:9/dir".to_owned(),
        root: None,
        clock: Arc::new(OffsetDateTime::now_utc),
    };
    for name in ["certificate.pem", "account.json"] {
        let file = folder.path().join(name);
        fs::write(&file, "").unwrap();
        allow(&file, 0o644);
        refuses(Identity::acme(acme()), &file);
        allow(&file, 0o600);
        assert!(Identity::acme(acme()).is_ok());
    }
}

fn allow(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

/// It says which file, and what to do.
fn refuses(loaded: Result<Identity, Error>, file: &Path) {
    let error = loaded.unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, Error::OpenKey { .. }), "{message}");
    assert!(message.contains(file.to_str().unwrap()) && message.contains("chmod 600"), "{message}");
}

#[test]
fn a_broken_folder_is_named_and_nothing_in_it_replaced() {
    for (name, text) in
        [("key.pem", "no key"), ("authority-key.pem", "no key"), ("authority.pem", "nothing")]
    {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), text).unwrap();
        allow(&folder.path().join(name), 0o600);
        let refused = Identity::local(World::new(&["localhost"]).local(folder.path()));
        let error = refused.unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, Error::Identity { .. }), "{message}");
        assert!(message.contains(folder.path().to_str().unwrap()), "{message}");
        assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), text);
    }
}

/// Two servers of one machine, say.
#[test]
fn whoever_starts_in_the_same_moment_has_the_same_authority() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Identity::local(World::new(&["localhost"]).local(folder.path())).unwrap();
    let identities = std::thread::scope(|scope| {
        let starts = [(); 8].map(|()| scope.spawn(start));
        starts.map(|started| started.join().unwrap())
    });
    let now = OffsetDateTime::now_utc();
    let late = start();
    let mut roots = RootCertStore::empty();
    roots.add(late.authority().unwrap()).unwrap();
    for identity in &identities {
        assert_eq!(checked_with(roots.clone(), identity, "localhost", now), Ok(()));
    }
}

/// As the program made it before there was an authority.
#[test]
fn a_certificate_that_the_authority_did_not_sign_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.path().join("key.pem"), own.signing_key.serialize_pem()).unwrap();
    allow(&folder.path().join("key.pem"), 0o600);
    fs::write(folder.path().join("certificate.pem"), own.cert.pem()).unwrap();
    let identity = Identity::local(World::new(&["localhost"]).local(folder.path())).unwrap();
    assert_eq!(checked(&identity, "localhost", OffsetDateTime::now_utc()), Ok(()));
}

/// Ten years in which the server never stops: who installed the authority once is never warned, and then once more.
#[tokio::test(start_paused = true)]
async fn certificates_are_renewed_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(&["localhost"]);
    let identity = Identity::local(world.local(folder.path())).unwrap();
    let (running, first) = (identity.clone(), identity.authority());
    let task = tokio::spawn(async move { running.stay_fresh().await });
    let mut seen = vec![identity.fingerprint()];
    for _ in 0..3650 / 14 - 3 {
        world.waits(Days::days(14));
        advance(LOOK_EVERY).await;
        sleep(LOOK_EVERY).await;
        assert_eq!(checked(&identity, "localhost", world.lock().1), Ok(()));
        seen.push(identity.fingerprint());
    }
    seen.dedup();
    assert_eq!((seen.len(), identity.authority()), (10, first.clone()), "once a year");
    for _ in 0..3 {
        world.waits(Days::days(14));
        sleep(2 * LOOK_EVERY).await;
        assert_eq!(checked(&identity, "localhost", world.lock().1), Ok(()));
    }
    assert_ne!(identity.authority(), first);
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_comes_into_another_network_is_covered_there() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(&["localhost", "192.168.1.2"]);
    let identity = Identity::local(world.local(folder.path())).unwrap();
    let running = identity.clone();
    let task = tokio::spawn(async move { running.stay_fresh().await });
    let now = OffsetDateTime::now_utc();
    assert!(checked(&identity, "10.0.0.7", now).is_err());
    world.is_called(&["localhost", "10.0.0.7"]);
    sleep(2 * LOOK_EVERY).await;
    assert_eq!(checked(&identity, "10.0.0.7", now), Ok(()));
    assert_eq!(checked(&identity, "192.168.1.2", now), Ok(()));
    task.abort();
}

/// A folder that went, say: the old certificate is shown until there is a new one.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_renewed_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(&["localhost"]);
    let identity = Identity::local(world.local(folder.path())).unwrap();
    let running = identity.clone();
    let task = tokio::spawn(async move { running.stay_fresh().await });
    let key = fs::read(folder.path().join("authority-key.pem")).unwrap();
    fs::write(folder.path().join("authority-key.pem"), "damaged").unwrap();
    world.is_called(&["localhost", "10.0.0.7"]);
    sleep(2 * LOOK_EVERY).await;
    let now = OffsetDateTime::now_utc();
    assert!(checked(&identity, "10.0.0.7", now).is_err());
    assert_eq!(checked(&identity, "localhost", now), Ok(()));
    fs::write(folder.path().join("authority-key.pem"), key).unwrap();
    sleep(2 * FIRST_PAUSE).await;
    assert_eq!(checked(&identity, "10.0.0.7", now), Ok(()));
    task.abort();
}
