//! Our stages of the ring: what comes in and what runs, and where its outputs go.

use std::collections::BTreeMap;

use base::RequestId;
use protocol::peer::{
    Activations, Begin, ChunkDone, LastStep, RequestFailed, Sampling, Token, clip,
};

use crate::{
    Job, JobId, JobInput, Output, Part, Room, SamplingStep, StageOutput, Wants,
    batch::{Step, Waiting, most_answers},
    measuring::MESSAGE_CHARS,
    pace::Pace,
    ring::Ring,
};

/// What we run for the room.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    /// The plan of the running epoch, if we have a stage in it.
    pub(crate) ring: Option<Ring>,
    pub(crate) is_loaded: bool,
    /// The driver holds weights: of what it measures, or of an epoch that may be over.
    pub(crate) holds_weights: bool,
    /// Requests that have a slot here.
    pub(crate) requests: BTreeMap<RequestId, StageRequest>,
    /// The newest request of the epoch.
    pub(crate) newest: Option<RequestId>,
    waiting: Waiting,
    /// What passes take on our device, by stage of the ring and rows; without chunks of prompts.
    paces: BTreeMap<(usize, u64), Pace>,
    running: Option<Running>,
    next_job: u64,
}

/// A request as a stage sees it.
#[derive(Debug)]
pub(crate) struct StageRequest {
    slot: u16,
    sampling: Sampling,
    history_tokens: u32,
    /// Tokens of the answer among them.
    drawn: u32,
    /// The tokens before the next one, where the sampling counts them and we are the tail.
    seen: Vec<u32>,
    /// Position of the next row that another stage may send.
    next_position: u32,
    /// Frames of hidden states that came from the stage before.
    frames_taken: u32,
    /// Frames of hidden states that went to the stage after.
    frames_sent: u32,
}

/// The pass that the driver is at.
#[derive(Debug)]
struct Running {
    job: JobId,
    index: usize,
    parts: Vec<Passing>,
}

/// A part of it.
#[derive(Debug)]
struct Passing {
    wants: Wants,
    request: RequestId,
    index: usize,
    position: u32,
    rows: u16,
    last: bool,
    /// What the stages before have spent on it.
    dispatches: u32,
}

impl Stage {
    /// Drops the plan and all that belongs to it; not the weights.
    pub(crate) fn halt(&mut self) {
        self.ring = None;
        self.is_loaded = false;
        self.newest = None;
        self.requests.clear();
        self.waiting.clear();
        self.paces.clear();
        self.running = None;
    }

    pub(crate) fn open(&mut self, begin: &Begin) {
        self.newest = Some(begin.request);
        let request = StageRequest {
            slot: begin.slot,
            sampling: begin.sampling,
            history_tokens: begin.history_tokens,
            drawn: begin.drawn,
            seen: begin.seen.clone(),
            next_position: 0,
            frames_taken: 0,
            frames_sent: 0,
        };
        self.requests.insert(begin.request, request);
    }

    /// Whether there was such a request; its waiting steps go with it.
    pub(crate) fn close(&mut self, request: RequestId) -> bool {
        self.waiting.drop_request(request);
        self.requests.remove(&request).is_some()
    }

    pub(crate) fn is_slot_taken(&self, slot: u16) -> bool {
        self.requests.values().any(|request| request.slot == slot)
    }

    pub(crate) fn push(&mut self, step: Step) {
        match self.requests.get(&step.request) {
            Some(request) if step.position < request.history_tokens => {
                self.waiting.push_chunk(step)
            }
            Some(_) => self.waiting.push_answer(step),
            None => {}
        }
    }

    /// Remembers a token for the draws after it.
    fn sampled(&mut self, request: RequestId, token: u32) {
        let request = self.requests.get_mut(&request);
        if let Some(request) = request.filter(|request| request.sampling.counts_seen()) {
            request.seen.push(token);
        }
    }

    /// The device has worked on a pass for so long; chunks of a prompt are another matter.
    fn took(&mut self, done: &Running, secs: f64) {
        if done.is_of_single_rows() && secs.is_finite() && secs >= 0.0 {
            self.paces.entry((done.index, done.rows())).or_default().add(secs);
        }
    }

    /// What a token by itself takes in each of our stages, as was predicted, once all have run enough of them.
    pub(crate) fn stage_secs(&self) -> Vec<f64> {
        let indices = self.ring.as_ref().map_or(&[][..], Ring::indices);
        let medians: Option<Vec<f64>> =
            indices.iter().map(|&index| self.pass_secs(index, 1)).collect();
        medians.unwrap_or_default()
    }

    /// What a pass of so many rows takes, each of another request.
    fn pass_secs(&self, index: usize, rows: usize) -> Option<f64> {
        self.paces.get(&(index, rows as u64))?.median()
    }

    /// Whether the device is at work.
    pub(crate) fn is_busy(&self) -> bool {
        self.running.is_some()
    }

