//! TURN on a UDP socket: what comes is given to the relay, and what it gives is sent.

use std::{
    future::pending,
    io,
    net::{IpAddr, SocketAddr, UdpSocket as StdSocket},
    time::{Duration, Instant},
};

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, RateLimiter};
use tokio::{
    net::UdpSocket,
    time::{interval, sleep},
};
use tracing::{error, info, warn};
use turn::{Note, Now, Outcome, Relay, Secret};

use crate::{
    Error, Limits, Server, Turn,
    ice::unix_secs,
    lan_address,
    limits::{REMEMBERED_MAX, counted_as, quota, rate_limit},
    metrics::Metrics,
};

/// The socket, and what phones are told of it.
pub(crate) struct Relaying {
    socket: StdSocket,
    /// Where phones find it.
    told: SocketAddr,
    /// New with every start, so that no credentials outlive it, unless other servers are to make some, too.
    pub(crate) secret: Secret,
}

impl Relaying {
    /// # Errors
    /// [`Error::Turn`].
    pub(crate) fn bind(turn: &Turn, secret: Option<Secret>) -> Result<Self, Error> {
        Self::try_bind(turn, secret)
            .map_err(|source| Error::Turn { address: turn.listen.to_string(), source })
    }

    fn try_bind(turn: &Turn, secret: Option<Secret>) -> io::Result<Self> {
        let socket = StdSocket::bind(turn.listen)?;
        socket.set_nonblocking(true)?;
        let listen = lan_address(socket.local_addr()?);
        let told = SocketAddr::new(turn.public.unwrap_or(listen.ip()), listen.port());
        let secret = secret.map_or_else(Secret::random, Ok).map_err(io::Error::other)?;
        Ok(Self { socket, told, secret })
    }

    /// As browsers want it.
    pub(crate) fn url(&self) -> String {
        format!("turn:{}?transport=udp", self.told)
    }
}

/// Never returns. Once the server stops there are no new allocations.
pub(crate) async fn serve(server: Server) {
    let Some(relaying) = &server.0.relaying else { return pending().await };
    match Task::new(&server, relaying) {
        Ok(mut task) => {
            info!(address = %relaying.told, "relaying");
            task.run(&server).await;
        }
        Err(failed) => {
            error!(error = %failed, "no TURN");
            pending().await
        }
    }
}

struct Task {
    socket: UdpSocket,
    relay: Relay,
    strangers: Strangers,
    started: Instant,
}

impl Task {
    fn new(server: &Server, relaying: &Relaying) -> io::Result<Self> {
        let limits = server.limits();
        let (secret, address) = (relaying.secret.clone(), relaying.told.ip());
        Ok(Self {
            socket: UdpSocket::from_std(relaying.socket.try_clone()?)?,
            relay: Relay::new(address, secret, bounds(limits)).map_err(io::Error::other)?,
            strangers: Strangers::new(limits.turn_requests_per_sec),
            started: Instant::now(),
        })
    }

    async fn run(&mut self, server: &Server) {
        let (metrics, stopping) = (&server.0.metrics, &server.0.stopping);
        let mut tidying = interval(TIDYING);
        let mut bytes = vec![0; DATAGRAM_MAX_BYTES];
        loop {
            tokio::select! {
                heard = self.socket.recv_from(&mut bytes) => match heard {
                    Ok((length, from)) => self.hear(from, &bytes[..length], metrics),
                    Err(error) => {
                        warn!(%error, "TURN cannot hear");
                        sleep(HEARING_PAUSE).await;
                    }
                },
                () = stopping.cancelled(), if !stopping.is_cancelled() => {}
                _ = tidying.tick() => self.tidy(),
            }
            if stopping.is_cancelled() {
                self.relay.close();
            }
            metrics.turn_allocations.set(self.relay.allocations() as i64);
        }
    }

    fn hear(&mut self, from: SocketAddr, bytes: &[u8], metrics: &Metrics) {
        let counts_as = counted_as(from.ip());
        if !self.relay.knows(from) && !self.strangers.may_ask(counts_as) {
            return metrics.turn_dropped.count("flood");
        }
        let Outcome { send, note } = self.relay.hear(from, counts_as, bytes, self.now());
        // A datagram that finds no room is lost, as on any other way.
        let lost = send.is_some_and(|(to, bytes)| self.socket.try_send_to(&bytes, to).is_err());
        match note {
            _ if lost => metrics.turn_dropped.count("unsent"),
            Note::Answered => {}
            Note::Allocated => {
                metrics.turn_allocated.inc();
            }
            Note::Relayed(bytes) => {
                metrics.turn_bytes.inc_by(bytes as u64);
            }
            Note::Checked(bytes) => {
                metrics.turn_check_bytes.inc_by(bytes as u64);
            }
            Note::Refused(reason) => metrics.turn_refusals.count(reason),
            Note::Dropped(reason) => metrics.turn_dropped.count(reason),
        }
    }

    fn tidy(&mut self) {
        self.relay.tidy(self.now());
        self.strangers.forget();
    }

    fn now(&self) -> Now {
        Now { elapsed: self.started.elapsed(), unix_secs: unix_secs() }
    }
}

/// How fast those ask who have no allocation.
struct Strangers {
    each: DefaultKeyedRateLimiter<IpAddr>,
    /// All together, where more addresses come than are remembered.
    all: DefaultDirectRateLimiter,
}

impl Strangers {
    fn new(per_sec: u32) -> Self {
        let each = RateLimiter::keyed(quota(per_sec, per_sec.saturating_mul(BURST_SECS)));
        Self { each, all: rate_limit(ALL_PER_SEC, ALL_PER_SEC) }
    }

    /// Whether one may ask now. Whoever sends under very many addresses, true or not, does not shut out new ones: they share
    /// what is left for all.
    fn may_ask(&self, address: IpAddr) -> bool {
        match self.each.len() < REMEMBERED_MAX {
            true => self.each.check_key(&address).is_ok(),
            false => self.all.check().is_ok(),
        }
    }

    /// Forgets the addresses that have been quiet.
    fn forget(&self) {
        self.each.retain_recent();
        self.each.shrink_to_fit();
    }
}

fn bounds(limits: &Limits) -> turn::Limits {
    turn::Limits {
        allocations: limits.turn_allocations,
        per_room: limits.turn_allocations_per_room,
        per_address: limits.turn_allocations_per_address,
        bytes_per_sec: limits.turn_bytes_per_sec,
        life: limits.room_life,
    }
}

/// What an address may send at once, in seconds of its rate.
const BURST_SECS: u32 = 4;
/// Requests of strangers together, where each has no bound of its own any more.
const ALL_PER_SEC: u32 = 5000;
const TIDYING: Duration = Duration::from_secs(10);
const HEARING_PAUSE: Duration = Duration::from_millis(100);
/// What a UDP datagram has at most.
const DATAGRAM_MAX_BYTES: usize = 65_535;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_addresses_shut_nobody_out_and_are_bounded() {
        let strangers = Strangers::new(1);
        let address = |number: usize| IpAddr::from((number as u32).to_be_bytes());
        for number in 0..REMEMBERED_MAX {
            assert!(strangers.may_ask(address(number)));
        }
        assert!(strangers.may_ask(address(REMEMBERED_MAX)), "a new one may ask");
        let heard = (0..200_000).filter(|_| strangers.may_ask(address(REMEMBERED_MAX))).count();
        assert!((1000..200_000).contains(&heard), "{heard}");
        assert_eq!(strangers.each.len(), REMEMBERED_MAX);
    }
}
