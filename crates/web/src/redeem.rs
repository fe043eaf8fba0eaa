//! Typing a short code that another phone shows: a socket of its own, until it has brought the invitation.

use std::{cell::RefCell, rc::Rc};

use js_sys::JsString;
use peer::{
    Emit,
    messages::{FromWorker, RedeemFailure},
};
use platform::Timer;
use protocol::signal::{
    Awaiting, ClientMessage, Redemption, RefusalCode, ServerMessage, ShortCode,
};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{MessageEvent, WebSocket};

/// A code on its way. Dropping it gives it up.
pub(crate) struct Redeeming {
    call: Rc<RefCell<Call>>,
    _opened: Closure<dyn FnMut()>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _closed: Closure<dyn FnMut()>,
    _time: Timer,
}

struct Call {
    socket: WebSocket,
    emit: Emit,
    step: Step,
    is_open: bool,
    /// The other end was shown that we know the code.
    is_confirmed: bool,
}

enum Step {
    Calling(Redemption),
    Confirmed(Awaiting),
    Over,
}

impl Redeeming {
    /// Calls the phone that shows the code; the page is told what comes of it, once.
    ///
    /// # Errors
    /// What cannot be tried at all.
    pub(crate) fn start(url: &str, typed: &str, emit: Emit) -> Result<Self, RedeemFailure> {
        let code = ShortCode::parse(typed).map_err(|_| RedeemFailure::BadCode)?;
        let (redemption, message) =
            Redemption::start(&code).map_err(|_| RedeemFailure::Unreachable)?;
        let hello = ClientMessage::Redeem { place: code.place(), message };
        let socket = WebSocket::new(url).map_err(|_| RedeemFailure::Unreachable)?;
        let step = Step::Calling(redemption);
        let call = Call { socket: socket.clone(), emit, step, is_open: false, is_confirmed: false };
        let call = Rc::new(RefCell::new(call));
        let opened = on_open(&call, hello);
        let message = on_message(&call);
        let ear = call.clone();
        let closed = Closure::<dyn FnMut()>::new(move || ear.borrow_mut().give_up());
        socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        let ear = call.clone();
        let time = Timer::after(PATIENCE_SECS, move || ear.borrow_mut().give_up());
        Ok(Self { call, _opened: opened, _message: message, _closed: closed, _time: time })
    }
}

fn on_open(call: &Rc<RefCell<Call>>, hello: ClientMessage) -> Closure<dyn FnMut()> {
    let call = call.clone();
    Closure::new(move || {
        let mut call = call.borrow_mut();
        call.is_open = true;
        call.say(&hello);
    })
}

fn on_message(call: &Rc<RefCell<Call>>) -> Closure<dyn FnMut(MessageEvent)> {
    let call = call.clone();
    Closure::new(move |event: MessageEvent| {
        let Ok(text) = event.data().dyn_into::<JsString>() else { return };
        if let Ok(message) = ServerMessage::from_json(&String::from(text)) {
            call.borrow_mut().hear(message);
        }
    })
}

impl Call {
    fn hear(&mut self, message: ServerMessage) {
        match (std::mem::replace(&mut self.step, Step::Over), message) {
            (Step::Over, _) => {}
            (Step::Calling(redemption), ServerMessage::CallAnswered { message }) => {
                match redemption.answered(&message) {
                    Ok((awaiting, message)) => {
                        self.step = Step::Confirmed(awaiting);
                        self.is_confirmed = true;
                        self.say(&ClientMessage::ConfirmCall { message });
                    }
                    Err(_) => self.fail(RedeemFailure::Forged),
                }
            }
            (Step::Confirmed(awaiting), ServerMessage::CallEnded { message: Some(message) }) => {
                match awaiting.open(&message) {
                    Ok(fragment) => {
                        self.end(&FromWorker::Redeemed { fragment: fragment.to_string() });
                    }
                    Err(_) => self.fail(RedeemFailure::Forged),
                }
            }
            (_, ServerMessage::CallEnded { message: None }) => self.fail(RedeemFailure::WrongCode),
            (_, ServerMessage::Refused { code, .. }) => self.fail(refused(code)),
            (step, _) => self.step = step,
        }
    }

    /// The socket is closed, or time is over.
    fn give_up(&mut self) {
        if !matches!(std::mem::replace(&mut self.step, Step::Over), Step::Over) {
            self.fail(match self.is_open {
                true => RedeemFailure::NoAnswer,
                false => RedeemFailure::Unreachable,
            });
        }
    }

    fn fail(&mut self, why: RedeemFailure) {
        self.end(&FromWorker::RedeemFailed { why, tried: self.is_confirmed });
    }

    fn end(&mut self, outcome: &FromWorker) {
        self.emit.send(outcome);
        let _ = self.socket.close();
    }

    fn say(&self, message: &ClientMessage) {
        // A closed socket tells so by itself.
        let _ = self.socket.send_with_str(&message.to_json());
    }
}

impl Drop for Redeeming {
    fn drop(&mut self) {
        let call = self.call.borrow();
        call.socket.set_onopen(None);
        call.socket.set_onmessage(None);
        call.socket.set_onclose(None);
        let _ = call.socket.close();
    }
}

fn refused(code: RefusalCode) -> RedeemFailure {
    match code {
        RefusalCode::CodeGone => RedeemFailure::CodeGone,
        RefusalCode::CodeBusy => RedeemFailure::CodeBusy,
        RefusalCode::LockedOut => RedeemFailure::LockedOut,
        _ => RedeemFailure::NoAnswer,
    }
}

/// The server hears a socket that is in no room for ten seconds.
const PATIENCE_SECS: f64 = 20.0;
