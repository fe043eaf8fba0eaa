//! Links within a process, in virtual time: latency, bandwidth, and cuts.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};

use crate::{Framing, Link, LinkError, LinkEvent, MAX_BUFFERED_BYTES};

/// Time that passes only when told to. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Clock(Rc<Cell<f64>>);

impl Clock {
    /// Seconds since the clock was made.
    pub fn now_secs(&self) -> f64 {
        self.0.get()
    }

    /// Lets time pass, never backwards.
    pub fn advance_to(&self, secs: f64) {
        self.0.set(secs.max(self.0.get()));
    }
}

/// How good a link is, in both directions.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Conditions {
    /// One way; half of a round trip.
    pub latency_secs: f64,
    /// Of each direction.
    pub bytes_per_sec: f64,
    /// The connection is cut when one direction has carried so many bytes. The channel
    /// is reliable, so that is all that loss can come to.
    pub cut_after_bytes: Option<u64>,
}

/// What can be done to a message: a channel does none of it, a peer may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tamper {
    /// It never comes.
    Lose,
    /// It comes twice.
    Double,
    /// The next one comes before it.
    Overtake,
    /// One of its bits is another.
    Damage,
}

/// Who does it.
#[derive(Debug)]
struct Tampering {
    how: Tamper,
    every: usize,
    passed: usize,
    held_back: Option<Vec<u8>>,
}

impl Tampering {
    /// What is sent in place of a message.
    fn pass(&mut self, mut message: Vec<u8>) -> impl Iterator<Item = Vec<u8>> {
        self.passed += 1;
        let is_hit = self.passed.is_multiple_of(self.every.max(1));
        let held_back = self.held_back.take();
        let sent = match self.how {
            _ if !is_hit => vec![message],
            Tamper::Lose => Vec::new(),
            Tamper::Double => vec![message.clone(), message],
            Tamper::Overtake => {
                self.held_back = Some(message);
                Vec::new()
            }
            Tamper::Damage => {
                let place = self.passed % message.len().max(1);
                if let Some(byte) = message.get_mut(place) {
                    *byte ^= 1 << (self.passed % 8);
                }
                vec![message]
            }
        };
        sent.into_iter().chain(held_back)
    }
}

/// One end of a link in memory.
#[derive(Debug)]
pub struct MemoryLink {
    clock: Clock,
    framing: Framing,
    tampering: Option<Tampering>,
    out: Rc<RefCell<Pipe>>,
    into: Rc<RefCell<Pipe>>,
    has_opened: bool,
    has_closed: bool,
}

/// Two ends of a new link; open after one round trip.
pub fn pair(clock: &Clock, conditions: Conditions) -> (MemoryLink, MemoryLink) {
    let open_at_secs = clock.now_secs() + 2.0 * conditions.latency_secs;
    let pipe = || Rc::new(RefCell::new(Pipe::new(conditions, open_at_secs)));
    let (there, back) = (pipe(), pipe());
    let end = |out: &Rc<RefCell<Pipe>>, into: &Rc<RefCell<Pipe>>| MemoryLink {
        clock: clock.clone(),
        framing: Framing::default(),
        tampering: None,
        out: Rc::clone(out),
        into: Rc::clone(into),
        has_opened: false,
        has_closed: false,
    };
    (end(&there, &back), end(&back, &there))
}

impl MemoryLink {
    /// When [`Link::poll`] has something next; not later than that, if no one sends.
    pub fn next_event_secs(&self) -> Option<f64> {
        if self.has_closed {
            return None;
        }
        let into = self.into.borrow();
        if !self.has_opened && into.closed_at_secs.is_none() {
            return Some(into.open_at_secs);
        }
        let arrival = into.messages.front().map(|message| message.arrives_at_secs);
        arrival.into_iter().chain(into.closed_at_secs).reduce(f64::min)
    }

    /// What is sent in this direction from now on goes so; what is on its way stays as it is.
    pub fn set_conditions(&mut self, conditions: Conditions) {
        self.out.borrow_mut().conditions = conditions;
    }

    /// What is sent from now on takes `factor` times the latency.
    pub fn stretch_latency(&mut self, factor: f64) {
        self.out.borrow_mut().latency_factor = factor;
    }

    /// Something is done to every so many messages from now on.
    pub fn tamper(&mut self, how: Tamper, every: usize) {
        self.tampering = Some(Tampering { how, every, passed: 0, held_back: None });
    }

    /// When all that was sent has arrived.
    pub fn arrival_secs(&self) -> f64 {
        self.out.borrow().arrived_at_secs
    }

    /// Breaks the connection at once; what is on its way is lost.
    pub fn cut(&mut self) {
        let now = self.clock.now_secs();
        for pipe in [&self.out, &self.into] {
            let mut pipe = pipe.borrow_mut();
            pipe.messages.clear();
            pipe.closed_at_secs = Some(pipe.closed_at_secs.unwrap_or(now).min(now));
        }
    }

