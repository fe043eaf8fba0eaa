//! Who wants to enter a room here, and what is still to be heard of that.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use protocol::cluster::{Claim, RIVALS_MAX, RoomKey, ServerId};
use tokio::sync::Notify;

/// The claims of this server that are not decided.
#[derive(Default)]
pub(super) struct Claims {
    own: BTreeMap<(RoomKey, u64), Pending>,
}

struct Pending {
    claim: Claim,
    waits_for: BTreeSet<ServerId>,
    /// Those of other servers in the same room.
    rivals: Vec<Claim>,
    /// For how long the room is still open, as far as others have it.
    left_secs: Option<u32>,
    /// Told once nobody is waited for.
    answered: Arc<Notify>,
}

impl Claims {
    /// Waits for the answers of these servers; told when all have come.
    pub(super) fn begin(
        &mut self,
        claim: Claim,
        waits_for: impl Iterator<Item = ServerId>,
    ) -> Arc<Notify> {
        let answered = Arc::new(Notify::new());
        let pending = Pending {
            claim,
            waits_for: waits_for.collect(),
            rivals: Vec::new(),
            left_secs: None,
            answered: answered.clone(),
        };
        pending.tell_if_answered();
        self.own.insert((claim.room, claim.ticket), pending);
        answered
    }

    pub(super) fn end(&mut self, claim: &Claim) {
        self.own.remove(&(claim.room, claim.ticket));
    }

    /// Notes another server's claim. Our own ones in that room, for the answer.
    pub(super) fn heard(&mut self, theirs: Claim) -> Vec<Claim> {
        let mut own = Vec::new();
        for (_, pending) in self.own.range_mut((theirs.room, 0)..=(theirs.room, u64::MAX)) {
            pending.add_rivals([theirs]);
            own.push(pending.claim);
        }
        own.truncate(RIVALS_MAX);
        own
    }

    pub(super) fn answered(
        &mut self,
        (room, ticket): (RoomKey, u64),
        from: ServerId,
        left_secs: Option<u32>,
        rivals: Vec<Claim>,
    ) {
        let Some(pending) = self.own.get_mut(&(room, ticket)) else { return };
        if pending.waits_for.remove(&from) {
            pending.add_rivals(rivals.into_iter().filter(|rival| rival.room == room));
            pending.left_secs = pending.left_secs.into_iter().chain(left_secs).min();
            pending.tell_if_answered();
        }
    }

    /// This server answers no more.
    pub(super) fn forget(&mut self, server: ServerId) {
        for pending in self.own.values_mut() {
            if pending.waits_for.remove(&server) {
                pending.tell_if_answered();
            }
        }
    }

    /// Those who come before this claim, here and elsewhere.
    pub(super) fn before(&self, claim: &Claim) -> impl Iterator<Item = Claim> {
        let own = self.own.get(&(claim.room, claim.ticket));
        let theirs = own.into_iter().flat_map(|own| own.rivals.iter());
        let ours = self.own.range((claim.room, 0)..(claim.room, claim.ticket));
        let ticket = claim.ticket;
        theirs
            .chain(ours.map(|(_, pending)| &pending.claim))
            .filter(move |rival| rival.ticket < ticket)
            .copied()
    }

    /// For how long the room is still open, as far as others have it.
    pub(super) fn left_secs(&self, claim: &Claim) -> Option<u32> {
        self.own.get(&(claim.room, claim.ticket))?.left_secs
    }
}

impl Pending {
    fn add_rivals(&mut self, rivals: impl IntoIterator<Item = Claim>) {
        let room = RIVALS_MAX.saturating_sub(self.rivals.len());
        self.rivals.extend(rivals.into_iter().take(room));
    }

    fn tell_if_answered(&self) {
        if self.waits_for.is_empty() {
            self.answered.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
