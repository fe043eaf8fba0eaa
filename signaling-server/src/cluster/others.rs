//! The other servers, and who is in which room there, as they tell.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use base::PeerId;
use protocol::cluster::{RoomKey, SERVERS_MAX, ServerId};

/// Who is in which room.
pub(super) type Members = BTreeMap<RoomKey, BTreeSet<PeerId>>;

/// What has become different.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Change {
    Entered(RoomKey, PeerId),
    Left(RoomKey, PeerId),
    /// A server that had not known of us has phones in this room.
    Met(RoomKey),
}

pub(super) struct Others {
    servers: BTreeMap<ServerId, Other>,
    /// How often those have been met that are gone.
    gone: BTreeMap<ServerId, u32>,
    has_turned_away: bool,
    max_rooms: usize,
    max_peers: usize,
}

struct Other {
    heard: Instant,
    /// The same number at both, unless one has missed that the other lost it.
    times_met: u32,
    changes: u64,
    /// Nothing before everything was told once.
    members: Option<Members>,
    /// Whether something was missed since.
    is_stale: bool,
    /// The places of the short codes there.
    codes: BTreeSet<u16>,
    /// What has come of everything.
    parts: (u32, Members),
    asked: Option<Instant>,
    told: Option<Instant>,
}

/// What a hello makes us do.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct Greeting {
    pub(super) changes: Vec<Change>,
    /// Say hello in return.
    pub(super) greets: bool,
    /// There are as many servers as may be, and one more for the first time.
    pub(super) is_first_too_many: bool,
}

impl Others {
    /// Of each server, so many rooms with so many peers are known.
    pub(super) fn new(max_rooms: usize, max_peers: usize) -> Self {
        let (servers, gone) = (BTreeMap::new(), BTreeMap::new());
        Self { servers, gone, has_turned_away: false, max_rooms, max_peers }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = ServerId> {
        self.servers.keys().copied()
    }

    pub(super) fn contains(&self, server: ServerId) -> bool {
        self.servers.contains_key(&server)
    }

    /// For a hello.
    pub(super) fn known(&self) -> Vec<(ServerId, u32)> {
        self.servers.iter().map(|(id, other)| (*id, other.times_met)).collect()
    }

    /// Who is in a room elsewhere.
    pub(super) fn members(&self, room: RoomKey) -> BTreeSet<PeerId> {
        let rooms = self.servers.values().filter_map(|other| other.members.as_ref()?.get(&room));
        rooms.flatten().copied().collect()
    }

    /// Whether nobody is in a room elsewhere; not where something that others told may be missing here.
    pub(super) fn lack(&self, room: RoomKey) -> bool {
        let lacks = |other: &Other| {
            let members = other.members.as_ref().filter(|_| !other.is_stale);
            members.is_some_and(|members| !members.contains_key(&room))
        };
        self.servers.values().all(lacks)
    }

    /// The server that has this phone.
    pub(super) fn place(&self, room: RoomKey, peer: PeerId) -> Option<ServerId> {
        let mut servers = self.servers.iter();
        servers.find(|(_, other)| other.has(room, peer)).map(|(id, _)| *id)
    }

    /// The server where this code is shown.
    pub(super) fn place_of_code(&self, place: u16) -> Option<ServerId> {
        let mut servers = self.servers.iter();
        servers.find(|(_, other)| other.codes.contains(&place)).map(|(id, _)| *id)
    }

    /// Whether that server has that phone.
    pub(super) fn is_at(&self, server: ServerId, room: RoomKey, peer: PeerId) -> bool {
        self.servers.get(&server).is_some_and(|other| other.has(room, peer))
    }

    /// A server has told something: whoever hears much of it may hear its hellos late.
    pub(super) fn heard(&mut self, from: ServerId, now: Instant) {
        if let Some(other) = self.servers.get_mut(&from) {
            other.heard = now;
        }
    }

    /// A server says hello; `met` is how often it says to have met us.
    pub(super) fn hello(
        &mut self,
        from: ServerId,
        changes: u64,
        met: Option<u32>,
        now: Instant,
    ) -> Greeting {
        let mut greeting = Greeting::default();
        let met = met.unwrap_or(0);
        if self.servers.get(&from).is_some_and(|other| met > other.times_met) {
            // It had lost us, and what happened meanwhile we have not told each other.
            greeting.changes = self.forget(from);
        }
        if !self.servers.contains_key(&from) {
            if self.servers.len() >= SERVERS_MAX {
                greeting.is_first_too_many = !std::mem::replace(&mut self.has_turned_away, true);
                return greeting;
            }
            greeting.greets = true;
            let before = self.gone.remove(&from).unwrap_or(0);
            let times_met = met.max(before.saturating_add(1));
            self.servers.insert(from, Other::new(times_met, now));
        }
        if let Some(other) = self.servers.get_mut(&from) {
            other.heard = now;
            // Those that it told us itself may be ahead of what it told all.
            other.is_stale |= other.changes < changes;
        }
        greeting
    }

    /// Whether this server is to be asked for everything; then we remember that it is.
    pub(super) fn asks(&mut self, server: ServerId, now: Instant, pause: Duration) -> bool {
        let Some(other) = self.servers.get_mut(&server) else { return false };
        let is_needed = other.members.is_none() || other.is_stale;
        let asks = is_needed && other.asked.is_none_or(|asked| now - asked >= pause);
        if asks {
            (other.asked, other.parts) = (Some(now), (0, Members::new()));
        }
        asks
    }

    /// Whether this server, which asks, is told everything; not again at once.
    pub(super) fn tells(&mut self, server: ServerId, now: Instant, pause: Duration) -> bool {
        let Some(other) = self.servers.get_mut(&server) else { return false };
        let tells = other.told.is_none_or(|told| now - told >= pause);
        if tells {
            other.told = Some(now);
        }
        tells
    }

    /// A part of everything in a server's rooms.
    pub(super) fn state(
        &mut self,
        from: ServerId,
        changes: u64,
        (part, is_last): (u32, bool),
        rooms: Vec<(RoomKey, Vec<PeerId>)>,
        codes: Vec<u16>,
    ) -> Vec<Change> {
        let (max_rooms, max_peers) = (self.max_rooms, self.max_peers);
        let Some(other) = self.servers.get_mut(&from) else { return Vec::new() };
        if part == 0 {
            other.parts = (0, Members::new());
        }
        if part != other.parts.0 {
            return Vec::new();
        }
        other.parts.0 += 1;
        for (room, peers) in rooms {
            if other.parts.1.len() < max_rooms && !peers.is_empty() {
                other.parts.1.insert(room, peers.into_iter().take(max_peers).collect());
            }
        }
        if !is_last {
            return Vec::new();
        }
        other.codes = codes.into_iter().collect();
        let told = std::mem::take(&mut other.parts).1;
        (other.changes, other.is_stale) = (changes, false);
        let before = other.members.replace(told);
        difference(before.as_ref(), other.members.as_ref().expect("it was just put there"))
    }

    /// Somebody entered or left there. Nothing where something before that is missing.
    pub(super) fn change(
        &mut self,
        from: ServerId,
        changes: u64,
        change: Change,
    ) -> Option<Change> {
        let (max_rooms, max_peers) = (self.max_rooms, self.max_peers);
        let other = self.servers.get_mut(&from)?;
        other.count(changes)?;
        let members = other.members.as_mut()?;
        let is_change = match change {
            Change::Entered(room, peer) => {
                let has_room = members.contains_key(&room) || members.len() < max_rooms;
                let peers = has_room.then(|| members.entry(room).or_default());
                let peers = peers.filter(|peers| peers.len() < max_peers);
                peers.is_some_and(|peers| peers.insert(peer))
            }
            Change::Left(room, peer) => {
                let is_gone = members.get_mut(&room).is_some_and(|peers| peers.remove(&peer));
                if members.get(&room).is_some_and(BTreeSet::is_empty) {
                    members.remove(&room);
                }
                is_gone
            }
            Change::Met(_) => false,
        };
        is_change.then_some(change)
    }

    /// A code is shown there, or is not any more.
    pub(super) fn code_changed(
        &mut self,
        from: ServerId,
        changes: u64,
        place: u16,
        is_shown: bool,
    ) {
        let Some(other) = self.servers.get_mut(&from) else { return };
        if other.count(changes).is_some() {
            if is_shown {
                other.codes.insert(place);
            } else {
                other.codes.remove(&place);
            }
        }
    }

    /// Whether all changes of that server up to this number are known here.
    pub(super) fn is_known_to(&mut self, server: ServerId, changes: u64) -> bool {
        let Some(other) = self.servers.get_mut(&server) else { return false };
        other.is_stale |= other.changes != changes;
        other.members.is_some() && !other.is_stale
    }

    /// Servers that were not heard for a lease.
    pub(super) fn silent(&self, lease: Duration, now: Instant) -> Vec<ServerId> {
        let silent = |other: &Other| now.saturating_duration_since(other.heard) > lease;
        self.servers.iter().filter(|(_, other)| silent(other)).map(|(id, _)| *id).collect()
    }

    /// The server is gone, and all who were there have left.
    pub(super) fn forget(&mut self, server: ServerId) -> Vec<Change> {
        let Some(other) = self.servers.remove(&server) else { return Vec::new() };
        if self.gone.len() >= GONE_MAX {
            self.gone.pop_first();
        }
        self.gone.insert(server, other.times_met);
        difference(other.members.as_ref(), &Members::new())
    }
}

impl Other {
    fn new(times_met: u32, now: Instant) -> Self {
        Self {
            heard: now,
            times_met,
            changes: 0,
            members: None,
            is_stale: false,
            codes: BTreeSet::new(),
            parts: (0, Members::new()),
            asked: None,
            told: None,
        }
    }

