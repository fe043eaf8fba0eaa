//! Our stages of the ring: what comes in and what runs, and where its outputs go.

use std::collections::BTreeMap;

use base::{PeerId, RequestId};
use protocol::peer::{
    Activations, Begin, ChunkDone, Frame, LastStep, RequestFailed, Residual, Sampling, Token, clip,
};

use crate::{
    Job, JobId, JobInput, MAX_PARTS, Output, Part, Pass, Room, SamplingStep, StageOutput, Wants,
    batch::{Step, Waiting},
    carry::Incoming,
    feed::Feed,
    grouping::Grouping,
    measuring::MESSAGE_CHARS,
    memory::Memory,
    pace::Pace,
    ring::Ring,
    row_pace::RowPace,
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
    /// What an encoder gave for requests that have not begun here; at most one for each slot.
    pub(crate) early: Vec<Residual>,
    waiting: Waiting,
    /// What a token by itself takes in each of our stages.
    paces: BTreeMap<usize, RowPace>,
    /// Rows that wait when a pass ends.
    queue: Pace,
    running: Option<Running>,
    /// Since when another frame of a pass is to follow.
    more_since_secs: Option<f64>,
    grouping: Grouping,
    /// What others' caches are still to give.
    pub(crate) incoming: Incoming,
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
    /// Of a prompt that goes through an encoder; else 0.
    pub(crate) prompt_rows: u16,
    pub(crate) memory: Memory,
    /// Where tokens enter the ring.
    feed: Option<Feed>,
}

/// The pass that the driver is at.
#[derive(Debug)]
struct Running {
    job: JobId,
    index: usize,
    pass: Pass,
    parts: Vec<Passing>,
}

