//! A plan as a page draws it.

use base::{ModuleRange, PeerId};
use protocol::peer::{Alone, CopyStatus, PlanStatus, StageStatus, TrafficStatus, Unused};
use serde::Serialize;

/// A plan.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanView {
    /// In ring order.
    pub stages: Vec<PlanStageView>,
    /// Second copies of modules, loaded and dormant.
    pub overlap: Vec<CopyView>,
    /// Every pair of phones with traffic.
    pub traffic: Vec<TrafficStatus>,
    /// One token through the whole ring.
    pub predicted_token_secs: f64,
    /// The median of the latest tokens, once there are enough.
    pub measured_token_secs: Option<f64>,
    /// No plan of these phones takes less.
    pub lower_bound_secs: f64,
    /// What parts of the same number of modules would take; none where they do not fit.
    pub equal_split_secs: Option<f64>,
    /// The phone that would be fastest with the whole model; none where no phone has room for it.
    pub best_alone: Option<Alone>,
    /// Why it looks as it does, a sentence.
    pub reason: String,
    /// Why it has replaced another in the middle of things, a sentence.
    pub cause: Option<String>,
    /// The longest that an answer stood still for that.
    pub pause_secs: Option<f64>,
    /// Phones that got nothing.
    pub unused: Vec<Unused>,
}

/// A stage of a plan.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanStageView {
    /// Who runs it.
    pub peer: PeerId,
    /// First module.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// Bytes of their weights.
    pub weights_bytes: u64,
    /// One token through it.
    pub predicted_secs: f64,
    /// The median of the latest tokens, once there are enough.
    pub measured_secs: Option<f64>,
}

/// Modules that a phone holds a second copy of.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyView {
    /// Who holds them.
    pub peer: PeerId,
    /// First module.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// Bytes of their weights.
    pub weights_bytes: u64,
}

impl From<&PlanStatus> for PlanView {
    fn from(plan: &PlanStatus) -> Self {
        Self {
            stages: plan.stages.iter().map(PlanStageView::from).collect(),
            overlap: plan.overlap.iter().map(CopyView::from).collect(),
            traffic: plan.traffic.clone(),
            predicted_token_secs: plan.predicted_token_secs,
            measured_token_secs: plan.measured_token_secs,
            lower_bound_secs: plan.lower_bound_secs,
            equal_split_secs: plan.equal_split_secs,
            best_alone: plan.best_alone,
            reason: plan.reason.clone(),
            cause: plan.cause.clone(),
            pause_secs: plan.pause_secs,
            unused: plan.unused.clone(),
        }
    }
}

impl From<&StageStatus> for PlanStageView {
    fn from(stage: &StageStatus) -> Self {
        let StageStatus { peer, range, weights_bytes, predicted_secs, measured_secs } = *stage;
        let ModuleRange { start, end } = range;
        Self { peer, start, end, weights_bytes, predicted_secs, measured_secs }
    }
}

impl From<&CopyStatus> for CopyView {
    fn from(copy: &CopyStatus) -> Self {
        let CopyStatus { peer, range, weights_bytes } = *copy;
        let ModuleRange { start, end } = range;
        Self { peer, start, end, weights_bytes }
    }
}