    /// A change with its number. Nothing where something before that is missing.
    fn count(&mut self, changes: u64) -> Option<()> {
        self.members.as_ref()?;
        if self.is_stale || changes != self.changes.wrapping_add(1) {
            self.is_stale = true;
            return None;
        }
        self.changes = changes;
        Some(())
    }

    fn has(&self, room: RoomKey, peer: PeerId) -> bool {
        let room = self.members.as_ref().and_then(|members| members.get(&room));
        room.is_some_and(|peers| peers.contains(&peer))
    }
}

/// Who left, and then who entered; rooms that were met, where nothing was known before.
fn difference(before: Option<&Members>, after: &Members) -> Vec<Change> {
    let pairs = |members: &Members| -> BTreeSet<(RoomKey, PeerId)> {
        let of = |(room, peers): (&RoomKey, &BTreeSet<PeerId>)| {
            peers.iter().map(|peer| (*room, *peer)).collect::<Vec<_>>()
        };
        members.iter().flat_map(of).collect()
    };
    let (old, new) = (before.map(pairs).unwrap_or_default(), pairs(after));
    let left = old.difference(&new).map(|(room, peer)| Change::Left(*room, *peer));
    let entered = new.difference(&old).map(|(room, peer)| Change::Entered(*room, *peer));
    let met = after.keys().filter(|_| before.is_none()).map(|room| Change::Met(*room));
    left.chain(entered).chain(met).collect()
}

/// Servers that are gone and remembered.
const GONE_MAX: usize = 1024;

#[cfg(test)]
mod tests;
