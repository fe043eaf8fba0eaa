//! Which STUN and TURN servers phones are told, with credentials that have an end.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::RoomId;
use protocol::signal::IceServer;
use sha2::{Digest as _, Sha256};
use turn::Secret;

use crate::{Config, Error, relaying::Relaying};

/// What phones are told for their links.
pub(crate) struct IceServers {
    servers: Vec<Told>,
    life: Duration,
}

/// A server, and with what its credentials are made where they have an end.
struct Told {
    server: IceServer,
    secret: Option<Secret>,
}

impl IceServers {
    /// Those of the configuration, and the relay of this server.
    ///
    /// # Errors
    /// [`Error::TurnCredentials`] where neither a password nor a secret is known.
    pub(crate) fn new(config: &Config, relaying: Option<&Relaying>) -> Result<Self, Error> {
        let mut servers = Vec::new();
        for server in config.ice_servers.clone() {
            let secret = match turn_url(&server) {
                Some(url) if server.credential.is_none() => {
                    let needed = || Error::TurnCredentials { url: url.clone() };
                    Some(config.turn_secret.clone().ok_or_else(needed)?)
                }
                _ => None,
            };
            servers.push(Told { server, secret });
        }
        servers.extend(relaying.map(|relaying| {
            let urls = vec![relaying.url()];
            let server = IceServer { urls, username: None, credential: None };
            Told { server, secret: Some(relaying.secret.clone()) }
        }));
        Ok(Self { servers, life: config.limits.turn_life })
    }

    /// For a phone that has entered this room.
    pub(crate) fn for_room(&self, room: &RoomId) -> Vec<IceServer> {
        let told = self.servers.iter().map(|Told { server, secret }| match secret {
            None => server.clone(),
            Some(secret) => {
                let ends_secs = unix_secs() + self.life.as_secs();
                let credentials = secret.credentials(&in_usernames(room), ends_secs);
                let urls = server.urls.clone();
                let (username, credential) = (credentials.username, credentials.password);
                IceServer { urls, username: Some(username), credential: Some(credential) }
            }
        });
        told.collect()
    }

    /// After how long there should be newer credentials; `None` where none have an end.
    pub(crate) fn renewal(&self) -> Option<Duration> {
        self.servers.iter().any(|told| told.secret.is_some()).then_some(self.life / 2)
    }
}

fn turn_url(server: &IceServer) -> Option<&String> {
    server.urls.iter().find(|url| url.starts_with("turn:") || url.starts_with("turns:"))
}

/// A room's name in users' names: TURN servers can tell rooms apart, and cannot enter them.
fn in_usernames(room: &RoomId) -> String {
    let digest = Sha256::new().chain_update(b"turn").chain_update(room.0).finalize();
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// 0 where the clock is before 1970.
pub(crate) fn unix_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