/// A part of it.
#[derive(Debug)]
struct Passing {
    wants: Wants,
    request: RequestId,
    index: usize,
    pass: Pass,
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
        self.early.clear();
        self.requests.clear();
        self.waiting.clear();
        self.paces.clear();
        self.queue = Pace::default();
        self.running = None;
        self.more_since_secs = None;
        self.grouping = Grouping::default();
        self.incoming = Incoming::default();
    }

    pub(crate) fn open(&mut self, begin: &Begin) {
        self.newest = Some(begin.request);
        let seen = if begin.sampling.counts_seen() { begin.seen.clone() } else { Vec::new() };
        let request = StageRequest {
            slot: begin.slot,
            sampling: begin.sampling,
            history_tokens: begin.history_tokens,
            drawn: begin.drawn,
            seen,
            next_position: begin.kept_tokens,
            frames_taken: 0,
            frames_sent: 0,
            prompt_rows: begin.prompt_rows,
            memory: Memory::awaited_by(self.reading()),
            feed: None,
        };
        self.requests.insert(begin.request, request);
    }

    /// Those of our stages that read an encoder's output.
    fn reading(&self) -> Vec<usize> {
        let Some(ring) = &self.ring else { return Vec::new() };
        ring.indices().iter().copied().filter(|&index| ring.reads(index)).collect()
    }

    /// Tokens of a request enter the ring here, if its first module for them is ours.
    pub(crate) fn feed(&mut self, request: RequestId, history: Vec<u32>, kept_rows: u32) {
        let Some(ring) = &self.ring else { return };
        if !ring.indices().contains(&ring.feeding_index()) {
            return;
        }
        if let Some(request) = self.requests.get_mut(&request) {
            let left_tokens = request.sampling.max_tokens.saturating_sub(request.drawn);
            request.feed = Some(Feed::new(history, kept_rows, left_tokens));
        }
    }

    pub(crate) fn feed_of(&mut self, request: RequestId) -> Option<&mut Feed> {
        self.requests.get_mut(&request)?.feed.as_mut()
    }

    /// Whether there was such a request; its waiting steps go with it.
    pub(crate) fn close(&mut self, request: RequestId) -> bool {
        self.waiting.drop_request(request);
        self.requests.remove(&request).is_some()
    }

    /// A request's slot, and the rows that we have fed of it.
    pub(crate) fn cached(&self, request: RequestId) -> Option<(u16, u32)> {
        let request = self.requests.get(&request)?;
        Some((request.slot, request.feed.as_ref()?.sent_rows()))
    }

    /// Whether anything that we have fed is still in the ring.
    pub(crate) fn is_feeding(&self) -> bool {
        let mut feeds = self.requests.values().filter_map(|request| request.feed.as_ref());
        feeds.any(Feed::is_in_ring)
    }

    pub(crate) fn is_slot_taken(&self, slot: u16) -> bool {
        self.requests.values().any(|request| request.slot == slot)
    }

    pub(crate) fn push(&mut self, step: Step) {
        let Some(request) = self.requests.get_mut(&step.request) else { return };
        if step.pass != Pass::Run {
            return self.waiting.push_whole(step);
        }
        let is_history = step.position < request.history_tokens;
        match request.memory.hold(step) {
            Some(step) if is_history => self.waiting.push_chunk(step),
            Some(step) => self.waiting.push_answer(step),
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
        self.queue.add(self.waiting.rows().into());
        if done.is_of_single_rows() && secs.is_finite() && secs >= 0.0 {
            self.paces.entry(done.index).or_default().add(done.parts.len(), secs);
        }
    }

    /// What a token by itself takes in each of our stages, as was predicted, once all have run enough of them.
    pub(crate) fn stage_secs(&self) -> Vec<f64> {
        let Some(ring) = &self.ring else { return Vec::new() };
        let secs = |&index: &usize| match ring.is_of_prompts(index) {
            true => Some(0.0),
            false => self.paces.get(&index)?.latest(),
        };
        let medians: Option<Vec<f64>> = ring.indices().iter().map(secs).collect();
        medians.unwrap_or_default()
    }

    /// How many rows had to wait for the device of late, while requests are under way.
    pub(crate) fn waiting_rows(&self) -> u32 {
        let rows = self.queue.latest().filter(|_| !self.requests.is_empty());
        rows.unwrap_or_default() as u32
    }

    /// Whether the next frame of the same pass is on its way, too: the device waits for it, but not for long.
    pub(crate) fn expect_more(&mut self, more: bool, now_secs: f64) {
        self.more_since_secs = more.then_some(now_secs);
    }

    pub(crate) fn more_deadline(&self) -> Option<f64> {
        let since_secs = self.more_since_secs.filter(|_| self.running.is_none())?;
        Some(since_secs + MORE_SECS)
    }

    /// A token has come out of the ring that begins with us.
    pub(crate) fn token_came(&mut self, now_secs: f64) {
        if let Some(ring) = &self.ring {
            self.grouping.token_came(ring.phones(), now_secs);
        }
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
        request.check(ring, index, &frame)?;
        let waiting = waiting + request.memory.held();
        let pass = if ring.takes_prompts(index) { Pass::Encode } else { Pass::Run };
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
            pass,
            position: frame.position,
            rows: frame.rows,
            input: JobInput::Hidden(frame.wire.unpack(frame.data, frame.row_len)),
            last: frame.last,
            dispatches: frame.dispatches,
        }))
    }

    /// Takes what waits, as much as goes through the device at once, and what to do for it.
    fn start_next(&mut self, now_secs: f64) -> Option<Output> {
        let ring = self.ring.as_ref().filter(|_| self.is_loaded && self.running.is_none())?;
        if self.more_deadline().is_some_and(|at_secs| now_secs < at_secs) {
            return None;
        }
        self.more_since_secs = None;
        let (index, pass, steps) = match self.waiting.take_whole() {
            Some(step) => (step.index, step.pass, vec![step]),
            None => {
                let index = self.waiting.next_index()?;
                // What is fed together stays together, and what piles up at a slow phone is run together.
                let most_answers = match index == ring.feeding_index() {
                    true => self.grouping.most_rows(self.requests.len(), ring.phones(), now_secs),
                    false => MAX_PARTS,
                };
                let steps = self.waiting.take_pass(index, most_answers, ring.chunk_tokens());
                (index, Pass::Run, steps)
            }
        };
        let begun = steps.into_iter().filter_map(|step| {
            let request = self.requests.get(&step.request)?;
            Some(request.begin(ring, step))
        });
        let (parts, passing) = begun.unzip();
        self.next_job += 1;
        let id = JobId(self.next_job);
        self.running = Some(Running { job: id, index, pass, parts: passing });
        Some(Output::RunStage(Job { id, range: ring.range(index), pass, parts }))
    }
}

