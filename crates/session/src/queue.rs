//! The header's queue of asks: from anyone, first come first served.

use base::{Message, PeerId};
use protocol::peer::{Ask, AskOptions, Failure, FailureCode, Phase};

use crate::{AskId, Output, Room, frames::Verdict};

/// An ask that does not run yet.
#[derive(Debug)]
pub(crate) struct QueuedAsk {
    pub(crate) id: AskId,
    pub(crate) options: AskOptions,
    pub(crate) asked_at_secs: f64,
    /// None while the driver is tokenizing.
    pub(crate) prompt: Option<Vec<u32>>,
}

impl Room {
    pub(crate) fn take_ask(&mut self, from: PeerId, ask: Ask) -> Verdict {
        let id = AskId { from, number: ask.ask };
        if self.is_asked(id) {
            return Err("its number is in use");
        }
        self.told.begin(id);
        self.enqueue(id, ask.messages, ask.options);
        Ok(())
    }

    fn is_asked(&self, id: AskId) -> bool {
        self.queue.iter().any(|ask| ask.id == id)
            || self.requests.values().any(|request| request.ask == id)
    }

    pub(crate) fn enqueue(&mut self, id: AskId, messages: Vec<Message>, options: AskOptions) {
        let refusal = match self.phase {
            _ if self.queue.len() >= self.config.limits.queued_asks => {
                Some("Too many questions are waiting. Ask again in a moment.")
            }
            Phase::Measuring | Phase::Planning | Phase::Loading | Phase::Ready => None,
            _ if self.waits_for_plan() => None,
            _ => Some("The room is not ready. Ask once all phones have loaded their part."),
        };
        if let Some(message) = refusal {
            return self.answer_failed(id, Failure::new(FailureCode::Busy, message));
        }
        let asked_at_secs = self.now_secs;
        self.queue.push_back(QueuedAsk { id, options, asked_at_secs, prompt: None });
        self.outputs.push_back(Output::Tokenize { ask: id, messages });
    }

    /// Our driver has turned a prompt into tokens.
    pub(crate) fn tokenized(&mut self, id: AskId, result: Result<Vec<u32>, Failure>) {
        let Some(place) = self.queue.iter().position(|ask| ask.id == id) else { return };
        match result.and_then(|tokens| self.fitting(tokens)) {
            Ok(tokens) => self.queue[place].prompt = Some(tokens),
            Err(failure) => {
                self.queue.remove(place);
                self.answer_failed(id, failure);
            }
        }
    }

    fn fitting(&self, tokens: Vec<u32>) -> Result<Vec<u32>, Failure> {
        let context_tokens = self.model.as_ref().map_or(0, |model| model.model.context_tokens);
        let (what, context_tokens) = match self.most_prompt_tokens() {
            Some(most) => ("the model reads at once", most),
            None => ("the context takes", context_tokens),
        };
        let prompt_tokens = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
        if prompt_tokens > context_tokens {
            let message = format!(
                "The prompt has {prompt_tokens} tokens, {what} {context_tokens}. Shorten it."
            );
            let code = FailureCode::PromptTooLong { prompt_tokens, context_tokens };
            return Err(Failure::new(code, message));
        }
        if tokens.is_empty() {
            let message = "The prompt gave no tokens at all. Write something.";
            return Err(Failure::new(FailureCode::Internal, message));
        }
        Ok(tokens)
    }

    /// Of a prompt that goes through an encoder, which takes it whole.
    fn most_prompt_tokens(&self) -> Option<u32> {
        let spec = self.spec.as_ref().filter(|spec| spec.encoder.is_some())?;
        Some(spec.prompt_tokens(&self.config.limits).into())
    }

    /// Goes on with requests of an earlier plan, and starts asks, while there are free slots.
    pub(crate) fn start_asks(&mut self) {
        while self.phase == Phase::Ready
            && self.switch.is_none()
            && let Some(slot) = self.free_slot()
        {
            if let Some(request) = self.first_parked() {
                let kept = self.requests.get(&request).and_then(|request| request.kept);
                self.open_in_ring(request, kept.map_or(slot, |kept| kept.slot));
            } else if let Some(ask) = self.queue.pop_front_if(|ask| ask.prompt.is_some()) {
                self.start(ask, slot);
            } else {
                return;
            }
        }
    }

    fn free_slot(&self) -> Option<u16> {
        let slots = self.stage.ring.as_ref()?.slots();
        (0..slots).find(|&slot| !self.stage.is_slot_taken(slot))
    }

    pub(crate) fn take_stop(&mut self, from: PeerId, number: u32) -> Verdict {
        self.stop_ask(AskId { from, number });
        Ok(())
    }

    /// Stops an ask wherever it is; one that is over already is no matter.
    pub(crate) fn stop_ask(&mut self, id: AskId) {
        if let Some(place) = self.queue.iter().position(|ask| ask.id == id) {
            let ask = self.queue.remove(place);
            return ask.map_or((), |ask| self.cancelled_in_queue(&ask));
        }
        let running = self.requests.iter().find(|(_, request)| request.ask == id);
        if let Some((&request, _)) = running {
            self.cancel(request);
        }
    }

    /// Nobody waits for these answers any more.
    pub(crate) fn drop_asks_of(&mut self, peer: PeerId) {
        self.queue.retain(|ask| ask.id.from != peer);
        let of_peer = self.requests.iter().filter(|(_, request)| request.ask.from == peer);
        let of_peer: Vec<_> = of_peer.map(|(request, _)| *request).collect();
        of_peer.into_iter().for_each(|request| self.cancel(request));
    }

    pub(crate) fn fail_every_ask(&mut self, failure: &Failure) {
        let running: Vec<_> = self.requests.keys().copied().collect();
        running.into_iter().for_each(|request| self.fail_request(request, failure.clone()));
        for ask in std::mem::take(&mut self.queue) {
            self.answer_failed(ask.id, failure.clone());
        }
    }

    /// Gives up asks that our own driver or another phone keeps waiting, or for which no phone comes.
    pub(crate) fn check_asks(&mut self) {
        while let Some(QueuedAsk { id, prompt, .. }) = self.next_late() {
            let failure = match prompt {
                Some(_) => self.waited_in_vain(),
                None => self.too_slow(self.config.me),
            };
            self.answer_failed(id, failure);
        }
        self.check_requests();
    }

    fn next_late(&mut self) -> Option<QueuedAsk> {
        let place = self.queue.iter().position(|ask| self.now_secs >= self.late_at_secs(ask))?;
        self.queue.remove(place)
    }

    /// When an ask that waits is given up.
    fn late_at_secs(&self, ask: &QueuedAsk) -> f64 {
        let limits = &self.config.limits;
        match ask.prompt {
            None => ask.asked_at_secs + limits.stall_secs,
            Some(_) if self.phase != Phase::Ready => ask.asked_at_secs + limits.parked_secs,
            Some(_) => f64::INFINITY,
        }
    }

    pub(crate) fn asks_deadline(&self) -> Option<f64> {
        let waiting = self.queue.iter().map(|ask| self.late_at_secs(ask));
        let running = self.requests.values().map(|request| self.given_up_at_secs(request));
        waiting.chain(running).filter(|at| at.is_finite()).reduce(f64::min)
    }
}
