//! The header's running requests: chunks of the prompt into the ring, tokens out
//! of it and in again, and the end, whichever it is.

use base::{PeerId, RequestId};
use protocol::peer::{
    Begin, Cancel, ChunkDone, Failure, FailureCode, Finish, Finished, Frame, Phase, RequestFailed,
    Token,
};

use crate::{
    Output, Room, encoding::prompt_step, frames::Verdict, queue::QueuedAsk, request::Request,
    ring::Ring,
};

/// Into the ring.
impl Room {
    pub(crate) fn start(&mut self, mut ask: QueuedAsk, slot: u16) {
        ask.options = self.possible(ask.options);
        if ask.options.sampling.max_tokens == 0 {
            return self.answered(ask.id, ask.stats(Finish::Length));
        }
        let number = RequestId(self.next_request);
        self.next_request = self.next_request.wrapping_add(1);
        let encoder = self.spec.as_ref().and_then(|spec| spec.encoder);
        let first_token = encoder.map(|encoder| encoder.first_token);
        let prompt = (ask.prompt.unwrap_or_default(), first_token);
        let request = Request::new(ask.id, ask.options, prompt, ask.asked_at_secs, self.now_secs);
        self.requests.insert(number, request);
        self.open_in_ring(number, slot);
    }

    /// Lets the ring begin with a request, or go on with one of an earlier epoch.
    pub(crate) fn open_in_ring(&mut self, number: RequestId, slot: u16) {
        let Some(ring) = &self.stage.ring else { return };
        let Some(request) = self.requests.get_mut(&number) else { return };
        let kept_tokens = request.opened(ring.chunk_tokens(), self.now_secs);
        let (history, encoded) = (request.history.clone(), request.encoded.clone());
        let begin = Begin {
            request: number,
            epoch: ring.epoch(),
            slot,
            sampling: request.sampling,
            history_tokens: history.len() as u32,
            drawn: request.completion.len() as u32,
            kept_tokens,
            seen: request.seen(),
            prompt_rows: encoded.len() as u16,
        };
        self.stage.open(&begin);
        if !encoded.is_empty() {
            self.stage.push(prompt_step(number, encoded));
        }
        self.stage.feed(number, history, kept_tokens);
        self.send_along(0, begin.into());
        self.touch(number);
        self.feed_on(number);
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
    pub(crate) fn take_chunk_done(&mut self, peer: PeerId, done: &ChunkDone) -> Verdict {
        if !self.comes_from_tail(peer, done.epoch)? {
            return Ok(());
        }
        let Some(request) = self.running(done.request) else { return Ok(()) };
        if done.position != request.passed_rows || request.awaits_token() {
            return Err("its chunk is not the next");
        }
        self.chunk_passed(done.request);
        self.fed_chunk_passed(done.request);
        Ok(())
    }

    pub(crate) fn take_token(&mut self, peer: PeerId, token: Token) -> Verdict {
        if !self.comes_from_tail(peer, token.epoch)? {
            return Ok(());
        }
        self.stage.expect_more(token.more, self.now_secs);
        let Some(request) = self.running(token.request) else { return Ok(()) };
        if token.position != request.sent_rows - 1 || !request.awaits_token() {
            return Err("its position is not the next");
        }
        if token.logprobs.is_some() != request.sampling.logprobs.is_some() {
            return Err("its log probabilities are not what was asked for");
        }
        if self.is_no_label(token.token) {
            return Err("it is none of the model's labels");
        }
        self.token_sampled(token);
        Ok(())
    }

    /// Whether what comes out of the ring is of this epoch, and not only late.
    pub(crate) fn comes_from_tail(&self, peer: PeerId, epoch: u32) -> Result<bool, &'static str> {
        let Some(ring) = self.stage.ring.as_ref().filter(|ring| ring.epoch() == epoch) else {
            return Ok(false);
        };
        if ring.tail() == peer { Ok(true) } else { Err("it does not come from the tail") }
    }

    fn running(&self, number: RequestId) -> Option<&Request> {
        self.requests.get(&number).filter(|request| request.runs())
    }

    /// A chunk that wanted no token has left the tail.
    pub(crate) fn chunk_passed(&mut self, number: RequestId) {
        let Some(ring) = &self.stage.ring else { return };
        let chunk_tokens = ring.chunk_tokens();
        let Some(request) = self.requests.get_mut(&number) else { return };
        request.chunk_passed(chunk_tokens);
        self.touch(number);
    }

