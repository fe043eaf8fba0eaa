//! A link over a WebRTC data channel, in whatever thread owns the channel.
//!
//! The channel's own queue is kept short, so that a stop or a token is not stuck behind
//! seconds of data; what it does not take at once waits here, within the bound of every link.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{MessageEvent, RtcDataChannel, RtcDataChannelState, RtcDataChannelType};

use crate::{Framing, Link, LinkError, LinkEvent, incoming::Incoming};

/// The channel's own queue is filled up to this.
const CHANNEL_QUEUE_BYTES: u32 = 256 << 10;
/// When the channel's queue has drained to this, more is given to it.
const LOW_QUEUE_BYTES: u32 = 64 << 10;

/// A data channel that carries frames. Dropping it closes the channel.
#[derive(Debug)]
pub struct WebLink {
    channel: RtcDataChannel,
    state: Rc<RefCell<State>>,
    _on_state: Closure<dyn FnMut()>,
    _on_low: Closure<dyn FnMut()>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

/// What waits in either direction.
#[derive(Debug, Default)]
struct State {
    framing: Framing,
    outgoing: VecDeque<Vec<u8>>,
    outgoing_bytes: usize,
    /// The wake-up that tells of what is in it has been called.
    incoming: Incoming,
}

impl WebLink {
    /// A link over `channel`, which may not be open yet. `wake` is called when there is
    /// something to poll, and never from within a call of this link.
    pub fn new(channel: RtcDataChannel, wake: Rc<dyn Fn()>) -> Self {
        channel.set_binary_type(RtcDataChannelType::Arraybuffer);
        channel.set_buffered_amount_low_threshold(LOW_QUEUE_BYTES);
        let state = Rc::new(RefCell::new(State::default()));
        state.borrow_mut().follow(&channel);
        let on_state = on_state(&channel, &state, &wake);
        let on_low = on_low(&channel, &state);
        let on_message = on_message(&channel, &state, wake);
        Self { channel, state, _on_state: on_state, _on_low: on_low, _on_message: on_message }
    }
}

impl Link for WebLink {
    fn send(&mut self, frame: Vec<u8>) -> Result<(), LinkError> {
        if self.channel.ready_state() != RtcDataChannelState::Open {
            return Err(LinkError::Closed);
        }
        LinkError::check_room(self.buffered_bytes(), frame.len())?;
        let mut state = self.state.borrow_mut();
        let messages = state.framing.outgoing(frame);
        state.outgoing_bytes += messages.iter().map(Vec::len).sum::<usize>();
        state.outgoing.extend(messages);
        state.flush(&self.channel);
        Ok(())
    }

    fn buffered_bytes(&self) -> usize {
        self.state.borrow().outgoing_bytes + self.channel.buffered_amount() as usize
    }

    fn poll(&mut self) -> Option<LinkEvent> {
        self.state.borrow_mut().incoming.poll()
    }

    fn close(&mut self) {
        self.channel.close();
    }
}

impl Drop for WebLink {
    fn drop(&mut self) {
        self.channel.set_onopen(None);
        self.channel.set_onclose(None);
        self.channel.set_onbufferedamountlow(None);
        self.channel.set_onmessage(None);
        self.channel.close();
    }
}

impl State {
    /// Gives the channel what it takes.
    fn flush(&mut self, channel: &RtcDataChannel) {
        while channel.ready_state() == RtcDataChannelState::Open
            && channel.buffered_amount() < CHANNEL_QUEUE_BYTES
        {
            let Some(message) = self.outgoing.pop_front() else { return };
            self.outgoing_bytes -= message.len();
            // A failure to send means that the channel is closing, which is told apart.
            if channel.send_with_u8_array(&message).is_err() {
                return;
            }
        }
    }

    /// Notes that the channel has opened or closed.
    fn follow(&mut self, channel: &RtcDataChannel) {
        match channel.ready_state() {
            RtcDataChannelState::Open => self.incoming.opened(),
            RtcDataChannelState::Closed => self.incoming.closed(),
            _ => {}
        }
    }

    /// Takes a message; one that fits nowhere ends the link.
    fn take(&mut self, message: Option<Vec<u8>>) {
        match message.map(|message| self.framing.incoming(message)) {
            Some(Ok(Some(frame))) => self.incoming.frame(frame),
            Some(Ok(None)) => {}
            Some(Err(broken)) => self.incoming.broken(broken),
            None => self.incoming.closed(),
        }
    }
}

fn on_state(
    channel: &RtcDataChannel,
    state: &Rc<RefCell<State>>,
    wake: &Rc<dyn Fn()>,
) -> Closure<dyn FnMut()> {
    let (state, wake, followed) = (state.clone(), wake.clone(), channel.clone());
    let closure = Closure::<dyn FnMut()>::new(move || {
        state.borrow_mut().follow(&followed);
        wake();
    });
    channel.set_onopen(Some(closure.as_ref().unchecked_ref()));
    channel.set_onclose(Some(closure.as_ref().unchecked_ref()));
    closure
}

fn on_low(channel: &RtcDataChannel, state: &Rc<RefCell<State>>) -> Closure<dyn FnMut()> {
    let (state, drained) = (state.clone(), channel.clone());
    let closure = Closure::<dyn FnMut()>::new(move || state.borrow_mut().flush(&drained));
    channel.set_onbufferedamountlow(Some(closure.as_ref().unchecked_ref()));
    closure
}

fn on_message(
    channel: &RtcDataChannel,
    state: &Rc<RefCell<State>>,
    wake: Rc<dyn Fn()>,
) -> Closure<dyn FnMut(MessageEvent)> {
    let state = state.clone();
    let closure = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        // Text instead of bytes is not of this protocol.
        let bytes = event.data().dyn_into::<ArrayBuffer>().ok();
        state.borrow_mut().take(bytes.map(|buffer| Uint8Array::new(&buffer).to_vec()));
        wake();
    });
    channel.set_onmessage(Some(closure.as_ref().unchecked_ref()));
    closure
}
