//! KV caches that outlive a plan: answers go on with them where only cuts move.
//!
//! The coordinator lets the ring run empty, which takes at most a token, so that every cache has the same positions.
//! Then the next plan says which requests go on with theirs, and which modules' caches change phones. The phone that
//! runs such a module from now on asks the one that ran it, piece by piece, and is ready when it has all. Where that
//! fails, the histories are run again.

use std::collections::VecDeque;

use base::PeerId;
use protocol::peer::{
    CacheAsk, CacheLost, CacheRows, Carried, Carry, MAX_CACHE_BYTES, MovedCache, PlanStatus,
    PlannedStage,
};

use crate::{ModelSpec, Output, Room, frames::Verdict};

/// Coordinator: a plan that replaces the running one as soon as nothing is in the ring.
#[derive(Debug)]
pub(crate) struct Switch {
    spec: ModelSpec,
    status: PlanStatus,
    cause: String,
    /// The caches that change phones.
    moved: Vec<MovedCache>,
    since_secs: f64,
}

/// What our stages still need of caches that others have.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    wanted: VecDeque<Piece>,
    /// Asked for and not here yet, in order.
    asked: VecDeque<Piece>,
    /// Those that have come and that our driver is to write.
    unwritten: usize,
    /// More than is asked for: the histories are run again.
    is_too_much: bool,
    since_secs: f64,
    heard_at_secs: f64,
}

/// What others may have of our caches.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// How the running epoch began.
    carry: Carry,
    /// Asks for the epoch to come, of which the coordinator has not told us yet.
    early: Vec<(PeerId, CacheAsk)>,
    /// Parts that our driver is to read.
    reads_due: usize,
}

impl Outgoing {
    /// Whether a phone goes on with what it asks for.
    fn allows(&self, peer: PeerId, ask: &CacheAsk, me: PeerId) -> bool {
        let moved = self
            .carry
            .moved
            .iter()
            .any(|moved| (moved.module, moved.from, moved.to) == (ask.module, me, peer));
        let has_rows = |carried: &Carried| {
            carried.slot == ask.slot && ask.positions().end <= carried.rows as usize
        };
        moved && self.carry.requests.iter().any(has_rows)
    }
}

impl Incoming {
    /// Whether anything is on its way to our device.
    fn is_waiting(&self) -> bool {
        !self.asked.is_empty() || self.unwritten > 0
    }
}

/// A part of a cache, as much as travels at once.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Piece {
    /// Who has it.
    from: PeerId,
    ask: CacheAsk,
    bytes: usize,
}

/// What a request has in its caches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) slot: u16,
    /// Positions, from 0 on.
    pub(crate) rows: u32,
}

/// The coordinator's part.
impl Room {
    /// Another plan that the same phones can go on with as soon as nothing is in the ring.
    pub(crate) fn switch_when_quiet(
        &mut self,
        spec: ModelSpec,
        status: PlanStatus,
        cause: String,
        moved: Vec<MovedCache>,
    ) {
        let since_secs = self.now_secs;
        self.switch = Some(Switch { spec, status, cause, moved, since_secs });
        self.switch_on();
    }

    /// Switches once the ring has run empty, or without caches where it does not.
    pub(crate) fn switch_on(&mut self) {
        let Some(at_secs) = self.switch_deadline() else { return };
        let is_quiet = !self.stage.is_feeding() && !self.stage.is_busy();
        if !is_quiet && self.now_secs < at_secs {
            return;
        }
        let Some(switch) = self.switch.take() else { return };
        match is_quiet {
            true => self.change_plan_with_caches(switch),
            false => self.change_plan(&switch.spec, switch.status, &switch.cause),
        }
    }

    pub(crate) fn switch_deadline(&self) -> Option<f64> {
        self.switch.as_ref().map(|switch| switch.since_secs + QUIET_SECS)
    }

    fn change_plan_with_caches(&mut self, switch: Switch) {
        let Switch { spec, status, cause, moved, .. } = switch;
        let mut carry = Carry { requests: Vec::new(), moved };
        for (&number, request) in self.requests.iter_mut().filter(|(_, request)| request.runs()) {
            let Some((slot, rows)) = self.stage.cached(number) else { continue };
            carry.requests.push(Carried { request: number, slot, rows });
            request.kept = Some(Kept { slot, rows });
        }
        self.park_requests();
        self.end_plan();
        self.roll_out_with(&spec, status, Some(&cause), carry);
    }

