//! Plans, bytes and events.

use std::collections::BTreeMap;

use base::ModuleRange;
use protocol::peer::{Phase, PlannedStage};
use serde::Serialize;
use session::Event as Told;

use super::micros;
use crate::log::{PhaseSeen, Planned};
use crate::scenario::Play;

/// A plan that the coordinator sent.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PlanReport {
    /// When it was sent; before the room is ready that is less than 0.
    pub at_secs: f64,
    /// Its number.
    pub epoch: u32,
    /// Why it is as it is.
    pub reason: String,
    /// Why it replaced another in the middle of things.
    pub cause: Option<String>,
    /// The longest that an answer stood still for that.
    pub pause_secs: Option<f64>,
    /// What it promised of a token.
    pub predicted_token_secs: Option<f64>,
    /// When the first hidden states went from phone to phone under it.
    pub used_secs: Option<f64>,
    /// In ring order.
    pub stages: Vec<PlanStage>,
    /// Second copies of modules.
    pub copies: Vec<PlanStage>,
}

impl PlanReport {
    /// In a sentence.
    pub fn why(&self) -> &str {
        self.cause.as_ref().unwrap_or(&self.reason)
    }
}

/// Some modules on a phone.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PlanStage {
    /// Which phone.
    pub phone: String,
    /// First module.
    pub start: usize,
    /// One past the last.
    pub end: usize,
}

/// What one phone sent another since the room was ready.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PairReport {
    /// The sender.
    pub from: String,
    /// The receiver.
    pub to: String,
    /// Of all frames.
    pub bytes: u64,
    /// By kind of frame.
    pub frames: BTreeMap<&'static str, FrameReport>,
}

/// Frames of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub struct FrameReport {
    /// How many.
    pub count: u64,
    /// Of all of them.
    pub bytes: u64,
}

/// Something that happened or that a room said.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct EventReport {
    /// When.
    pub at_secs: f64,
    /// On whose page it stands; none for what the scenario did.
    pub phone: Option<String>,
    /// What, in a sentence.
    pub what: String,
}

pub(super) fn plans(play: &Play<'_>) -> Vec<PlanReport> {
    play.sim.log.plans.iter().map(|plan| plan_report(play, plan)).collect()
}

fn plan_report(play: &Play<'_>, plan: &Planned) -> PlanReport {
    let relative = |at_secs: f64| micros(at_secs - play.origin_secs);
    let stage = |stage: &PlannedStage| {
        let ModuleRange { start, end } = stage.range;
        PlanStage { phone: play.name(stage.peer.0 as usize - 1), start, end }
    };
    PlanReport {
        at_secs: relative(plan.at_secs),
        epoch: plan.epoch,
        reason: plan.reason.clone(),
        cause: plan.cause.clone(),
        pause_secs: plan.pause_secs.map(micros),
        predicted_token_secs: plan.predicted_token_secs.map(micros),
        used_secs: plan.used_at_secs.map(relative),
        stages: plan.stages.iter().map(stage).collect(),
        copies: plan.overlap.iter().map(stage).collect(),
    }
}

pub(super) fn bytes(play: &Play<'_>) -> Vec<PairReport> {
    let mut pairs = BTreeMap::<(usize, usize), BTreeMap<&'static str, FrameReport>>::new();
    for sent in play.sim.log.sent.iter().filter(|sent| sent.at_secs >= play.origin_secs) {
        let pair = (play.lanes[sent.from], play.lanes[sent.to]);
        let frames = pairs.entry(pair).or_default().entry(sent.name).or_default();
        frames.count += 1;
        frames.bytes += sent.bytes as u64;
    }
    let id = |lane: usize| play.scenario.phones[lane].id.clone();
    let report = |((from, to), frames): (_, BTreeMap<_, FrameReport>)| PairReport {
        from: id(from),
        to: id(to),
        bytes: frames.values().map(|kind| kind.bytes).sum(),
        frames,
    };
    pairs.into_iter().map(report).collect()
}

pub(super) fn events(play: &Play<'_>) -> Vec<EventReport> {
    let happened = play.happened.iter().map(|one| (one.at_secs, None, one.what.clone()));
    let told = play.sim.log.told.iter().filter_map(|told| {
        let what = match &told.event {
            Told::Note { message } => message.clone(),
            Told::Misbehaved { peer, reason } => format!("{peer} misbehaves: {reason}"),
            _ => return None,
        };
        Some((told.at_secs, Some(told.phone), what))
    });
    let phases = play.sim.log.phases.iter();
    let phases = phases.map(|seen| (seen.at_secs, Some(0), phase(seen)));
    let mut all: Vec<_> = happened.chain(told).chain(phases).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.into_iter()
        .map(|(at_secs, phone, what)| EventReport {
            at_secs: micros(at_secs - play.origin_secs),
            phone: phone.map(|phone| play.name(phone)),
            what,
        })
        .collect()
}

fn phase(seen: &PhaseSeen) -> String {
    let phase = match seen.phase {
        Phase::Connecting => "connects",
        Phase::Gathering => "gathers",
        Phase::Measuring => "measures",
        Phase::Planning => "plans",
        Phase::Loading => "loads",
        Phase::Ready => "is ready",
        Phase::Failed => "has failed",
    };
    match &seen.error {
        Some(error) => format!("The room {phase}: {error}"),
        None => format!("The room {phase}."),
    }
}
