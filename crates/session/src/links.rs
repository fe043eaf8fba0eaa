//! How links do while answers run, from the pings that tell who is there.
//!
//! Every phone times its pings to the others; one that goes out behind a large frame tells how long that frame takes.
//! The coordinator compares each figure with the first of its kind, since what was measured before the answers went from
//! device to device, and a plain ping does not.

use base::PeerId;
use protocol::peer::{LinkMeasured, LinkTimes};

use crate::{LinkState, Room, members::Member, pace::Pace};

/// Our link to another phone, while answers run.
#[derive(Debug, Default)]
pub(crate) struct LinkPace {
    /// One ping at a time: a page that stood still answers many at once, and spoils no more than one figure.
    timed: Option<Timed>,
    /// A large frame went out, and no ping behind it.
    is_laden: bool,
    rtt: Pace,
    rtt_at_secs: f64,
    /// Seconds for a byte.
    byte: Pace,
    byte_at_secs: f64,
}

/// A ping that is not answered yet.
#[derive(Debug)]
struct Timed {
    nonce: u32,
    sent_at_secs: f64,
    /// Of the frame right in front of it, if that is what it is to time.
    large_bytes: Option<usize>,
    /// Large frames were in its way.
    is_hindered: bool,
}

impl LinkPace {
    /// A ping goes out, behind a frame of so many bytes or by itself.
    fn pinged(&mut self, nonce: u32, now_secs: f64, large_bytes: Option<usize>) {
        if self.timed.is_none() {
            let is_hindered = std::mem::take(&mut self.is_laden) && large_bytes.is_none();
            self.timed = Some(Timed { nonce, sent_at_secs: now_secs, large_bytes, is_hindered });
        }
    }

    /// A large frame goes out. Gives whether a ping behind it would time it, and nothing else.
    fn sends_large(&mut self) -> bool {
        let was_laden = std::mem::replace(&mut self.is_laden, true);
        !was_laden && self.timed.is_none() && self.rtt.latest().is_some()
    }

    /// A large frame came from there: the answer may have waited behind it.
    fn took_large(&mut self) {
        if let Some(timed) = &mut self.timed {
            timed.is_hindered = true;
        }
    }

    fn answered(&mut self, nonce: u32, now_secs: f64) {
        let Some(timed) = self.timed.take_if(|timed| timed.nonce == nonce) else { return };
        let secs = now_secs - timed.sent_at_secs;
        match (timed.large_bytes, self.rtt.latest()) {
            _ if timed.is_hindered => {}
            (None, _) => {
                self.rtt.add(secs);
                self.rtt_at_secs = now_secs;
            }
            (Some(bytes), Some(rtt_secs)) => {
                self.byte.add((secs - rtt_secs).max(SHORTEST_SECS) / bytes as f64);
                self.byte_at_secs = now_secs;
            }
            (Some(_), None) => {}
        }
    }

    /// What the latest pings took, once there are enough.
    fn times(&self, to: PeerId, now_secs: f64) -> Option<LinkTimes> {
        let is_fresh = |at_secs: f64| now_secs <= at_secs + FRESH_SECS;
        let rtt_secs = self.rtt.latest().filter(|_| is_fresh(self.rtt_at_secs))?;
        let byte_secs = self.byte.latest_of(LARGE_FRAMES).filter(|_| is_fresh(self.byte_at_secs));
        Some(LinkTimes { to, rtt_secs, bytes_per_sec: byte_secs.map(f64::recip) })
    }
}

impl Room {
    /// A ping to `peer` goes out.
    pub(crate) fn time_ping(&mut self, peer: PeerId, nonce: u32, large_bytes: Option<usize>) {
        let (now, is_at_work) = (self.now_secs, self.is_at_work());
        let is_open = |member: &&mut Member| member.link == LinkState::Open;
        let member = self.members.get_mut(&peer).filter(is_open).filter(|_| is_at_work);
        if let Some(member) = member {
            member.pace.pinged(nonce, now, large_bytes);
        }
    }

    pub(crate) fn time_pong(&mut self, peer: PeerId, nonce: u32) {
        let now = self.now_secs;
        if let Some(member) = self.members.get_mut(&peer) {
            member.pace.answered(nonce, now);
        }
    }

    /// A frame has been sent: the next ping is not put off where it can tell how long a large one takes.
    pub(crate) fn time_sent(&mut self, to: PeerId, bytes: usize) {
        let member = self.members.get_mut(&to).filter(|_| bytes >= LARGE_BYTES);
        let is_timed = member.is_some_and(|member| member.pace.sends_large());
        if is_timed && self.is_at_work() {
            self.ping(to, Some(bytes));
        }
    }

    pub(crate) fn time_taken(&mut self, from: PeerId, bytes: usize) {
        if let Some(member) = self.members.get_mut(&from).filter(|_| bytes >= LARGE_BYTES) {
            member.pace.took_large();
        }
    }