    /// Histories are run again: not all phones have what they need of the caches.
    pub(crate) fn forget_caches(&mut self) {
        self.switch = None;
        self.requests.values_mut().for_each(|request| request.kept = None);
    }

    /// The caches that change phones from the running plan to another.
    pub(crate) fn moved_caches(&self, spec: &ModelSpec, after: &[PlannedStage]) -> Vec<MovedCache> {
        let moved = |module: usize| {
            let mut before = self.plan.iter().flat_map(|plan| &plan.stages);
            let from = before.find(|stage| stage.range.contains(module))?.peer;
            let to = after.iter().find(|stage| stage.range.contains(module))?.peer;
            let row_bytes = spec.cache_row_bytes(module);
            let module = module as u32;
            (from != to && row_bytes > 0).then_some(MovedCache { module, from, to, row_bytes })
        };
        (0..spec.modules.len()).filter_map(moved).collect()
    }

    /// What it takes to send caches, for so many positions of all requests together.
    pub(crate) fn carry_secs(&self, moved: &[MovedCache], rows: u32) -> f64 {
        let secs = |moved: &MovedCache| {
            // Nothing is known of it, or there is none.
            let Some(link) = self.links.get(&(moved.from, moved.to)) else { return f64::INFINITY };
            let drift = self.link_drift(moved.from, moved.to);
            let bytes = f64::from(moved.row_bytes) * f64::from(rows);
            let bytes_secs = bytes / link.bytes_per_sec.mean.max(1.0);
            link.rtt_secs.mean * drift.rtt + bytes_secs * drift.bytes
        };
        moved.iter().map(secs).sum()
    }
}

/// The part of a phone whose stages have changed.
impl Room {
    /// What our stages need of others' caches, from now on.
    pub(crate) fn expect_caches(&mut self, carry: &Carry) {
        let mine = carry.moved.iter().filter(|moved| moved.to == self.config.me);
        let epoch = self.epoch;
        let pieces = mine.flat_map(|moved| {
            carry.requests.iter().flat_map(move |carried| pieces(epoch, moved, carried))
        });
        let wanted: VecDeque<Piece> = pieces.take(MOST_PIECES + 1).collect();
        let (is_too_much, now) = (wanted.len() > MOST_PIECES, self.now_secs);
        let [since_secs, heard_at_secs] = [now; 2];
        self.stage.incoming =
            Incoming { wanted, is_too_much, since_secs, heard_at_secs, ..Incoming::default() };
    }

    /// Asks for as much as may be under way; where all is here, the stage is ready.
    pub(crate) fn ask_for_caches(&mut self) {
        if self.stage.incoming.is_too_much {
            return self.give_up_caches();
        }
        self.stage.incoming.heard_at_secs = self.now_secs;
        while self.stage.incoming.asked.len() < ASKED_AT_ONCE
            && let Some(piece) = self.stage.incoming.wanted.pop_front()
        {
            self.stage.incoming.asked.push_back(piece);
            self.transmit(piece.from, piece.ask);
        }
        if !self.stage.incoming.is_waiting() {
            self.stage_complete(true);
        }
    }

