//! What other servers tell, and what follows from it here.

use std::{collections::BTreeMap, time::Instant};

use axum::extract::ws::Message;
use base::{PeerId, RoomId};
use protocol::{
    cluster::{Body, Claim, News, Notice, ROOMS_PER_PART, RoomKey, SERVERS_MAX, ServerId},
    signal::ServerMessage,
};
use tracing::{debug, info, warn};

use super::{Cluster, State, others::Change};
use crate::rooms::{Room, Rooms, addressed, in_logs};

/// Both locks are held.
struct Hearing<'a> {
    rooms: &'a BTreeMap<RoomId, Room>,
    cluster: &'a Cluster,
    state: &'a mut State,
    now: Instant,
}

impl Rooms {
    /// Does what follows from what another server tells.
    pub(super) fn hear(&self, cluster: &Cluster, from: ServerId, news: News) {
        self.hearing(cluster, |mut hearing| hearing.hear(from, news));
    }

    /// Says hello to all, and lets go of servers that were not heard for a lease.
    pub(super) fn beat(&self, cluster: &Cluster) {
        self.hearing(cluster, |mut hearing| {
            let since = hearing.now - std::mem::replace(&mut hearing.state.last_beat, hearing.now);
            // Who stood still has heard nobody, and listens to what waits before it judges.
            if since < cluster.lease / 2 {
                for server in hearing.state.others.silent(cluster.lease, hearing.now) {
                    hearing.lose(server, "silent");
                }
            }
            cluster.put(None, hearing.hello());
        });
    }

    fn hearing(&self, cluster: &Cluster, act: impl FnOnce(Hearing<'_>)) {
        let rooms = self.lock();
        let state = &mut *cluster.lock();
        act(Hearing { rooms: &rooms, cluster, state, now: Instant::now() });
    }
}

impl Hearing<'_> {
    fn hear(&mut self, from: ServerId, news: News) {
        let others = &mut self.state.others;
        others.heard(from, self.now);
        match news {
            _ if from == self.cluster.me => {}
            News::Hello { changes, known } => self.meet(from, changes, &known),
            News::Bye => self.lose(from, "ended"),
            News::Ask => self.tell_everything(from),
            News::State { changes, part, is_last, rooms, codes } => {
                let told = others.state(from, changes, (part, is_last), rooms, codes);
                self.follow(from, told);
            }
            News::Claim(claim) => self.answer(from, claim),
            News::Answer { room, ticket, changes, left_secs, rivals } => {
                if others.is_known_to(from, changes) {
                    self.state.claims.answered((room, ticket), from, left_secs, rivals);
                }
            }
            News::Entered { changes, room, peer } => {
                let told = others.change(from, changes, Change::Entered(room, peer));
                self.follow(from, told);
            }
            News::Left { changes, room, peer } => {
                let told = others.change(from, changes, Change::Left(room, peer));
                self.follow(from, told);
            }
            News::CodeShown { changes, place } => others.code_changed(from, changes, place, true),
            News::CodeGone { changes, place } => others.code_changed(from, changes, place, false),
            // Heard by the codes.
            News::Caller { .. } | News::Shower { .. } => {}
            News::Passed { room, from: sender, to, body } => {
                // A server speaks for the phones that are there, and for no others.
                if others.is_at(from, room, sender) {
                    self.pass_on(room, sender, to, body);
                }
            }
        }
        self.ask_if_needed(from);
    }

    fn meet(&mut self, from: ServerId, changes: u64, known: &[(ServerId, u32)]) {
        let met = known.iter().find(|(id, _)| *id == self.cluster.me).map(|(_, times)| *times);
        let greeting = self.state.others.hello(from, changes, met, self.now);
        self.follow(from, greeting.changes);
        if greeting.is_first_too_many {
            warn!(server = %from, most = SERVERS_MAX, "another server is one too many: its rooms are not known here");
        }
        if greeting.greets {
            info!(server = %from, "another server found");
            self.cluster.put(Some(from), self.hello());
        }
    }

