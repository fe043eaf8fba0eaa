//! The socket to the signaling server, and sealing what goes through it.

use std::{cell::RefCell, rc::Rc};

use base::PeerId;
use js_sys::JsString;
use protocol::signal::{
    ClientMessage, Invitation, Opener, Sealer, ServerMessage, SignalBody, SignalError,
};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{MessageEvent, WebSocket};

use crate::clock::Timer;

/// How long the server may take to let us in.
const ENTER_TIMEOUT_SECS: f64 = 15.0;

/// What comes out of the socket.
#[derive(Debug)]
pub enum SignalEvent {
    /// A message of the server's own.
    Server(ServerMessage),
    /// What a peer sealed for us.
    Body { from: PeerId, body: SignalBody },
    /// A message that is not what it should be; it was dropped.
    Dropped,
    /// The socket is closed, or never opened.
    Closed,
}

type Listener = Rc<dyn Fn(SignalEvent)>;

/// What numbers and seals the messages of one phone, whatever socket they go by.
#[derive(Debug)]
pub struct Seals {
    sealer: RefCell<Sealer>,
    opener: RefCell<Opener>,
}

impl Seals {
    /// Those of `me` in the invitation's room.
    pub fn new(invitation: &Invitation, me: PeerId) -> Self {
        let (sealer, opener) = (invitation.sealer(me), invitation.opener(me));
        Self { sealer: RefCell::new(sealer), opener: RefCell::new(opener) }
    }
}

/// An open socket. Dropping it closes it.
#[derive(Debug)]
pub struct Signaling {
    socket: WebSocket,
    seals: Rc<Seals>,
    _opened: Closure<dyn FnMut()>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _closed: Closure<dyn FnMut()>,
    entering: Rc<RefCell<Option<Timer>>>,
}

impl Signaling {
    /// Connects, and says `hello` to enter a room.
    ///
    /// # Errors
    /// The address is not one of a WebSocket.
    pub fn connect(
        url: &str,
        hello: &ClientMessage,
        seals: Rc<Seals>,
        listener: Listener,
    ) -> Result<Self, JsValue> {
        let socket = WebSocket::new(url)?;
        let opened = on_open(&socket, hello);
        let entering = Rc::new(RefCell::new(Some(enter_timeout(&listener))));
        let message = on_message(&socket, seals.clone(), &listener, &entering);
        let closed = Closure::<dyn FnMut()>::new(move || listener(SignalEvent::Closed));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        Ok(Self { socket, seals, _opened: opened, _message: message, _closed: closed, entering })
    }

    /// Says something to the server. A closed socket is not an error: its closing was told.
    pub fn tell(&self, message: &ClientMessage) {
        let _ = self.socket.send_with_str(&message.to_json());
    }

    /// Seals a body for `to` and sends it.
    ///
    /// # Errors
    /// The body cannot be sealed. A closed socket is not an error: its closing was told.
    pub fn send(&self, to: PeerId, body: &SignalBody) -> Result<(), SignalError> {
        let sealed = self.seals.sealer.borrow_mut().seal(to, body)?;
        self.tell(&ClientMessage::Send { to, sealed });
        Ok(())
    }
}

impl Drop for Signaling {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        self.entering.borrow_mut().take();
        let _ = self.socket.close();
    }
}

fn on_open(socket: &WebSocket, hello: &ClientMessage) -> Closure<dyn FnMut()> {
    let (greeter, hello) = (socket.clone(), hello.to_json());
    let opened = Closure::<dyn FnMut()>::new(move || {
        let _ = greeter.send_with_str(&hello);
    });
    socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
    opened
}

fn enter_timeout(listener: &Listener) -> Timer {
    let listener = listener.clone();
    Timer::after(ENTER_TIMEOUT_SECS, move || listener(SignalEvent::Closed))
}

fn on_message(
    socket: &WebSocket,
    seals: Rc<Seals>,
    listener: &Listener,
    entering: &Rc<RefCell<Option<Timer>>>,
) -> Closure<dyn FnMut(MessageEvent)> {
    let (listener, entering) = (listener.clone(), entering.clone());
    let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let Ok(text) = event.data().dyn_into::<JsString>() else { return };
        let event = read(&mut seals.opener.borrow_mut(), &String::from(text));
        if matches!(event, SignalEvent::Server(_)) {
            entering.borrow_mut().take();
        }
        listener(event);
    });
    socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
    message
}

fn read(opener: &mut Opener, text: &str) -> SignalEvent {
    let message = match ServerMessage::from_json(text) {
        Ok(message) => message,
        Err(_) => return SignalEvent::Dropped,
    };
    let ServerMessage::From { from, sealed } = message else {
        return SignalEvent::Server(message);
    };
    match opener.open(from, &sealed) {
        Ok(body) => SignalEvent::Body { from, body },
        Err(_) => SignalEvent::Dropped,
    }
}
