//! What a server is told when it starts.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

use clap::{Args, FromArgMatches, builder::RangedU64ValueParser};
use protocol::signal::{CODE_PLACES, IceServer, MESSAGE_MAX_BYTES, PEERS_MAX};
use turn::Secret;

use crate::{Forwarded, Identity, Nats};

/// What a server is told when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder with the built app: `index.html`, hashed files in `assets/`.
    pub app_dir: PathBuf,
    /// Folders whose `.gguf` files are served; the first that has a name wins.
    pub model_dirs: Vec<PathBuf>,
    /// Where every answer is noted as a line of JSON.
    pub access_log: Option<PathBuf>,
    /// What peers are told for their links; empty on one network.
    pub ice_servers: Vec<IceServer>,
    /// TURN in this server, for phones that cannot reach each other.
    pub turn: Option<Turn>,
    /// With which TURN servers elsewhere check credentials: those among `ice_servers` that have none get theirs with it. That in
    /// this server takes it as well, in place of one of its own.
    pub turn_secret: Option<Secret>,
    /// For TLS; without it the server speaks plain HTTP.
    pub identity: Option<Identity>,
    /// Behind a proxy: where it names its clients, whose sockets are then counted in place of the proxy's.
    pub trust_forwarded: Option<Forwarded>,
    /// Where it shares its rooms with other servers; [`run`](crate::run) connects.
    pub nats: Option<Nats>,
    /// Bounds on everything a client can do.
    pub limits: Limits,
}

impl Config {
    /// Plain HTTP, no models, no log, usual limits.
    pub fn new(app_dir: impl Into<PathBuf>) -> Self {
        Self {
            app_dir: app_dir.into(),
            model_dirs: Vec::new(),
            access_log: None,
            ice_servers: Vec::new(),
            turn: None,
            turn_secret: None,
            identity: None,
            trust_forwarded: None,
            nats: None,
            limits: Limits::default(),
        }
    }
}

/// TURN in this server.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Where it listens (UDP); port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Where phones find it, if that is another address than it listens on.
    pub public: Option<IpAddr>,
}

