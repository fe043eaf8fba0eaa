//! What Chromium, Chrome and Firefox trust on Linux: databases of NSS, in the user's own folder.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use signaling_server::Authority;

use super::{TrustError, need, run};

/// The browsers of one user.
pub(super) struct Browsers {
    home: PathBuf,
}

impl Browsers {
    /// Those of whoever asks.
    pub(super) fn usual() -> Self {
        Self { home: env::var_os("HOME").map_or_else(env::temp_dir, PathBuf::from) }
    }

    pub(super) fn install(&self, authority: &Authority) -> Result<(), TrustError> {
        let chromium = self.home.join(CHROMIUM);
        println!("browsers:");
        need("certutil", "libnss3-tools", authority)?;
        if !is_database(&chromium) {
            fs::create_dir_all(&chromium)
                .map_err(|source| TrustError::File { file: chromium.clone(), source })?;
            run(certutil("-N", &chromium).arg("--empty-password"))?;
        }
        for database in self.databases() {
            let mut command = certutil("-A", &database);
            run(command.args(["-t", "C,,", "-n", &authority.name(), "-i"]).arg(authority.file()))?;
        }
        Ok(())
    }

    pub(super) fn remove(&self, authority: &Authority) -> Result<(), TrustError> {
        println!("browsers:");
        let name = authority.name();
        for database in self.databases() {
            need("certutil", "libnss3-tools", authority)?;
            let known = certutil("-L", &database).args(["-n", &name]).output();
            if known.is_ok_and(|known| known.status.success()) {
                run(certutil("-D", &database).args(["-n", &name]))?;
            }
        }
        Ok(())
    }

    /// Chromium and Chrome share one; each profile of Firefox has one.
    fn databases(&self) -> Vec<PathBuf> {
        let profiles = FIREFOX.iter().flat_map(|folder| {
            let entries = fs::read_dir(self.home.join(folder)).into_iter().flatten().flatten();
            entries.map(|entry| entry.path())
        });
        let mut found: Vec<PathBuf> = profiles.chain([self.home.join(CHROMIUM)]).collect();
        found.retain(|folder| is_database(folder));
        found.sort();
        found
    }
}

fn is_database(folder: &Path) -> bool {
    folder.join("cert9.db").is_file()
}

fn certutil(action: &str, database: &Path) -> Command {
    let mut command = Command::new("certutil");
    command.arg(action).arg("-d").arg(format!("sql:{}", database.display()));
    command
}

const CHROMIUM: &str = ".pki/nssdb";
/// Debian's, Ubuntu's and Flathub's.
const FIREFOX: &[&str] = &[
    ".mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
];

#[cfg(test)]
mod tests {
    use super::{super::is_on_path, *};

    #[test]
    fn browsers_have_it_and_then_no_more() {
        if !is_on_path("certutil") {
            let is_required =
                std::env::var_os("LINGUALINKED_CERTIFICATES").is_some_and(|it| it == "required");
            assert!(!is_required, "certutil is required, and is not installed");
            eprintln!("skipped: this system has no certutil");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let browsers = Browsers { home: folder.path().to_owned() };
        let profile = folder.path().join(".mozilla/firefox/a.default");
        fs::create_dir_all(&profile).unwrap();
        run(certutil("-N", &profile).arg("--empty-password")).unwrap();
        let authority = Authority::load_or_make(&folder.path().join("state")).unwrap();
        let listed = || {
            let count = |database: PathBuf| {
                let listed = certutil("-L", &database).output().unwrap().stdout;
                String::from_utf8(listed).unwrap().matches(&authority.name()).count()
            };
            browsers.databases().into_iter().map(count).collect::<Vec<_>>()
        };
        browsers.remove(&authority).unwrap();
        for _ in 0..2 {
            browsers.install(&authority).unwrap();
            assert_eq!(listed(), [1, 1]);
        }
        browsers.remove(&authority).unwrap();
        assert_eq!(listed(), [0, 0]);
    }
}
