//! How much memory one more device would need, for the modules to fit whatever the links.

use base::ModuleRange;

use crate::{
    costs::{Costs, Place},
    verify::held_bytes,
};

/// How far each device gets.
struct Reach {
    devices: usize,
    modules: usize,
    /// By device and start: the furthest end of a stage.
    ends: Vec<usize>,
    /// By device and end: the earliest start of a stage.
    starts: Vec<usize>,
}

/// The least memory of one more device with which the modules would fit, whoever comes before and after
/// it: 0 if they do without. The header must have memory for module 0.
pub(crate) fn extra_device_bytes(costs: &Costs<'_>) -> f64 {
    let reach = Reach::new(costs);
    let first_ends = (1..=costs.modules).filter(|&end| costs.fits(0, 0, end));
    let bytes = first_ends.map(|end| reach.missing(costs, end));
    bytes.fold(f64::INFINITY, f64::min)
}

impl Reach {
    fn new(costs: &Costs<'_>) -> Self {
        let (devices, modules) = (costs.devices(), costs.modules);
        let both = |at: usize| (at / (modules + 1), at % (modules + 1));
        let all = 0..devices * (modules + 1);
        let ends = all.clone().map(both).map(|(device, start)| furthest_end(costs, device, start));
        let starts = all.map(both).map(|(device, end)| earliest_start(costs, device, end));
        Self { devices, modules, ends: ends.collect(), starts: starts.collect() }
    }

    /// What is missing if the header's first stage ends there.
    fn missing(&self, costs: &Costs<'_>, first_end: usize) -> f64 {
        let sets = 1usize << (self.devices - 1);
        let last_start = closing_start(costs, first_end);
        let (mut ends, mut starts) = (vec![first_end; sets], vec![last_start; sets]);
        for set in 1..sets {
            for device in (1..self.devices).filter(|device| set >> (device - 1) & 1 == 1) {
                let rest = set & !(1 << (device - 1));
                let row = device * (self.modules + 1);
                ends[set] = ends[set].max(self.ends[row + ends[rest]]);
                starts[set] = starts[set].min(self.starts[row + starts[rest]]);
            }
        }
        let bytes = |set: usize| {
            let (start, end) = (ends[set], starts[sets - 1 - set]);
            if start < end { held_bytes(costs.input, &[ModuleRange::new(start, end)]) } else { 0.0 }
        };
        (0..sets).map(bytes).fold(f64::INFINITY, f64::min)
    }
}

/// Where the header's last stage may begin; the end where it may have none.
fn closing_start(costs: &Costs<'_>, first_end: usize) -> usize {
    let memory = costs.input.devices[0].memory_bytes;
    let fits = |start: usize| {
        let ranges = [ModuleRange::new(0, first_end), ModuleRange::new(start, costs.modules)];
        held_bytes(costs.input, &ranges) <= memory
    };
    // With one more device even a header alone could close.
    let starts = (first_end + 1..costs.modules).filter(|_| costs.input.close_ring);
    starts.into_iter().find(|&start| fits(start)).unwrap_or(costs.modules)
}

fn furthest_end(costs: &Costs<'_>, device: Place, start: usize) -> usize {
    (start + 1..=costs.modules).rev().find(|&end| costs.fits(device, start, end)).unwrap_or(start)
}

fn earliest_start(costs: &Costs<'_>, device: Place, end: usize) -> usize {
    (0..end).find(|&start| costs.fits(device, start, end)).unwrap_or(end)
}
