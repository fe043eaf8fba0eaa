//! A link over a data channel of the `webrtc` crate, in the thread that made it, which runs a `tokio::task::LocalSet`.
//!
//! The channel's own queue is kept as short as a browser's ([`crate::web`]): what it does not take at once waits here,
//! within the bound of every link.

use std::{cell::RefCell, collections::VecDeque, rc::Rc, sync::Arc, time::Duration};

use bytes::BytesMut;
use tokio::{sync::Notify, task::spawn_local, time::timeout};
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit};

use crate::{Framing, Link, LinkError, LinkEvent, incoming::Incoming};

/// The channel's own queue is filled up to this.
const CHANNEL_QUEUE_BYTES: usize = 256 << 10;
/// When the channel's queue has drained to this, more is given to it.
const LOW_QUEUE_BYTES: u32 = 64 << 10;
/// How long a channel may take nothing at all.
const STALL_SECS: u64 = 30;
/// How often one looks whether a full channel has drained: the event for it may come before one waits for it.
const LOOK: Duration = Duration::from_millis(50);
/// How long what was sent may take to leave when a link is closed.
const FLUSH_SECS: u64 = 2;

/// What both ends make of a channel before they negotiate, as browsers do it (`web/src/engine/rtc.ts`).
pub fn channel() -> RTCDataChannelInit {
    RTCDataChannelInit { ordered: true, negotiated: Some(0), ..RTCDataChannelInit::default() }
}

/// A data channel that carries frames. Dropping it closes the channel, once what was sent has left or had its time.
pub struct NativeLink {
    shared: Rc<Shared>,
}

/// What the link and its two tasks know.
struct Shared {
    channel: Arc<dyn DataChannel>,
    state: RefCell<State>,
    /// There is something to send, or nothing more will come.
    more: Notify,
    /// The channel has room again.
    low: Notify,
}

#[derive(Default)]
struct State {
    framing: Framing,
    outgoing: VecDeque<Vec<u8>>,
    outgoing_bytes: usize,
    /// What the channel had when it was asked.
    channel_bytes: usize,
    is_open: bool,
    is_closing: bool,
    /// The wake-up that tells of what is in it has been called.
    incoming: Incoming,
    /// None once the link is dropped.
    wake: Option<Rc<dyn Fn()>>,
}

impl NativeLink {
    /// A link over `channel`, which may not be open yet. `wake` is called when there is something to poll, and never
    /// from within a call of this link.
    ///
    /// # Panics
    /// Outside of a `LocalSet`.
    pub fn new(channel: Arc<dyn DataChannel>, wake: Rc<dyn Fn()>) -> Self {
        let state = State { wake: Some(wake), ..State::default() };
        let (more, low) = (Notify::new(), Notify::new());
        let shared = Rc::new(Shared { channel, state: state.into(), more, low });
        // Both end with the channel.
        spawn_local(receive(shared.clone()));
        spawn_local(send(shared.clone()));
        Self { shared }
    }
}

impl Link for NativeLink {
    fn send(&mut self, frame: Vec<u8>) -> Result<(), LinkError> {
        let mut state = self.shared.state.borrow_mut();
        if !state.is_open || state.is_closing {
            return Err(LinkError::Closed);
        }
        LinkError::check_room(state.outgoing_bytes + state.channel_bytes, frame.len())?;
        let messages = state.framing.outgoing(frame);
        state.outgoing_bytes += messages.iter().map(Vec::len).sum::<usize>();
        state.outgoing.extend(messages);
        self.shared.more.notify_one();
        Ok(())
    }

    fn buffered_bytes(&self) -> usize {
        let state = self.shared.state.borrow();
        state.outgoing_bytes + state.channel_bytes
    }

    fn poll(&mut self) -> Option<LinkEvent> {
        self.shared.state.borrow_mut().incoming.poll()
    }

    fn close(&mut self) {
        self.shared.end();
    }
}

