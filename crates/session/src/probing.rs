//! Measuring our own links, one after the other. First pings between two devices that have just run a step, as
//! the frames of a token go; then bursts of padding that take about a twentieth of a second. Of both, five
//! rounds count, after one that warms up.

use std::collections::VecDeque;

use base::{Estimate, PeerId};
use protocol::peer::{LinkMeasured, Ping, Pong, Probe};

use crate::{Room, exercise::Exercise, frames::Verdict, links::LinkPace};

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
    step: Step,
    /// Bytes of the next burst.
    burst_bytes: usize,
    rounds: Rounds,
}

/// What is under way.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Step {
    /// Our device runs a step before the next ping.
    Exercise,
    Ping,
    Burst,
}

/// What was measured so far.
#[derive(Default, Debug)]
struct Rounds {
    /// Devices take too long for their steps, so pings go without.
    is_plain: bool,
    /// Of the round under way.
    pings_secs: Vec<f64>,
    /// The first is the warm-up's.
    rtt_secs: Vec<f64>,
    bytes_per_sec: Vec<f64>,
}

impl Rounds {
    /// One more ping.
    fn add_ping(&mut self, secs: f64) {
        self.pings_secs.push(secs);
        if self.pings_secs.len() == PINGS {
            self.pings_secs.sort_by(f64::total_cmp);
            self.rtt_secs.push(self.pings_secs[PINGS / 2]);
            self.pings_secs.clear();
        }
    }

    fn has_pings(&self) -> bool {
        self.rtt_secs.len() > ROUNDS
    }

    fn has_bursts(&self) -> bool {
        self.bytes_per_sec.len() > ROUNDS
    }

    fn rtt_secs(&self) -> Estimate {
        Estimate::of(self.rtt_secs.get(1..).unwrap_or_default())
    }

    fn bytes_per_sec(&self) -> Estimate {
        Estimate::of(self.bytes_per_sec.get(1..).unwrap_or_default())
    }
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

    /// Measures the link to `peer` as well, once the others have been.
    pub(crate) fn probe_too(&mut self, peer: PeerId) {
        if !self.prober.waiting.contains(&peer) {
            self.prober.waiting.push_back(peer);
        }
    }

    /// Goes on with whatever is due.
    pub(crate) fn probe_on(&mut self) {
        let now = self.now_secs;
        if let Some(late) = self.prober.current.take_if(|probing| now >= probing.deadline_secs) {
            self.answer_late(late);
        }
        while self.prober.current.is_none() {
            let Some(peer) = self.prober.waiting.pop_front() else { return };
            if self.is_open(peer) {
                self.send_ping(peer, FIRST_BURST_BYTES, Rounds::default());
            } else {
                self.link_measured(peer, Estimate::exact(0.0), Estimate::exact(0.0));
            }
        }
    }

    /// Our device has run the step before a ping.
    pub(crate) fn ping_after_exercise(&mut self, number: u32) {
        let is_due =
            |probing: &mut Probing| (probing.step, probing.nonce) == (Step::Exercise, number);
        let Some(probing) = self.prober.current.take_if(is_due) else { return };
        let Probing { peer, burst_bytes, rounds, .. } = probing;
        self.send_ping_now(peer, burst_bytes, rounds);
    }

    pub(crate) fn take_pong(&mut self, peer: PeerId, pong: &Pong) -> Verdict {
        self.time_pong(peer, pong.nonce);
        let Some(probing) = self.prober.answered(peer, pong.nonce) else { return Ok(()) };
        if probing.step != Step::Ping {
            return Err("it answers no ping");
        }
        let Probing { burst_bytes, mut rounds, sent_at_secs, .. } = probing;
        rounds.add_ping((self.now_secs - sent_at_secs - pong.busy_secs).max(0.0));
        if rounds.has_pings() {
            self.send_burst(peer, burst_bytes, rounds);
        } else {
            self.send_ping(peer, burst_bytes, rounds);
        }
        Ok(())
    }