    fn is_open(&self) -> bool {
        self.has_opened && !self.has_closed && self.out.borrow().closed_at_secs.is_none()
    }

    fn put_together(&mut self, message: Vec<u8>) -> Option<LinkEvent> {
        match self.framing.incoming(message) {
            Ok(frame) => frame.map(LinkEvent::Frame),
            Err(broken) => {
                self.cut();
                Some(LinkEvent::Broken(broken))
            }
        }
    }
}

impl Link for MemoryLink {
    fn send(&mut self, frame: Vec<u8>) -> Result<(), LinkError> {
        if !self.is_open() {
            return Err(LinkError::Closed);
        }
        LinkError::check_room(self.buffered_bytes(), frame.len())?;
        let now = self.clock.now_secs();
        let is_worn_out = {
            let mut out = self.out.borrow_mut();
            for message in self.framing.outgoing(frame) {
                match &mut self.tampering {
                    Some(tampering) => tampering.pass(message).for_each(|sent| out.push(now, sent)),
                    None => out.push(now, message),
                }
            }
            out.is_worn_out()
        };
        if is_worn_out {
            self.cut();
        }
        Ok(())
    }

    fn buffered_bytes(&self) -> usize {
        let out = self.out.borrow();
        let waiting_secs = (out.free_at_secs - self.clock.now_secs()).max(0.0);
        (waiting_secs * out.conditions.bytes_per_sec).min(2.0 * MAX_BUFFERED_BYTES as f64) as usize
    }

    fn poll(&mut self) -> Option<LinkEvent> {
        let now = self.clock.now_secs();
        loop {
            if self.next_event_secs().is_none_or(|at| at > now) {
                return None;
            }
            if !self.has_opened && self.into.borrow().closed_at_secs.is_none() {
                self.has_opened = true;
                return Some(LinkEvent::Open);
            }
            let message = self.into.borrow_mut().pop(now);
            let Some(message) = message else {
                self.has_closed = true;
                return Some(LinkEvent::Closed);
            };
            if let Some(event) = self.put_together(message) {
                return Some(event);
            }
        }
    }

    fn close(&mut self) {
        let closes_at_secs = |pipe: &Pipe| {
            let arrivals = pipe.messages.back().map(|message| message.arrives_at_secs);
            let now = self.clock.now_secs() + pipe.conditions.latency_secs;
            arrivals.unwrap_or(now).max(now)
        };
        {
            let mut out = self.out.borrow_mut();
            let at = closes_at_secs(&out);
            out.closed_at_secs.get_or_insert(at);
        }
        let mut into = self.into.borrow_mut();
        into.messages.clear();
        into.closed_at_secs = Some(self.clock.now_secs());
    }
}

/// One direction.
#[derive(Debug)]
struct Pipe {
    conditions: Conditions,
    latency_factor: f64,
    open_at_secs: f64,
    closed_at_secs: Option<f64>,
    /// When everything taken so far is on its way.
    free_at_secs: f64,
    /// When all of it has arrived.
    arrived_at_secs: f64,
    carried_bytes: u64,
    messages: VecDeque<Message>,
}

#[derive(Debug)]
struct Message {
    arrives_at_secs: f64,
    bytes: Vec<u8>,
}

impl Pipe {
    fn new(conditions: Conditions, open_at_secs: f64) -> Self {
        Self {
            conditions,
            latency_factor: 1.0,
            open_at_secs,
            closed_at_secs: None,
            free_at_secs: 0.0,
            arrived_at_secs: 0.0,
            carried_bytes: 0,
            messages: VecDeque::new(),
        }
    }

    fn push(&mut self, now_secs: f64, bytes: Vec<u8>) {
        let sending_secs = bytes.len() as f64 / self.conditions.bytes_per_sec;
        self.free_at_secs = self.free_at_secs.max(now_secs) + sending_secs;
        self.carried_bytes += bytes.len() as u64;
        let latency_secs = self.latency_factor * self.conditions.latency_secs;
        // Nothing overtakes what was sent before it.
        let arrives_at_secs = self.arrived_at_secs.max(self.free_at_secs + latency_secs);
        self.arrived_at_secs = arrives_at_secs;
        self.messages.push_back(Message { arrives_at_secs, bytes });
    }

    fn pop(&mut self, now_secs: f64) -> Option<Vec<u8>> {
        let has_arrived = |message: &mut Message| message.arrives_at_secs <= now_secs;
        self.messages.pop_front_if(has_arrived).map(|message| message.bytes)
    }