    /// A token has come out: the answer goes on or ends with it.
    pub(crate) fn token_sampled(&mut self, token: Token) {
        let number = token.request;
        let is_eos = self.spec.as_ref().is_some_and(|spec| spec.eos.contains(&token.token));
        let context_tokens = self.stage.ring.as_ref().map_or(0, |ring| ring.context_tokens());
        let now = self.now_secs;
        let Some(request) = self.requests.get_mut(&number) else { return };
        let (history_tokens, opened_at_secs) = (request.history_in_ring(), request.opened_at_secs);
        let (is_first, is_resumed) = (request.is_first_of_epoch(), !request.completion.is_empty());
        let since_last_secs = request.count_token(&token, now);
        if is_first {
            self.prefilled(history_tokens, now - opened_at_secs);
        }
        match since_last_secs {
            Some(secs) if is_first && is_resumed => self.paused(secs),
            Some(secs) => self.token_took(secs),
            None => {}
        }
        if !self.labels().is_empty() {
            return self.label_drawn(number, token);
        }
        let Some(request) = self.requests.get_mut(&number) else { return };
        if is_eos {
            self.decode(number, None, true);
            return self.finish(number, Finish::Eos, Finished { request: number }.into());
        }
        request.completion.push(token.token);
        request.logprobs.extend(token.logprobs);
        let is_full = request.sent_rows >= context_tokens;
        if is_full || request.completion.len() as u32 >= request.sampling.max_tokens {
            self.decode(number, Some(token.token), true);
            return self.finish(number, Finish::Length, Finished { request: number }.into());
        }
        request.sent_rows += 1;
        self.feed_token(number, token.token);
        self.decode(number, Some(token.token), false);
    }

    /// Where others and we work next, a token's text waits until our step of the token after it is done:
    /// reading and drawing it would slow the step down, which everybody waits for.
    fn decode(&mut self, number: RequestId, token: Option<u32>, last: bool) {
        if let Some(request) = self.requests.get_mut(&number) {
            request.texts_due += 1;
        }
        self.unread.push_back(Output::Decode { request: number, token, last });
        let me = self.config.me;
        let works_next = |ring: &Ring| ring.peers().count() > 1 && !ring.only_encodes(me);
        if last || !self.stage.ring.as_ref().is_some_and(works_next) {
            self.read_texts();
        }
    }

    /// Lets the driver turn tokens into text.
    pub(crate) fn read_texts(&mut self) {
        self.outputs.append(&mut self.unread);
    }

    /// Our driver has turned a token into text.
    pub(crate) fn decoded(&mut self, number: RequestId, text: String) {
        let now = self.now_secs;
        let Some(request) = self.requests.get_mut(&number) else { return };
        let ask = request.ask;
        let (shown, stops_here) = request.take_text(&text, now);
        if !shown.is_empty() {
            self.answer_text(ask, shown);
        }
        if stops_here {
            self.stop_request(number);
        }
        if self.requests.get(&number).is_some_and(Request::is_over)
            && let Some(request) = self.requests.remove(&number)
        {
            self.answered(ask, request.stats());
        }
    }

    /// The text has come to a stop string. What the ring does with the tokens after it is of no use,
    /// and how far it got with them must not show.
    fn stop_request(&mut self, number: RequestId) {
        self.end_early(number, Finish::Stop);
        if let Some(request) = self.requests.get_mut(&number) {
            request.ended = Some(Finish::Stop);
        }
    }
}

/// The end.
impl Room {
    /// The ring is done with a request; its last texts may still come.
    pub(crate) fn finish(&mut self, number: RequestId, finish: Finish, frame: Frame) {
        self.stage.close(number);
        self.report_changes.mark();
        self.send_along(0, frame);
        if let Some(request) = self.requests.get_mut(&number) {
            request.ended = Some(finish);
        }
        self.touch(number);
    }

    pub(crate) fn cancel(&mut self, number: RequestId) {
        self.end_early(number, Finish::Cancelled);
    }

    /// Ends a request while some of it is in the ring, unless it has ended already.
    fn end_early(&mut self, number: RequestId, finish: Finish) {
        if self.requests.get(&number).is_some_and(|request| request.ended.is_none()) {
            self.decode(number, None, true);
            self.finish(number, finish, Cancel { request: number }.into());
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

    pub(crate) fn take_request_failed(&mut self, peer: PeerId, failed: &RequestFailed) -> Verdict {
        if failed.epoch != self.epoch {
            return Ok(());
        }
        if !self.is_staged(peer) {
            return Err("it has no stage");
        }
        self.step_impossible(peer, failed.request, &failed.message);
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
        let is_late = |request: &Request| self.now_secs >= self.given_up_at_secs(request);
        let late = self.requests.iter().filter(|(_, request)| is_late(request));
        let late: Vec<_> = late.map(|(&number, request)| (number, request.is_parked)).collect();
        for (number, is_parked) in late {
            if is_parked {
                let failure = self.waited_in_vain();
                self.fail_request(number, failure);
                continue;
            }
            let peer = self.late_phone(number);
            let failure = self.too_slow(peer);
            if peer == self.config.me || self.phase != Phase::Ready {
                self.fail_request(number, failure);
                continue;
            }
            // The others may do without it. All others wait for it as well.
            self.unfit(peer, "it did not get on with its part");
            return self.go_on_without(failure);
        }
    }

    pub(crate) fn given_up_at_secs(&self, request: &Request) -> f64 {
        let limits = &self.config.limits;
        let patience_secs = if request.is_parked { limits.parked_secs } else { limits.stall_secs };
        request.progress_at_secs + patience_secs
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
            let last_steps = self.facts.get(peer).map_or(&[][..], |facts| &facts.last_steps);
            // Where only the prompt goes, having run that is all.
            let awaited = if ring.only_encodes(*peer) { 0 } else { awaited };
            last_steps.iter().any(|step| step.request == number && step.next_position >= awaited)
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
