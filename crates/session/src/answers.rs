//! The asker's side: our asks to the header, and its answers to whoever asked.

use base::{Message, PeerId};
use protocol::peer::{
    AnswerStats, Answered, Ask, AskFailed, AskOptions, Failure, FailureCode, MAX_ALTERNATIVES,
    MAX_COMPLETION_TOKENS, Resume, Sampling, StopAsk, Text, is_bounded,
};

use crate::{AskId, Event, Room, frames::Verdict};

/// An ask of ours that has no answer yet.
#[derive(Debug)]
pub(crate) struct OwnAsk {
    header: PeerId,
    /// Of the answer's text, so far.
    text_bytes: u32,
    is_stopped: bool,
}

/// Our own asks.
impl Room {
    pub(crate) fn ask(&mut self, number: u32, messages: Vec<Message>, options: AskOptions) {
        let refusal = match self.coordinator {
            _ if self.own_asks.contains_key(&number) || self.own_asks.len() >= MAX_OWN_ASKS => {
                Some((FailureCode::Busy, "Too many questions are waiting. Ask again in a moment."))
            }
            _ if !is_bounded(&messages) => Some((FailureCode::TextTooLong, TOO_LONG)),
            _ if !options.stops_fit() => {
                let message = "An answer takes at most 4 stop strings, of 1 to 64 bytes each.";
                Some((FailureCode::Internal, message))
            }
            None => Some((FailureCode::Busy, "This phone is not connected to the room yet.")),
            Some(_) => None,
        };
        if let Some((code, message)) = refusal {
            let failure = Failure::new(code, message);
            return self.tell(Event::AskFailed { ask: number, failure });
        }
        let header = self.coordinator.unwrap_or(self.config.me);
        self.own_asks.insert(number, OwnAsk { header, text_bytes: 0, is_stopped: false });
        let options = AskOptions { sampling: bounded(options.sampling), ..options };
        match header == self.config.me {
            true => self.enqueue(AskId { from: header, number }, messages, options),
            false => self.transmit(header, Ask { ask: number, messages, options }),
        }
    }

    pub(crate) fn stop(&mut self, number: u32) {
        let Some(own) = self.own_asks.get_mut(&number) else { return };
        own.is_stopped = true;
        match own.header {
            header if header == self.config.me => self.stop_ask(AskId { from: header, number }),
            header if self.coordinator == Some(header) => {
                self.transmit(header, StopAsk { ask: number });
            }
            _ => {}
        }
    }

    /// We have found a coordinator. Where it is the one we had, answers go on.
    pub(crate) fn resume_asks(&mut self, coordinator: PeerId) {
        if self.own_asks.values().any(|own| own.header != coordinator) {
            let failure = self.coordinator_gone();
            return self.fail_own_asks(&failure);
        }
        let asks = self.own_asks.iter().map(|(&ask, own)| (ask, own.text_bytes, own.is_stopped));
        for (ask, text_bytes, is_stopped) in asks.collect::<Vec<_>>() {
            self.transmit(coordinator, Resume { ask, text_bytes });
            if is_stopped {
                self.transmit(coordinator, StopAsk { ask });
            }
        }
    }

    pub(crate) fn fail_own_asks(&mut self, failure: &Failure) {
        for (ask, _) in std::mem::take(&mut self.own_asks) {
            self.tell(Event::AskFailed { ask, failure: failure.clone() });
        }
    }

    pub(crate) fn take_text(&mut self, text: Text) -> Verdict {
        if let Some(own) = self.own_asks.get_mut(&text.ask) {
            own.text_bytes = own.text_bytes.saturating_add(text.delta.len() as u32);
            self.tell(Event::Text { ask: text.ask, delta: text.delta });
        }
        Ok(())
    }

    pub(crate) fn take_answered(&mut self, answered: Answered) -> Verdict {
        if self.own_asks.remove(&answered.ask).is_some() {
            self.tell(Event::Answered { ask: answered.ask, stats: answered.stats });
        }
        Ok(())
    }

    pub(crate) fn take_ask_failed(&mut self, failed: AskFailed) -> Verdict {
        if self.own_asks.remove(&failed.ask).is_some() {
            self.tell(Event::AskFailed { ask: failed.ask, failure: failed.failure });
        }
        Ok(())
    }
}

/// The header's answers.
impl Room {
    pub(crate) fn answer_text(&mut self, to: AskId, delta: String) {
        if to.from == self.config.me {
            self.tell(Event::Text { ask: to.number, delta });
        } else {
            self.say(to, delta);
        }
    }

    pub(crate) fn answered(&mut self, to: AskId, stats: AnswerStats) {
        if to.from == self.config.me {
            self.own_asks.remove(&to.number);
            self.tell(Event::Answered { ask: to.number, stats });
        } else {
            self.say_last(to, Answered { ask: to.number, stats }.into());
        }
    }

    pub(crate) fn answer_failed(&mut self, to: AskId, failure: Failure) {
        if to.from == self.config.me {
            self.own_asks.remove(&to.number);
            self.tell(Event::AskFailed { ask: to.number, failure });
        } else {
            self.say_last(to, AskFailed { ask: to.number, failure }.into());
        }
    }
}

/// Figures as a frame takes them.
fn bounded(options: Sampling) -> Sampling {
    let figure = |value: f32, otherwise: f32| {
        if value >= 0.0 && value.is_finite() { value } else { otherwise }
    };
    Sampling {
        temperature: figure(options.temperature, 0.0),
        top_p: figure(options.top_p, 1.0),
        min_p: figure(options.min_p, 0.0).min(1.0),
        repetition_penalty: match figure(options.repetition_penalty, 1.0) {
            0.0 => 1.0,
            penalty => penalty,
        },
        max_tokens: options.max_tokens.min(MAX_COMPLETION_TOKENS),
        logprobs: options.logprobs.map(|count| count.min(MAX_ALTERNATIVES)),
        ..options
    }
}

const TOO_LONG: &str = "A conversation may have 1 to 256 messages and 64 KiB of text. Begin a new one, or shorten the question.";
/// More than any page shows at once.
const MAX_OWN_ASKS: usize = 64;