    /// The step of a frame, if it is the one that comes next.
    pub(crate) fn expect(
        &mut self,
        index: usize,
        frame: Activations,
    ) -> Result<Option<Step>, &'static str> {
        let waiting = self.waiting.count(frame.request);
        let Some(ring) = &self.ring else { return Ok(None) };
        let Some(request) = self.requests.get_mut(&frame.request) else { return Ok(None) };
        request.check(ring, &frame)?;
        // A row of an answer comes when the token before it has gone round.
        let most_waiting =
            if frame.position < request.history_tokens { MAX_WAITING_STEPS } else { 1 };
        if waiting >= most_waiting {
            return Err("more steps than may wait");
        }
        request.next_position += u32::from(frame.rows);
        request.frames_taken += 1;
        Ok(Some(Step {
            request: frame.request,
            index,
            position: frame.position,
            rows: frame.rows,
            input: JobInput::Hidden(frame.wire.unpack(frame.data, frame.row_len)),
            last: frame.last,
            dispatches: frame.dispatches,
        }))
    }

    /// Takes what waits, as much as goes through the device at once, and what to do for it.
    fn start_next(&mut self) -> Option<Output> {
        let ring = self.ring.as_ref().filter(|_| self.is_loaded && self.running.is_none())?;
        let index = self.waiting.next_index()?;
        let pass_secs = |rows| self.pass_secs(index, rows);
        let most_answers = most_answers(self.requests.len(), ring.phones(), pass_secs);
        let pass = self.waiting.take_pass(index, most_answers, ring.chunk_tokens());
        let begun = pass.into_iter().filter_map(|step| {
            let request = self.requests.get(&step.request)?;
            Some(request.begin(ring, step))
        });
        let (parts, passing) = begun.unzip();
        self.next_job += 1;
        let id = JobId(self.next_job);
        self.running = Some(Running { job: id, index, parts: passing });
        Some(Output::RunStage(Job { id, range: ring.range(index), parts }))
    }
}

impl Running {
    fn is_of_single_rows(&self) -> bool {
        self.parts.iter().all(|part| part.rows == 1)
    }

    fn rows(&self) -> u64 {
        self.parts.iter().map(|part| u64::from(part.rows)).sum()
    }
}

impl Passing {
    fn next_position(&self) -> u32 {
        self.position + u32::from(self.rows)
    }
}

impl StageRequest {
    fn check(&self, ring: &Ring, frame: &Activations) -> Result<(), &'static str> {
        let end = frame.position + u32::from(frame.rows);
        let rows_fit = match frame.position < self.history_tokens {
            true => frame.rows <= ring.chunk_tokens() && end <= self.history_tokens,
            false => frame.rows == 1,
        };
        match () {
            () if frame.position != self.next_position => Err("its position is not the next"),
            () if frame.sequence != self.frames_taken => Err("its number is not the next"),
            () if frame.wire != ring.wire() => Err("its values are not of the plan's wire type"),
            () if frame.row_len != ring.row_len() => Err("its rows are not as long as the model's"),
            () if !rows_fit => Err("more rows than a chunk has"),
            () if end > ring.context_tokens() => Err("it goes beyond the context"),
            () if frame.last != (end >= self.history_tokens) => Err("its token is not due"),
            () => Ok(()),
        }
    }

    /// A step as a part of a job, and what stays here of it.
    fn begin(&self, ring: &Ring, step: Step) -> (Part, Passing) {
        let wants = self.wants(ring, &step);
        let Step { request, index, position, rows, input, last, dispatches } = step;
        let part = Part { request, slot: self.slot, position, rows, input, wants: wants.clone() };
        (part, Passing { wants, request, index, position, rows, last, dispatches })
    }

    fn wants(&self, ring: &Ring, step: &Step) -> Wants {
        match (ring.is_tail(step.index), step.last) {
            (false, _) => Wants::Hidden,
            (true, false) => Wants::Nothing,
            (true, true) => {
                let end = step.position + u32::from(step.rows);
                let drawn = self.drawn + end.saturating_sub(self.history_tokens);
                let (options, seen) = (self.sampling, self.seen.clone());
                Wants::Token(SamplingStep { options, step: drawn, seen })
            }
        }
    }
}

impl Room {
    /// Gives the driver something to do, if it has nothing.
    pub(crate) fn run_next_step(&mut self) {
        let output = self.stage.start_next();
        self.outputs.extend(output);
    }

    pub(crate) fn step_done(
        &mut self,
        job: JobId,
        outputs: Vec<StageOutput>,
        busy_secs: f64,
        dispatches: u32,
    ) {
        let Some(done) = self.stage.running.take_if(|running| running.job == job) else { return };
        self.stage.took(&done, busy_secs);
        self.count(&done, dispatches);
        if outputs.len() == done.parts.len() {
            let parts = done.parts.iter().zip(outputs);
            parts.for_each(|(part, output)| self.hand_over(part, output, dispatches));
        } else {
            self.lose_parts(&done, WRONG_OUTPUT);
        }
        self.read_texts();
    }

