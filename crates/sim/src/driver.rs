//! A simulated phone's driver: does what its room asks for, in its own time.

use base::{Estimate, Message, PeerId, RequestId};
use protocol::peer::{CacheAsk, Failure, FailureCode};
use session::{AskId, Event, Input, Job, LoadStage, Output};
use transport::Link;

use crate::{Loaded, PhoneSpec, Sim, log::Sent, sim::Time};

impl Sim {
    /// Gives a phone's room an input, and does what follows from it.
    pub(crate) fn give(&mut self, phone: usize, input: Input) {
        if self.phones[phone].is_frozen {
            return self.phones[phone].backlog.push(input);
        }
        let Some(input) = self.take_copies(phone, input) else { return };
        let now = self.now_secs();
        self.phones[phone].room.handle(now, input);
        while let Some(output) = self.phones[phone].room.poll() {
            self.carry_out(phone, output);
        }
    }

    fn carry_out(&mut self, phone: usize, output: Output) {
        match output {
            Output::Transmit { to, frame } => {
                self.log_frame(phone, &frame);
                let name = frame.name();
                self.transmit(phone, to, name, frame.encode());
            }
            Output::Disconnect { peer } => self.disconnect(phone, peer),
            Output::CheckTicket { peer, ticket } => self.check_ticket(phone, peer, &ticket),
            Output::StayAway => {}
            Output::Prepare { model } => self.prepare(phone, model.url),
            Output::Measure { .. } => self.measure(phone),
            Output::Exercise { number } => self.exercise(phone, number),
            Output::LoadStage(stage) => {
                self.log_load(phone, &stage);
                self.load(phone, &stage);
            }
            Output::LoadCopies { number, copies } => self.load_copies(phone, number, copies),
            Output::UnloadStage => {
                self.phones[phone].copies = None;
                self.phones[phone].runner.unload();
            }
            Output::RunStage(job) => self.run_job(phone, &job),
            Output::ReadCache { to, ask } => self.read_cache(phone, to, ask),
            Output::WriteCache { of, data } => self.write_cache(phone, &of, &data),
            Output::Tokenize { ask, messages } => self.tokenize(phone, ask, &messages),
            Output::Decode { request, token, last: _ } => self.decode(phone, request, token),
            Output::Event(event) => self.tell(phone, event),
            Output::WakeAt(at_secs) => self.phones[phone].wake_at_secs = Some(at_secs),
        }
    }

    fn transmit(&mut self, phone: usize, to: PeerId, name: &'static str, frame: Vec<u8>) {
        let bytes = frame.len();
        self.record(format!("{} -> {to} {name} {bytes} bytes", self.phones[phone].id));
        let (at_secs, factor) = (self.now_secs(), self.chance.factor());
        let Some(link) = self.phones[phone].links.get_mut(&to) else { return };
        link.stretch_latency(factor);
        if link.send(frame).is_err() {
            return link.close();
        }
        let arrives_at_secs = link.arrival_secs();
        let to = to.0 as usize - 1;
        self.log_sent(Sent { from: phone, to, name, bytes, at_secs, arrives_at_secs });
    }