    pub(crate) fn take_probe_done(&mut self, peer: PeerId, nonce: u32) -> Verdict {
        let Some(probing) = self.prober.answered(peer, nonce) else { return Ok(()) };
        if probing.step != Step::Burst {
            return Err("it answers a ping");
        }
        let mut rounds = probing.rounds;
        let elapsed_secs = self.now_secs - probing.sent_at_secs - rounds.rtt_secs().mean;
        let bytes_per_sec = probing.burst_bytes as f64 / elapsed_secs.max(SHORTEST_SECS);
        rounds.bytes_per_sec.push(bytes_per_sec);
        if rounds.has_bursts() {
            self.link_measured(peer, rounds.rtt_secs(), rounds.bytes_per_sec());
        } else {
            let bytes = (bytes_per_sec * BURST_SECS) as usize;
            self.send_burst(peer, bytes.clamp(FIRST_BURST_BYTES, BURST_BYTES), rounds);
        }
        Ok(())
    }

    /// Once our device has run a step.
    fn send_ping(&mut self, peer: PeerId, burst_bytes: usize, rounds: Rounds) {
        if rounds.is_plain {
            return self.send_ping_now(peer, burst_bytes, rounds);
        }
        let number = self.exercise(Exercise::Ours);
        self.start_probing(peer, Step::Exercise, number, burst_bytes, rounds);
    }

    fn send_ping_now(&mut self, peer: PeerId, burst_bytes: usize, rounds: Rounds) {
        let (nonce, through_device) = (self.nonce(), !rounds.is_plain);
        self.start_probing(peer, Step::Ping, nonce, burst_bytes, rounds);
        self.transmit(peer, Ping { nonce, through_device });
    }

    fn send_burst(&mut self, peer: PeerId, burst_bytes: usize, rounds: Rounds) {
        let nonce = self.nonce();
        self.start_probing(peer, Step::Burst, nonce, burst_bytes, rounds);
        let mut left = burst_bytes;
        while left > 0 {
            let size = left.min(PROBE_BYTES);
            left -= size;
            self.transmit(peer, Probe { nonce, last: left == 0, padding: vec![0; size] });
        }
    }

    fn start_probing(
        &mut self,
        peer: PeerId,
        step: Step,
        nonce: u32,
        burst_bytes: usize,
        rounds: Rounds,
    ) {
        let sent_at_secs = self.now_secs;
        let deadline_secs = sent_at_secs + LATE_SECS;
        let probing =
            Probing { peer, nonce, sent_at_secs, deadline_secs, step, burst_bytes, rounds };
        self.prober.current = Some(probing);
    }

    /// A device that is late says nothing of the link.
    fn answer_late(&mut self, late: Probing) {
        let is_device = matches!(late.step, Step::Exercise | Step::Ping) && !late.rounds.is_plain;
        if !is_device {
            return self.link_late(&late);
        }
        let rounds = Rounds { is_plain: true, ..late.rounds };
        self.send_ping_now(late.peer, late.burst_bytes, rounds);
    }

    /// No answer: half of what the link would have needed to be in time.
    fn link_late(&mut self, late: &Probing) {
        let rtt_secs = match late.step {
            Step::Burst => late.rounds.rtt_secs(),
            Step::Exercise | Step::Ping => Estimate::exact(LATE_SECS),
        };
        let bytes_per_sec = late.burst_bytes as f64 / (2.0 * LATE_SECS);
        self.note(format!("The connection to {} is very slow.", self.name_of(late.peer)));
        self.link_measured(late.peer, rtt_secs, Estimate::exact(bytes_per_sec));
    }

    fn link_measured(&mut self, to: PeerId, rtt_secs: Estimate, bytes_per_sec: Estimate) {
        let link = LinkMeasured { to, rtt_secs, bytes_per_sec };
        // What was timed is of a link as it was before.
        if let Some(member) = self.members.get_mut(&to) {
            member.pace = LinkPace::default();
        }
        if self.config.coordinator {
            self.record_link(self.config.me, link);
        } else if let Some(coordinator) = self.coordinator {
            self.transmit(coordinator, link);
        }
    }
}

/// Rounds that count.
const ROUNDS: usize = 5;
/// Pings of a round.
const PINGS: usize = 3;
/// One probe, well within a channel's message.
const PROBE_BYTES: usize = 16 << 10;
const FIRST_BURST_BYTES: usize = 32 << 10;
const BURST_BYTES: usize = 256 << 10;
const BURST_SECS: f64 = 0.05;
/// A ping or a burst that takes longer has told enough.
const LATE_SECS: f64 = 3.0;
/// Timers of browsers are no finer than this.
const SHORTEST_SECS: f64 = 1e-4;
