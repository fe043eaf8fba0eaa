//! The socket to the signaling server, and sealing what goes through it.

use std::{cell::RefCell, rc::Rc};

use base::PeerId;
use platform::Timer;
use protocol::signal::{
    ClientMessage, Invitation, Opener, Sealer, ServerMessage, SignalBody, SignalError,
};

use crate::world::{Socket, SocketEvent};

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
pub struct Signaling<S> {
    /// Empty for as long as it takes to make it.
    socket: Rc<RefCell<Option<S>>>,
    seals: Rc<Seals>,
    entering: Rc<RefCell<Option<Timer>>>,
}

impl<S: Socket + 'static> Signaling<S> {
    /// Connects, and says `hello` to enter a room; none where the address is not one of a WebSocket.
    pub fn connect(
        connect: impl FnOnce(Rc<dyn Fn(SocketEvent)>) -> Option<S>,
        hello: &ClientMessage,
        seals: Rc<Seals>,
        listener: Listener,
    ) -> Option<Self> {
        let socket = Rc::<RefCell<Option<S>>>::default();
        let entering = Rc::new(RefCell::new(Some(enter_timeout(&listener))));
        let (hello, opened, greeter) = (hello.to_json(), seals.clone(), Rc::downgrade(&socket));
        let let_in = entering.clone();
        let on_event = move |event| {
            // What a socket says that nobody has any more is not of the one that may be there by now.
            let Some(socket) = greeter.upgrade() else { return };
            match event {
                SocketEvent::Open => {
                    if let Some(socket) = &*socket.borrow() {
                        socket.send(hello.clone());
                    }
                }
                SocketEvent::Text(text) => {
                    let event = read(&mut opened.opener.borrow_mut(), &text);
                    if matches!(event, SignalEvent::Server(_)) {
                        let_in.borrow_mut().take();
                    }
                    listener(event);
                }
                SocketEvent::Closed => listener(SignalEvent::Closed),
            }
        };
        *socket.borrow_mut() = Some(connect(Rc::new(on_event))?);
        Some(Self { socket, seals, entering })
    }

    /// Says something to the server. A closed socket is not an error: its closing was told.
    pub fn tell(&self, message: &ClientMessage) {
        if let Some(socket) = &*self.socket.borrow() {
            socket.send(message.to_json());
        }
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

impl<S> Drop for Signaling<S> {
    fn drop(&mut self) {
        self.entering.borrow_mut().take();
        self.socket.borrow_mut().take();
    }
}

fn enter_timeout(listener: &Listener) -> Timer {
    let listener = listener.clone();
    Timer::after(ENTER_TIMEOUT_SECS, move || listener(SignalEvent::Closed))
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
