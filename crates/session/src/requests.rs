//! The header's running requests: chunks of the prompt into the ring, tokens out
//! of it and in again, and the end, whichever it is.

use base::{PeerId, RequestId};
use protocol::peer::{
    AnswerStats, Begin, Cancel, Failure, FailureCode, Finish, Finished, Frame, Sampling, Token,
};

use crate::{AskId, JobInput, Output, Room, frames::Verdict, queue::QueuedAsk, stage::Step};

/// A prompt and its completion under way.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) ask: AskId,
    options: Sampling,
    prompt: Vec<u32>,
    completion: Vec<u32>,
    /// Rows that have entered the ring.
    sent_rows: u32,
    /// Rows that have come out at its end.
    passed_rows: u32,
    chunks_in_flight: u16,
    asked_at_secs: f64,
    first_token_at_secs: f64,
    last_token_at_secs: f64,
    /// Steps after the one that gave the first token (the end's included), and what all phones
    /// dispatched for them.
    decode_steps: u32,
    decode_dispatches: u64,
    /// Texts that the driver still owes us.
    texts_due: u32,
    /// Set once nothing of it is in the ring.
    ended: Option<Finish>,
    pub(crate) progress_at_secs: f64,
}

/// Into the ring.
impl Room {
    pub(crate) fn start(&mut self, ask: QueuedAsk, slot: u16) {
        let Some(ring) = &self.stage.ring else { return };
        if ask.options.max_tokens == 0 {
            return self.answered(ask.id, ask.stats(Finish::Length));
        }
        let request = RequestId(self.next_request);
        self.next_request = self.next_request.wrapping_add(1);
        let prompt = ask.prompt.unwrap_or_default();
        let begin = Begin {
            request,
            epoch: ring.epoch(),
            slot,
            sampling: ask.options,
            prompt_tokens: prompt.len() as u32,
        };
        self.stage.open(&begin);
        self.send_along(0, begin.into());
        let running = Request::new(ask.id, ask.options, prompt, ask.asked_at_secs, self.now_secs);
        self.requests.insert(request, running);
        self.send_chunks(request);
    }

    /// Sends as much of the prompt as may be in flight.
    fn send_chunks(&mut self, number: RequestId) {
        let most_in_flight = self.config.limits.chunks_in_flight.max(1);
        let Some(ring) = &self.stage.ring else { return };
        let chunk_tokens = usize::from(ring.chunk_tokens());
        let Some(request) = self.requests.get_mut(&number) else { return };
        while request.chunks_in_flight < most_in_flight {
            let rest = request.prompt.get(request.sent_rows as usize..).unwrap_or_default();
            let chunk = &rest[..rest.len().min(chunk_tokens)];
            if chunk.is_empty() {
                return;
            }
            let is_last = chunk.len() == rest.len();
            let step = step(number, request.sent_rows, chunk.to_vec(), is_last);
            request.sent_rows += u32::from(step.rows);
            request.chunks_in_flight += 1;
            self.stage.push(step);
        }
    }

    /// A sign of progress.
    pub(crate) fn touch(&mut self, request: RequestId) {
        let now = self.now_secs;
        if let Some(request) = self.requests.get_mut(&request) {
            request.progress_at_secs = now;
        }
    }
}

/// Out of the ring.
impl Room {
    pub(crate) fn take_chunk_done(
        &mut self,
        peer: PeerId,
        number: RequestId,
        position: u32,
    ) -> Verdict {
        let Some(request) = self.told_by_tail(peer, number)? else { return Ok(()) };
        let expected = request.passed_rows;
        if position != expected || request.awaits_token() {
            return Err("its chunk is not the next");
        }
        self.chunk_passed(number);
        Ok(())
    }

    pub(crate) fn take_token(&mut self, peer: PeerId, token: Token) -> Verdict {
        let Some(request) = self.told_by_tail(peer, token.request)? else { return Ok(()) };
        if token.position != request.sent_rows - 1 || !request.awaits_token() {
            return Err("its position is not the next");
        }
        self.token_sampled(token);
        Ok(())
    }