    fn hello(&self) -> bytes::Bytes {
        let (changes, known) = (self.state.changes, self.state.others.known());
        Notice { from: self.cluster.me, news: News::Hello { changes, known } }.encode().into()
    }

    fn lose(&mut self, server: ServerId, reason: &'static str) {
        if !self.state.others.contains(server) {
            return;
        }
        self.state.claims.forget(server);
        let left = self.state.others.forget(server);
        info!(%server, reason, "another server lost");
        self.follow(server, left);
    }

    fn ask_if_needed(&mut self, server: ServerId) {
        let pause = self.cluster.beat_period();
        if self.state.others.asks(server, self.now, pause) {
            self.cluster.tell(server, News::Ask);
        }
    }

    fn tell_everything(&mut self, to: ServerId) {
        if !self.state.others.tells(to, self.now, self.cluster.beat_period() / 2) {
            return;
        }
        let state = &*self.state;
        let members = |(key, name): (&RoomKey, &RoomId)| -> (RoomKey, Vec<PeerId>) {
            let peers = self.rooms.get(name).map(|room| room.peers.keys().copied().collect());
            (*key, peers.unwrap_or_default())
        };
        let all: Vec<_> = state.names.iter().map(members).collect();
        let mut parts: Vec<_> = all.chunks(ROOMS_PER_PART).map(<[_]>::to_vec).collect();
        if parts.is_empty() {
            parts.push(Vec::new());
        }
        let (changes, last) = (state.changes, parts.len() - 1);
        for (part, rooms) in parts.into_iter().enumerate() {
            let is_last = part == last;
            let shown = state.codes.iter().filter(|_| is_last);
            let (part, codes) = (part as u32, shown.copied().collect());
            self.cluster.tell(to, News::State { changes, part, is_last, rooms, codes });
        }
    }

    fn answer(&mut self, to: ServerId, claim: Claim) {
        let Claim { room, ticket, .. } = claim;
        let rivals = self.state.claims.heard(claim);
        let ends = self.local(room).map(|(_, room)| room.ends);
        let left_secs = ends.map(|ends| ends.saturating_duration_since(self.now).as_secs());
        let left_secs = left_secs.map(|secs| u32::try_from(secs).unwrap_or(u32::MAX));
        let changes = self.state.changes;
        self.cluster.tell(to, News::Answer { room, ticket, changes, left_secs, rivals });
    }

    /// Tells the phones here.
    fn follow(&self, server: ServerId, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            let (Change::Entered(key, _) | Change::Left(key, _) | Change::Met(key)) = change;
            let Some((name, room)) = self.local(key) else { continue };
            match change {
                Change::Entered(_, peer) => room.tell_all(&ServerMessage::PeerEntered { peer }),
                Change::Left(_, peer) => room.tell_all(&ServerMessage::PeerLeft { peer }),
                // Nobody here was told to make links to those there, nor they to these. Who comes in anew is.
                Change::Met(_) if self.cluster.me > server => {
                    info!(room = in_logs(name), %server, "sent away: the room is at two servers");
                    room.peers.values().for_each(|holder| holder.outbox.send_away());
                }
                Change::Met(_) => {}
            }
        }
    }

    fn pass_on(&self, room: RoomKey, from: PeerId, to: PeerId, body: Body) {
        let receiver = self.local(room).and_then(|(_, room)| room.peers.get(&to));
        let Some(receiver) = receiver else {
            return debug!(%to, "what another server passed on came too late");
        };
        receiver.outbox.push(match body {
            Body::Sealed(sealed) => Message::text(ServerMessage::From { from, sealed }.to_json()),
            Body::Binary(payload) => Message::Binary(addressed(from, &payload)),
        });
    }

    fn local(&self, key: RoomKey) -> Option<(&RoomId, &Room)> {
        self.rooms.get_key_value(self.state.names.get(&key)?)
    }
}