    /// In the simulation an invitation whose ticket says so is too old.
    fn check_ticket(&mut self, phone: usize, peer: PeerId, ticket: &[u8]) {
        self.later(phone, 0.0, Input::TicketChecked { peer, is_good: ticket != b"old" });
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
            let PhoneSpec { flops_per_sec, overhead_secs, .. } = self.phones[phone].spec;
            let rounds = [(); MEASURE_ROUNDS].map(|()| flops_per_sec * self.chance.factor());
            let flops_per_sec = Estimate::of(&rounds);
            let input = self.if_fit(phone, Input::DeviceMeasured { flops_per_sec, overhead_secs });
            self.later(phone, MEASURE_SECS, input);
        }
    }

    fn exercise(&mut self, phone: usize, number: u32) {
        if !self.phones[phone].driver_hangs {
            let busy_secs = self.phones[phone].spec.overhead_secs * self.chance.factor();
            self.later(phone, busy_secs, Input::Exercised { number, busy_secs });
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
        self.phones[phone].copies = None;
        let Loaded { bytes: total_bytes, has_caches } = match self.phones[phone].runner.load(stage)
        {
            Ok(loaded) => loaded,
            Err(message) => {
                let failure = Failure::new(FailureCode::DeviceFailed, message);
                return self.later(phone, 0.0, Input::StageFailed { epoch, failure });
            }
        };
        let secs = total_bytes as f64 / self.phones[phone].spec.fetch_bytes_per_sec;
        let parts = ((secs / LOAD_PART_SECS) as u64).clamp(LEAST_LOAD_PARTS, MOST_LOAD_PARTS);
        for part in 1..=parts {
            let loaded_bytes = (total_bytes as f64 * (part as f64 / parts as f64)) as u64;
            let after_secs = secs * part as f64 / parts as f64;
            let progress = Input::LoadProgress { epoch, loaded_bytes, total_bytes };
            self.later(phone, after_secs, progress);
        }
        self.later(phone, secs, Input::StageLoaded { epoch, has_caches });
    }

    /// What was begun is over with the next load of any kind.
    fn load_copies(&mut self, phone: usize, number: u32, copies: LoadStage) {
        let it = &mut self.phones[phone];
        let secs = it.runner.copies_bytes(&copies) as f64 / it.spec.fetch_bytes_per_sec;
        it.copies = Some((number, copies));
        self.later(phone, secs, Input::CopiesLoaded { number, is_there: true });
    }

    /// What has come is on the phone, if it still waits for it. None where it does not.
    fn take_copies(&mut self, phone: usize, input: Input) -> Option<Input> {
        let Input::CopiesLoaded { number, .. } = input else { return Some(input) };
        let it = &mut self.phones[phone];
        let (_, copies) = it.copies.take_if(|(waiting, _)| *waiting == number)?;
        let full = || Err("there is no room for them".to_owned());
        let loaded = if it.is_full { full() } else { it.runner.load_copies(&copies) };
        if let Err(message) = &loaded {
            self.record(format!("{} loads no copies: {message}", self.phones[phone].id));
        }
        Some(Input::CopiesLoaded { number, is_there: loaded.is_ok() })
    }

    fn run_job(&mut self, phone: usize, job: &Job) {
        let (now, factor) = (self.now_secs(), self.chance.factor());
        let it = &mut self.phones[phone];
        if it.device_hangs {
            return;
        }
        let starts_at_secs = it.busy_until_secs.max(now);
        match it.runner.run(job) {
            Ok(ran) => {
                let busy_secs =
                    factor * (it.spec.overhead_secs + ran.flops / it.spec.flops_per_sec);
                it.busy_until_secs = starts_at_secs + busy_secs;
                self.log_step(phone, starts_at_secs, starts_at_secs + busy_secs, job);
                let (id, outputs, dispatches) = (job.id, ran.outputs, ran.dispatches);
                let done = Input::StageDone { job: id, outputs, busy_secs, dispatches };
                self.later(phone, starts_at_secs + busy_secs - now, done);
                let (parts, rows) = (job.parts.len(), job.rows());
                self.record(format!("{} runs {parts} parts, {rows} rows", self.phones[phone].id));
            }
            Err(message) => self.later(phone, 0.0, Input::JobFailed { job: job.id, message }),
        }
    }

    fn read_cache(&mut self, phone: usize, to: PeerId, ask: CacheAsk) {
        if self.phones[phone].device_hangs {
            return;
        }
        let it = &mut self.phones[phone];
        let locked = || Err("they cannot be read".to_owned());
        let read = if it.caches_locked { locked() } else { it.runner.read_cache(&ask) };
        let data = read.unwrap_or_else(|message| {
            self.record(format!("{} has no {ask:?}: {message}", self.phones[phone].id));
            Vec::new()
        });
        let overhead_secs = self.phones[phone].spec.overhead_secs;
        self.later(phone, overhead_secs, Input::CacheRead { to, ask, data });
    }

    fn write_cache(&mut self, phone: usize, of: &CacheAsk, data: &[u8]) {
        let it = &mut self.phones[phone];
        let locked = || Err("they cannot be written".to_owned());
        let written = if it.caches_locked { locked() } else { it.runner.write_cache(of, data) };
        if let Err(message) = &written {
            self.record(format!("{} cannot take {of:?}: {message}", self.phones[phone].id));
        }
        let is_there = written.is_ok();
        self.later(phone, 0.0, Input::CacheWritten { epoch: of.epoch, is_there });
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
            if phone == 0 {
                self.log_phase();
            }
            return;
        }
        self.record(format!("{} {event:?}", self.phones[phone].id));
        self.log_told(phone, &event);
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
/// As a phone measures itself.
const MEASURE_ROUNDS: usize = 5;
const TEXT_SECS: f64 = 0.0005;
/// How often loading tells how far it has got, where it takes long.
const LOAD_PART_SECS: f64 = 5.0;
const LEAST_LOAD_PARTS: u64 = 4;
const MOST_LOAD_PARTS: u64 = 10_000;
