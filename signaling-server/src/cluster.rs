//! Rooms shared by several servers: each knows who is in which room at the others, and they tell each other over NATS.
//!
//! Core messages alone, without its store: what is told is true only while the teller lives, and is told again to whoever
//! missed it. Every server has a subject of its own, where all that others tell it arrives in their order, and says hello
//! on one for all.
//! - **Who is where**: a server numbers the changes in its rooms and tells them to all ([`others`]). Whoever sees a number
//!   missing asks for everything. A server that is not heard for a lease is gone, and its phones have left.
//! - **Who may enter** ([`claims`]): a server first tells all others that somebody wants to, and waits for their answers. As
//!   each of two sees the other's wish, or the other's phone in the room, both find the same one of the two.
//! - **Short codes** are numbered changes, too: so every server knows where the code is shown that is typed at it, and a
//!   place is taken once. What the two phones say then goes between their servers alone ([`crate::codes`]).
//! - **Servers that find each other again** and have phones in one room each, who cannot know of each other: the one with
//!   the higher number sends its phones away, and they come back by the usual way ([`hear`]).
//!
//! Locks are taken in one order: the rooms' or the codes', then the cluster's. What is told is put into the queue under both,
//! so that its order is that of the changes.

mod claims;
mod enter;
mod hear;
mod link;
mod options;
mod others;
mod queue;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use base::{PeerId, RoomId};
use bytes::Bytes;
use governor::DefaultDirectRateLimiter;
use protocol::cluster::{Body, News, Notice, RoomKey, ServerId};

use crate::{Limits, limits::rate_limit, metrics::Metrics};
use claims::Claims;
use others::Others;
use queue::Queue;

pub use options::Nats;
pub(crate) use {
    enter::{Claimed, Elsewhere, Entrance},
    link::Link,
};

/// What a server knows of the others, and its way to them.
pub(crate) struct Cluster {
    me: ServerId,
    /// After so long a silence a server is gone.
    lease: Duration,
    state: Mutex<State>,
    queue: Queue,
    is_connected: AtomicBool,
    /// Questions about rooms that nobody is known to be in.
    guesses: DefaultDirectRateLimiter,
    metrics: Arc<Metrics>,
}

struct State {
    others: Others,
    claims: Claims,
    /// How often the rooms here have changed.
    changes: u64,
    /// The rooms here, by their names among servers.
    names: BTreeMap<RoomKey, RoomId>,
    /// The places of short codes that are shown here.
    codes: BTreeSet<u16>,
    last_beat: Instant,
}

impl Cluster {
    /// Knows nobody, and is not connected.
    pub(crate) fn new(lease: Duration, limits: &Limits, metrics: Arc<Metrics>) -> Self {
        let me = ServerId(getrandom::u64().expect("the system has random numbers"));
        let state = State {
            others: Others::new(limits.rooms, limits.peers_per_room),
            claims: Claims::default(),
            changes: 0,
            names: BTreeMap::new(),
            codes: BTreeSet::new(),
            last_beat: Instant::now(),
        };
        Self {
            me,
            lease,
            state: Mutex::new(state),
            queue: Queue::new(),
            is_connected: AtomicBool::new(false),
            guesses: rate_limit(GUESSES_PER_SEC, GUESSES_PER_SEC),
            metrics,
        }
    }

    /// Somebody has entered a room here; under the rooms' lock.
    pub(crate) fn entered(&self, room: &RoomId, peer: PeerId) {
        let mut state = self.lock();
        let key = RoomKey::of(room);
        state.names.insert(key, *room);
        state.changes += 1;
        let news = News::Entered { changes: state.changes, room: key, peer };
        self.tell_all(&state, news);
    }

    /// Somebody has left a room here; under the rooms' lock.
    pub(crate) fn left(&self, room: &RoomId, peer: PeerId, is_empty: bool) {
        let mut state = self.lock();
        let key = RoomKey::of(room);
        if is_empty {
            state.names.remove(&key);
        }
        state.changes += 1;
        let news = News::Left { changes: state.changes, room: key, peer };
        self.tell_all(&state, news);
    }

    /// A short code is shown here, or is not any more; under the codes' lock.
    pub(crate) fn code_changed(&self, place: u16, is_shown: bool) {
        let mut state = self.lock();
        state.changes += 1;
        let changes = state.changes;
        let news = if is_shown {
            state.codes.insert(place);
            News::CodeShown { changes, place }
        } else {
            state.codes.remove(&place);
            News::CodeGone { changes, place }
        };
        self.tell_all(&state, news);
    }

    /// Whether this other server is there.
    pub(crate) fn knows(&self, server: ServerId) -> bool {
        self.lock().others.contains(server)
    }

    /// The other server where a short code is shown.
    pub(crate) fn place_of_code(&self, place: u16) -> Option<ServerId> {
        self.lock().others.place_of_code(place)
    }

    /// Passes something on to a phone at another server. Nothing where none has it, or there is no way.
    pub(crate) fn pass(&self, room: &RoomId, from: PeerId, to: PeerId, body: Body) -> Option<()> {
        let state = self.lock();
        let room = RoomKey::of(room);
        let server = state.others.place(room, to)?;
        self.tell(server, News::Passed { room, from, to, body }).then_some(())
    }

    /// Whether some other server has this phone.
    pub(crate) fn has(&self, room: &RoomId, peer: PeerId) -> bool {
        self.lock().others.place(RoomKey::of(room), peer).is_some()
    }

    /// Time between hellos: four of them before a server is thought gone.
    fn beat_period(&self) -> Duration {
        self.lease / 4
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Relaxed)
    }

    /// For figures.
    pub(crate) fn set_gauges(&self) {
        let others = self.lock().others.ids().count();
        self.metrics.nats.set(i64::from(self.is_connected()));
        self.metrics.servers.set(others as i64);
    }

    fn tell_all(&self, state: &State, news: News) {
        let notice = Bytes::from(Notice { from: self.me, news }.encode());
        for server in state.others.ids() {
            self.put(Some(server), notice.clone());
        }
    }

    /// Whether it is on its way.
    pub(crate) fn tell(&self, server: ServerId, news: News) -> bool {
        self.put(Some(server), Notice { from: self.me, news }.encode().into())
    }

    /// What is told while there is no connection is lost: the others see that by its number, and ask.
    fn put(&self, to: Option<ServerId>, notice: Bytes) -> bool {
        let is_put = self.is_connected() && self.queue.push(to, notice);
        if !is_put {
            self.metrics.notices.count("lost");
        }
        is_put
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many a second all others are asked about; beyond that, what they have told decides.
const GUESSES_PER_SEC: u32 = 20;
