//! Which constraint leaves no plan, by how much, and what would help.

use base::{ModuleRange, PlanInput};

use crate::{
    Shortfall,
    costs::Costs,
    explain::size,
    search::{Limits, search},
    verify::held_bytes,
};

/// Every constraint that cannot be met; asked only where no plan exists.
pub(crate) fn shortfalls(costs: &Costs<'_>) -> Vec<Shortfall> {
    let all = [header_memory(costs), module_memory(costs), total_memory(costs)];
    let mut found: Vec<_> = all.into_iter().flatten().collect();
    if found.is_empty() {
        found.push(if fits_with_every_link(costs.input) { links() } else { contiguous(costs) });
    }
    found
}

fn header_memory(costs: &Costs<'_>) -> Option<Shortfall> {
    let (device, module) = (&costs.input.devices[0], &costs.input.modules[0]);
    let missing = module.resident_bytes() - device.memory_bytes;
    (missing > 0.0).then(|| Shortfall {
        constraint: "header_memory",
        device: Some(device.id.clone()),
        missing_bytes: Some(missing),
        help: format!(
            "{} has to run `{}`, which takes {}, but lends {}: lend {} more there, start the room \
             on a phone with more memory, or use a smaller quantisation.",
            device.id,
            module.name,
            size(module.resident_bytes()),
            size(device.memory_bytes),
            size(missing)
        ),
    })
}

/// The module that is furthest from fitting anywhere.
fn module_memory(costs: &Costs<'_>) -> Option<Shortfall> {
    let largest =
        costs.input.devices.iter().max_by(|a, b| a.memory_bytes.total_cmp(&b.memory_bytes))?;
    let modules = costs.input.modules.iter().skip(1);
    let module = modules.max_by(|a, b| a.resident_bytes().total_cmp(&b.resident_bytes()))?;
    let missing = module.resident_bytes() - largest.memory_bytes;
    // A tensor shared with a module of the same phone may leave less to store.
    let shares = costs.input.tied.iter().any(|tied| tied.2 > 0.0);
    (missing > 0.0 && !shares).then(|| Shortfall {
        constraint: "module_memory",
        device: Some(largest.id.clone()),
        missing_bytes: Some(missing),
        help: format!(
            "`{}` takes {} and no phone lends so much: lend {} more on {}, use a smaller \
             quantisation or a shorter context.",
            module.name,
            size(module.resident_bytes()),
            size(missing),
            largest.id
        ),
    })
}

fn total_memory(costs: &Costs<'_>) -> Option<Shortfall> {
    let needed = held_bytes(costs.input, &[ModuleRange::new(0, costs.modules)]);
    let lent: f64 = costs.input.devices.iter().map(|device| device.memory_bytes).sum();
    let missing = needed - lent;
    (missing > 0.0).then(|| Shortfall {
        constraint: "total_memory",
        device: None,
        missing_bytes: Some(missing),
        help: format!(
            "The model takes {} and all phones together lend {}: one more phone that lends {}, a \
             smaller quantisation or a shorter context would help.",
            size(needed),
            size(lent),
            size(missing)
        ),
    })
}

/// Memory is there, but not in the right pieces.
fn contiguous(costs: &Costs<'_>) -> Shortfall {
    let missing = extra_phone_bytes(costs);
    Shortfall {
        constraint: "contiguous_memory",
        device: None,
        missing_bytes: Some(missing),
        help: format!(
            "There is enough memory in all, but not for consecutive modules on each phone: one \
             more phone that lends {}, a smaller quantisation or a shorter context would help.",
            size(missing)
        ),
    }
}

fn links() -> Shortfall {
    Shortfall {
        constraint: "links",
        device: None,
        missing_bytes: None,
        help:
            "There is enough memory, but phones that would have to talk have no link: bring them \
               onto the same network, or let another phone join."
                .into(),
    }
}

/// Whether there would be a plan if every pair of devices had a link.
fn fits_with_every_link(input: &PlanInput) -> bool {
    let mut linked = input.clone();
    linked.bytes_per_sec.iter_mut().flatten().for_each(|bandwidth| *bandwidth = 1.0);
    let costs = Costs::new(&linked);
    search(&costs, Limits { steps: FEASIBILITY_STEPS, end: None }).plan.is_some()
}

/// The least memory of one more phone with which the modules would fit, whoever comes
/// before and after it.
fn extra_phone_bytes(costs: &Costs<'_>) -> f64 {
    let sets = 1usize << (costs.devices() - 1);
    let (mut ends, mut starts) = (vec![0; sets], vec![costs.modules; sets]);
    ends[0] = furthest_end(costs, 0, 0);
    for set in 1..sets {
        for device in (1..costs.devices()).filter(|device| set >> (device - 1) & 1 == 1) {
            let rest = set & !(1 << (device - 1));
            ends[set] = ends[set].max(furthest_end(costs, device, ends[rest]));
            starts[set] = starts[set].min(earliest_start(costs, device, starts[rest]));
        }
    }
    let bytes = |set: usize| {
        let (start, end) = (ends[set], starts[sets - 1 - set]);
        if start < end { held_bytes(costs.input, &[ModuleRange::new(start, end)]) } else { 0.0 }
    };
    (0..sets).map(bytes).fold(f64::INFINITY, f64::min)
}

fn furthest_end(costs: &Costs<'_>, device: usize, start: usize) -> usize {
    (start + 1..=costs.modules).rev().find(|&end| costs.fits(device, start, end)).unwrap_or(start)
}

fn earliest_start(costs: &Costs<'_>, device: usize, end: usize) -> usize {
    (0..end).find(|&start| costs.fits(device, start, end)).unwrap_or(end)
}

/// Enough to reach a plan where memory alone decides.
const FEASIBILITY_STEPS: u64 = 20_000;
