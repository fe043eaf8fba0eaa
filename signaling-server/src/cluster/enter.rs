//! Entering a room that other servers may have, too.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use base::{PeerId, RoomId};
use protocol::cluster::{Claim, News, RoomKey};
use tokio::{sync::Notify, time::timeout};

use super::Cluster;
use crate::rooms::{Entry, Holder, Refusal, Rooms, room_gone};

/// How somebody enters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entrance {
    /// The room is to be new.
    Open,
    /// Somebody is to be in it.
    Join,
}

/// What is to be known of a room at other servers.
#[derive(Default)]
pub(crate) struct Elsewhere {
    /// Who is in it.
    pub(crate) peers: BTreeSet<PeerId>,
    /// Who enters before us.
    wanted: BTreeSet<PeerId>,
    /// Whether somebody opens it before us.
    is_opened: bool,
    left: Option<Duration>,
}

/// A wish to enter that the other servers know; dropping it takes it back.
pub(crate) struct Claimed<'a> {
    cluster: &'a Cluster,
    claim: Claim,
    answered: Arc<Notify>,
}

impl Rooms {
    /// Enters a room at this server, where no server has a reason against it.
    pub(crate) async fn seat(
        self: &Arc<Self>,
        entrance: Entrance,
        (room, peer): (RoomId, PeerId),
        holder: &Holder,
    ) -> Result<Entry, Refusal> {
        if entrance == Entrance::Join && self.is_guess(&room) {
            return Err(room_gone());
        }
        let claimed = self.cluster().map(|cluster| cluster.claim(entrance, &room, peer));
        if let Some(claimed) = &claimed {
            claimed.wait().await;
        }
        match entrance {
            Entrance::Open => self.open(room, peer, holder, claimed.as_ref()),
            Entrance::Join => self.join(room, peer, holder, claimed.as_ref()),
        }
    }

    /// Whether the others are not to be asked, because nobody is known to be in the room. Some such questions a second are
    /// asked nevertheless: it may just have been opened.
    fn is_guess(&self, room: &RoomId) -> bool {
        let Some(cluster) = self.cluster().filter(|_| !self.lock().contains_key(room)) else {
            return false;
        };
        let lacks = cluster.lock().others.lack(RoomKey::of(room));
        lacks && cluster.guesses.check().is_err()
    }
}

impl Cluster {
    fn claim(&self, entrance: Entrance, room: &RoomId, peer: PeerId) -> Claimed<'_> {
        let ticket = getrandom::u64().expect("the system has random numbers");
        let opens = entrance == Entrance::Open;
        let claim = Claim { ticket, room: RoomKey::of(room), peer, opens };
        let mut state = self.lock();
        // Without a way to them nobody can answer: then what was known of them decides.
        let asked: Vec<_> = state.others.ids().filter(|_| self.is_connected()).collect();
        let answered = state.claims.begin(claim, asked.into_iter());
        self.tell_all(&state, News::Claim(claim));
        Claimed { cluster: self, claim, answered }
    }
}

impl Claimed<'_> {
    /// Until all servers have answered, or those that have not will not any more.
    async fn wait(&self) {
        let patience = ANSWER_TIMEOUT.min(self.cluster.lease);
        let _ = timeout(patience, self.answered.notified()).await;
    }

    /// What is known by now; under the rooms' lock.
    pub(crate) fn elsewhere(&self) -> Elsewhere {
        let state = self.cluster.lock();
        let before = || state.claims.before(&self.claim);
        let joins = before().filter(|rival| !rival.opens);
        Elsewhere {
            peers: state.others.members(self.claim.room),
            wanted: joins.map(|rival| rival.peer).collect(),
            is_opened: before().any(|rival| rival.opens),
            left: state.claims.left_secs(&self.claim).map(|secs| Duration::from_secs(secs.into())),
        }
    }
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        self.cluster.lock().claims.end(&self.claim);
    }
}

impl Elsewhere {
    pub(crate) fn is_open(&self) -> bool {
        self.is_opened || !self.peers.is_empty()
    }

    pub(crate) fn has(&self, peer: PeerId) -> bool {
        self.peers.contains(&peer) || self.wanted.contains(&peer)
    }

    pub(crate) fn count(&self) -> usize {
        self.peers.union(&self.wanted).count()
    }

    /// When the room ends, if it is open elsewhere.
    pub(crate) fn ends(&self, room_life: Duration) -> Option<Instant> {
        let left = self.left.map_or(room_life, |left| left.min(room_life));
        (!self.peers.is_empty()).then(|| Instant::now() + left)
    }
}

/// How long a server is waited for that is not known to be gone.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
