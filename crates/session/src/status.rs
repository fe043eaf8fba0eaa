//! Keeping every screen the same: the coordinator's status to all, the members'
//! reports to the coordinator, and our own view.

use base::{Identity, ModuleRange, PeerId};
use protocol::peer::{Frame, LinkMeasured, LinkStatus, ModelStatus, Report, Status};

use crate::{
    AskerView, DoorView, ErrorView, Event, LinkState, LinkView, ModelSpec, ModelView, PeerView,
    PictureView, PlanView, Room, RoomView, StageView, facts::Facts, frames::Verdict,
    links::LinkDrift, members::Member,
};

impl Room {
    /// Tells whoever must know what has changed, but not too often.
    pub(crate) fn flush_changes(&mut self) {
        let now = self.now_secs;
        if self.progress_changes.take(now) {
            self.tell_progress();
        }
        if self.report_changes.take(now) {
            self.report();
        }
        if self.status_changes.take(now) && self.config.coordinator {
            let status = Frame::from(self.status());
            self.broadcast(&status);
        }
        if self.may_draw() && self.view_changes.take(now) {
            self.tell(Event::ViewChanged);
        }
    }

    /// A page that is drawn takes the device from a step that others wait for, so the drawing waits, but not
    /// for long.
    fn may_draw(&mut self) -> bool {
        let now = self.now_secs;
        if !self.stage.is_busy() {
            self.busy_since_secs = None;
            return true;
        }
        now >= *self.busy_since_secs.get_or_insert(now) + DRAWING_WAITS_SECS
    }

    pub(crate) fn drawing_deadline(&self) -> Option<f64> {
        let at = self.view_changes.deadline()?;
        Some(self.busy_since_secs.map_or(at, |since| at.max(since + DRAWING_WAITS_SECS)))
    }

    fn report(&mut self) {
        let (stage_secs, links) = (self.stage.stage_secs(), self.link_times());
        let waiting_rows = self.stage.waiting_rows();
        self.my_facts().waiting_rows = waiting_rows;
        if self.config.coordinator {
            self.links_took(self.config.me, &links);
            self.stages_took(self.config.me, &stage_secs);
            return self.status_changes.mark();
        }
        let Some(coordinator) = self.coordinator else { return };
        let facts = self.my_facts();
        let (counters, last_steps) = (facts.counters, facts.last_steps.clone());
        let report = Report { counters, last_steps, stage_secs, waiting_rows, links };
        self.transmit(coordinator, report);
    }

    pub(crate) fn take_report(&mut self, peer: PeerId, report: &Report) -> Verdict {
        let facts = self.facts.get_mut(&peer).ok_or("no such peer")?;
        facts.counters = report.counters;
        facts.last_steps.clone_from(&report.last_steps);
        facts.waiting_rows = report.waiting_rows;
        self.links_took(peer, &report.links);
        self.stages_took(peer, &report.stage_secs);
        self.view_changes.mark();
        self.status_changes.mark();
        Ok(())
    }

    fn status(&self) -> Status {
        let here = |peer: &PeerId| *peer == self.config.me || self.is_open(*peer);
        let peers = self.facts.iter().filter(|(peer, _)| here(peer));
        Status {
            phase: self.phase,
            model: self.model.clone(),
            peers: peers.map(|(&peer, facts)| facts.status(peer)).collect(),
            links: self.link_statuses(),
            measuring: self.measuring(),
            plan: self.plan.clone().map(Box::new),
            failure: self.failure.clone(),
        }
    }

    pub(crate) fn take_status(&mut self, status: Status) -> Verdict {
        self.phase = status.phase;
        self.model = status.model;
        self.plan = status.plan.map(|plan| *plan);
        self.failure = status.failure;
        self.measuring = status.measuring;
        self.links = status.links.iter().map(from_link_status).collect();
        self.link_drifts = status.links.iter().map(drift_of).collect();
        let me = self.config.me;
        for peer in &status.peers {
            match self.facts.get_mut(&peer.peer) {
                Some(mine) if peer.peer == me => {
                    mine.pledge_bytes = peer.pledge_bytes;
                    mine.used_bytes = peer.used_bytes;
                    mine.flops_per_sec = peer.flops_per_sec;
                    mine.remark.clone_from(&peer.remark);
                }
                Some(facts) => facts.update(peer),
                None => {}
            }
        }
        self.view_changes.mark();
        Ok(())
    }

    fn link_statuses(&self) -> Vec<LinkStatus> {
        let view = |(&(from, to), link): (&(PeerId, PeerId), &LinkMeasured)| {
            let LinkMeasured { rtt_secs, bytes_per_sec, .. } = *link;
            let LinkDrift { rtt: rtt_drift, bytes: bytes_drift, .. } = self.link_drift(from, to);
            LinkStatus { from, to, rtt_secs, bytes_per_sec, rtt_drift, bytes_drift }
        };
        self.links.iter().map(view).collect()
    }

