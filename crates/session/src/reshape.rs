//! Other rings: with phones in another order, without one that costs more than it does, or with one that had been left
//! out. They come of what phones hold already, or of what they load beside their work (see [`crate::restock`]).

use std::collections::BTreeMap;

use base::{PeerId, PlanInput};
use protocol::peer::{Measure, StageStatus};

use crate::{
    Room,
    balance::{Better, stages_of},
    planning::solve_soon,
};

/// What the balancer remembers of rings other than the running one.
#[derive(Debug, Default)]
pub(crate) struct Reshape {
    /// The figures when no ring was better than the running one.
    settled_with: BTreeMap<Watched, f64>,
    next_look_secs: f64,
    /// Looks in a row that have shown a gain.
    gains: u32,
    /// Looks in a row that have shown none.
    idle_looks: u32,
    /// Phones without a stage that had one.
    left_out: BTreeMap<PeerId, LeftOut>,
}

/// What a plan depends on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Watched {
    /// A phone's operations a second.
    Speed(PeerId),
    /// How many times as long a link takes as was measured.
    Link(PeerId, PeerId),
}

#[derive(Debug)]
struct LeftOut {
    measured_again_secs: f64,
    /// How long until the time after that.
    wait_secs: f64,
}

/// A ring that costs less than the running one.
enum Found {
    /// What phones hold is enough for it.
    Held(Better),
    /// Phones lack some of it.
    Lacking(Better),
}

impl Room {
    /// Where moving the cuts is of no use, looks at all rings there could be, if phones are not what they were.
    pub(crate) fn look_further(&mut self) {
        if self.now_secs < self.balance.reshape.next_look_secs {
            return;
        }
        self.balance.reshape.next_look_secs = self.now_secs + LOOK_SECS;
        self.measure_left_out();
        if !self.have_changed() {
            return;
        }
        let may_restock = self.may_restock();
        let Some(found) = self.better_ring(may_restock) else {
            self.balance.reshape.gains = 0;
            self.balance.reshape.idle_looks += 1;
            // Figures that change may not have changed all the way yet.
            if may_restock && self.balance.reshape.idle_looks >= LOOKS {
                self.settled();
            }
            return;
        };
        self.balance.reshape.idle_looks = 0;
        self.balance.reshape.gains += 1;
        if self.balance.reshape.gains < GAINS {
            return;
        }
        self.balance.reshape.gains = 0;
        match found {
            Found::Held(better) => self.switch_to(better),
            Found::Lacking(better) => self.restock(&better),
        }
    }

    fn better_ring(&self, may_restock: bool) -> Option<Found> {
        let spec = self.spec.as_ref()?;
        let peers = self.able_peers();
        let held = self.better_held_ring();
        if held.is_some() || !may_restock {
            return held.map(Found::Held);
        }
        let lacking = self.better_among(&peers, self.plan_input(spec, &peers));
        lacking.filter(|better| self.is_worth_loading(spec, better)).map(Found::Lacking)
    }

    /// The best ring of what phones hold, where it is worth it.
    pub(crate) fn better_held_ring(&self) -> Option<Better> {
        let holding = self.holding(&self.able_peers());
        self.better_among(&holding, self.plan_input_within(self.spec.as_ref()?, &holding))
    }

    fn better_among(&self, peers: &[PeerId], input: PlanInput) -> Option<Better> {
        let (spec, running) = (self.spec.as_ref()?, self.plan.as_ref()?);
        let is_here = |stage: &StageStatus| peers.contains(&stage.peer);
        if peers.first() != Some(&self.config.me) || !running.stages.iter().all(is_here) {
            return None;
        }
        let (stages, plan) = (stages_of(running, peers), solve_soon(&input).ok()?.plan);
        let better = Better { peers: peers.to_vec(), input, stages, plan };
        self.is_worth_it(spec, &better).then_some(better)
    }

    /// Whether some phone or link is clearly faster or slower than it was when there was nothing better, or new.
    fn have_changed(&self) -> bool {
        self.figures().into_iter().any(|(watched, figure)| {
            let change = match watched {
                Watched::Speed(_) => SPEED_CHANGE,
                Watched::Link(..) => LINK_CHANGE,
            };
            let before = self.balance.reshape.settled_with.get(&watched);
            before.is_none_or(|&before| !(before / change..=before * change).contains(&figure))
        })
    }

    /// No ring is better than the running one.
    pub(crate) fn settled(&mut self) {
        self.balance.reshape.settled_with = self.figures();
        self.balance.reshape.idle_looks = 0;
    }

    fn figures(&self) -> BTreeMap<Watched, f64> {
        let peers = self.able_peers();
        let speed = |&peer: &PeerId| {
            let facts = self.facts.get(&peer)?;
            Some((Watched::Speed(peer), facts.flops_per_sec?.mean / facts.drift))
        };
        let links = peers.iter().flat_map(|&from| {
            let others = peers.iter().filter(move |&&to| to != from);
            others.map(move |&to| (Watched::Link(from, to), self.link_drift(from, to).worse()))
        });
        peers.iter().filter_map(speed).chain(links).collect()
    }

    /// The balancer does without a phone for now; it is measured from time to time, ever more rarely.
    pub(crate) fn leave_out(&mut self, peers: Vec<PeerId>) {
        for peer in peers {
            let fresh = LeftOut { measured_again_secs: 0.0, wait_secs: FIRST_WAIT_SECS };
            let left_out = self.balance.reshape.left_out.entry(peer).or_insert(fresh);
            left_out.measured_again_secs = self.now_secs + left_out.wait_secs;
        }
    }

    /// A phone that is gone.
    pub(crate) fn forget_left_out(&mut self, peer: PeerId) {
        self.balance.reshape.left_out.remove(&peer);
    }

    /// Perhaps it is as fast again as it was.
    fn measure_left_out(&mut self) {
        let Some(model) = self.spec.as_ref().map(|spec| spec.model.clone()) else { return };
        let now = self.now_secs;
        let able = self.able_peers();
        let idle =
            able.into_iter().filter(|&peer| !self.is_staged(peer) && !self.is_restocking(peer));
        for peer in idle.collect::<Vec<_>>() {
            let left_out = self.balance.reshape.left_out.get_mut(&peer);
            let Some(left_out) = left_out.filter(|it| now >= it.measured_again_secs) else {
                continue;
            };
            left_out.wait_secs = (2.0 * left_out.wait_secs).min(LONGEST_WAIT_SECS);
            left_out.measured_again_secs = now + left_out.wait_secs;
            self.transmit(peer, Measure { model: model.clone(), peers: Vec::new() });
        }
    }
}

/// Looks take longer than moving cuts does.
const LOOK_SECS: f64 = 1.0;
/// Looks in a row that must show a gain.
const GAINS: u32 = 2;
/// Looks in a row without a gain, until figures are taken for settled.
const LOOKS: u32 = 5;
/// Of a phone's speed: less is noise.
const SPEED_CHANGE: f64 = 1.15;
/// Of a link's round trip.
const LINK_CHANGE: f64 = 1.5;
/// A phone that was slow is measured again after so long.
const FIRST_WAIT_SECS: f64 = 10.0;
const LONGEST_WAIT_SECS: f64 = 300.0;
