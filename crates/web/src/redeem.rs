//! Typing a short code that another phone shows: a socket of its own, until it has brought the invitation.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
};

use peer::{
    Emit, Socket, SocketEvent,
    messages::{FromWorker, RedeemFailure},
};
use platform::Timer;
use protocol::signal::{
    Awaiting, ClientMessage, Redemption, RefusalCode, ServerMessage, ShortCode,
};

use crate::socket::WebSignaling;

/// A code on its way. Dropping it gives it up.
pub(crate) struct Redeeming {
    _call: Rc<RefCell<Call>>,
    _time: Timer,
}

struct Call {
    /// Until the call has ended.
    socket: Option<WebSignaling>,
    emit: Emit,
    step: Step,
    is_open: bool,
    /// The other end was shown that we know the code.
    is_confirmed: bool,
}

enum Step {
    /// What is said as soon as the socket is open.
    Calling(Redemption, ClientMessage),
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
        let step = Step::Calling(redemption, hello);
        let call = Call { socket: None, emit, step, is_open: false, is_confirmed: false };
        let call = Rc::new(RefCell::new(call));
        let ear = Rc::downgrade(&call);
        let listener = Rc::new(move |event| with(&ear, |call| call.on_socket(event)));
        let socket = WebSignaling::connect(url, listener).ok_or(RedeemFailure::Unreachable)?;
        call.borrow_mut().socket = Some(socket);
        let ear = Rc::downgrade(&call);
        let time = Timer::after(PATIENCE_SECS, move || with(&ear, Call::give_up));
        Ok(Self { _call: call, _time: time })
    }
}

/// Runs `act` on the call, if it has not been given up.
fn with(call: &Weak<RefCell<Call>>, act: impl FnOnce(&mut Call)) {
    if let Some(call) = call.upgrade() {
        act(&mut call.borrow_mut());
    }
}

impl Call {
    fn on_socket(&mut self, event: SocketEvent) {
        match event {
            SocketEvent::Open => {
                self.is_open = true;
                if let Step::Calling(_, hello) = &self.step {
                    self.say(hello);
                }
            }
            SocketEvent::Text(text) => {
                if let Ok(message) = ServerMessage::from_json(&text) {
                    self.hear(message);
                }
            }
            SocketEvent::Closed => self.give_up(),
        }
    }

    fn hear(&mut self, message: ServerMessage) {
        match (std::mem::replace(&mut self.step, Step::Over), message) {
            (Step::Over, _) => {}
            (Step::Calling(redemption, _), ServerMessage::CallAnswered { message }) => {
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
        self.socket = None;
        self.emit.send(outcome);
    }

    fn say(&self, message: &ClientMessage) {
        if let Some(socket) = &self.socket {
            socket.send(message.to_json());
        }
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
