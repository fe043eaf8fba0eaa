//! What the programs of a Debian system trust.

use std::{path::PathBuf, process::Command};

use rustix::process::geteuid;
use signaling_server::Authority;

use super::{TrustError, need, run};

/// Where the system looks for certificates, and how it is told that there are others.
pub(super) struct System {
    folder: PathBuf,
    update: Vec<String>,
    prefix: &'static [&'static str],
}

impl System {
    /// As Debian and its relatives have it; by sudo, unless root asks.
    pub(super) fn usual() -> Self {
        let prefix: &[&str] = if geteuid().is_root() { &[] } else { &["sudo"] };
        let update = vec!["update-ca-certificates".to_owned()];
        Self { folder: "/usr/local/share/ca-certificates".into(), update, prefix }
    }

    pub(super) fn install(&self, authority: &Authority) -> Result<(), TrustError> {
        println!("the system's programs:");
        need(UPDATE, "ca-certificates", authority)?;
        let mut copy = self.command("install");
        run(copy.args(["-m", "644"]).arg(authority.file()).arg(self.file(authority)))?;
        self.update(&[])
    }

    pub(super) fn remove(&self, authority: &Authority) -> Result<(), TrustError> {
        let file = self.file(authority);
        if !file.exists() {
            println!("the system's programs: not installed");
            return Ok(());
        }
        println!("the system's programs:");
        run(self.command("rm").arg(file))?;
        // Without this the links to the file stay.
        self.update(&["--fresh"])
    }

    fn update(&self, more: &[&str]) -> Result<(), TrustError> {
        run(self.command(&self.update[0]).args(&self.update[1..]).args(more))
    }

    /// One file for each authority.
    fn file(&self, authority: &Authority) -> PathBuf {
        let print = authority.fingerprint().replace(':', "").to_ascii_lowercase();
        self.folder.join(format!("lingualinked-{}.crt", &print[..8]))
    }

    fn command(&self, program: &str) -> Command {
        let mut words = self.prefix.iter().copied().chain([program]);
        let mut command = Command::new(words.next().unwrap_or(program));
        command.args(words);
        command
    }
}

const UPDATE: &str = "update-ca-certificates";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::is_on_path, *};

    /// The system's own program, on folders of this test.
    #[test]
    fn the_systems_list_has_it_and_then_no_more() {
        if !is_on_path(UPDATE) {
            eprintln!("skipped: this system has no {UPDATE}");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let [local, certs] = ["local", "certs"].map(path);
        for name in ["local", "certs", "share", "hooks"] {
            fs::create_dir(path(name)).unwrap();
        }
        fs::write(path("list"), "").unwrap();
        let option = |name: &str, path: PathBuf| [format!("--{name}"), path.display().to_string()];
        let update = [
            vec![UPDATE.to_owned()],
            option("localcertsdir", local.clone()).to_vec(),
            option("etccertsdir", certs.clone()).to_vec(),
            option("certsdir", path("share")).to_vec(),
            option("certsconf", path("list")).to_vec(),
            option("hooksdir", path("hooks")).to_vec(),
        ];
        let system = System { folder: local.clone(), update: update.concat(), prefix: &[] };
        let authority = Authority::load_or_make(&path("state")).unwrap();
        // With no certificate at all the program leaves the list as it is.
        let other = Authority::load_or_make(&path("other")).unwrap();
        fs::copy(other.file(), local.join("other.crt")).unwrap();
        let [pem, other] = [&authority, &other].map(|one| fs::read_to_string(one.file()).unwrap());
        let bundle = || fs::read_to_string(certs.join("ca-certificates.crt")).unwrap_or_default();

        system.install(&authority).unwrap();
        assert!(bundle().contains(pem.trim()) && bundle().contains(other.trim()), "{}", bundle());
        system.remove(&authority).unwrap();
        assert_eq!((bundle().trim(), fs::read_dir(&local).unwrap().count()), (other.trim(), 1));
        system.remove(&authority).unwrap();
    }
}