    /// Whether requests are under way here. Pages at work answer later than those at rest, so no other pings are
    /// compared.
    fn is_at_work(&self) -> bool {
        !self.stage.requests.is_empty()
    }

    /// Whether frames of requests under way go from us to `peer` or back.
    pub(crate) fn is_in_use(&self, peer: PeerId) -> bool {
        self.is_at_work() && self.sends_to(self.config.me, peer)
    }

    /// Our links, as far as pings have been timed.
    pub(crate) fn link_times(&self) -> Vec<LinkTimes> {
        let open = self.open_peers();
        open.into_iter().filter_map(|to| self.members[&to].pace.times(to, self.now_secs)).collect()
    }
}

/// What has become of a link, in times of what was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkDrift {
    /// How many times as long a round trip takes.
    pub(crate) rtt: f64,
    /// How many times as long a byte takes.
    pub(crate) bytes: f64,
    /// Coordinator: how it did when answers began to run.
    first: Option<LinkTimes>,
    /// When it was told of last.
    told_at_secs: f64,
}

impl LinkDrift {
    pub(crate) const NONE: Self = Self { rtt: 1.0, bytes: 1.0, first: None, told_at_secs: 0.0 };

    /// Of a round trip and a byte, the one that takes more times as long.
    pub(crate) fn worse(self) -> f64 {
        self.rtt.max(self.bytes)
    }

    /// As the coordinator tells.
    pub(crate) fn told(rtt: f64, bytes: f64) -> Self {
        Self { rtt, bytes, ..Self::NONE }
    }

    /// What pings add to the first ones is added to what was measured. A channel has so many bytes under way at once, so
    /// that a byte takes as much longer as a round trip does, unless frames have told.
    fn watch(&mut self, measured: &LinkMeasured, now: LinkTimes) {
        let first = self.first.get_or_insert(now);
        let usual_secs = measured.rtt_secs.mean.max(first.rtt_secs).max(LEAST_USUAL_SECS);
        self.rtt = clamped((usual_secs + now.rtt_secs - first.rtt_secs) / usual_secs);
        if self.rtt < CHANGED {
            first.bytes_per_sec = first.bytes_per_sec.or(now.bytes_per_sec);
        }
        self.bytes = match (first.bytes_per_sec, now.bytes_per_sec) {
            (Some(first), Some(now)) => clamped(first.max(1.0) / now.max(1.0)),
            _ => self.rtt,
        };
    }
}

/// The coordinator's part.
impl Room {
    /// A phone has told how its links do.
    pub(crate) fn links_took(&mut self, from: PeerId, times: &[LinkTimes]) {
        for &now in times {
            let link = (from, now.to);
            if let Some(measured) = self.links.get(&link) {
                let drift = self.link_drifts.entry(link).or_insert(LinkDrift::NONE);
                drift.watch(measured, now);
                drift.told_at_secs = self.now_secs;
            }
        }
    }

    /// Of a link that nothing has used for long, nothing is known any more.
    pub(crate) fn link_drift(&self, from: PeerId, to: PeerId) -> LinkDrift {
        let is_known = |drift: &&LinkDrift| {
            !self.config.coordinator || self.now_secs <= drift.told_at_secs + FORGOTTEN_SECS
        };
        self.link_drifts.get(&(from, to)).filter(is_known).copied().unwrap_or(LinkDrift::NONE)
    }
}

fn clamped(drift: f64) -> f64 {
    drift.clamp(LEAST_DRIFT, MOST_DRIFT)
}

/// More than the rows of a token, less than a chunk of a prompt.
const LARGE_BYTES: usize = 32 << 10;
/// So many large frames give a figure.
const LARGE_FRAMES: usize = 3;
/// What pings and large frames took is told for so long.
const FRESH_SECS: f64 = 10.0;
/// A link that was slow is tried again after so long.
const FORGOTTEN_SECS: f64 = 60.0;
/// Timers of browsers are no finer than this.
const SHORTEST_SECS: f64 = 1e-4;
/// Shorter round trips differ by what pages have to do besides.
const LEAST_USUAL_SECS: f64 = 0.005;
/// A link has become another one.
const CHANGED: f64 = 1.5;
/// What is better than it was when it was measured is not relied upon for long.
const LEAST_DRIFT: f64 = 0.5;
const MOST_DRIFT: f64 = 100.0;

#[cfg(test)]
mod tests {
    use base::Estimate;

    use super::*;

    const RTT_SECS: f64 = 0.02;
    const LARGE: usize = 64 << 10;
    const TO: PeerId = PeerId(2);

    /// A ping that is answered after so long.
    fn ping(pace: &mut LinkPace, nonce: u32, secs: f64) {
        pace.pinged(nonce, f64::from(nonce), None);
        pace.answered(nonce, f64::from(nonce) + secs);
    }