impl Running {
    /// A row of one request, or one of each of several.
    fn is_of_single_rows(&self) -> bool {
        self.pass == Pass::Run && self.parts.iter().all(|part| part.rows == 1)
    }

    fn rows(&self) -> u64 {
        self.parts.iter().map(|part| u64::from(part.rows)).sum()
    }
}

impl Passing {
    fn next_position(&self) -> u32 {
        self.position + u32::from(self.rows)
    }

    /// How far the request has got here with it.
    fn last_step(&self) -> LastStep {
        let next_position = if self.pass == Pass::Run { self.next_position() } else { 0 };
        LastStep { request: self.request, next_position }
    }
}

impl StageRequest {
    fn check(&self, ring: &Ring, index: usize, frame: &Activations) -> Result<(), &'static str> {
        let end = frame.position + u32::from(frame.rows);
        let is_prompt = ring.takes_prompts(index);
        let rows_fit = match frame.position < self.history_tokens {
            _ if is_prompt => frame.rows == self.prompt_rows,
            true => frame.rows <= ring.chunk_tokens() && end <= self.history_tokens,
            false => frame.rows == 1,
        };
        let is_due = !is_prompt && end >= self.history_tokens;
        match () {
            () if frame.position != self.next_position => Err("its position is not the next"),
            () if frame.sequence != self.frames_taken => Err("its number is not the next"),
            () if frame.wire != ring.wire() => Err("its values are not of the plan's wire type"),
            () if frame.row_len != ring.row_len() => Err("its rows are not as long as the model's"),
            () if !rows_fit && is_prompt => Err("not as many rows as the prompt has"),
            () if !rows_fit => Err("more rows than a chunk has"),
            () if end > ring.context_tokens() => Err("it goes beyond the context"),
            () if frame.last != is_due => Err("its token is not due"),
            () => Ok(()),
        }
    }

    /// A step as a part of a job, and what stays here of it.
    fn begin(&self, ring: &Ring, step: Step) -> (Part, Passing) {
        let wants = self.wants(ring, &step);
        let Step { request, index, pass, position, rows, input, last, dispatches } = step;
        let part = Part { request, slot: self.slot, position, rows, input, wants: wants.clone() };
        (part, Passing { wants, request, index, pass, position, rows, last, dispatches })
    }

    fn wants(&self, ring: &Ring, step: &Step) -> Wants {
        match (ring.is_tail(step.index), step.last) {
            _ if step.pass == Pass::Remember => Wants::Nothing,
            _ if step.pass == Pass::Encode => Wants::Hidden,
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
        let output = self.stage.start_next(self.now_secs);
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
            let frames =
                parts.flat_map(|(part, output)| self.hand_over(part, output, dispatches)).collect();
            self.transmit_together(frames);
        } else {
            self.lose_parts(&done, WRONG_OUTPUT);
        }
        self.read_texts();
    }

    /// Sends what came out of a pass, which is to be taken into the next pass together.
    fn transmit_together(&mut self, mut frames: Vec<(PeerId, Frame)>) {
        let mut followed: Vec<PeerId> = Vec::new();
        for (to, frame) in frames.iter_mut().rev() {
            let more = match frame {
                Frame::Activations(frame) => &mut frame.more,
                Frame::Token(frame) => &mut frame.more,
                _ => continue,
            };
            *more = followed.contains(to);
            followed.push(*to);
        }
        for (to, frame) in frames {
            self.transmit(to, frame);
        }
    }

    /// What came out of a part goes on, if anybody still wants it: as a frame, or here. Its token waited for all
    /// that was dispatched for the pass.
    fn hand_over(
        &mut self,
        done: &Passing,
        output: StageOutput,
        dispatches: u32,
    ) -> Vec<(PeerId, Frame)> {
        if !self.stage.requests.contains_key(&done.request) {
            return Vec::new();
        }
        let spent = done.dispatches.saturating_add(dispatches);
        match (&done.wants, output) {
            (Wants::Hidden, StageOutput::Hidden(data)) => {
                self.pass_on(done, spent, data).into_iter().collect()
            }
            (Wants::Nothing, StageOutput::Nothing) if done.pass == Pass::Remember => {
                self.stage.remembered(done.request, done.index);
                Vec::new()
            }
            (Wants::Token(_), StageOutput::Token { token, logprobs }) => {
                self.stage.sampled(done.request, token);
                let (request, epoch, dispatches) = (done.request, self.epoch, spent);
                let (position, more) = (done.next_position() - 1, false);
                self.return_token(Token {
                    request,
                    epoch,
                    position,
                    token,
                    dispatches,
                    more,
                    logprobs,
                })
            }
            (Wants::Nothing, StageOutput::Nothing) => {
                let (request, position) = (done.request, done.position);
                self.return_chunk(&ChunkDone { request, epoch: self.epoch, position })
            }
            _ => {
                self.step_lost(done.request, WRONG_OUTPUT);
                Vec::new()
            }
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
        let is_awaited = done.index == 0 || !self.config.coordinator;
        if is_awaited && done.pass != Pass::Remember {
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
        facts.last_steps.retain(|step| !is_over(step));
        for part in parts.iter().filter(|part| open.contains_key(&part.request)) {
            let step = part.last_step();
            match facts.last_steps.iter_mut().find(|last| last.request == step.request) {
                Some(last) if part.pass == Pass::Run => *last = step,
                Some(_) => {}
                None => facts.last_steps.push(step),
            }
        }
    }

    fn pass_on(
        &mut self,
        done: &Passing,
        dispatches: u32,
        data: Vec<u8>,
    ) -> Option<(PeerId, Frame)> {
        let ring = self.stage.ring.as_ref()?;
        let expected = u64::from(done.rows) * u64::from(ring.row_bytes());
        if data.len() as u64 != expected {
            self.step_lost(done.request, "a step gave rows of another length than it should");
            return None;
        }
        if done.pass == Pass::Encode && ring.ends_encoder(done.index) {
            self.encoded(done.request, done.index, data);
            return None;
        }
        let to = ring.next(done.index)?;
        let request = self.stage.requests.get_mut(&done.request)?;
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
            more: false,
            wire,
            data: wire.pack(data, row_len),
        };
        request.frames_sent += 1;
        self.touch(done.request);
        Some((to, frame.into()))
    }

    /// To those who feed and count it; others first, whom it takes longer to reach.
    fn return_token(&mut self, token: Token) -> Vec<(PeerId, Frame)> {
        let takers = self.stage.ring.as_ref().map_or_else(Vec::new, Ring::token_takers);
        let me = self.config.me;
        match takers.contains(&me) {
            true if self.config.coordinator => self.token_sampled(token.clone()),
            true => self.feed_token(token.request, token.token),
            false => {}
        }
        let others = takers.into_iter().filter(|&to| to != me);
        others.map(|to| (to, token.clone().into())).collect()
    }

    fn return_chunk(&mut self, done: &ChunkDone) -> Vec<(PeerId, Frame)> {
        let takers = self.stage.ring.as_ref().map_or_else(Vec::new, Ring::token_takers);
        let me = self.config.me;
        if takers.contains(&me) {
            if self.config.coordinator {
                self.chunk_passed(done.request);
            }
            self.fed_chunk_passed(done.request);
        }
        let others = takers.into_iter().filter(|&to| to != me);
        others.map(|to| (to, done.clone().into())).collect()
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
/// Frames of a pass come right behind each other.
const MORE_SECS: f64 = 0.05;