    /// The request that the tail speaks of; none where the frame is only late.
    fn told_by_tail(
        &self,
        peer: PeerId,
        number: RequestId,
    ) -> Result<Option<&Request>, &'static str> {
        let Some(ring) = &self.stage.ring else { return Ok(None) };
        if ring.tail() != peer {
            return Err("it does not come from the tail");
        }
        Ok(self.requests.get(&number).filter(|request| request.ended.is_none()))
    }

    /// A chunk that wanted no token has left the tail.
    pub(crate) fn chunk_passed(&mut self, number: RequestId) {
        let Some(ring) = &self.stage.ring else { return };
        let chunk_rows = u32::from(ring.chunk_tokens());
        let Some(request) = self.requests.get_mut(&number) else { return };
        request.passed_rows += chunk_rows;
        request.chunks_in_flight = request.chunks_in_flight.saturating_sub(1);
        self.touch(number);
        self.send_chunks(number);
    }

    /// A token has come out: the answer goes on or ends with it.
    pub(crate) fn token_sampled(&mut self, token: Token) {
        let number = token.request;
        let is_eos = self.spec.as_ref().is_some_and(|spec| spec.eos.contains(&token.token));
        let context_tokens = self.stage.ring.as_ref().map_or(0, |ring| ring.context_tokens());
        let now = self.now_secs;
        let Some(request) = self.requests.get_mut(&number) else { return };
        request.count_token(&token, now);
        if is_eos {
            self.decode(number, None, true);
            return self.finish(number, Finish::Stop, Finished { request: number }.into());
        }
        request.completion.push(token.token);
        let is_full = request.sent_rows >= context_tokens;
        if is_full || request.completion.len() as u32 >= request.options.max_tokens {
            self.decode(number, Some(token.token), true);
            return self.finish(number, Finish::Length, Finished { request: number }.into());
        }
        let next = step(number, request.sent_rows, vec![token.token], true);
        request.sent_rows += 1;
        request.chunks_in_flight = 1;
        self.stage.push(next);
        self.decode(number, Some(token.token), false);
    }

    fn decode(&mut self, number: RequestId, token: Option<u32>, last: bool) {
        if let Some(request) = self.requests.get_mut(&number) {
            request.texts_due += 1;
        }
        self.outputs.push_back(Output::Decode { request: number, token, last });
    }

    /// Our driver has turned a token into text.
    pub(crate) fn decoded(&mut self, number: RequestId, text: String) {
        let now = self.now_secs;
        let Some(request) = self.requests.get_mut(&number) else { return };
        request.texts_due = request.texts_due.saturating_sub(1);
        if request.ended.is_some() {
            request.progress_at_secs = now;
        }
        let ask = request.ask;
        let is_over = request.texts_due == 0 && request.ended.is_some();
        if !text.is_empty() {
            self.answer_text(ask, text);
        }
        if is_over && let Some(request) = self.requests.remove(&number) {
            self.answered(ask, request.stats());
        }
    }
}

/// The end.
impl Room {
    /// The ring is done with a request; its last texts may still come.
    fn finish(&mut self, number: RequestId, finish: Finish, frame: Frame) {
        self.stage.close(number);
        self.send_along(0, frame);
        if let Some(request) = self.requests.get_mut(&number) {
            request.ended = Some(finish);
        }
        self.touch(number);
    }

    pub(crate) fn cancel(&mut self, number: RequestId) {
        if self.requests.get(&number).is_some_and(|request| request.ended.is_none()) {
            self.decode(number, None, true);
            self.finish(number, Finish::Cancelled, Cancel { request: number }.into());
        }
    }

    pub(crate) fn cancelled_in_queue(&mut self, ask: &QueuedAsk) {
        self.answered(ask.id, ask.stats(Finish::Cancelled));
    }

    pub(crate) fn fail_request(&mut self, number: RequestId, failure: Failure) {
        self.cancel(number);
        if let Some(request) = self.requests.remove(&number) {
            self.answer_failed(request.ask, failure);
        }
    }

    pub(crate) fn take_request_failed(
        &mut self,
        peer: PeerId,
        number: RequestId,
        message: &str,
    ) -> Verdict {
        if !self.is_staged(peer) {
            return Err("it has no stage");
        }
        self.step_impossible(peer, number, message);
        Ok(())
    }

    /// A phone could not run a step.
    pub(crate) fn step_impossible(&mut self, peer: PeerId, number: RequestId, message: &str) {
        let name = self.name_of(peer);
        let message = format!("{name} could not go on with the answer: {message}");
        self.fail_request(number, Failure::new(FailureCode::DeviceFailed, message));
    }