    /// What came out of a part goes on, if anybody still wants it. Its token waited for all that was dispatched for
    /// the pass.
    fn hand_over(&mut self, done: &Passing, output: StageOutput, dispatches: u32) {
        if !self.stage.requests.contains_key(&done.request) {
            return;
        }
        let spent = done.dispatches.saturating_add(dispatches);
        match (&done.wants, output) {
            (Wants::Hidden, StageOutput::Hidden(data)) => self.pass_on(done, spent, data),
            (Wants::Token(_), StageOutput::Token { token, logprobs }) => {
                self.stage.sampled(done.request, token);
                let (request, epoch, dispatches) = (done.request, self.epoch, spent);
                let position = done.next_position() - 1;
                self.return_token(Token { request, epoch, position, token, dispatches, logprobs });
            }
            (Wants::Nothing, StageOutput::Nothing) => {
                let (request, position) = (done.request, done.position);
                self.return_chunk(ChunkDone { request, epoch: self.epoch, position });
            }
            _ => self.step_lost(done.request, WRONG_OUTPUT),
        }
    }

    pub(crate) fn step_failed(&mut self, job: JobId, message: &str) {
        let Some(failed) = self.stage.running.take_if(|running| running.job == job) else { return };
        self.read_texts();
        self.lose_parts(&failed, message);
    }

    fn lose_parts(&mut self, lost: &Running, message: &str) {
        for part in &lost.parts {
            if self.stage.requests.contains_key(&part.request) {
                self.step_lost(part.request, message);
            }
        }
    }

    fn count(&mut self, done: &Running, dispatches: u32) {
        let facts = self.my_facts();
        facts.counters.steps_run += 1;
        facts.counters.rows_run += done.rows();
        facts.counters.dispatches += u64::from(dispatches);
        // A header's second stage is not what the others wait for.
        if done.index == 0 || !self.config.coordinator {
            self.ran(&done.parts);
        }
        self.report_changes.mark();
        self.view_changes.mark();
    }

    /// Remembers how far the requests have got here.
    fn ran(&mut self, parts: &[Passing]) {
        let open = &self.stage.requests;
        let Some(facts) = self.facts.get_mut(&self.config.me) else { return };
        let is_over = |step: &LastStep| !open.contains_key(&step.request);
        let is_older = |step: &LastStep| parts.iter().any(|part| part.request == step.request);
        facts.last_steps.retain(|step| !is_over(step) && !is_older(step));
        let lasting = parts.iter().filter(|part| open.contains_key(&part.request));
        facts.last_steps.extend(
            lasting.map(|part| LastStep {
                request: part.request,
                next_position: part.next_position(),
            }),
        );
    }

    fn pass_on(&mut self, done: &Passing, dispatches: u32, data: Vec<u8>) {
        let Some(ring) = &self.stage.ring else { return };
        let Some(to) = ring.next(done.index) else { return };
        let expected = u64::from(done.rows) * u64::from(ring.row_bytes());
        if data.len() as u64 != expected {
            return self
                .step_lost(done.request, "a step gave rows of another length than it should");
        }
        let Some(request) = self.stage.requests.get_mut(&done.request) else { return };
        let (wire, row_len) = (ring.wire(), ring.row_len());
        let frame = Activations {
            request: done.request,
            epoch: ring.epoch(),
            sequence: request.frames_sent,
            position: done.position,
            rows: done.rows,
            row_len,
            dispatches,
            last: done.last,
            wire,
            data: wire.pack(data, row_len),
        };
        request.frames_sent += 1;
        self.touch(done.request);
        self.transmit(to, frame);
    }

    fn return_token(&mut self, token: Token) {
        match self.stage.ring.as_ref().map(Ring::header) {
            Some(header) if header == self.config.me => self.token_sampled(token),
            Some(header) => self.transmit(header, token),
            None => {}
        }
    }

    fn return_chunk(&mut self, done: ChunkDone) {
        match self.stage.ring.as_ref().map(Ring::header) {
            Some(header) if header == self.config.me => self.chunk_passed(done.request),
            Some(header) => self.transmit(header, done),
            None => {}
        }
    }

    fn step_lost(&mut self, request: RequestId, message: &str) {
        match self.stage.ring.as_ref().map(Ring::header) {
            Some(header) if header == self.config.me => {
                self.step_impossible(header, request, message)
            }
            Some(header) => {
                let (epoch, message) = (self.epoch, clip(message, MESSAGE_CHARS));
                self.transmit(header, RequestFailed { request, epoch, message });
            }
            None => {}
        }
    }
}

const WRONG_OUTPUT: &str = "a step gave another output than it should";
/// Twice what a header keeps in flight by default; more is a sender that does not wait.
const MAX_WAITING_STEPS: usize = 8;
