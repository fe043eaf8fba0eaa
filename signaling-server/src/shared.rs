//! What stands on the command line about other servers.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use signaling_server::Nats;

/// Other servers with the same rooms
#[derive(Debug, Args)]
#[command(next_help_heading = "Several servers")]
pub struct Shared {
    /// Share rooms with other servers over NATS: nats://HOST:PORT or tls://HOST:PORT, with user:password@ or token@ before
    /// the host where NATS asks for that; several with commas
    #[arg(long, value_name = "URL")]
    nats: Option<String>,
    /// A credentials file for NATS
    #[arg(long, value_name = "FILE", requires = "nats")]
    nats_credentials: Option<PathBuf>,
    /// A PEM file with the certificate that NATS's own is checked with, in place of the system's; without TLS there is no
    /// connection then
    #[arg(long, value_name = "FILE", requires = "nats")]
    nats_root: Option<PathBuf>,
    /// Silence after which another server is thought to be gone
    #[arg(long, value_name = "SECS", value_parser = parse_lease, default_value = "4")]
    nats_lease_secs: Duration,
}

impl Shared {
    /// The library's form.
    pub fn nats(self) -> Option<Nats> {
        let Self { nats, nats_credentials: credentials, nats_root: root, .. } = self;
        let lease = self.nats_lease_secs;
        nats.map(|url| Nats { url, credentials, root, lease })
    }
}

fn parse_lease(text: &str) -> Result<Duration, String> {
    let secs: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    match (0.2..=600.0).contains(&secs) {
        true => Ok(Duration::from_secs_f64(secs)),
        false => Err("expected 0.2 to 600 seconds".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_are_neither_too_short_nor_endless() {
        assert_eq!(parse_lease("0.5"), Ok(Duration::from_millis(500)));
        for text in ["", "0", "0.1", "601", "nan", "inf", "-4"] {
            assert!(parse_lease(text).is_err(), "{text}");
        }
    }
}
