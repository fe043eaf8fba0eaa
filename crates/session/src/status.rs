//! Keeping every screen the same: the coordinator's status to all, the members'
//! reports to the coordinator, and our own view.

use base::{ModuleRange, PeerId};
use protocol::peer::{Frame, LinkStatus, ModelStatus, Report, StageStatus, Status};

use crate::{
    ErrorView, Event, LinkState, ModelSpec, ModelView, PeerView, PlanStageView, PlanView, Room,
    RoomView, StageView, facts::Facts, frames::Verdict,
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
        if self.view_changes.take(now) {
            self.tell(Event::ViewChanged);
        }
    }

    fn report(&mut self) {
        if self.config.coordinator {
            return self.status_changes.mark();
        }
        let Some(coordinator) = self.coordinator else { return };
        let facts = self.my_facts();
        let report = Report { counters: facts.counters, last_step: facts.last_step };
        self.transmit(coordinator, report);
    }

    pub(crate) fn take_report(&mut self, peer: PeerId, report: &Report) -> Verdict {
        let facts = self.facts.get_mut(&peer).ok_or("no such peer")?;
        facts.counters = report.counters;
        facts.last_step = report.last_step;
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
            links: self.link_views(),
            plan: self.plan.clone(),
            failure: self.failure.clone(),
        }
    }

    pub(crate) fn take_status(&mut self, status: Status) -> Verdict {
        self.phase = status.phase;
        self.model = status.model;
        self.plan = status.plan;
        self.failure = status.failure;
        self.links = status.links.iter().map(from_link_view).collect();
        let me = self.config.me;
        for peer in &status.peers {
            match self.facts.get_mut(&peer.peer) {
                Some(mine) if peer.peer == me => {
                    mine.pledge_bytes = peer.pledge_bytes;
                    mine.remark.clone_from(&peer.remark);
                }
                Some(facts) => facts.update(peer),
                None => {}
            }
        }
        self.view_changes.mark();
        Ok(())
    }

    fn link_views(&self) -> Vec<LinkStatus> {
        let view = |(&(from, to), link): (&(PeerId, PeerId), &protocol::peer::LinkMeasured)| {
            LinkStatus { from, to, rtt_secs: link.rtt_secs, bytes_per_sec: link.bytes_per_sec }
        };
        self.links.iter().map(view).collect()
    }

    /// The room as this phone knows it.
    pub fn view(&self) -> RoomView {
        let others = self.members.keys().map(|&peer| self.peer_view(peer));
        RoomView {
            phase: self.phase,
            me: self.config.me,
            coordinator: self.coordinator.map_or(String::new(), |peer| peer.to_string()),
            peers: std::iter::once(self.peer_view(self.config.me)).chain(others).collect(),
            plan: self.plan.as_ref().map(|plan| PlanView {
                stages: plan.stages.iter().map(plan_stage_view).collect(),
                predicted_token_secs: plan.predicted_token_secs,
                lower_bound_secs: plan.lower_bound_secs,
                reason: plan.reason.clone(),
            }),
            model: self.model.as_ref().map(model_view),
            links: self.link_views(),
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
            link: member.map_or(LinkState::Open, |member| member.link),
            flops_per_sec: facts.flops_per_sec,
            remark: facts.remark.clone(),
            pledge_bytes: facts.pledge_bytes,
            stage: self.stage_view(peer),
            loaded_bytes: facts.loaded_bytes,
            total_bytes: facts.total_bytes,
            ready: facts.is_ready,
            counters: facts.counters,
        }
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

fn from_link_view(link: &LinkStatus) -> ((PeerId, PeerId), protocol::peer::LinkMeasured) {
    let LinkStatus { from, to, rtt_secs, bytes_per_sec } = *link;
    ((from, to), protocol::peer::LinkMeasured { to, rtt_secs, bytes_per_sec })
}

fn plan_stage_view(stage: &StageStatus) -> PlanStageView {
    PlanStageView {
        peer: stage.peer,
        start: stage.range.start,
        end: stage.range.end,
        weights_bytes: stage.weights_bytes,
        predicted_secs: stage.predicted_secs,
    }
}

fn model_view(status: &ModelStatus) -> ModelView {
    ModelView {
        name: status.model.name.clone(),
        url: status.model.url.clone(),
        modules: status.modules,
        weights_bytes: status.weights_bytes,
        context_tokens: status.model.context_tokens,
        takes_chats: status.model.takes_chats,
    }
}
