//! The connection to NATS: what comes from there, what goes there, and what is done when it is lost.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_nats::{Client, Event, Message, Subscriber};
use futures_util::StreamExt as _;
use protocol::{
    cluster::{NOTICE_OVERHEAD_BYTES, News, Notice, ROOMS_PER_PART, ServerId},
    signal::{CODE_PLACES, PEERS_MAX, SEALED_MAX_CHARS},
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Cluster, Nats, queue::Outgoing};
use crate::{Error, Limits, codes::Codes, rooms::Rooms};

/// A server's connection to NATS; it ends when this is dropped.
pub(crate) struct Link {
    task: JoinSet<()>,
    ending: CancellationToken,
}

/// One connection, until it ends.
struct Wire {
    rooms: Arc<Rooms>,
    codes: Arc<Codes>,
    cluster: Arc<Cluster>,
    client: Client,
    /// What others tell us.
    own: Subscriber,
    /// What is told to all.
    all: Subscriber,
    connected: watch::Receiver<bool>,
    max_bytes: usize,
}

impl Link {
    /// Connects, and gets to know the servers that are there.
    pub(crate) async fn connect(
        nats: &Nats,
        (rooms, codes): (&Arc<Rooms>, &Arc<Codes>),
        limits: &Limits,
    ) -> Result<Option<Self>, Error> {
        let Some(cluster) = rooms.cluster() else { return Ok(None) };
        let wire = Wire::connect(nats, (rooms, codes), cluster, limits).await?;
        info!(server = %cluster.me, "rooms are shared over NATS");
        let settling = cluster.beat_period().min(SETTLING);
        let (mut task, ending) = (JoinSet::new(), CancellationToken::new());
        task.spawn(wire.stay(nats.clone(), limits.clone(), ending.clone()));
        // The others say hello in return.
        sleep(settling).await;
        Ok(Some(Self { task, ending }))
    }

    /// Sends what waits, and says goodbye.
    pub(crate) async fn end(mut self) {
        self.ending.cancel();
        let _ = timeout(GOODBYE, self.task.join_next()).await;
    }
}

async fn connect(
    nats: &Nats,
    cluster: &Arc<Cluster>,
    connected: watch::Sender<bool>,
) -> Result<Client, Error> {
    let (addresses, options) = nats.parse().await?;
    let (longest_pause, told) = (nats.lease / 4, cluster.clone());
    let on_event = move |event| {
        let is_connected = match &event {
            Event::Connected => Some(true),
            Event::Disconnected | Event::Closed => Some(false),
            _ => None,
        };
        if let Some(is_connected) = is_connected {
            told.is_connected.store(is_connected, Ordering::Relaxed);
            connected.send_replace(is_connected);
        }
        match is_connected {
            Some(true) => info!("connected to NATS"),
            Some(false) => warn!("NATS is lost: rooms go on with the phones of this server"),
            None => warn!(%event, "NATS"),
        }
        std::future::ready(())
    };
    let options = options
        .name("signaling-server")
        .no_echo()
        .connection_timeout(CONNECTING)
        .ping_interval(nats.lease)
        .subscription_capacity(WAITING_NOTICES)
        .client_capacity(WAITING_COMMANDS)
        .reconnect_delay_callback(move |attempts| {
            FIRST_PAUSE.saturating_mul(1 << attempts.min(10)).min(longest_pause)
        })
        .event_callback(on_event);
    match timeout(2 * CONNECTING, options.connect(addresses)).await {
        Ok(client) => client.map_err(|error| nats.failed(error)),
        Err(_) => Err(nats.failed("no answer")),
    }
}

impl Wire {
    async fn connect(
        nats: &Nats,
        (rooms, codes): (&Arc<Rooms>, &Arc<Codes>),
        cluster: &Arc<Cluster>,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let (sender, connected) = watch::channel(false);
        let client = connect(nats, cluster, sender).await?;
        let failed = |error| nats.failed(error);
        let own = client.subscribe(subject(Some(cluster.me))).await.map_err(failed)?;
        let all = client.subscribe(subject(None)).await.map_err(failed)?;
        match timeout(CONNECTING, client.flush()).await {
            Ok(flushed) => flushed.map_err(|error| nats.failed(error))?,
            Err(_) => return Err(nats.failed("no answer")),
        }
        cluster.is_connected.store(true, Ordering::Relaxed);
        let (max_bytes, takes) = (longest_notice(limits), client.max_payload());
        if max_bytes > takes {
            warn!(takes, needed = max_bytes, "NATS takes no messages as long as phones may send");
        }
        let (rooms, codes, cluster) = (rooms.clone(), codes.clone(), cluster.clone());
        Ok(Self { rooms, codes, cluster, client, own, all, connected, max_bytes })
    }