    /// From the phone that runs a module after us.
    pub(crate) fn take_cache_ask(&mut self, peer: PeerId, ask: CacheAsk) -> Verdict {
        match ask.epoch.wrapping_sub(self.epoch) {
            0 => self.give_cache(peer, ask),
            // It knows of the next plan before we do.
            1 => {
                let own = self.outgoing.early.iter().filter(|(other, _)| *other == peer);
                if own.count() >= ASKED_AT_ONCE {
                    return Err("more asks than may wait");
                }
                self.outgoing.early.push((peer, ask));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn give_cache(&mut self, peer: PeerId, ask: CacheAsk) -> Verdict {
        if !self.outgoing.allows(peer, &ask, self.config.me) {
            return Err("it does not go on with that cache");
        }
        if self.outgoing.reads_due >= READS_AT_ONCE {
            return Err("more asks than may wait");
        }
        self.outgoing.reads_due += 1;
        self.outputs.push_back(Output::ReadCache { to: peer, ask });
        Ok(())
    }

    /// An epoch has begun; who was early gets what it asked for.
    pub(crate) fn offer_caches(&mut self, carry: Carry) {
        self.outgoing.carry = carry;
        for (peer, ask) in std::mem::take(&mut self.outgoing.early) {
            if ask.epoch == self.epoch {
                let verdict = self.give_cache(peer, ask);
                self.judge(peer, "CacheAsk", verdict);
            }
        }
    }

    /// Our driver has read a part of a cache; nothing where it could not.
    pub(crate) fn cache_read(&mut self, to: PeerId, of: CacheAsk, data: Vec<u8>) {
        self.outgoing.reads_due = self.outgoing.reads_due.saturating_sub(1);
        match (1..=MAX_CACHE_BYTES).contains(&data.len()) {
            _ if !self.is_open(to) => {}
            true => self.transmit(to, CacheRows { of, data }),
            false => self.transmit(to, CacheLost { of }),
        }
    }

    pub(crate) fn take_cache_rows(&mut self, peer: PeerId, rows: CacheRows) -> Verdict {
        if rows.of.epoch != self.epoch || self.stage.incoming.asked.is_empty() {
            return Ok(());
        }
        let come = Piece { from: peer, ask: rows.of, bytes: rows.data.len() };
        if self.stage.incoming.asked.front() != Some(&come) {
            return Err("it is not the part of a cache that comes next");
        }
        self.stage.incoming.asked.pop_front();
        self.stage.incoming.unwritten += 1;
        let CacheRows { of, data } = rows;
        self.outputs.push_back(Output::WriteCache { of, data });
        self.ask_for_caches();
        Ok(())
    }

    /// Nobody waits for what will not come.
    pub(crate) fn take_cache_lost(&mut self, peer: PeerId, of: CacheAsk) -> Verdict {
        if of.epoch != self.epoch {
            return Ok(());
        }
        let is_it = |piece: &Piece| (piece.from, piece.ask) == (peer, of);
        if !self.stage.incoming.asked.iter().any(is_it) {
            return Err("it was not asked for that");
        }
        self.give_up_caches();
        Ok(())
    }

    /// Nobody sends what we need.
    pub(crate) fn check_caches(&mut self) {
        if self.caches_deadline().is_some_and(|at_secs| self.now_secs >= at_secs) {
            self.give_up_caches();
        }
    }

    /// Our driver has written a part of a cache, or could not.
    pub(crate) fn cache_written(&mut self, epoch: u32, is_there: bool) {
        if epoch != self.epoch || self.stage.incoming.unwritten == 0 {
            return;
        }
        self.stage.incoming.unwritten -= 1;
        match is_there {
            true => self.ask_for_caches(),
            false => self.give_up_caches(),
        }
    }

    pub(crate) fn give_up_caches(&mut self) {
        self.stage.incoming = Incoming::default();
        self.stage_complete(false);
    }

    pub(crate) fn caches_deadline(&self) -> Option<f64> {
        let incoming = &self.stage.incoming;
        let at_secs = incoming.heard_at_secs + SILENCE_SECS;
        incoming.is_waiting().then_some(at_secs.min(incoming.since_secs + WHOLE_SECS))
    }
}

/// What is to be asked for of one request's part in a cache.
fn pieces(
    epoch: u32,
    &MovedCache { module, from, row_bytes, .. }: &MovedCache,
    &Carried { slot, rows, .. }: &Carried,
) -> impl Iterator<Item = Piece> {
    let row_bytes = row_bytes as usize;
    let most = (PIECE_BYTES / row_bytes.max(1)).clamp(1, usize::from(u16::MAX));
    (0..rows).step_by(most).map(move |position| {
        let rows = (rows - position).min(most as u32) as u16;
        let ask = CacheAsk { epoch, module, slot, position, rows };
        Piece { from, ask, bytes: usize::from(rows) * row_bytes }
    })
}

/// The ring runs empty within a token's time, or something is wrong.
const QUIET_SECS: f64 = 3.0;
/// One message of a link.
const PIECE_BYTES: usize = 56 << 10;
/// Enough to keep a link busy.
const ASKED_AT_ONCE: usize = 4;
/// Of all others together.
const READS_AT_ONCE: usize = 32;
/// More is cheaper to compute.
const MOST_PIECES: usize = 1 << 14;
/// An answer to an ask takes a read of the device and a piece's way.
const SILENCE_SECS: f64 = 2.0;
/// Answers stand still meanwhile.
const WHOLE_SECS: f64 = 20.0;
