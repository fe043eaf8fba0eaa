//! What phones did with their time.

use serde::Serialize;

use super::micros;
use crate::scenario::Play;
use crate::spans::Spans;

/// A phone, while requests were under way and it was in the room.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PhoneReport {
    /// Its name.
    pub id: String,
    /// The share of its time in which its device was at work.
    pub compute: f64,
    /// In which it was not, and something that it had sent was on its way.
    pub send: f64,
    /// The rest.
    pub wait: f64,
    /// Steps that it ran.
    pub steps: usize,
    /// Rows in them: tokens, and tokens of prompts.
    pub rows: u64,
}

/// When a phone did what, in the simulation's time.
pub(crate) struct Activity {
    pub(crate) compute: Spans,
    pub(crate) send: Spans,
}

pub(super) fn reports(play: &Play<'_>, active: &Spans) -> Vec<PhoneReport> {
    let phones = play.scenario.phones.iter().enumerate();
    phones.map(|(lane, phone)| report(play, active, lane, phone.id.clone())).collect()
}

fn report(play: &Play<'_>, active: &Spans, lane: usize, id: String) -> PhoneReport {
    let Activity { compute, send } = Activity::of(play, lane);
    let here = presence(play, lane).within(active);
    let share = |spans: &Spans| match here.total_secs() {
        0.0 => 0.0,
        secs => micros(spans.within(&here).total_secs() / secs),
    };
    let (compute, send) = (share(&compute), share(&send));
    let steps = play.sim.log.steps.iter().filter(|step| play.lanes[step.phone] == lane);
    PhoneReport {
        id,
        compute,
        send,
        wait: micros((1.0 - compute - send).max(0.0)),
        steps: steps.clone().count(),
        rows: steps.map(|step| u64::from(step.rows)).sum(),
    }
}

impl Activity {
    pub(crate) fn of(play: &Play<'_>, lane: usize) -> Self {
        let log = &play.sim.log;
        let end = |phone: usize| play.gone_at_secs[phone].unwrap_or(f64::INFINITY);
        let steps = log.steps.iter().filter(|step| play.lanes[step.phone] == lane);
        let compute =
            Spans::of(steps.map(|step| (step.from_secs, step.to_secs.min(end(step.phone)))));
        let sent = log.sent.iter().filter(|sent| play.lanes[sent.from] == lane);
        let sent = sent.filter(|sent| !OF_THE_ROOM.contains(&sent.name));
        let send =
            Spans::of(sent.map(|sent| (sent.at_secs, sent.arrives_at_secs.min(end(sent.from)))));
        Self { send: send.without(&compute), compute }
    }
}

/// When a phone was in the room.
fn presence(play: &Play<'_>, lane: usize) -> Spans {
    let phones = play.lanes.iter().enumerate().filter(|(_, of)| **of == lane);
    Spans::of(phones.map(|(phone, _)| {
        let from_secs = play.joined_at_secs[phone];
        (from_secs, play.gone_at_secs[phone].unwrap_or(f64::INFINITY))
    }))
}

/// Frames that keep the room together and belong to no request.
const OF_THE_ROOM: [&str; 14] = [
    "Away",
    "DeviceMeasured",
    "Hello",
    "LinkMeasured",
    "LoadProgress",
    "Measure",
    "Ping",
    "Pong",
    "Prepare",
    "Prepared",
    "Probe",
    "ProbeDone",
    "Report",
    "Status",
];
