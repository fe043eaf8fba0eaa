//! Who is in which room, and passing messages between them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::extract::ws::Message;
use base::{PeerId, RoomId};
use bytes::{BufMut as _, Bytes, BytesMut};
use protocol::{
    cluster::Body,
    signal::{RefusalCode, ServerMessage},
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tracing::info;

use crate::{
    Limits,
    claims::{Claims, Wanted},
    cluster::{Claimed, Cluster, Elsewhere},
    ice::IceServers,
    metrics::Metrics,
    outbox::Outbox,
};

/// What the server counts; the JSON of `/api/stats`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Stats {
    /// Rooms with somebody in them.
    pub rooms: usize,
    /// Peers in all rooms.
    pub peers: usize,
    /// Bytes of all text messages received since the start.
    pub signaling_bytes: u64,
    /// Payload bytes of all binary messages passed on since the start; the
    /// four bytes that name the peer are not payload.
    pub relayed_bytes: u64,
    /// Payload bytes that TURN passed on since the start, without checks of ways.
    pub turn_bytes: u64,
}

/// All rooms.
pub(crate) struct Rooms {
    rooms: Mutex<BTreeMap<RoomId, Room>>,
    limits: Limits,
    ice_servers: IceServers,
    metrics: Arc<Metrics>,
    /// The other servers, where there may be any.
    cluster: Option<Arc<Cluster>>,
}

/// A room, as far as its phones are at this server.
pub(crate) struct Room {
    pub(crate) peers: BTreeMap<PeerId, Holder>,
    /// When everybody has to leave.
    pub(crate) ends: Instant,
}

/// Who holds a place: how it is told something, and how it is asked for the place.
#[derive(Clone)]
pub(crate) struct Holder {
    pub(crate) outbox: Outbox,
    pub(crate) claims: Claims,
}

/// How a room was entered.
pub(crate) enum Entry {
    Seated(Seat),
    /// Another socket holds the place, and is asked whether it is still there.
    Waits(Wanted),
}

/// A peer's presence in a room; dropping it is leaving.
pub(crate) struct Seat {
    rooms: Arc<Rooms>,
    pub(crate) room: RoomId,
    pub(crate) peer: PeerId,
    /// When the room ends.
    pub(crate) ends: Instant,
}

/// Why something was not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Refusal {
    pub(crate) code: RefusalCode,
    pub(crate) message: String,
}

impl Rooms {
    pub(crate) fn new(
        limits: Limits,
        ice_servers: IceServers,
        metrics: Arc<Metrics>,
        cluster: Option<Arc<Cluster>>,
    ) -> Self {
        Self { rooms: Mutex::default(), limits, ice_servers, metrics, cluster }
    }