    /// The room as this phone knows it.
    pub fn view(&self) -> RoomView {
        let is_member = |(_, member): &(&PeerId, &Member)| {
            !matches!(member.link, LinkState::Connecting | LinkState::Waiting)
        };
        let others = self.members.iter().filter(is_member).map(|(&peer, _)| self.peer_view(peer));
        RoomView {
            phase: self.phase,
            me: self.config.me,
            coordinator: self.coordinator.map_or(String::new(), |peer| peer.to_string()),
            peers: std::iter::once(self.peer_view(self.config.me)).chain(others).collect(),
            door: self.config.coordinator.then(|| self.door_view()),
            asking: self.asking_view(),
            plan: self.plan.as_ref().map(PlanView::from),
            model: self.model.as_ref().map(model_view),
            links: self.link_statuses().iter().map(LinkView::from).collect(),
            measuring: self.measuring().or(self.measuring),
            error: self.failure.as_ref().map(ErrorView::from),
        }
    }

    fn peer_view(&self, peer: PeerId) -> PeerView {
        let me = peer == self.config.me;
        let member = self.members.get(&peer);
        let hello = member.and_then(|member| member.hello.as_ref());
        let device =
            if me { self.config.device.as_str() } else { hello.map_or("", |hello| &hello.device) };
        let unknown = Facts::new(self.config.pledge);
        let facts = self.facts.get(&peer).unwrap_or(&unknown);
        PeerView {
            id: peer,
            name: self.name_of(peer),
            device: device.to_owned(),
            me,
            coordinator: self.coordinator == Some(peer),
            identity: member.map(|member| member.meeting.other).or(self.own_identity(me)),
            link: member.map_or(LinkState::Open, |member| member.link),
            flops_per_sec: facts.flops_per_sec.map(|speed| speed.mean),
            flops_per_sec_spread: facts.flops_per_sec.map(|speed| speed.spread),
            remark: facts.remark.clone(),
            pledge_bytes: facts.pledge_bytes,
            used_bytes: facts.used_bytes,
            stage: self.stage_view(peer),
            loaded_bytes: facts.loaded_bytes,
            total_bytes: facts.total_bytes,
            ready: facts.is_ready,
            waiting_rows: facts.waiting_rows,
            counters: facts.counters,
        }
    }

    fn own_identity(&self, me: bool) -> Option<Identity> {
        self.members.values().next().map(|member| member.meeting.own).filter(|_| me)
    }

    fn door_view(&self) -> DoorView {
        DoorView {
            locked: self.door.is_locked,
            admits_all: self.door.admits_all,
            askers: self.door.shown().filter_map(|peer| self.asker_view(peer)).collect(),
            admitted: self.door.admitted().to_vec(),
        }
    }

    /// Where a person is asked about us.
    fn asking_view(&self) -> Option<AskerView> {
        let is_asked =
            |(_, member): &(&PeerId, &Member)| member.is_asked && member.link == LinkState::Waiting;
        let asked = self.members.iter().filter(|_| self.coordinator.is_none());
        asked.filter(is_asked).find_map(|(&peer, _)| self.asker_view(peer))
    }

    fn asker_view(&self, peer: PeerId) -> Option<AskerView> {
        let member = self.members.get(&peer)?;
        Some(AskerView {
            id: peer,
            name: self.name_of(peer),
            device: member.hello.as_ref()?.device.clone(),
            identity: member.meeting.other,
            pictures: PictureView::of(member.meeting.pictures),
        })
    }

    fn stage_view(&self, peer: PeerId) -> Option<StageView> {
        let stage = self.plan.as_ref()?.stages.iter().find(|stage| stage.peer == peer)?;
        let (start, end) = (stage.range.start, stage.range.end);
        Some(StageView { start, end, weights_bytes: stage.weights_bytes })
    }
}

impl ModelSpec {
    pub(crate) fn status(&self) -> ModelStatus {
        ModelStatus {
            model: self.model.clone(),
            modules: self.modules.len() as u32,
            weights_bytes: self.weights_bytes(ModuleRange::new(0, self.modules.len())) as u64,
        }
    }
}

fn from_link_status(link: &LinkStatus) -> ((PeerId, PeerId), LinkMeasured) {
    let LinkStatus { from, to, rtt_secs, bytes_per_sec, .. } = *link;
    ((from, to), LinkMeasured { to, rtt_secs, bytes_per_sec })
}

fn drift_of(link: &LinkStatus) -> ((PeerId, PeerId), LinkDrift) {
    ((link.from, link.to), LinkDrift::told(link.rtt_drift, link.bytes_drift))
}

fn model_view(status: &ModelStatus) -> ModelView {
    ModelView {
        name: status.model.name.clone(),
        url: status.model.url.clone(),
        modules: status.modules,
        weights_bytes: status.weights_bytes,
        context_tokens: status.model.context_tokens,
        takes_chats: status.model.takes_chats,
        labels: status.model.labels.clone(),
    }
}

/// A person does not see such a delay.
const DRAWING_WAITS_SECS: f64 = 0.3;
