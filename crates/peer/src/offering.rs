//! Showing a short code that others type in place of scanning (see [`protocol::signal::ShortCode`]).

use platform::Timer;
use protocol::signal::{ClientMessage, Offer, RefusalCode, ServerMessage, ShortCode, SignalError};

use crate::{
    driver::{Driver, with},
    messages::{CodeEnd, CodeView, FromWorker},
    signaling::SignalEvent,
    world::World,
};

/// The code that this phone shows, if it does.
#[derive(Debug, Default)]
pub(crate) enum Offering {
    #[default]
    None,
    /// The server looks for a place.
    Asked {
        invitation: String,
        _time: Timer,
    },
    Shown {
        offer: Box<Offer>,
        life_secs: u32,
        redeemed: u32,
        _time: Timer,
    },
}

impl<W: World> Driver<W> {
    /// The page wants a code that brings `invitation`: what goes after the `#` of a link, whatever that is.
    pub(crate) fn offer_code(&mut self, invitation: String) {
        self.offering =
            Offering::Asked { invitation, _time: self.code_ends_after(ANSWER_SECS, CodeEnd::Lost) };
        self.ask_for_place();
        self.show_code();
    }

    /// Where there is a way to the server; else as soon as there is one.
    pub(crate) fn ask_for_place(&self) {
        if matches!(self.offering, Offering::Asked { .. }) {
            self.tell_server(&ClientMessage::OfferCode {});
        }
    }

    /// The page has put the code away.
    pub(crate) fn withdraw_code(&mut self) {
        self.put_away();
        self.show_code();
    }

    /// The invitation was made anew: a code that is shown brings this one.
    pub(crate) fn renew_code(&mut self, fragment: &str) {
        match &mut self.offering {
            Offering::None => {}
            Offering::Asked { invitation, .. } => fragment.clone_into(invitation),
            Offering::Shown { offer, .. } => {
                if let Err(failed) = offer.renew(fragment.to_owned().into()) {
                    self.remark(failed.to_string());
                }
            }
        }
    }

    /// The socket that the code was bound to is gone. A place that was only asked for is asked for anew.
    pub(crate) fn lose_code(&mut self) {
        if matches!(self.offering, Offering::Shown { .. }) {
            self.end_code(CodeEnd::Lost);
        }
    }

    /// Takes what is about codes. What is not comes back.
    pub(crate) fn hear_of_code(&mut self, event: SignalEvent) -> Option<SignalEvent> {
        let SignalEvent::Server(message) = event else { return Some(event) };
        match message {
            ServerMessage::CodeOffered { place, life_secs } => self.on_place(place, life_secs),
            ServerMessage::Called { call, message } => self.on_called(call, &message),
            ServerMessage::CallConfirmed { call, message } => self.on_confirmed(call, &message),
            ServerMessage::CallLeft { call } => {
                if let Offering::Shown { offer, .. } = &mut self.offering {
                    offer.left(call);
                }
            }
            ServerMessage::Refused { code: RefusalCode::CodesFull, .. } => {
                self.end_code(CodeEnd::ServerFull);
            }
            other => return Some(SignalEvent::Server(other)),
        }
        None
    }

    fn on_place(&mut self, place: u16, life_secs: u32) {
        let Offering::Asked { invitation, .. } = std::mem::take(&mut self.offering) else {
            return;
        };
        let offer = ShortCode::random(place).and_then(|code| Offer::new(code, invitation.into()));
        match offer {
            Ok(offer) => {
                let time = self.code_ends_after(f64::from(life_secs), CodeEnd::Expired);
                let offer = Box::new(offer);
                self.offering = Offering::Shown { offer, life_secs, redeemed: 0, _time: time };
                self.show_code();
            }
            Err(failed) => {
                self.remark(failed.to_string());
                self.end_code(CodeEnd::Lost);
            }
        }
    }

    fn on_called(&mut self, call: u32, message: &str) {
        let Offering::Shown { offer, .. } = &mut self.offering else { return };
        let answer = match offer.called(call, message) {
            Ok(message) => ClientMessage::AnswerCall { call, message },
            Err(_) => ClientMessage::EndCall { call, message: None },
        };
        self.tell_server(&answer);
    }

    fn on_confirmed(&mut self, call: u32, shown: &str) {
        let Offering::Shown { offer, redeemed, .. } = &mut self.offering else { return };
        let confirmed = offer.confirmed(call, shown);
        let is_spent = offer.tries_left() == 0;
        *redeemed += u32::from(confirmed.is_ok());
        let message = match confirmed {
            Err(SignalError::NoCall) => return,
            other => other.ok(),
        };
        self.tell_server(&ClientMessage::EndCall { call, message });
        if is_spent {
            self.end_code(CodeEnd::Guessed);
        } else {
            self.show_code();
        }
    }

    fn end_code(&mut self, why: CodeEnd) {
        self.put_away();
        self.emit.send(&FromWorker::Code { code: Some(CodeView::Over { why }) });
    }

    fn put_away(&mut self) {
        if !matches!(self.offering, Offering::None) {
            self.tell_server(&ClientMessage::WithdrawCode {});
        }
        self.offering = Offering::None;
    }

    fn show_code(&self) {
        let code = match &self.offering {
            Offering::None => None,
            Offering::Asked { .. } => Some(CodeView::Asked),
            Offering::Shown { offer, life_secs, redeemed, .. } => Some(CodeView::Shown {
                text: offer.code().to_string(),
                life_secs: *life_secs,
                tries_left: offer.tries_left(),
                redeemed: *redeemed,
            }),
        };
        self.emit.send(&FromWorker::Code { code });
    }

    fn code_ends_after(&self, secs: f64, why: CodeEnd) -> Timer {
        let this = self.this.clone();
        Timer::after(secs, move || with(&this, |driver| driver.end_code(why)))
    }
}

/// How long the server may take to find a place.
const ANSWER_SECS: f64 = 15.0;