impl Drop for NativeLink {
    fn drop(&mut self) {
        self.shared.state.borrow_mut().wake = None;
        self.shared.end();
    }
}

impl std::fmt::Debug for NativeLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NativeLink")
            .field("buffered", &self.buffered_bytes())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn end(&self) {
        self.state.borrow_mut().is_closing = true;
        self.more.notify_one();
    }

    /// Notes something that came, and tells.
    fn note(&self, change: impl FnOnce(&mut State)) {
        let wake = {
            let mut state = self.state.borrow_mut();
            change(&mut state);
            state.wake.clone()
        };
        if let Some(wake) = wake {
            wake();
        }
    }

    /// Nothing comes any more.
    fn closed(&self) {
        self.note(|state| {
            state.is_open = false;
            state.incoming.closed();
        });
        self.end();
    }

    /// What waits next; once nothing does, none if the link is closing.
    async fn next(&self) -> Option<Vec<u8>> {
        loop {
            {
                let mut state = self.state.borrow_mut();
                if let Some(message) = state.outgoing.pop_front() {
                    state.outgoing_bytes -= message.len();
                    return Some(message);
                }
                if state.is_closing {
                    return None;
                }
            }
            let has_sent = self.state.borrow().channel_bytes > 0;
            if has_sent && timeout(LOOK, self.more.notified()).await.is_err() {
                self.look().await;
            } else if !has_sent {
                // For as long as nobody wants anything of it; the room knows when a link is silent.
                self.more.notified().await;
            }
        }
    }

    /// What the channel has, if it is still there.
    async fn look(&self) -> Option<usize> {
        let bytes = self.channel.outstanding_bytes().await.ok();
        self.state.borrow_mut().channel_bytes = bytes.unwrap_or(0);
        bytes
    }

    /// Waits until the channel has drained to `bytes`; `false` where it is gone, or stands still for `secs`.
    async fn drained(&self, bytes: usize, secs: u64) -> bool {
        let (mut before, mut moved_at) = (usize::MAX, tokio::time::Instant::now());
        while let Some(has) = self.look().await {
            if has <= bytes {
                return true;
            }
            if has != before {
                (before, moved_at) = (has, tokio::time::Instant::now());
            } else if moved_at.elapsed() > Duration::from_secs(secs) {
                return false;
            }
            // Whether it was told or not, it is looked at next.
            let _ = timeout(LOOK, self.low.notified()).await;
        }
        false
    }
}

impl State {
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

/// Takes what comes, until the channel is closed.
async fn receive(shared: Rc<Shared>) {
    while let Some(event) = shared.channel.poll().await {
        match event {
            DataChannelEvent::OnOpen => {
                let _ = shared.channel.set_buffered_amount_low_threshold(LOW_QUEUE_BYTES).await;
                shared.note(|state| {
                    state.is_open = true;
                    state.incoming.opened();
                });
                shared.more.notify_one();
            }
            DataChannelEvent::OnMessage(message) => {
                // Text instead of bytes is not of this protocol.
                let bytes = (!message.is_string).then(|| message.data.to_vec());
                shared.note(|state| state.take(bytes));
            }
            DataChannelEvent::OnBufferedAmountLow => shared.low.notify_one(),
            DataChannelEvent::OnClosing | DataChannelEvent::OnClose => break,
            _ => {}
        }
    }
    shared.closed();
}

/// Gives the channel what it takes, and closes it in the end.
async fn send(shared: Rc<Shared>) {
    while let Some(message) = shared.next().await {
        // A failure to send means that the channel is closing, which is told apart.
        let has_room = shared.drained(CHANNEL_QUEUE_BYTES, STALL_SECS).await;
        if !has_room || shared.channel.send(BytesMut::from(&message[..])).await.is_err() {
            break;
        }
    }
    shared.drained(0, FLUSH_SECS).await;
    let _ = timeout(Duration::from_secs(FLUSH_SECS), shared.channel.close()).await;
}
