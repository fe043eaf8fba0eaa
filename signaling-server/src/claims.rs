//! Places whose holders may be gone without a word: a phone that comes into another network cannot close its old socket,
//! and wants its place for the new one. Whoever wants a place that is held makes its holder show that it is there. That is
//! all the proof there is, and all there needs to be: a holder that lives keeps its place, and one that does not would have
//! lost it to anybody in some time anyway.

use std::{
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use base::{PeerId, RoomId};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Of one socket's place: how others ask for it, and how they hear that it is free.
#[derive(Clone, Default)]
pub(crate) struct Claims(Arc<Shared>);

#[derive(Default)]
struct Shared {
    asked: Notify,
    freed: CancellationToken,
}

impl Claims {
    /// Somebody wants the place.
    pub(crate) fn ask(&self) {
        self.0.asked.notify_one();
    }

    /// Waits until somebody does.
    pub(crate) async fn asked(&self) {
        self.0.asked.notified().await;
    }

    /// The place is free.
    pub(crate) fn free(&self) {
        self.0.freed.cancel();
    }
}

/// A place that a socket waits for.
pub(crate) struct Wanted {
    pub(crate) room: RoomId,
    pub(crate) peer: PeerId,
    claims: Claims,
    pub(crate) until: Instant,
}

impl Wanted {
    /// Asks the holder, and gives it `patience` and a little for its answer.
    pub(crate) fn claim(room: RoomId, peer: PeerId, claims: Claims, patience: Duration) -> Self {
        claims.ask();
        Self { room, peer, claims, until: Instant::now() + patience + SLACK }
    }

    /// Waits until the place is free; for ever where none is wanted.
    pub(crate) async fn freed(claims: Option<Claims>) {
        match claims {
            Some(claims) => claims.0.freed.cancelled().await,
            None => pending().await,
        }
    }

    pub(crate) fn claims(&self) -> Claims {
        self.claims.clone()
    }
}

/// What a holder owes whoever wants its place.
#[derive(Default)]
pub(crate) struct Proof {
    owed_since: Option<Instant>,
    given: Option<Instant>,
}

impl Proof {
    /// Somebody wants the place. Whether the holder is to be pinged: one that has just shown that it lives is not asked
    /// again, so that nobody makes it spend its messages on answers.
    pub(crate) fn is_wanted(&mut self, patience: Duration) -> bool {
        let is_fresh = self.given.is_some_and(|given| given.elapsed() < patience);
        let is_wanted = !is_fresh && self.owed_since.is_none();
        if is_wanted {
            self.owed_since = Some(Instant::now());
        }
        is_wanted
    }

    /// The holder was heard.
    pub(crate) fn give(&mut self) {
        if self.owed_since.take().is_some() {
            self.given = Some(Instant::now());
        }
    }

    /// When the holder has given no proof in time.
    pub(crate) fn due(&self, patience: Duration) -> Option<Instant> {
        self.owed_since.map(|since| since + patience)
    }
}

/// So that a holder that answers at the last moment is heard before whoever waits is refused.
const SLACK: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_asked_once_at_a_time_and_not_again_at_once() {
        let patience = Duration::from_millis(50);
        let mut proof = Proof::default();
        assert!(proof.due(patience).is_none());
        assert!(proof.is_wanted(patience) && !proof.is_wanted(patience));
        assert!(proof.due(patience).is_some());
        proof.give();
        assert!(proof.due(patience).is_none() && !proof.is_wanted(patience));
        std::thread::sleep(patience);
        assert!(proof.is_wanted(patience));
    }

    #[tokio::test]
    async fn whoever_waits_hears_that_a_place_is_free() {
        let claims = Claims::default();
        let (room, peer) = (RoomId([0; 16]), PeerId(1));
        let wanted = Wanted::claim(room, peer, claims.clone(), Duration::from_secs(9));
        claims.asked().await;
        claims.free();
        Wanted::freed(Some(wanted.claims())).await;
    }
}