    /// Gives up requests that got no further for too long.
    pub(crate) fn check_requests(&mut self) {
        let (now, stall) = (self.now_secs, self.config.limits.stall_secs);
        let late =
            self.requests.iter().filter(|(_, request)| now >= request.progress_at_secs + stall);
        let late: Vec<_> = late.map(|(number, _)| *number).collect();
        for number in late {
            let failure = self.too_slow(self.late_phone(number));
            self.fail_request(number, failure);
        }
    }

    /// The first phone of the ring that has not run what came out of the header last.
    fn late_phone(&self, number: RequestId) -> PeerId {
        let me = self.config.me;
        let Some(request) = self.requests.get(&number) else { return me };
        let Some(ring) = self.stage.ring.as_ref().filter(|_| request.ended.is_none()) else {
            return me;
        };
        let awaited = request.awaited_position(ring.chunk_tokens());
        let has_run = |peer: &PeerId| {
            let last_step = self.facts.get(peer).and_then(|facts| facts.last_step);
            last_step.is_some_and(|step| step.request == number && step.next_position >= awaited)
        };
        ring.peers().find(|peer| !has_run(peer)).unwrap_or(ring.tail())
    }

    pub(crate) fn too_slow(&self, peer: PeerId) -> Failure {
        let (name, stall) = (self.name_of(peer), self.config.limits.stall_secs);
        let message = format!(
            "{name} did not get on for {stall:.0} seconds. Check that its page is in front and \
             its screen on, then ask again."
        );
        Failure::new(FailureCode::TooSlow, message)
    }
}

impl Request {
    fn new(
        ask: AskId,
        options: Sampling,
        prompt: Vec<u32>,
        asked_at_secs: f64,
        now_secs: f64,
    ) -> Self {
        Self {
            ask,
            options,
            prompt,
            completion: Vec::new(),
            sent_rows: 0,
            passed_rows: 0,
            chunks_in_flight: 0,
            asked_at_secs,
            first_token_at_secs: now_secs,
            last_token_at_secs: now_secs,
            decode_steps: 0,
            decode_dispatches: 0,
            texts_due: 0,
            ended: None,
            progress_at_secs: now_secs,
        }
    }

    /// Whether the next thing out of the ring is a token.
    fn awaits_token(&self) -> bool {
        self.sent_rows as usize >= self.prompt.len() && self.chunks_in_flight == 1
    }

    fn count_token(&mut self, token: &Token, now_secs: f64) {
        self.progress_at_secs = now_secs;
        self.last_token_at_secs = now_secs;
        self.passed_rows = self.sent_rows;
        if self.completion.is_empty() {
            self.first_token_at_secs = now_secs;
        } else {
            self.decode_steps += 1;
            self.decode_dispatches += u64::from(token.dispatches);
        }
    }

    /// The position after the step that is to come out of the ring next.
    fn awaited_position(&self, chunk_tokens: u16) -> u32 {
        (self.passed_rows + u32::from(chunk_tokens)).min(self.sent_rows)
    }

    fn stats(self) -> AnswerStats {
        let completion_tokens = self.completion.len() as u32;
        let decoded = f64::from(self.decode_steps);
        let decode_secs = self.last_token_at_secs - self.first_token_at_secs;
        AnswerStats {
            prompt_tokens: self.prompt.len() as u32,
            completion_tokens,
            ttft_secs: self.first_token_at_secs - self.asked_at_secs,
            decode_tokens_per_sec: ratio(decoded, decode_secs),
            dispatches_per_token: ratio(self.decode_dispatches as f64, decoded),
            finish: self.ended.unwrap_or(Finish::Cancelled),
            tokens: self.completion,
        }
    }
}

impl QueuedAsk {
    /// An answer without a token.
    fn stats(&self, finish: Finish) -> AnswerStats {
        AnswerStats {
            prompt_tokens: self.prompt.as_ref().map_or(0, |prompt| prompt.len() as u32),
            completion_tokens: 0,
            ttft_secs: 0.0,
            decode_tokens_per_sec: 0.0,
            dispatches_per_token: 0.0,
            finish,
            tokens: Vec::new(),
        }
    }
}

fn step(request: RequestId, position: u32, tokens: Vec<u32>, last: bool) -> Step {
    let rows = tokens.len() as u16;
    Step { request, index: 0, position, rows, input: JobInput::Tokens(tokens), last, dispatches: 0 }
}

fn ratio(amount: f64, of: f64) -> f64 {
    if of > 0.0 { amount / of } else { 0.0 }
}
