//! The plan of a room as every screen shows it.

use base::{ModuleRange, PeerId};
use serde::{Deserialize, Serialize};

use super::{DecodeError, MAX_COPIES, MAX_MODULES, MAX_PEERS, MAX_STAGES, bounds};

/// The plan, with what was predicted for it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlanStatus {
    /// In ring order.
    pub stages: Vec<StageStatus>,
    /// Second copies of modules, loaded and dormant.
    pub overlap: Vec<CopyStatus>,
    /// Every pair of phones with traffic.
    pub traffic: Vec<TrafficStatus>,
    /// One token through the whole ring.
    pub predicted_token_secs: f64,
    /// The median of the latest tokens, once there are enough.
    pub measured_token_secs: Option<f64>,
    /// No plan of these phones takes less: the linear program's bound or the search's, whichever is more.
    pub lower_bound_secs: f64,
    /// What parts of the same number of modules would take; none where they do not fit.
    pub equal_split_secs: Option<f64>,
    /// The phone that would be fastest with the whole model; none where no phone has room for it.
    pub best_alone: Option<Alone>,
    /// Why the plan looks as it does, a sentence.
    pub reason: String,
    /// Why it has replaced another in the middle of things, a sentence.
    pub cause: Option<String>,
    /// The longest that an answer stood still for that.
    pub pause_secs: Option<f64>,
    /// Phones that got nothing.
    pub unused: Vec<Unused>,
}

/// One stage of a [`PlanStatus`].
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct StageStatus {
    /// Who runs it.
    pub peer: PeerId,
    /// Its modules.
    pub range: ModuleRange,
    /// Bytes of their weights, without KV caches.
    pub weights_bytes: u64,
    /// One token through it.
    pub predicted_secs: f64,
    /// The median of the latest tokens, once there are enough.
    pub measured_secs: Option<f64>,
}

/// Modules that a phone holds a second copy of.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct CopyStatus {
    /// Who holds them.
    pub peer: PeerId,
    /// Which.
    pub range: ModuleRange,
    /// Bytes of their weights.
    pub weights_bytes: u64,
}

/// What one phone sends another for a token.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrafficStatus {
    /// The sender.
    pub from: PeerId,
    /// The receiver.
    pub to: PeerId,
    /// For one token.
    pub bytes: f64,
    /// Half a round trip and the bytes' own time.
    pub predicted_secs: f64,
}

/// One phone with the whole model.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alone {
    /// Which.
    pub peer: PeerId,
    /// One token.
    pub secs: f64,
}

/// A phone without a stage.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unused {
    /// Which.
    pub peer: PeerId,
    /// Why, a sentence.
    pub reason: String,
}

impl PlanStatus {
    pub(super) fn check(&self) -> Result<(), DecodeError> {
        bounds::list("plan.stages", &self.stages, MAX_STAGES)?;
        bounds::list("plan.overlap", &self.overlap, MAX_COPIES)?;
        bounds::list("plan.traffic", &self.traffic, MAX_PEERS * MAX_PEERS)?;
        bounds::list("plan.unused", &self.unused, MAX_PEERS)?;
        bounds::message(&self.reason)?;
        self.cause.iter().try_for_each(|cause| bounds::message(cause))?;
        let copied = self.overlap.iter().map(|copy| copy.range);
        let mut ranges = self.stages.iter().map(|stage| stage.range).chain(copied);
        let is_sound = |range: ModuleRange| range.start <= range.end && range.end <= MAX_MODULES;
        bounds::within("plan", ranges.all(is_sound))?;
        self.unused.iter().try_for_each(|one| bounds::message(&one.reason))?;
        self.figures().try_for_each(|secs| bounds::figure("plan", secs))
    }

    fn figures(&self) -> impl Iterator<Item = f64> {
        let fixed = [self.predicted_token_secs, self.lower_bound_secs];
        let known = [self.measured_token_secs, self.equal_split_secs, self.pause_secs];
        fixed
            .into_iter()
            .chain(known.into_iter().flatten())
            .chain(self.best_alone.map(|alone| alone.secs))
            .chain(self.stages.iter().map(|stage| stage.predicted_secs))
            .chain(self.stages.iter().filter_map(|stage| stage.measured_secs))
            .chain(self.traffic.iter().flat_map(|one| [one.bytes, one.predicted_secs]))
    }
}
