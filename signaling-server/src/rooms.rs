//! Who is in which room, and passing messages between them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use axum::extract::ws::Message;
use base::{PeerId, RoomId};
use bytes::{BufMut as _, Bytes, BytesMut};
use protocol::signal::{IceServer, RefusalCode, ServerMessage};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tracing::info;

use crate::{Limits, metrics::Metrics, outbox::Outbox};

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
}

/// All rooms.
pub(crate) struct Rooms {
    rooms: Mutex<BTreeMap<RoomId, Room>>,
    limits: Limits,
    ice_servers: Vec<IceServer>,
    metrics: Arc<Metrics>,
}

struct Room {
    peers: BTreeMap<PeerId, Outbox>,
    /// When everybody has to leave.
    ends: Instant,
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
    pub(crate) fn new(limits: Limits, ice_servers: Vec<IceServer>, metrics: Arc<Metrics>) -> Self {
        Self { rooms: Mutex::default(), limits, ice_servers, metrics }
    }

    /// Makes a room and enters it.
    pub(crate) fn open(
        self: &Arc<Self>,
        room: RoomId,
        peer: PeerId,
        outbox: &Outbox,
    ) -> Result<Seat, Refusal> {
        let mut rooms = self.lock();
        if rooms.contains_key(&room) {
            return Err(refusal(RefusalCode::RoomExists, "this room is open already: join it"));
        }
        if rooms.len() >= self.limits.rooms {
            let message = "the server has no place for another room: try again later";
            return Err(refusal(RefusalCode::ServerFull, message));
        }
        let ends = Instant::now() + self.limits.room_life;
        let entered = rooms.entry(room).or_insert(Room { peers: BTreeMap::new(), ends });
        self.enter(entered, peer, outbox);
        drop(rooms);
        self.metrics.rooms_opened.inc();
        info!(room = in_logs(&room), "room opened");
        Ok(Seat { rooms: self.clone(), room, peer, ends })
    }

    /// Enters a room that somebody is in.
    pub(crate) fn join(
        self: &Arc<Self>,
        room: RoomId,
        peer: PeerId,
        outbox: &Outbox,
    ) -> Result<Seat, Refusal> {
        let mut rooms = self.lock();
        let Some(entered) = rooms.get_mut(&room).filter(|room| room.ends > Instant::now()) else {
            let message = "nobody is in this room any more: ask for a new invitation";
            return Err(refusal(RefusalCode::RoomGone, message));
        };
        if entered.peers.contains_key(&peer) {
            let message = "this peer is in the room already: close its other page";
            return Err(refusal(RefusalCode::PeerTaken, message));
        }
        let limit = self.limits.peers_per_room;
        if entered.peers.len() >= limit {
            let message = format!("{limit} phones are in this room, and no more are allowed");
            return Err(refusal(RefusalCode::RoomFull, &message));
        }
        self.enter(entered, peer, outbox);
        Ok(Seat { rooms: self.clone(), room, peer, ends: entered.ends })
    }

    pub(crate) fn stats(&self) -> Stats {
        let rooms = self.lock();
        Stats {
            rooms: rooms.len(),
            peers: rooms.values().map(|room| room.peers.len()).sum(),
            signaling_bytes: self.metrics.signaling_bytes.get(),
            relayed_bytes: self.metrics.relayed_bytes.get(),
        }
    }

    /// Under the lock, so that `entered` is the first thing the newcomer hears.
    fn enter(&self, room: &mut Room, peer: PeerId, outbox: &Outbox) {
        let peers = room.peers.keys().copied().collect();
        outbox.say(&ServerMessage::Entered { peers, ice_servers: self.ice_servers.clone() });
        room.tell_all(&ServerMessage::PeerEntered { peer });
        room.peers.insert(peer, outbox.clone());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RoomId, Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    fn tell_all(&self, message: &ServerMessage) {
        let message = Message::text(message.to_json());
        self.peers.values().for_each(|outbox| outbox.push(message.clone()));
    }
}

impl Seat {
    /// Passes a sealed body on.
    pub(crate) fn send(&self, to: PeerId, sealed: String) -> Result<(), Refusal> {
        let message = ServerMessage::From { from: self.peer, sealed };
        self.deliver(to, Message::text(message.to_json()))
    }

    /// Passes a binary message on and counts its payload.
    pub(crate) fn relay(&self, to: PeerId, payload: &[u8]) -> Result<(), Refusal> {
        self.deliver(to, Message::Binary(addressed(self.peer, payload)))?;
        self.rooms.metrics.relayed_bytes.inc_by(payload.len() as u64);
        Ok(())
    }

    fn deliver(&self, to: PeerId, message: Message) -> Result<(), Refusal> {
        let rooms = self.rooms.lock();
        let Some(outbox) = rooms.get(&self.room).and_then(|room| room.peers.get(&to)) else {
            let message = format!("peer {to} is not in this room (any more)");
            return Err(refusal(RefusalCode::PeerUnknown, &message));
        };
        outbox.push(message);
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut rooms = self.rooms.lock();
        let Some(room) = rooms.get_mut(&self.room) else { return };
        room.peers.remove(&self.peer);
        room.tell_all(&ServerMessage::PeerLeft { peer: self.peer });
        if room.peers.is_empty() {
            rooms.remove(&self.room);
            drop(rooms);
            info!(room = in_logs(&self.room), "room ended");
        }
    }
}

/// A room's name in logs: whoever reads them can follow a room, and cannot enter it.
pub(crate) fn in_logs(room: &RoomId) -> String {
    let digest = Sha256::digest(room.0);
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// A refusal with its sentence.
pub(crate) fn refusal(code: RefusalCode, message: &str) -> Refusal {
    Refusal { code, message: message.to_owned() }
}

fn addressed(from: PeerId, payload: &[u8]) -> Bytes {
    let mut message = BytesMut::with_capacity(4 + payload.len());
    message.put_u32(from.0);
    message.put_slice(payload);
    message.freeze()
}
