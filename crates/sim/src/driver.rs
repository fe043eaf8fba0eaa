//! A simulated phone's driver: does what its room asks for, in its own time.

use base::{Estimate, Message, PeerId, RequestId};
use protocol::peer::{Failure, FailureCode};
use session::{AskId, Event, Input, Job, LoadStage, Output};
use transport::Link;

use crate::{Sim, sim::Time};

impl Sim {
    /// Gives a phone's room an input, and does what follows from it.
    pub(crate) fn give(&mut self, phone: usize, input: Input) {
        if self.phones[phone].is_frozen {
            return self.phones[phone].backlog.push(input);
        }
        let now = self.now_secs();
        self.phones[phone].room.handle(now, input);
        while let Some(output) = self.phones[phone].room.poll() {
            self.carry_out(phone, output);
        }
    }

    fn carry_out(&mut self, phone: usize, output: Output) {
        match output {
            Output::Transmit { to, frame } => {
                let name = frame.name();
                self.transmit(phone, to, name, frame.encode());
            }
            Output::Disconnect { peer } => self.disconnect(phone, peer),
            Output::Prepare { model } => self.prepare(phone, model.url),
            Output::Measure { .. } => self.measure(phone),
            Output::Exercise { number } => self.exercise(phone, number),
            Output::LoadStage(stage) => self.load(phone, &stage),
            Output::UnloadStage => self.phones[phone].runner.unload(),
            Output::RunStage(job) => self.run_job(phone, &job),
            Output::Tokenize { ask, messages } => self.tokenize(phone, ask, &messages),
            Output::Decode { request, token, last: _ } => self.decode(phone, request, token),
            Output::Event(event) => self.tell(phone, event),
            Output::WakeAt(at_secs) => self.phones[phone].wake_at_secs = Some(at_secs),
        }
    }

    fn transmit(&mut self, phone: usize, to: PeerId, name: &str, bytes: Vec<u8>) {
        self.record(format!("{} -> {to} {name} {} bytes", self.phones[phone].id, bytes.len()));
        if let Some(link) = self.phones[phone].links.get_mut(&to)
            && link.send(bytes).is_err()
        {
            link.close();
        }
    }

    fn disconnect(&mut self, phone: usize, peer: PeerId) {
        if let Some(link) = self.phones[phone].links.get_mut(&peer) {
            link.close();
        }
    }

    fn prepare(&mut self, phone: usize, url: String) {
        if !self.phones[phone].driver_hangs {
            let input = self.if_fit(phone, Input::Prepared { url });
            self.later(phone, PREPARE_SECS, input);
        }
    }

    fn measure(&mut self, phone: usize) {
        if !self.phones[phone].driver_hangs {
            let flops_per_sec = Estimate::exact(self.phones[phone].spec.flops_per_sec);
            let input = self
                .if_fit(phone, Input::DeviceMeasured { flops_per_sec, overhead_secs: STEP_SECS });
            self.later(phone, MEASURE_SECS, input);
        }
    }

    fn exercise(&mut self, phone: usize, number: u32) {
        if !self.phones[phone].driver_hangs {
            let exercised = Input::Exercised { number, busy_secs: STEP_SECS };
            self.later(phone, STEP_SECS, exercised);
        }
    }

    fn if_fit(&self, phone: usize, input: Input) -> Input {
        match self.phones[phone].spec.is_fit {
            true => input,
            false => Input::MeasureFailed { message: "it has no WebGPU".to_owned() },
        }
    }

    fn load(&mut self, phone: usize, stage: &LoadStage) {
        if self.phones[phone].driver_hangs {
            return;
        }
        let epoch = stage.epoch;
        let total_bytes = match self.phones[phone].runner.load(stage) {
            Ok(loaded) => loaded.bytes,
            Err(message) => {
                let failure = Failure::new(FailureCode::DeviceFailed, message);
                return self.later(phone, 0.0, Input::StageFailed { epoch, failure });
            }
        };
        let secs = total_bytes as f64 / self.phones[phone].spec.fetch_bytes_per_sec;
        for part in 1..=LOAD_PARTS {
            let loaded_bytes = total_bytes * part / LOAD_PARTS;
            let after_secs = secs * part as f64 / LOAD_PARTS as f64;
            let progress = Input::LoadProgress { epoch, loaded_bytes, total_bytes };
            self.later(phone, after_secs, progress);
        }
        self.later(phone, secs, Input::StageLoaded { epoch });
    }

    fn run_job(&mut self, phone: usize, job: &Job) {
        let now = self.now_secs();
        let it = &mut self.phones[phone];
        if it.device_hangs {
            return;
        }
        let starts_at_secs = it.busy_until_secs.max(now);
        match it.runner.run(job) {
            Ok(ran) => {
                let busy_secs = STEP_SECS + ran.flops / it.spec.flops_per_sec;
                it.busy_until_secs = starts_at_secs + busy_secs;
                let (id, outputs, dispatches) = (job.id, ran.outputs, ran.dispatches);
                let done = Input::StageDone { job: id, outputs, busy_secs, dispatches };
                self.later(phone, starts_at_secs + busy_secs - now, done);
                let (parts, rows) = (job.parts.len(), job.rows());
                self.record(format!("{} runs {parts} parts, {rows} rows", self.phones[phone].id));
            }
            Err(message) => self.later(phone, 0.0, Input::JobFailed { job: job.id, message }),
        }
    }

    fn tokenize(&mut self, phone: usize, ask: AskId, messages: &[Message]) {
        let result = Ok(self.phones[phone].runner.tokenize(messages));
        self.later(phone, TEXT_SECS, Input::Tokenized { ask, result });
    }

    fn decode(&mut self, phone: usize, request: RequestId, token: Option<u32>) {
        let text = token.map_or(String::new(), |token| self.phones[phone].runner.decode(token));
        self.later(phone, TEXT_SECS, Input::Decoded { request, text });
    }

    fn tell(&mut self, phone: usize, event: Event) {
        if event == Event::ViewChanged {
            self.phones[phone].view = self.phones[phone].room.view();
            return;
        }
        self.record(format!("{} {event:?}", self.phones[phone].id));
        self.phones[phone].events.push(event);
    }

    fn later(&mut self, phone: usize, after_secs: f64, input: Input) {
        let at = Time(self.now_secs() + after_secs);
        self.due.insert((at, self.next_due), (phone, input));
        self.next_due += 1;
    }
}

const PREPARE_SECS: f64 = 0.5;
const MEASURE_SECS: f64 = 0.5;
/// What starting a step and reading its output back takes.
const STEP_SECS: f64 = 0.001;
const TEXT_SECS: f64 = 0.0005;
const LOAD_PARTS: u64 = 4;
