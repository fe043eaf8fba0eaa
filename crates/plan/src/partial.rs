//! The beginning of a plan, costed exactly and stage by stage.

use base::{ModuleRange, Objective, Plan, Residual, Stage};

use crate::{
    costs::{Costs, Place},
    verify::held_bytes,
};

/// Some first stages, and what they cost.
#[derive(Clone)]
pub(crate) struct Partial {
    pub stages: Vec<Stage>,
    /// The last stage's place; the header before there is any.
    pub last: Place,
    /// One past the last module that has a stage.
    pub end: usize,
    /// The device of each module that has a stage.
    owners: Vec<usize>,
    device_secs: Vec<f64>,
    /// Bytes from device to device, `[from * devices + to]`.
    traffic: Vec<f64>,
}

impl Partial {
    pub fn empty(costs: &Costs<'_>) -> Self {
        let devices = costs.devices();
        Self {
            stages: Vec::new(),
            last: 0,
            end: 0,
            owners: Vec::new(),
            device_secs: vec![0.0; devices],
            traffic: vec![0.0; devices * devices],
        }
    }

    /// With one more stage, if its device has the memory.
    pub fn extended(&self, costs: &Costs<'_>, place: Place, end: usize) -> Option<Self> {
        let (device, start) = (costs.device_of(place), self.end);
        if !self.has_memory(costs, place, end) {
            return None;
        }
        let mut next = self.clone();
        next.stages.push(Stage { device, modules: ModuleRange::new(start, end) });
        next.owners.resize(end, device);
        next.device_secs[device] += costs.compute_secs(place, start, end);
        if start > 0 {
            next.send(start - 1, device, costs.input.sequential_bytes[start - 1]);
        }
        for residual in costs.input.residual.iter().filter(|one| reads(one, start, end)) {
            next.send(residual.from, device, residual.bytes);
        }
        if end == costs.modules {
            next.send(end - 1, next.owners[costs.input.token_to], costs.input.token_bytes);
        }
        (next.last, next.end) = (place, end);
        Some(next)
    }

    /// The cost of the stages so far; infinite if a link is missing.
    pub fn secs(&self, costs: &Costs<'_>) -> f64 {
        let devices = costs.devices();
        let pairs = self.traffic.iter().enumerate();
        let pair_secs = pairs.map(|(i, &bytes)| costs.pair_secs(i / devices, i % devices, bytes));
        let parts = self.device_secs.iter().copied().chain(pair_secs);
        match costs.input.objective {
            Objective::Latency => parts.sum(),
            Objective::Throughput => parts.fold(0.0, f64::max),
        }
    }

    /// Who has made the tracked module's tensors, once it has a stage.
    pub fn owner(&self, tracked: Option<usize>) -> Option<Place> {
        self.owners.get(tracked?).copied()
    }

    pub fn into_plan(self) -> Plan {
        Plan { stages: self.stages, overlap: Vec::new() }
    }

    fn has_memory(&self, costs: &Costs<'_>, place: Place, end: usize) -> bool {
        if !costs.is_closing(place) {
            return costs.fits(place, self.end, end);
        }
        let ranges = [self.stages[0].modules, ModuleRange::new(self.end, end)];
        held_bytes(costs.input, &ranges) <= costs.input.devices[0].memory_bytes
    }

    fn send(&mut self, producer: usize, to: usize, bytes: f64) {
        let from = self.owners[producer];
        if from != to {
            let devices = self.device_secs.len();
            self.traffic[from * devices + to] += bytes;
        }
    }
}

/// Whether modules `start..end` read a tensor made before them.
fn reads(residual: &Residual, start: usize, end: usize) -> bool {
    residual.from < start && residual.to.iter().any(|to| (start..end).contains(to))
}
