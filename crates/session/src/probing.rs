//! Measuring our own links, one after the other: three pings, then two bursts of
//! padding, the second sized so that it takes about half a second.

use std::collections::VecDeque;

use base::PeerId;
use protocol::peer::{LinkMeasured, Ping, Probe};

use crate::{Room, frames::Verdict};

/// The links that are still to be measured.
#[derive(Debug, Default)]
pub(crate) struct Prober {
    /// To be measured once the device has been.
    pub(crate) links_after_device: Vec<PeerId>,
    waiting: VecDeque<PeerId>,
    current: Option<Probing>,
}

#[derive(Debug)]
struct Probing {
    peer: PeerId,
    nonce: u32,
    sent_at_secs: f64,
    deadline_secs: f64,
    rtt_secs: f64,
    step: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many pings are still to come after this one.
    Ping { left: u8 },
    /// So many bytes are on their way; a second burst follows the first.
    Burst { bytes: usize, is_first: bool },
}

impl Prober {
    pub(crate) fn deadline(&self) -> Option<f64> {
        self.current.as_ref().map(|probing| probing.deadline_secs)
    }

    /// Our turn is over.
    pub(crate) fn stop(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn forget(&mut self, peer: PeerId) {
        self.waiting.retain(|waiting| *waiting != peer);
        if self.current.as_ref().is_some_and(|probing| probing.peer == peer) {
            self.current = None;
        }
    }

    /// Takes the current probe if `peer` answers it with `nonce`.
    fn answered(&mut self, peer: PeerId, nonce: u32) -> Option<Probing> {
        let is_answer = |probing: &Probing| (probing.peer, probing.nonce) == (peer, nonce);
        self.current.take_if(|probing| is_answer(probing))
    }
}

impl Room {
    /// Measures the links to `peers`, in that order, in place of what was under way.
    pub(crate) fn probe(&mut self, peers: &[PeerId]) {
        let me = self.config.me;
        self.prober.waiting = peers.iter().copied().filter(|peer| *peer != me).collect();
        self.prober.current = None;
    }

    /// Goes on with whatever is due.
    pub(crate) fn probe_on(&mut self) {
        let now = self.now_secs;
        if let Some(late) = self.prober.current.take_if(|probing| now >= probing.deadline_secs) {
            self.link_late(&late);
        }
        while self.prober.current.is_none() {
            let Some(peer) = self.prober.waiting.pop_front() else { return };
            if self.is_open(peer) {
                self.send_ping(peer, f64::INFINITY, PINGS - 1);
            } else {
                self.link_measured(peer, 0.0, 0.0);
            }
        }
    }

    pub(crate) fn take_pong(&mut self, peer: PeerId, nonce: u32) -> Verdict {
        let Some(probing) = self.prober.answered(peer, nonce) else { return Ok(()) };
        let rtt_secs = probing.rtt_secs.min(self.now_secs - probing.sent_at_secs);
        match probing.step {
            Step::Ping { left: 0 } => self.send_burst(peer, rtt_secs, FIRST_BURST_BYTES, true),
            Step::Ping { left } => self.send_ping(peer, rtt_secs, left - 1),
            Step::Burst { .. } => return Err("it answers a probe"),
        }
        Ok(())
    }

    pub(crate) fn take_probe_done(&mut self, peer: PeerId, nonce: u32) -> Verdict {
        let Some(probing) = self.prober.answered(peer, nonce) else { return Ok(()) };
        let Step::Burst { bytes, is_first } = probing.step else { return Err("it answers a ping") };
        let elapsed_secs = self.now_secs - probing.sent_at_secs - probing.rtt_secs;
        let bytes_per_sec = bytes as f64 / elapsed_secs.max(SHORTEST_SECS);
        let longer = ((bytes_per_sec * BURST_SECS) as usize).min(BURST_BYTES);
        if is_first && longer >= 2 * FIRST_BURST_BYTES {
            self.send_burst(peer, probing.rtt_secs, longer, false);
        } else {
            self.link_measured(peer, probing.rtt_secs, bytes_per_sec);
        }
        Ok(())
    }

    fn send_ping(&mut self, peer: PeerId, rtt_secs: f64, left: u8) {
        let nonce = self.start_probing(peer, rtt_secs, Step::Ping { left });
        self.transmit(peer, Ping { nonce });
    }

    fn send_burst(&mut self, peer: PeerId, rtt_secs: f64, bytes: usize, is_first: bool) {
        let nonce = self.start_probing(peer, rtt_secs, Step::Burst { bytes, is_first });
        let mut left = bytes;
        while left > 0 {
            let size = left.min(PROBE_BYTES);
            left -= size;
            self.transmit(peer, Probe { nonce, last: left == 0, padding: vec![0; size] });
        }
    }

    fn start_probing(&mut self, peer: PeerId, rtt_secs: f64, step: Step) -> u32 {
        let (nonce, now) = (self.nonce(), self.now_secs);
        let deadline_secs = now + LATE_SECS;
        let probing = Probing { peer, nonce, sent_at_secs: now, deadline_secs, rtt_secs, step };
        self.prober.current = Some(probing);
        nonce
    }

    /// No answer: half of what the link would have needed to be in time.
    fn link_late(&mut self, late: &Probing) {
        let rtt_secs = late.rtt_secs.min(LATE_SECS);
        let bytes = match late.step {
            Step::Ping { .. } => FIRST_BURST_BYTES,
            Step::Burst { bytes, .. } => bytes,
        };
        self.note(format!("The connection to {} is very slow.", self.name_of(late.peer)));
        self.link_measured(late.peer, rtt_secs, bytes as f64 / (2.0 * LATE_SECS));
    }

    fn link_measured(&mut self, to: PeerId, rtt_secs: f64, bytes_per_sec: f64) {
        let link = LinkMeasured { to, rtt_secs, bytes_per_sec };
        if self.config.coordinator {
            self.record_link(self.config.me, link);
        } else if let Some(coordinator) = self.coordinator {
            self.transmit(coordinator, link);
        }
    }
}

const PINGS: u8 = 3;
/// One probe, well within a channel's message.
const PROBE_BYTES: usize = 16 << 10;
const FIRST_BURST_BYTES: usize = 32 << 10;
const BURST_BYTES: usize = 256 << 10;
const BURST_SECS: f64 = 0.5;
/// A ping or a burst that takes longer has told enough.
const LATE_SECS: f64 = 3.0;
/// Timers of browsers are no finer than this.
const SHORTEST_SECS: f64 = 1e-4;