    fn steady() -> LinkPace {
        let mut pace = LinkPace::default();
        (0..8).for_each(|nonce| ping(&mut pace, nonce, RTT_SECS));
        pace
    }

    fn rtt_secs(pace: &LinkPace) -> f64 {
        pace.times(TO, 17.0).map_or(0.0, |times| (1e6 * times.rtt_secs).round() / 1e6)
    }

    #[test]
    fn a_page_that_stood_still_spoils_one_ping() {
        let mut pace = steady();
        (8..16).for_each(|nonce| pace.pinged(nonce, f64::from(nonce), None));
        (8..16).for_each(|nonce| pace.answered(nonce, 16.0));
        (16..18).for_each(|nonce| ping(&mut pace, nonce, 2.0 * RTT_SECS));
        assert_eq!(rtt_secs(&pace), RTT_SECS, "five of eight are as ever");
        (18..20).for_each(|nonce| ping(&mut pace, nonce, 2.0 * RTT_SECS));
        assert_eq!(rtt_secs(&pace), 2.0 * RTT_SECS);
    }

    #[test]
    fn pings_that_met_large_frames_are_not_counted() {
        let mut pace = steady();
        for nonce in 8..16 {
            let is_behind = nonce % 2 == 0;
            if is_behind {
                pace.sends_large();
            }
            pace.pinged(nonce, f64::from(nonce), None);
            if !is_behind {
                pace.took_large();
            }
            pace.answered(nonce, f64::from(nonce) + 0.5);
        }
        assert_eq!(rtt_secs(&pace), RTT_SECS);
    }

    #[test]
    fn a_ping_behind_a_large_frame_tells_the_bandwidth_for_a_while() {
        let mut pace = steady();
        for nonce in 8..11 {
            assert!(pace.sends_large());
            pace.pinged(nonce, f64::from(nonce), Some(LARGE));
            assert!(!pace.sends_large(), "the one before is not answered");
            pace.answered(nonce, f64::from(nonce) + RTT_SECS + 0.5);
            assert!(!pace.sends_large(), "another is in front of it");
            ping(&mut pace, nonce + 20, 0.5);
        }
        let bytes_per_sec = |now| pace.times(TO, now).and_then(|times| times.bytes_per_sec);
        let told = bytes_per_sec(17.0).expect("three have told");
        assert!((told / (2.0 * LARGE as f64) - 1.0).abs() < 1e-6, "{told}");
        assert_eq!(bytes_per_sec(21.0), None);
        assert_eq!(rtt_secs(&pace), RTT_SECS);
    }

    fn watched(measured_secs: f64, times: &[(f64, Option<f64>)]) -> LinkDrift {
        let [rtt_secs, bytes_per_sec] = [measured_secs, 1e6].map(Estimate::exact);
        let measured = LinkMeasured { to: TO, rtt_secs, bytes_per_sec };
        let mut drift = LinkDrift::NONE;
        for &(rtt_secs, bytes_per_sec) in times {
            drift.watch(&measured, LinkTimes { to: TO, rtt_secs, bytes_per_sec });
        }
        drift
    }

    #[test]
    fn what_pings_add_is_added_to_what_was_measured() {
        let rtt = |measured_secs, first_secs, now_secs| {
            let drift = watched(measured_secs, &[(first_secs, None), (now_secs, None)]);
            assert_eq!(drift.bytes, drift.rtt, "nothing else is known of it");
            (1e6 * drift.rtt).round() / 1e6
        };
        assert_eq!(rtt(0.02, 0.02, 0.08), 4.0);
        assert_eq!(rtt(0.05, 0.01, 0.06), 2.0);
        assert_eq!(rtt(0.01, 0.05, 0.1), 2.0);
        assert_eq!(rtt(0.0005, 0.0005, 0.002), 1.3, "less than a page's own delay");
        assert_eq!(rtt(0.02, 0.02, 0.001), LEAST_DRIFT);
        assert_eq!(rtt(0.02, 0.02, 3600.0), MOST_DRIFT);
    }

    #[test]
    fn bandwidth_has_a_drift_of_its_own_once_frames_have_told() {
        let bytes = |times: &[(f64, Option<f64>)]| watched(0.02, times).bytes;
        assert_eq!(bytes(&[(0.02, Some(4e6)), (0.08, Some(2e6))]), 2.0);
        assert_eq!(bytes(&[(0.02, None), (0.02, Some(4e6)), (0.02, Some(1e6))]), 4.0);
        assert!((bytes(&[(0.02, Some(4e6)), (0.08, None)]) - 4.0).abs() < 1e-6);
        let late = bytes(&[(0.02, None), (0.08, Some(1e6))]);
        assert!((late - 4.0).abs() < 1e-6, "what came first was no good link: {late}");
        assert_eq!(bytes(&[(0.02, Some(0.0)), (0.02, Some(0.0))]), 1.0);
    }
}
