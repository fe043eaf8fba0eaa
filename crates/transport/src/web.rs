//! A link over a WebRTC data channel, in whatever thread owns the channel.
//!
//! Frames are cut into messages ([`Slicer`]) and put together again ([`Assembler`]). What the
//! channel does not take at once waits here, up to [`MAX_WAITING_BYTES`]; a peer that does not
//! keep up beyond that loses the link.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use js_sys::{ArrayBuffer, Uint8Array};
use protocol::peer::{Assembler, Slicer};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{MessageEvent, RtcDataChannel, RtcDataChannelState, RtcDataChannelType};

/// The channel's own queue is kept below this, so that a stop or a short frame is not stuck
/// behind seconds of data.
const CHANNEL_QUEUE_BYTES: u32 = 256 << 10;
/// When the channel's queue has drained to this, more is given to it.
const LOW_QUEUE_BYTES: u32 = 64 << 10;
/// The most that waits outside of the channel's queue.
pub const MAX_WAITING_BYTES: usize = 32 << 20;

/// What happens on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// Frames can be sent.
    Open,
    /// A whole frame came.
    Frame(Vec<u8>),
    /// The link is gone: closed by either side, or by us for the reason given.
    Closed(Option<String>),
}

type Listener = Rc<dyn Fn(LinkEvent)>;

/// A data channel that carries frames. Dropping it closes the channel.
#[derive(Debug)]
pub struct WebLink {
    channel: RtcDataChannel,
    slicer: RefCell<Slicer>,
    waiting: Rc<RefCell<Waiting>>,
    _on_open: Closure<dyn FnMut()>,
    _on_close: Closure<dyn FnMut()>,
    _on_low: Closure<dyn FnMut()>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

/// Messages that the channel has not taken yet.
#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl WebLink {
    /// A link over `channel`, which may not be open yet. `listener` is never called from
    /// within a call of this link.
    pub fn new(channel: RtcDataChannel, listener: Listener) -> Self {
        channel.set_binary_type(RtcDataChannelType::Arraybuffer);
        channel.set_buffered_amount_low_threshold(LOW_QUEUE_BYTES);
        let waiting = Rc::new(RefCell::new(Waiting::default()));
        let on_open = on_open(&channel, &waiting, &listener);
        let on_close = on_close(&channel, &listener);
        let on_low = on_low(&channel, &waiting);
        let on_message = on_message(&channel, listener);
        Self {
            channel,
            slicer: RefCell::default(),
            waiting,
            _on_open: on_open,
            _on_close: on_close,
            _on_low: on_low,
            _on_message: on_message,
        }
    }

    /// Whether the channel is open already; [`LinkEvent::Open`] is only told for one that was not.
    pub fn is_open(&self) -> bool {
        self.channel.ready_state() == RtcDataChannelState::Open
    }

    /// Sends a frame, now or as soon as the channel takes it.
    ///
    /// # Errors
    /// Too much is waiting already: the peer does not keep up, and the link should be dropped.
    pub fn send(&self, frame: Vec<u8>) -> Result<(), Overrun> {
        let messages = self.slicer.borrow_mut().slice(frame);
        let mut waiting = self.waiting.borrow_mut();
        waiting.bytes += messages.iter().map(Vec::len).sum::<usize>();
        waiting.messages.extend(messages);
        if waiting.bytes > MAX_WAITING_BYTES {
            return Err(Overrun);
        }
        waiting.flush(&self.channel);
        Ok(())
    }
}

/// More waits for a peer than a link holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overrun;

impl Drop for WebLink {
    fn drop(&mut self) {
        self.channel.set_onopen(None);
        self.channel.set_onclose(None);
        self.channel.set_onbufferedamountlow(None);
        self.channel.set_onmessage(None);
        self.channel.close();
    }
}

impl Waiting {
    /// Gives the channel what it takes.
    fn flush(&mut self, channel: &RtcDataChannel) {
        while channel.ready_state() == RtcDataChannelState::Open
            && channel.buffered_amount() < CHANNEL_QUEUE_BYTES
        {
            let Some(message) = self.messages.pop_front() else { return };
            self.bytes -= message.len();
            // A failure to send means that the channel is closing, which is told apart.
            if channel.send_with_u8_array(&message).is_err() {
                return;
            }
        }
    }
}

fn on_open(
    channel: &RtcDataChannel,
    waiting: &Rc<RefCell<Waiting>>,
    listener: &Listener,
) -> Closure<dyn FnMut()> {
    let (waiting, listener, open) = (waiting.clone(), listener.clone(), channel.clone());
    let closure = Closure::<dyn FnMut()>::new(move || {
        waiting.borrow_mut().flush(&open);
        listener(LinkEvent::Open);
    });
    channel.set_onopen(Some(closure.as_ref().unchecked_ref()));
    closure
}

fn on_close(channel: &RtcDataChannel, listener: &Listener) -> Closure<dyn FnMut()> {
    let listener = listener.clone();
    let closure = Closure::<dyn FnMut()>::new(move || listener(LinkEvent::Closed(None)));
    channel.set_onclose(Some(closure.as_ref().unchecked_ref()));
    closure
}

fn on_low(channel: &RtcDataChannel, waiting: &Rc<RefCell<Waiting>>) -> Closure<dyn FnMut()> {
    let (waiting, drained) = (waiting.clone(), channel.clone());
    let closure = Closure::<dyn FnMut()>::new(move || waiting.borrow_mut().flush(&drained));
    channel.set_onbufferedamountlow(Some(closure.as_ref().unchecked_ref()));
    closure
}

fn on_message(channel: &RtcDataChannel, listener: Listener) -> Closure<dyn FnMut(MessageEvent)> {
    let mut assembler = Assembler::default();
    let closure = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let Ok(buffer) = event.data().dyn_into::<ArrayBuffer>() else {
            return listener(LinkEvent::Closed(Some("it sent text instead of frames".into())));
        };
        match assembler.push(Uint8Array::new(&buffer).to_vec()) {
            Ok(Some(frame)) => listener(LinkEvent::Frame(frame)),
            Ok(None) => {}
            Err(error) => listener(LinkEvent::Closed(Some(error.to_string()))),
        }
    });
    channel.set_onmessage(Some(closure.as_ref().unchecked_ref()));
    closure
}
