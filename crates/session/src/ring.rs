//! A plan as one of its phones sees it.

mod routes;

use base::{ModuleRange, PeerId};
use protocol::peer::{Begin, Carried, PlannedEncoder, PlannedStage, RollOut, WireType};

use crate::{LoadStage, MAX_PARTS, Resident};

/// The plan of an epoch, and our place in it.
#[derive(Debug)]
pub(crate) struct Ring {
    plan: RollOut,
    indices: Vec<usize>,
}

impl Ring {
    /// Refuses a plan that means nothing.
    pub(crate) fn check(plan: &RollOut, coordinator: Option<PeerId>) -> Result<(), &'static str> {
        let stages = &plan.stages;
        let first = stages.first().ok_or("a plan without stages")?;
        if Some(first.peer) != coordinator {
            return Err("the first stage is not the coordinator's");
        }
        let mut next_module = 0;
        for stage in stages {
            if stage.range.start != next_module || stage.range.is_empty() {
                return Err("the stages are not consecutive");
            }
            next_module = stage.range.end;
        }
        let closes = stages.len() > 2 && stages.last().is_some_and(|last| last.peer == first.peer);
        let distinct = &stages[..stages.len() - usize::from(closes)];
        let repeats = |(i, stage): (usize, &PlannedStage)| {
            distinct[..i].iter().any(|earlier| earlier.peer == stage.peer)
        };
        if distinct.iter().enumerate().any(repeats) {
            return Err("a phone has two stages");
        }
        if plan.encoder.as_ref().is_some_and(|encoder| encoder.modules >= next_module) {
            return Err("there is nothing behind the encoder");
        }
        Self::check_overlap(plan, next_module)
    }

    fn check_overlap(plan: &RollOut, modules: usize) -> Result<(), &'static str> {
        let mut copied = vec![false; modules];
        for copy in &plan.overlap {
            if copy.range.is_empty() || extended(plan, copy).is_none() {
                return Err("a copy is not of a neighbour's modules");
            }
            let copied = &mut copied[copy.range.indices()];
            if copied.contains(&true) {
                return Err("a module has two copies");
            }
            copied.fill(true);
        }
        Ok(())
    }

    pub(crate) fn new(plan: RollOut, me: PeerId) -> Self {
        let is_mine = |index: &usize| plan.stages[*index].peer == me;
        let indices = (0..plan.stages.len()).filter(is_mine).collect();
        Self { plan, indices }
    }

    pub(crate) fn epoch(&self) -> u32 {
        self.plan.epoch
    }

    pub(crate) fn slots(&self) -> u16 {
        self.plan.slots
    }

    pub(crate) fn chunk_tokens(&self) -> u16 {
        self.plan.chunk_tokens
    }

    pub(crate) fn context_tokens(&self) -> u32 {
        self.plan.model.context_tokens
    }

    pub(crate) fn row_bytes(&self) -> u32 {
        self.plan.row_bytes
    }

    /// Values of a row of hidden states.
    pub(crate) fn row_len(&self) -> u32 {
        self.plan.row_bytes / 4
    }

    /// Whether a request goes on with so many rows in the caches of its slot.
    pub(crate) fn carries(&self, begin: &Begin) -> bool {
        let of = |carried: &Carried| {
            (carried.request, carried.slot, carried.rows)
                == (begin.request, begin.slot, begin.kept_tokens)
        };
        begin.kept_tokens == 0 || self.plan.carry.requests.iter().any(of)
    }

    pub(crate) fn wire(&self) -> WireType {
        self.plan.wire
    }

    /// Our stages.
    pub(crate) fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// The stage of ours that takes hidden states; on a header, the one that closes the ring.
    pub(crate) fn fed_index(&self) -> Option<usize> {
        self.indices.iter().copied().find(|&index| index > 0)
    }

    pub(crate) fn range(&self, index: usize) -> ModuleRange {
        self.plan.stages[index].range
    }

    /// A stage and the copies next to it, which its phone holds.
    fn resident(&self, index: usize) -> ModuleRange {
        let of = |copy: &&PlannedStage| extended(&self.plan, copy) == Some(index);
        let all = |range: ModuleRange, copy: &PlannedStage| {
            ModuleRange::new(range.start.min(copy.range.start), range.end.max(copy.range.end))
        };
        self.plan.overlap.iter().filter(of).fold(self.range(index), all)
    }

    pub(crate) fn header(&self) -> PeerId {
        self.plan.stages[0].peer
    }

    pub(crate) fn tail(&self) -> PeerId {
        self.plan.stages[self.plan.stages.len() - 1].peer
    }

    pub(crate) fn is_tail(&self, index: usize) -> bool {
        index + 1 == self.plan.stages.len()
    }

    /// How many phones each token goes through.
    pub(crate) fn phones(&self) -> usize {
        let first = self.feeding_index();
        let stages = self.plan.stages.len() - first;
        stages - usize::from(first == 0 && stages > 1 && self.tail() == self.header())
    }

    /// Who runs the stages, in ring order.
    pub(crate) fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.plan.stages.iter().map(|stage| stage.peer)
    }

    pub(crate) fn previous(&self, index: usize) -> Option<PeerId> {
        let stage = index.checked_sub(1).and_then(|index| self.plan.stages.get(index));
        stage.map(|stage| stage.peer)
    }

    pub(crate) fn next(&self, index: usize) -> Option<PeerId> {
        self.plan.stages.get(index + 1).map(|stage| stage.peer)
    }

    /// Of one pass: a chunk, and a row for each other request; or a whole prompt on its way through an encoder.
    fn most_rows(&self) -> u16 {
        let others = usize::from(self.plan.slots).min(MAX_PARTS).saturating_sub(1);
        self.plan.chunk_tokens.saturating_add(others as u16).max(self.prompt_tokens())
    }

    pub(crate) fn load(&self) -> LoadStage {
        LoadStage {
            epoch: self.plan.epoch,
            model: self.plan.model.clone(),
            stages: self
                .indices
                .iter()
                .map(|&index| Resident { range: self.range(index), resident: self.resident(index) })
                .collect(),
            slots: self.plan.slots,
            context_tokens: self.context_tokens(),
            rows: self.most_rows(),
        }
    }
}

/// The stage that a copy goes on from. On a header that closes the ring it may be either: the first, then.
fn extended(plan: &RollOut, copy: &PlannedStage) -> Option<usize> {
    (0..plan.stages.len()).find(|&index| extends(plan, index, copy))
}

/// Whether a copy goes on from stage `index` of the same phone: the beginning of the next stage, or the end
/// of the one before.
fn extends(plan: &RollOut, index: usize, copy: &PlannedStage) -> bool {
    let stages = &plan.stages;
    let is_own = stages[index].peer == copy.peer;
    let begins_next = stages.get(index + 1).is_some_and(|next| {
        copy.range.start == next.range.start && copy.range.end <= next.range.end
    });
    let before = index.checked_sub(1).map(|before| stages[before]);
    let ends_before = before.is_some_and(|before| {
        copy.range.end == before.range.end && copy.range.start >= before.range.start
    });
    is_own && (begins_next || ends_before)
}