    fn is_worn_out(&self) -> bool {
        self.conditions.cut_after_bytes.is_some_and(|limit| self.carried_bytes >= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Conditions =
        Conditions { latency_secs: 0.01, bytes_per_sec: 1e6, cut_after_bytes: None };

    fn open_pair(conditions: Conditions) -> (Clock, MemoryLink, MemoryLink) {
        let clock = Clock::default();
        let (mut a, mut b) = pair(&clock, conditions);
        clock.advance_to(1.0);
        assert_eq!((a.poll(), b.poll()), (Some(LinkEvent::Open), Some(LinkEvent::Open)));
        (clock, a, b)
    }

    /// With its checksum a message of 10,000 bytes.
    const FRAME_BYTES: usize = 9_996;

    fn frame(len: usize) -> Vec<u8> {
        vec![1; len]
    }

    #[test]
    fn a_frame_takes_its_time() {
        let (clock, mut a, mut b) = open_pair(GOOD);
        a.send(frame(FRAME_BYTES)).expect("open");
        assert_eq!(b.next_event_secs(), Some(1.02));
        clock.advance_to(1.019);
        assert_eq!(b.poll(), None);
        clock.advance_to(1.02);
        assert_eq!(b.poll(), Some(LinkEvent::Frame(frame(FRAME_BYTES))));
        assert_eq!(b.poll(), None);
    }

    #[test]
    fn conditions_change_for_what_is_sent_afterwards_and_nothing_overtakes() {
        let (clock, mut a, mut b) = open_pair(GOOD);
        a.stretch_latency(3.0);
        a.send(frame(FRAME_BYTES)).expect("open");
        assert_eq!(a.arrival_secs(), 1.04);
        a.stretch_latency(1.0);
        a.set_conditions(Conditions { latency_secs: 0.001, bytes_per_sec: 1e7, ..GOOD });
        a.send(frame(FRAME_BYTES)).expect("open");
        clock.advance_to(1.039);
        assert_eq!(b.poll(), None);
        clock.advance_to(1.04);
        assert_eq!(b.poll(), Some(LinkEvent::Frame(frame(FRAME_BYTES))));
        assert_eq!(b.poll(), Some(LinkEvent::Frame(frame(FRAME_BYTES))));
        b.send(frame(FRAME_BYTES)).expect("open");
        assert_eq!(b.arrival_secs(), 1.04 + 0.02, "the other direction is as it was");
    }

    #[test]
    fn large_frames_arrive_whole_and_in_order() {
        let (clock, mut a, mut b) = open_pair(GOOD);
        a.send(frame(200_000)).expect("open");
        a.send(frame(3)).expect("open");
        clock.advance_to(2.0);
        assert_eq!(b.poll(), Some(LinkEvent::Frame(frame(200_000))));
        assert_eq!(b.poll(), Some(LinkEvent::Frame(frame(3))));
    }

    #[test]
    fn a_full_buffer_refuses() {
        let (clock, mut a, _b) = open_pair(GOOD);
        a.send(frame(MAX_BUFFERED_BYTES)).expect("an empty buffer takes any frame");
        assert!(matches!(a.send(frame(1000)), Err(LinkError::Full { frame_bytes: 1000, .. })));
        clock.advance_to(2.0);
        a.send(frame(1000)).expect("some of it is on its way");
    }

    #[test]
    fn a_cut_loses_what_is_on_its_way() {
        let (clock, mut a, mut b) = open_pair(GOOD);
        a.send(frame(10)).expect("open");
        a.cut();
        clock.advance_to(2.0);
        assert_eq!((a.poll(), b.poll()), (Some(LinkEvent::Closed), Some(LinkEvent::Closed)));
        assert_eq!((a.poll(), b.send(frame(1))), (None, Err(LinkError::Closed)));
    }

    #[test]
    fn a_worn_out_link_is_cut() {
        let (clock, mut a, mut b) = open_pair(Conditions { cut_after_bytes: Some(100), ..GOOD });
        a.send(frame(60)).expect("open");
        clock.advance_to(1.5);
        assert_eq!(b.poll(), Some(LinkEvent::Frame(frame(60))));
        a.send(frame(60)).expect("open");
        clock.advance_to(2.0);
        assert_eq!(b.poll(), Some(LinkEvent::Closed));
    }

    #[test]
    fn a_closed_link_delivers_what_was_sent() {
        let (clock, mut a, mut b) = open_pair(GOOD);
        a.send(frame(10)).expect("open");
        a.close();
        assert_eq!(a.poll(), Some(LinkEvent::Closed));
        clock.advance_to(2.0);
        assert_eq!(b.poll(), Some(LinkEvent::Frame(frame(10))));
        assert_eq!(b.poll(), Some(LinkEvent::Closed));
    }

    #[test]
    fn slices_that_do_not_fit_close_the_link() {
        let (clock, mut a, mut b) = open_pair(GOOD);
        a.tamper(Tamper::Double, 1);
        a.send(frame(100_000)).expect("open");
        clock.advance_to(2.0);
        assert!(matches!(b.poll(), Some(LinkEvent::Broken(_))));
        assert_eq!(b.poll(), Some(LinkEvent::Closed));
    }
}
