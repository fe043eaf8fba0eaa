//! Doing what the room wants.

use base::{Message, PeerId, RequestId};
use platform::timed;
use protocol::{
    peer::{Failure, FailureCode, Frame, RoomSecret},
    signal::Invitation,
};
use session::{AskId, ErrorView, Event, Input, Output};
use transport::{Link, LinkError};

use crate::{
    driver::Driver,
    machine::Work,
    messages::FromWorker,
    world::{Decoder as _, Text as _, World},
};

impl<W: World> Driver<W> {
    /// Does one output of the room.
    pub(crate) fn perform(&mut self, output: Output) {
        match output {
            Output::Transmit { to, frame } => self.transmit(to, &frame),
            Output::Disconnect { peer } => self.disconnect(peer),
            Output::CheckTicket { peer, ticket } => self.check_ticket(peer, &ticket),
            Output::StayAway => self.stay_away(),
            Output::Prepare { model } => self.queue(Work::Prepare(model)),
            Output::Measure { model } => self.queue(Work::Measure(model)),
            Output::Exercise { number } => self.queue(Work::Exercise(number)),
            Output::LoadStage(stage) => {
                self.wanted_epoch.set(Some(stage.epoch));
                self.queue(Work::Load(stage));
            }
            Output::LoadCopies { number, copies } => {
                self.queue(Work::LoadCopies { number, copies });
            }
            Output::UnloadStage => {
                self.wanted_epoch.set(None);
                self.queue(Work::Unload);
            }
            Output::ReadCache { to, ask } => self.queue(Work::ReadCache { to, ask }),
            Output::WriteCache { of, data } => self.queue(Work::WriteCache { of, data }),
            Output::RunStage(job) => self.queue(Work::Run(job)),
            Output::Tokenize { ask, messages } => self.tokenize(ask, &messages),
            Output::Decode { request, token, last } => self.decode(request, token, last),
            Output::Event(event) => self.tell(event),
            Output::WakeAt(at_secs) => self.set_alarm(at_secs),
        }
    }

    fn transmit(&mut self, to: PeerId, frame: &Frame) {
        let sent =
            self.links.get_mut(&to).map(|link| timed("sending", || link.send(frame.encode())));
        // A closed link tells so by itself.
        if let Some(Err(LinkError::Full { .. })) = sent {
            self.disconnect(to);
        }
    }

    /// Drops a link; the room hears of it next.
    pub(crate) fn disconnect(&mut self, peer: PeerId) {
        self.opening.remove(&peer);
        self.restart_ended(peer);
        if self.links.remove(&peer).is_some() {
            let command = crate::messages::RtcCommand::Close { peer };
            self.emit.send(&FromWorker::Rtc { command });
            self.answers.push(Input::LinkDown { peer });
            self.link_lost(peer);
        }
    }

    /// Nor are links that are still on their way wanted.
    fn stay_away(&mut self) {
        let peers: Vec<PeerId> = self.links.keys().copied().collect();
        peers.into_iter().for_each(|peer| self.disconnect(peer));
        self.introductions.end();
    }

    fn check_ticket(&mut self, peer: PeerId, ticket: &[u8]) {
        let is_good = self.is_invited(ticket);
        self.answers.push(Input::TicketChecked { peer, is_good });
    }

    fn tokenize(&mut self, ask: AskId, messages: &[Message]) {
        let result = match &self.text {
            Some(text) => timed("tokenizer", || text.prompt(messages))
                .map_err(|problem| Failure::new(FailureCode::Internal, problem)),
            None => Err(Failure::new(FailureCode::Internal, "The model is not open.")),
        };
        self.answers.push(Input::Tokenized { ask, result });
    }

    fn decode(&mut self, request: RequestId, token: Option<u32>, last: bool) {
        let mut text = String::new();
        if let Some(model_text) = &self.text {
            let decoder = self.decoders.entry(request).or_insert_with(|| model_text.decoder());
            text = timed("detokenizer", || match token {
                Some(token) => decoder.push(token),
                None => decoder.finish(),
            });
        }
        if last {
            self.decoders.remove(&request);
        }
        self.answers.push(Input::Decoded { request, text });
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::ViewChanged => self.view_changed = true,
            Event::Text { ask, delta } => self.emit.send(&FromWorker::Text { ask, delta }),
            Event::Answered { ask, stats } => self.emit.send(&FromWorker::Done { ask, stats }),
            Event::AskFailed { ask, failure } => {
                let error = ErrorView::from(&failure);
                self.emit.send(&FromWorker::Failed { ask: Some(ask), error });
            }
            Event::Remembered { identity, name, device, secret: RoomSecret(secret) } => {
                let secret = Invitation::from_secret(secret).to_fragment(None).to_string();
                self.emit.send(&FromWorker::Remembered { identity, name, device, secret });
            }
            Event::Note { message } => self.remark(message),
            Event::Misbehaved { peer, reason } => {
                self.remark(format!("a frame of {peer} was refused: {reason}"));
            }
        }
    }
}
