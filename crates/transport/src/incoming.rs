//! What a channel brings, until it is polled: in the order of [`LinkEvent`], whichever order the channel tells it in.

use std::collections::VecDeque;

use protocol::peer::DecodeError;

use crate::{LinkEvent, MAX_BUFFERED_BYTES};

/// Events that were not polled yet. Messages may come before the channel says that it is open (Chromium, where the
/// channel was handed to a worker): they wait for that.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    events: VecDeque<LinkEvent>,
    frame_bytes: usize,
    is_open: bool,
    is_closed: bool,
}

impl Incoming {
    /// The channel is open; telling it again changes nothing.
    pub(crate) fn opened(&mut self) {
        if !self.is_open && !self.is_closed {
            self.is_open = true;
            self.events.push_front(LinkEvent::Open);
        }
    }

    /// Nothing comes after this; what came to a channel that never opened is forgotten.
    pub(crate) fn closed(&mut self) {
        if self.is_closed {
            return;
        }
        self.is_closed = true;
        if !self.is_open {
            self.events.clear();
        }
        self.events.push_back(LinkEvent::Closed);
    }

    /// What came is not what was sent.
    pub(crate) fn broken(&mut self, error: DecodeError) {
        self.push(LinkEvent::Broken(error));
        self.closed();
    }

    /// A whole frame. Where too much of them waits, nobody is going to poll: the link ends.
    pub(crate) fn frame(&mut self, frame: Vec<u8>) {
        self.frame_bytes += frame.len();
        if self.frame_bytes > MAX_BUFFERED_BYTES && self.frame_bytes > frame.len() {
            return self.closed();
        }
        self.push(LinkEvent::Frame(frame));
    }

    pub(crate) fn poll(&mut self) -> Option<LinkEvent> {
        if !self.is_open && !self.is_closed {
            return None;
        }
        let event = self.events.pop_front()?;
        if let LinkEvent::Frame(frame) = &event {
            self.frame_bytes -= frame.len();
        }
        Some(event)
    }

    fn push(&mut self, event: LinkEvent) {
        if !self.is_closed {
            self.events.push_back(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_before_the_channel_is_open_waits_for_that() {
        let mut incoming = Incoming::default();
        incoming.frame(vec![1]);
        incoming.frame(vec![2]);
        assert_eq!(incoming.poll(), None);
        incoming.opened();
        incoming.opened();
        incoming.frame(vec![3]);
        let all = [LinkEvent::Open, frame(1), frame(2), frame(3)];
        assert_eq!(rest(&mut incoming), all);
    }

    #[test]
    fn closing_comes_last_and_once() {
        let broken = DecodeError::UnknownTag { tag: 0 };
        let mut incoming = Incoming::default();
        incoming.opened();
        incoming.frame(vec![1]);
        incoming.broken(broken.clone());
        incoming.closed();
        incoming.frame(vec![2]);
        incoming.opened();
        let all = [LinkEvent::Open, frame(1), LinkEvent::Broken(broken), LinkEvent::Closed];
        assert_eq!(rest(&mut incoming), all);
    }

    #[test]
    fn a_channel_that_never_opened_brings_nothing() {
        let mut incoming = Incoming::default();
        incoming.frame(vec![1]);
        incoming.closed();
        incoming.opened();
        assert_eq!(rest(&mut incoming), [LinkEvent::Closed]);
    }

    #[test]
    fn what_nobody_polls_is_bounded() {
        let mut incoming = Incoming::default();
        let sent = 100;
        (0..sent).for_each(|_| incoming.frame(vec![0; MAX_BUFFERED_BYTES / 10]));
        incoming.opened();
        assert_eq!(rest(&mut incoming), [LinkEvent::Closed]);

        let mut polled = Incoming::default();
        polled.opened();
        for _ in 0..sent {
            polled.frame(vec![0; MAX_BUFFERED_BYTES / 10]);
            assert!(!rest(&mut polled).contains(&LinkEvent::Closed));
        }
    }

    fn frame(byte: u8) -> LinkEvent {
        LinkEvent::Frame(vec![byte])
    }

    fn rest(incoming: &mut Incoming) -> Vec<LinkEvent> {
        std::iter::from_fn(|| incoming.poll()).collect()
    }
}