/// Bounds on everything a client can do.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Rooms at once
    #[arg(long = "max-rooms", default_value_t = 1000)]
    pub rooms: usize,
    /// Peers in a room
    #[arg(long = "max-peers", default_value_t = 8, value_parser = RangedU64ValueParser::<usize>::new().range(1..=PEERS_MAX as u64))]
    pub peers_per_room: usize,
    /// How long a room may last
    #[arg(long = "room-life-secs", value_parser = parse_secs, default_value = "43200")]
    pub room_life: Duration,
    /// Short codes that are shown at once
    #[arg(long = "max-codes", default_value_t = 1000, value_parser = RangedU64ValueParser::<usize>::new().range(1..CODE_PLACES as u64))]
    pub codes: usize,
    /// Short codes that phones of one address show at once
    #[arg(long = "max-codes-per-address", default_value_t = 16)]
    pub codes_per_address: usize,
    /// How long a short code may be typed
    #[arg(long = "code-life-secs", value_parser = parse_secs, default_value = "300")]
    pub code_life: Duration,
    /// Short codes that one address may try per minute, in the long run
    #[arg(long = "max-redeems-per-minute", default_value_t = 6, value_parser = RangedU64ValueParser::<u32>::new().range(RATES))]
    pub redeems_per_minute: u32,
    /// Short codes that one address may try at once
    #[arg(long = "max-redeems-burst", default_value_t = 12, value_parser = RangedU64ValueParser::<u32>::new().range(RATES))]
    pub redeems_burst: u32,
    /// Wrong short codes after which an address may try none for a while
    #[arg(long = "max-redeem-failures", default_value_t = 10, value_parser = RangedU64ValueParser::<u32>::new().range(RATES))]
    pub redeem_failures: u32,
    /// How long that while is
    #[arg(long = "redeem-lockout-secs", value_parser = parse_secs, default_value = "600")]
    pub redeem_lockout: Duration,
    /// Bytes of one signaling message; at most the usual, which is the protocol's longest
    #[arg(long = "max-message-bytes", default_value_t = MESSAGE_MAX_BYTES, value_parser = RangedU64ValueParser::<usize>::new().range(..=MESSAGE_MAX_BYTES as u64))]
    pub message_bytes: usize,
    /// Signaling bytes that one connection may send in all
    #[arg(long = "max-signaling-bytes", default_value_t = 4 << 20)]
    pub signaling_bytes_per_connection: u64,
    /// Payload bytes of one relayed binary message
    #[arg(long = "max-relay-bytes", default_value_t = 256 << 10)]
    pub relay_message_bytes: usize,
    /// Messages of one connection per second, in the long run
    #[arg(long = "max-messages-per-sec", default_value_t = 50, value_parser = RangedU64ValueParser::<u32>::new().range(RATES))]
    pub messages_per_sec: u32,
    /// Messages of one connection at once
    #[arg(long = "max-messages-burst", default_value_t = 200, value_parser = RangedU64ValueParser::<u32>::new().range(RATES))]
    pub messages_burst: u32,
    /// Messages that wait for a slow client before it is dropped
    #[arg(long = "max-queue-messages", default_value_t = 64, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub queue_messages: usize,
    /// Bytes that wait for a slow client before it is dropped
    #[arg(long = "max-queue-bytes", default_value_t = 2 << 20)]
    pub queue_bytes: usize,
    /// Connections from one address (for IPv6: from one /64)
    #[arg(long = "max-connections-per-address", default_value_t = 64)]
    pub connections_per_address: usize,
    /// Connections in all
    #[arg(long = "max-connections", default_value_t = 4096)]
    pub connections: usize,
    /// New connections from one address (for IPv6: from one /64) per second, in the long run
    #[arg(long = "max-connects-per-sec", default_value_t = 20, value_parser = RangedU64ValueParser::<u32>::new().range(RATES))]
    pub connects_per_sec: u32,
    /// New connections from one address at once
    #[arg(long = "max-connects-burst", default_value_t = 200, value_parser = RangedU64ValueParser::<u32>::new().range(RATES))]
    pub connects_burst: u32,
    /// How long a connection may last, be it a download or a socket
    #[arg(long = "connection-life-secs", value_parser = parse_secs, default_value = "43200")]
    pub connection_life: Duration,
    /// Time for a TLS handshake, for a request's headers, and for a socket to enter a room
    #[arg(long = "handshake-timeout-secs", value_parser = parse_secs, default_value = "10")]
    pub handshake_timeout: Duration,
    /// Silence after which a socket is closed
    #[arg(long = "idle-timeout-secs", value_parser = parse_secs, default_value = "60")]
    pub idle_timeout: Duration,
    /// Time for a socket to answer a ping when another socket wants its place in a room
    #[arg(long = "claim-timeout-secs", value_parser = parse_secs, default_value = "2")]
    pub claim_timeout: Duration,
    /// Time between the pings that keep a living socket from being silent
    #[arg(long = "ping-interval-secs", value_parser = parse_secs, default_value = "20")]
    pub ping_interval: Duration,
    /// Time in which a client must take at least some of what is sent to it
    #[arg(long = "write-timeout-secs", value_parser = parse_secs, default_value = "30")]
    pub write_timeout: Duration,
    /// TURN allocations in all
    #[arg(long = "max-turn-allocations", default_value_t = 4096)]
    pub turn_allocations: usize,
    /// TURN allocations of one room
    #[arg(long = "max-turn-allocations-per-room", default_value_t = 256)]
    pub turn_allocations_per_room: usize,
    /// TURN allocations from one address (for IPv6: from one /64)
    #[arg(long = "max-turn-allocations-per-address", default_value_t = 128)]
    pub turn_allocations_per_address: usize,
    /// Bytes that one TURN allocation may send per second, and at once; a datagram counts as 256 at least, a request as 2048
    #[arg(long = "max-turn-bytes-per-sec", default_value_t = 8 << 20)]
    pub turn_bytes_per_sec: u64,
    /// TURN datagrams per second from one address (for IPv6: from one /64) that has no allocation
    #[arg(long = "max-turn-requests-per-sec", default_value_t = 50, value_parser = RangedU64ValueParser::<u32>::new().range(RATES))]
    pub turn_requests_per_sec: u32,
    /// How long TURN credentials are good for a new allocation; newer ones come when half of it is over
    #[arg(long = "turn-life-secs", value_parser = parse_secs, default_value = "3600")]
    pub turn_life: Duration,
    /// Time that connections get to end when the server stops
    #[arg(long = "drain-timeout-secs", value_parser = parse_secs, default_value = "5")]
    pub drain_timeout: Duration,
}

impl Default for Limits {
    /// What the command line's defaults say, so that they are written once.
    fn default() -> Self {
        let command = Self::augment_args(clap::Command::new("limits"));
        Self::from_arg_matches(&command.get_matches_from(["limits"]))
            .expect("every limit has a default")
    }
}

fn parse_secs(text: &str) -> Result<Duration, String> {
    let secs: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(secs) {
        Ok(duration) if !duration.is_zero() && duration <= LONGEST => Ok(duration),
        _ => Err("expected more than 0 and at most 31536000 seconds".to_owned()),
    }
}

/// What a second may bring, at least and at most.
const RATES: RangeInclusive<u64> = 1..=1_000_000;
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_command_line() {
        let limits = Limits::default();
        assert_eq!((limits.rooms, limits.peers_per_room, limits.queue_messages), (1000, 8, 64));
        assert_eq!(limits.idle_timeout, Duration::from_secs(60));
        assert!(limits.ping_interval * 2 < limits.idle_timeout);
    }

    #[test]
    fn seconds_are_positive_and_finite() {
        assert_eq!(parse_secs("0.5"), Ok(Duration::from_millis(500)));
        for text in ["", "0", "-1", "nan", "inf", "1e300", "31536001", "1s"] {
            assert!(parse_secs(text).is_err(), "{text}");
        }
    }
}