    /// Until told to end. A client whose server refuses it once, as while its accounts are read anew, tries no more: then
    /// there is another.
    async fn stay(self, nats: Nats, limits: Limits, ending: CancellationToken) {
        let mut wire = self;
        loop {
            let Self { rooms, codes, cluster, client, .. } = &wire;
            let (rooms, codes) = (rooms.clone(), codes.clone());
            let (cluster, client) = (cluster.clone(), client.clone());
            tokio::select! {
                () = publish_all(&cluster, &client, &ending) => return,
                () = wire.listen() => {}
            }
            cluster.is_connected.store(false, Ordering::Relaxed);
            // Meanwhile servers that are not heard are gone, as in every loss.
            tokio::select! {
                () = ending.cancelled() => return,
                () = beat_on(&rooms, &codes, &cluster) => return,
                next = Self::connect_again(&nats, (&rooms, &codes), &cluster, &limits) => wire = next,
            }
        }
    }

    async fn connect_again(
        nats: &Nats,
        shared: (&Arc<Rooms>, &Arc<Codes>),
        cluster: &Arc<Cluster>,
        limits: &Limits,
    ) -> Self {
        loop {
            sleep(nats.lease.min(LONGEST_PAUSE)).await;
            match Self::connect(nats, shared, cluster, limits).await {
                Ok(wire) => return wire,
                Err(error) => warn!(%error, "NATS stays lost"),
            }
        }
    }

    /// Until there is nothing more to hear, ever.
    async fn listen(&mut self) {
        let mut beats = interval(self.cluster.beat_period());
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // What was told to us before a hello is heard before it.
            let message = tokio::select! {
                biased;
                _ = beats.tick() => {
                    beat(&self.rooms, &self.codes, &self.cluster);
                    continue;
                }
                Ok(()) = self.connected.changed() => {
                    beat(&self.rooms, &self.codes, &self.cluster);
                    continue;
                }
                message = self.own.next() => message,
                message = self.all.next() => message,
            };
            let Some(message) = message else { return };
            self.hear(&message);
        }
    }

    fn hear(&self, message: &Message) {
        match Notice::decode(&message.payload, self.max_bytes) {
            Ok(Notice { from, news }) => {
                self.cluster.metrics.notices.count("heard");
                if let Some(news) = self.codes.hear(from, news) {
                    self.rooms.hear(&self.cluster, from, news);
                }
            }
            Err(error) => {
                self.cluster.metrics.notices.count("refused");
                tracing::debug!(%error, "a notice refused");
            }
        }
    }
}

fn beat(rooms: &Rooms, codes: &Codes, cluster: &Cluster) {
    rooms.beat(cluster);
    codes.forget_lost();
}

/// Never returns.
async fn beat_on(rooms: &Rooms, codes: &Codes, cluster: &Cluster) {
    let mut beats = interval(cluster.beat_period());
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        beat(rooms, codes, cluster);
    }
}

/// Until told to end.
async fn publish_all(cluster: &Cluster, client: &Client, ending: &CancellationToken) {
    let mut queue = cluster.queue.taker().await;
    loop {
        let next = tokio::select! {
            biased;
            next = queue.next() => next,
            () = ending.cancelled() => break,
        };
        let Some(outgoing) = next else { break };
        publish(cluster, client, outgoing).await;
    }
    while let Some(outgoing) = queue.next_now() {
        publish(cluster, client, outgoing).await;
    }
    let bye = Notice { from: cluster.me, news: News::Bye }.encode().into();
    publish(cluster, client, Outgoing { to: None, notice: bye }).await;
    let _ = client.flush().await;
}

/// Waits while NATS takes nothing; meanwhile the queue fills, and what finds no place in it is lost.
async fn publish(cluster: &Cluster, client: &Client, Outgoing { to, notice }: Outgoing) {
    match client.publish(subject(to), notice).await {
        Ok(()) => cluster.metrics.notices.count("told"),
        Err(error) => {
            cluster.metrics.notices.count("lost");
            warn!(%error, "NATS does not take a notice");
        }
    }
}

fn subject(to: Option<ServerId>) -> String {
    match to {
        Some(server) => format!("lingualinked.1.to.{server}"),
        None => "lingualinked.1.all".to_owned(),
    }
}

/// The longest that a server with these limits tells.
fn longest_notice(limits: &Limits) -> usize {
    let everything =
        ROOMS_PER_PART * (PEER_BYTES * PEERS_MAX + 32) + CODE_BYTES * usize::from(CODE_PLACES);
    limits.relay_message_bytes.max(SEALED_MAX_CHARS).max(everything) + NOTICE_OVERHEAD_BYTES
}

/// A peer's id, with its length.
const PEER_BYTES: usize = 9;
/// A code's place.
const CODE_BYTES: usize = 3;
/// The most that waits for us at once; what comes then is lost, and noticed by its number.
const WAITING_NOTICES: usize = 1024;
/// Between our queue and the connection.
const WAITING_COMMANDS: usize = 16;
const CONNECTING: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Before another client is tried.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
const SETTLING: Duration = Duration::from_secs(1);
const GOODBYE: Duration = Duration::from_secs(1);
