//! The options for a secure context, and what follows from them.

use std::path::{Path, PathBuf};

use clap::Args;
use signaling_server::{Acme, Error, Identity, Local};

use crate::trust::Where;

/// How pages become secure ones.
#[derive(Debug, Args)]
#[command(next_help_heading = "Secure context")]
pub struct Secure {
    /// Speak HTTPS with certificates of an authority of this machine, for its names on private networks
    #[arg(long, conflicts_with = "domain")]
    pub tls: bool,
    /// Speak HTTPS with a certificate by ACME for this public name, and accept the authority's terms; may be repeated
    #[arg(long, value_name = "NAME", value_parser = parse_domain)]
    pub domain: Vec<String>,
    /// The mail address that the public authority may write to
    #[arg(long, value_name = "MAIL", requires = "domain")]
    pub acme_contact: Option<String>,
    /// The public authority
    #[arg(long, value_name = "URL", default_value = "https://acme-v02.api.letsencrypt.org/directory", value_parser = parse_directory)]
    pub acme_directory: String,
    /// A PEM file with the certificate that the public authority's own is checked with, in place of the system's
    #[arg(long, value_name = "FILE", requires = "domain")]
    pub acme_root: Option<PathBuf>,
    /// Let this machine trust its authority, in: system, browsers or all; then end
    #[arg(long, value_name = "WHERE", num_args = 0..=1, require_equals = true, default_missing_value = "all", conflicts_with = "remove_ca")]
    pub install_ca: Option<Where>,
    /// Undo --install-ca, then end
    #[arg(long, value_name = "WHERE", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    pub remove_ca: Option<Where>,
}

impl Secure {
    /// What the server proves itself with; loads or makes the local certificate.
    pub fn identity(&self, state: &Path) -> Result<Option<Identity>, Error> {
        if self.tls {
            return Identity::local(Local::new(local_folder(state))).map(Some);
        }
        if self.domain.is_empty() {
            return Ok(None);
        }
        let acme = Acme {
            // An account and its certificates are of one authority.
            folder: state.join("acme").join(plain(&self.acme_directory)),
            domains: self.domain.clone(),
            contact: self.acme_contact.clone(),
            directory: self.acme_directory.clone(),
            root: self.acme_root.clone(),
            clock: Local::new(state).clock,
        };
        Identity::acme(acme).map(Some)
    }
}

/// Where this machine's authority is kept.
pub fn local_folder(state: &Path) -> PathBuf {
    state.join("tls")
}

/// A URL as the name of a folder.
fn plain(url: &str) -> String {
    let url = url.trim_start_matches("https://");
    url.chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-.".contains(c) { c } else { '_' })
        .collect()
}

/// A name as authorities and certificates write it.
fn parse_domain(text: &str) -> Result<String, String> {
    let name = text.to_ascii_lowercase();
    let is_label = |label: &str| {
        let is_plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=63).contains(&label.len()) && is_plain
    };
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    let is_name = name.len() <= 253 && name.contains('.') && name.split('.').all(is_label);
    if is_name && !is_address {
        Ok(name)
    } else {
        Err("expected a name such as room.example.org".to_owned())
    }
}

fn parse_directory(text: &str) -> Result<String, String> {
    match text.strip_prefix("https://") {
        Some(rest) if !rest.is_empty() => Ok(text.to_owned()),
        _ => Err("expected an https:// URL".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_names() {
        assert_eq!(parse_domain("Room.Example.org").as_deref(), Ok("room.example.org"));
        for odd in ["", "localhost", "10.0.0.1", "*.example.org", "a..b", "a.b/c", "a b.c", "ä.org"]
        {
            assert!(parse_domain(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn each_authority_has_a_folder() {
        assert_eq!(plain("https://a.example:14000/dir"), "a.example_14000_dir");
        assert_eq!(plain("https://../../etc"), ".._.._etc");
    }
}