    pub(crate) fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.cluster.as_ref()
    }

    /// Makes a room and enters it.
    pub(crate) fn open(
        self: &Arc<Self>,
        room: RoomId,
        peer: PeerId,
        holder: &Holder,
        claimed: Option<&Claimed<'_>>,
    ) -> Result<Entry, Refusal> {
        let mut rooms = self.lock();
        let elsewhere = claimed.map(Claimed::elsewhere).unwrap_or_default();
        if rooms.contains_key(&room) || elsewhere.is_open() {
            return Err(refusal(RefusalCode::RoomExists, "this room is open already: join it"));
        }
        if rooms.len() >= self.limits.rooms {
            return Err(refusal(RefusalCode::ServerFull, NO_PLACE));
        }
        let ends = Instant::now() + self.limits.room_life;
        let entered = rooms.entry(room).or_insert(Room { peers: BTreeMap::new(), ends });
        self.enter((room, entered), peer, holder, &elsewhere);
        drop(rooms);
        self.metrics.rooms_opened.inc();
        info!(room = in_logs(&room), "room opened");
        Ok(Entry::Seated(Seat { rooms: self.clone(), room, peer, ends }))
    }

    /// Enters a room that somebody is in, or waits for a place there.
    pub(crate) fn join(
        self: &Arc<Self>,
        room: RoomId,
        peer: PeerId,
        holder: &Holder,
        claimed: Option<&Claimed<'_>>,
    ) -> Result<Entry, Refusal> {
        let mut rooms = self.lock();
        let elsewhere = claimed.map(Claimed::elsewhere).unwrap_or_default();
        let here = rooms.get(&room);
        let ends = here.map(|room| room.ends).or_else(|| elsewhere.ends(self.limits.room_life));
        let Some(ends) = ends.filter(|ends| *ends > Instant::now()) else {
            return Err(room_gone());
        };
        if let Some(held) = here.and_then(|room| room.peers.get(&peer)) {
            let patience = self.limits.claim_timeout;
            return Ok(Entry::Waits(Wanted::claim(room, peer, held.claims.clone(), patience)));
        }
        if elsewhere.has(peer) {
            let message = "this peer is in the room already: close its other page";
            return Err(refusal(RefusalCode::PeerTaken, message));
        }
        let limit = self.limits.peers_per_room;
        if here.map_or(0, |room| room.peers.len()) + elsewhere.count() >= limit {
            let message = format!("{limit} phones are in this room, and no more are allowed");
            return Err(refusal(RefusalCode::RoomFull, &message));
        }
        if here.is_none() && rooms.len() >= self.limits.rooms {
            return Err(refusal(RefusalCode::ServerFull, NO_PLACE));
        }
        let entered = rooms.entry(room).or_insert(Room { peers: BTreeMap::new(), ends });
        self.enter((room, entered), peer, holder, &elsewhere);
        Ok(Entry::Seated(Seat { rooms: self.clone(), room, peer, ends }))
    }

    pub(crate) fn stats(&self) -> Stats {
        let rooms = self.lock();
        Stats {
            rooms: rooms.len(),
            peers: rooms.values().map(|room| room.peers.len()).sum(),
            signaling_bytes: self.metrics.signaling_bytes.get(),
            relayed_bytes: self.metrics.relayed_bytes.get(),
            turn_bytes: self.metrics.turn_bytes.get(),
        }
    }

    /// Under the lock, so that `entered` is the first thing the newcomer hears.
    fn enter(
        &self,
        (name, room): (RoomId, &mut Room),
        peer: PeerId,
        holder: &Holder,
        elsewhere: &Elsewhere,
    ) {
        let mut peers: Vec<_> = room.peers.keys().chain(&elsewhere.peers).copied().collect();
        peers.sort_unstable();
        let ice_servers = self.ice_servers.for_room(&name);
        holder.outbox.say(&ServerMessage::Entered { peers, ice_servers });
        room.tell_all(&ServerMessage::PeerEntered { peer });
        room.peers.insert(peer, holder.clone());
        if let Some(cluster) = &self.cluster {
            cluster.entered(&name, peer);
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, BTreeMap<RoomId, Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    pub(crate) fn tell_all(&self, message: &ServerMessage) {
        let message = Message::text(message.to_json());
        self.peers.values().for_each(|holder| holder.outbox.push(message.clone()));
    }
}

impl Seat {
    /// After how long a peer is to be told newer credentials, if they have an end.
    pub(crate) fn renewal(&self) -> Option<Duration> {
        self.rooms.ice_servers.renewal()
    }

    /// For links from now on.
    pub(crate) fn newer_ice_servers(&self) -> ServerMessage {
        ServerMessage::IceServers { ice_servers: self.rooms.ice_servers.for_room(&self.room) }
    }

    /// Passes a sealed body on.
    pub(crate) fn send(&self, to: PeerId, sealed: String) -> Result<(), Refusal> {
        let Some(here) = self.here(to) else { return self.pass(to, Body::Sealed(sealed)) };
        here.say(&ServerMessage::From { from: self.peer, sealed });
        Ok(())
    }

    /// Passes a binary message on and counts its payload.
    pub(crate) fn relay(&self, to: PeerId, payload: &[u8]) -> Result<(), Refusal> {
        match self.here(to) {
            Some(here) => here.push(Message::Binary(addressed(self.peer, payload))),
            None => self.pass(to, Body::Binary(payload.to_vec()))?,
        }
        self.rooms.metrics.relayed_bytes.inc_by(payload.len() as u64);
        Ok(())
    }

    /// A phone at this server: the others are not asked about it.
    fn here(&self, to: PeerId) -> Option<Outbox> {
        let rooms = self.rooms.lock();
        Some(rooms.get(&self.room)?.peers.get(&to)?.outbox.clone())
    }

    /// Over the other servers, if that phone is at one of them.
    fn pass(&self, to: PeerId, body: Body) -> Result<(), Refusal> {
        let cluster = self.rooms.cluster.as_deref();
        let Some(cluster) = cluster.filter(|cluster| cluster.has(&self.room, to)) else {
            let message = format!("peer {to} is not in this room (any more)");
            return Err(refusal(RefusalCode::PeerUnknown, &message));
        };
        cluster.pass(&self.room, self.peer, to, body).ok_or_else(|| {
            let message = format!("there is no way to peer {to}'s server now");
            refusal(RefusalCode::PeerUnknown, &message)
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut rooms = self.rooms.lock();
        let Some(room) = rooms.get_mut(&self.room) else { return };
        let holder = room.peers.remove(&self.peer);
        room.tell_all(&ServerMessage::PeerLeft { peer: self.peer });
        if let Some(cluster) = &self.rooms.cluster {
            cluster.left(&self.room, self.peer, room.peers.is_empty());
        }
        if room.peers.is_empty() {
            rooms.remove(&self.room);
            drop(rooms);
            info!(room = in_logs(&self.room), "room ended");
        }
        // After that, so that whoever waits finds the place empty.
        if let Some(holder) = holder {
            holder.claims.free();
        }
    }
}

/// A room's name in logs: whoever reads them can follow a room, and cannot enter it.
pub(crate) fn in_logs(room: &RoomId) -> String {
    let digest = Sha256::digest(room.0);
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// There is no such room, or none any more.
pub(crate) fn room_gone() -> Refusal {
    refusal(RefusalCode::RoomGone, "nobody is in this room any more: ask for a new invitation")
}

/// A refusal with its sentence.
pub(crate) fn refusal(code: RefusalCode, message: &str) -> Refusal {
    Refusal { code, message: message.to_owned() }
}

/// A binary message, as its receiver gets it.
pub(crate) fn addressed(from: PeerId, payload: &[u8]) -> Bytes {
    let mut message = BytesMut::with_capacity(4 + payload.len());
    message.put_u32(from.0);
    message.put_slice(payload);
    message.freeze()
}

const NO_PLACE: &str = "the server has no place for another room: try again later";
