//! What happens to phones and links.

use protocol::peer::Pledge;
use session::Command;
use transport::memory::Conditions;

use super::{Event, Link, LinkBetween, Phone, Speed, run::Play};
use crate::{PhoneSpec, report::Happened};

impl Play<'_> {
    pub(super) fn happen(&mut self, event: &Event) {
        let sentence = event.sentence();
        self.tell(sentence.clone());
        self.happened.push(Happened { at_secs: self.sim.now_secs(), what: sentence });
        if let Some(speed) = &event.speed {
            self.set_speed(speed);
        }
        if let Some(link) = &event.link {
            self.set_link(link);
        }
        if let Some((one, other)) = &event.cut
            && let (Some(one), Some(other)) = (self.phone(one), self.phone(other))
        {
            self.sim.cut(one, other);
        }
        if let Some(assignment) = event.begin {
            self.sim.command(0, Command::Begin(assignment));
        }
        self.come_or_go(event);
    }

    fn come_or_go(&mut self, event: &Event) {
        for (kind, _, id) in event.phones() {
            if let Some(phone) = id.and_then(|id| self.phone(id)) {
                self.change(kind, phone);
            }
        }
        let lane = event.join.as_ref().and_then(|id| self.lane(id));
        if let Some(lane) = lane.filter(|&lane| self.present[lane].is_none()) {
            self.join(lane);
        }
    }

    fn change(&mut self, kind: &str, phone: usize) {
        match kind {
            "freeze" => self.sim.freeze(phone),
            "thaw" => self.sim.thaw(phone),
            "hide" => self.sim.hide(phone),
            "show" => self.sim.show(phone),
            "kill" => self.sim.kill(phone),
            "leave" => self.sim.leave(phone),
            _ => {}
        }
        let now = self.sim.now_secs();
        match kind {
            "freeze" | "kill" | "leave" => _ = self.gone_at_secs[phone].get_or_insert(now),
            "thaw" => self.gone_at_secs[phone] = None,
            _ => {}
        }
        // A page that is frozen is still there.
        if matches!(kind, "kill" | "leave") {
            self.present[self.lanes[phone]] = None;
        }
    }

    pub(super) fn join(&mut self, lane: usize) {
        self.joining.set(lane);
        let spec = self.scenario.phones[lane].spec();
        let phone = self.sim.join(PhoneSpec { flops_per_sec: self.speeds[lane], ..spec });
        self.lanes.push(lane);
        self.joined_at_secs.push(self.sim.now_secs());
        self.gone_at_secs.push(None);
        self.present[lane] = Some(phone);
        for (other, there) in self.present.clone().into_iter().enumerate() {
            if let Some(there) = there {
                self.sim.set_link(phone, there, self.links[lane][other]);
                self.sim.set_link(there, phone, self.links[other][lane]);
            }
        }
    }

    /// Whether the phone is there or not.
    fn set_speed(&mut self, speed: &Speed) {
        let Some(lane) = self.lane(&speed.phone) else { return };
        self.speeds[lane] = speed.flops_per_sec;
        if let Some(phone) = self.present[lane] {
            self.sim.set_speed(phone, speed.flops_per_sec);
        }
    }

    pub(super) fn set_link(&mut self, link: &LinkBetween) {
        let (Some(from), Some(to)) = (self.lane(&link.from), self.lane(&link.to)) else { return };
        let conditions = link.quality().conditions();
        self.links[from][to] = conditions;
        if let (Some(from), Some(to)) = (self.present[from], self.present[to]) {
            self.sim.set_link(from, to, conditions);
        }
    }
}

impl Phone {
    pub(super) fn spec(&self) -> PhoneSpec {
        PhoneSpec {
            flops_per_sec: self.flops_per_sec,
            overhead_secs: self.overhead_secs,
            fetch_bytes_per_sec: self.fetch_bytes_per_sec,
            ..PhoneSpec::new(&self.id, Pledge::Bytes(self.memory_bytes as u64))
        }
    }
}

impl Link {
    pub(super) fn conditions(self) -> Conditions {
        Conditions {
            latency_secs: self.rtt_secs / 2.0,
            bytes_per_sec: self.bytes_per_sec,
            cut_after_bytes: None,
        }
    }
}

impl LinkBetween {
    pub(super) fn quality(&self) -> Link {
        Link { rtt_secs: self.rtt_secs, bytes_per_sec: self.bytes_per_sec }
    }
}
