//! What happened in a simulation, for reports.

use protocol::peer::{Frame, Phase, PlannedStage};
use session::{Event, Job, LoadStage};

use crate::Sim;

/// Everything so far, in order of time; phones by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) steps: Vec<Step>,
    pub(crate) sent: Vec<Sent>,
    pub(crate) plans: Vec<Planned>,
    pub(crate) told: Vec<Told>,
    pub(crate) phases: Vec<PhaseSeen>,
}

/// A device at work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) phone: usize,
    pub(crate) from_secs: f64,
    pub(crate) to_secs: f64,
    pub(crate) rows: u32,
}

/// A frame on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) name: &'static str,
    pub(crate) bytes: usize,
    pub(crate) at_secs: f64,
    pub(crate) arrives_at_secs: f64,
}

/// A plan that the coordinator has made.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) at_secs: f64,
    pub(crate) epoch: u32,
    pub(crate) stages: Vec<PlannedStage>,
    pub(crate) overlap: Vec<PlannedStage>,
    /// What the coordinator's page says of it.
    pub(crate) reason: String,
    /// Why it replaces another.
    pub(crate) cause: Option<String>,
    /// The longest that an answer stood still for that.
    pub(crate) pause_secs: Option<f64>,
    pub(crate) predicted_token_secs: Option<f64>,
    /// When the first hidden states of it were sent.
    pub(crate) used_at_secs: Option<f64>,
}

/// What a phone's user was told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) at_secs: f64,
    pub(crate) phone: usize,
    pub(crate) event: Event,
}

/// Where the room stands, as the coordinator's page shows it.
#[derive(Clone, Debug)]
pub(crate) struct PhaseSeen {
    pub(crate) at_secs: f64,
    pub(crate) phase: Phase,
    /// What went wrong, if something did.
    pub(crate) error: Option<String>,
}

impl Sim {
    pub(crate) fn log_step(&mut self, phone: usize, from_secs: f64, to_secs: f64, job: &Job) {
        self.log.steps.push(Step { phone, from_secs, to_secs, rows: job.rows() as u32 });
    }

    pub(crate) fn log_sent(&mut self, sent: Sent) {
        self.log.sent.push(sent);
    }

    /// Plans show in what the coordinator sends and loads, and when they are used in what anybody sends.
    pub(crate) fn log_frame(&mut self, phone: usize, frame: &Frame) {
        match frame {
            Frame::RollOut(plan) if phone == 0 => {
                self.log_plan(plan.epoch, &plan.stages, &plan.overlap);
            }
            Frame::Activations(rows) => {
                let now = self.now_secs();
                let plan = self.log.plans.iter_mut().rfind(|plan| plan.epoch == rows.epoch);
                if let Some(plan) = plan {
                    plan.used_at_secs.get_or_insert(now);
                }
            }
            _ => {}
        }
    }

    /// A coordinator without others sends its plan to nobody.
    pub(crate) fn log_load(&mut self, phone: usize, stage: &LoadStage) {
        if phone == 0 {
            let peer = self.phones[phone].id;
            let stages = stage.stages.iter().map(|stage| PlannedStage { peer, range: stage.range });
            self.log_plan(stage.epoch, &stages.collect::<Vec<_>>(), &[]);
        }
    }

    fn log_plan(&mut self, epoch: u32, stages: &[PlannedStage], overlap: &[PlannedStage]) {
        if self.log.plans.iter().any(|plan| plan.epoch == epoch) {
            return;
        }
        let view = self.view(0).plan;
        self.log.plans.push(Planned {
            at_secs: self.now_secs(),
            epoch,
            stages: stages.to_vec(),
            overlap: overlap.to_vec(),
            reason: view.as_ref().map_or(String::new(), |plan| plan.reason.clone()),
            cause: view.as_ref().and_then(|plan| plan.cause.clone()),
            pause_secs: None,
            predicted_token_secs: view.map(|plan| plan.predicted_token_secs),
            used_at_secs: None,
        });
    }

    pub(crate) fn log_told(&mut self, phone: usize, event: &Event) {
        let told = Told { at_secs: self.now_secs(), phone, event: event.clone() };
        self.log.told.push(told);
    }

    /// The coordinator's page shows it once the answers have gone on.
    pub(crate) fn log_pause(&mut self) {
        let pause_secs = self.drawn(0).plan.as_ref().and_then(|plan| plan.pause_secs);
        if let Some(last) = self.log.plans.last_mut() {
            last.pause_secs = pause_secs.or(last.pause_secs);
        }
    }

    pub(crate) fn log_phase(&mut self) {
        self.log_pause();
        let view = self.drawn(0);
        let error = view.error.as_ref().map(|error| error.message.clone());
        let phase = view.phase;
        let last = self.log.phases.last();
        if last.is_none_or(|last| (last.phase, &last.error) != (phase, &error)) {
            let at_secs = self.now_secs();
            self.log.phases.push(PhaseSeen { at_secs, phase, error });
        }
    }
}
