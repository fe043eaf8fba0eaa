//! The browser's WebSocket.

use std::rc::Rc;

use js_sys::JsString;
use peer::{Socket, SocketEvent};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{MessageEvent, WebSocket};

/// A socket. Dropping it closes it.
#[derive(Debug)]
pub struct WebSignaling {
    socket: WebSocket,
    _opened: Closure<dyn FnMut()>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _closed: Closure<dyn FnMut()>,
}

impl WebSignaling {
    /// Connects; none where the address is not one of a WebSocket.
    pub fn connect(url: &str, listener: Rc<dyn Fn(SocketEvent)>) -> Option<Self> {
        let socket = WebSocket::new(url).ok()?;
        let (hear_open, hear_text, hear_end) = (listener.clone(), listener.clone(), listener);
        let opened = Closure::<dyn FnMut()>::new(move || hear_open(SocketEvent::Open));
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Ok(text) = event.data().dyn_into::<JsString>() {
                hear_text(SocketEvent::Text(String::from(text)));
            }
        });
        let closed = Closure::<dyn FnMut()>::new(move || hear_end(SocketEvent::Closed));
        socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        Some(Self { socket, _opened: opened, _message: message, _closed: closed })
    }
}

impl Socket for WebSignaling {
    fn send(&self, text: String) {
        let _ = self.socket.send_with_str(&text);
    }
}

impl Drop for WebSignaling {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        let _ = self.socket.close();
    }
}
