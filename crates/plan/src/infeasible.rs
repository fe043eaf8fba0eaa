//! Which constraint leaves no plan, by how much, and what would help.
//!
//! Each constraint is looked at as if what was said before had been done, so that doing all of it makes
//! a plan possible.

use base::{DeviceProfile, ModuleRange, PlanInput};

use crate::{
    Shortfall,
    costs::Costs,
    explain::{size, size_at_least},
    extra::extra_device_bytes,
    search::{Limits, search},
    verify::held_bytes,
};

/// Every constraint that cannot be met; asked only where no plan exists.
pub(crate) fn shortfalls(costs: &Costs<'_>) -> Vec<Shortfall> {
    if let Some(device) = costs.input.devices.iter().find(|device| !device.within.is_empty()) {
        return vec![within(device)];
    }
    let (mut helped, mut found) = (costs.input.clone(), Vec::new());
    for of_device in [header_memory(costs), module_memory(costs)].into_iter().flatten() {
        helped.devices[of_device.device].memory_bytes = of_device.needed_bytes;
        found.push(of_device.shortfall);
    }
    let extra_bytes = missing_device_bytes(&helped);
    let of_all = total_memory(costs, extra_bytes);
    if extra_bytes > 0.0 {
        found.push(of_all.unwrap_or_else(|| contiguous(costs.input, extra_bytes)));
        add_device(&mut helped, extra_bytes);
    } else if found.is_empty() {
        found.extend(of_all);
    }
    if found.is_empty() || has_no_plan(&helped) {
        found.push(links(costs.input));
    }
    found
}

/// Where devices may run only what they hold, whether the rest is enough is not looked at.
fn within(device: &DeviceProfile) -> Shortfall {
    Shortfall {
        constraint: "within",
        device: Some(device.id.clone()),
        missing_bytes: None,
        help: format!(
            "{} and the others may run only what they hold: let them load more.",
            device.id
        ),
    }
}

/// What one device lacks.
struct OfDevice {
    device: usize,
    needed_bytes: f64,
    shortfall: Shortfall,
}

impl OfDevice {
    fn new(
        input: &PlanInput,
        constraint: &'static str,
        device: usize,
        needed_bytes: f64,
        help: String,
    ) -> Self {
        let profile = &input.devices[device];
        let shortfall = Shortfall {
            constraint,
            device: Some(profile.id.clone()),
            missing_bytes: Some(needed_bytes - profile.memory_bytes),
            help,
        };
        Self { device, needed_bytes, shortfall }
    }
}

fn header_memory(costs: &Costs<'_>) -> Option<OfDevice> {
    let (device, module) = (&costs.input.devices[0], &costs.input.modules[0]);
    let (needed, lent) = (module.resident_bytes(), device.memory_bytes);
    if needed <= lent {
        return None;
    }
    let remedies = [
        Some(format!("lend {} more there", size_at_least(needed - lent))),
        Some("start the room on a phone with more memory".into()),
        (module.kv_bytes > 0.0).then(|| SHORTER_CONTEXT.into()),
    ];
    let (id, name) = (&device.id, &module.name);
    let help = format!(
        "{id} has to run `{name}`, which takes {}, but lends {}: {}.",
        size(needed),
        size(lent),
        any_of(remedies)
    );
    Some(OfDevice::new(costs.input, "header_memory", 0, needed, help))
}

/// The module that is furthest from fitting anywhere.
fn module_memory(costs: &Costs<'_>) -> Option<OfDevice> {
    let input = costs.input;
    let others = input.devices.iter().enumerate().skip(1);
    let (largest, device) = others.max_by(|a, b| a.1.memory_bytes.total_cmp(&b.1.memory_bytes))?;
    let modules = input.modules.iter().skip(1);
    let module = modules.max_by(|a, b| a.resident_bytes().total_cmp(&b.resident_bytes()))?;
    let needed = module.resident_bytes();
    let fits = needed <= device.memory_bytes.max(input.devices[0].memory_bytes);
    // Where more modules may take less, nothing is known of one.
    if fits || !costs.is_monotone {
        return None;
    }
    let missing = size_at_least(needed - device.memory_bytes);
    let remedies = [
        Some(format!("lend {missing} more on {}", device.id)),
        shorter_context(input, module.kv_bytes),
    ];
    let help = format!(
        "`{}` takes {} and no phone lends so much: {}.",
        module.name,
        size(needed),
        any_of(remedies)
    );
    Some(OfDevice::new(input, "module_memory", largest, needed, help))
}

fn total_memory(costs: &Costs<'_>, extra_bytes: f64) -> Option<Shortfall> {
    let input = costs.input;
    let needed = held_bytes(input, &[ModuleRange::new(0, costs.modules)]);
    let lent: f64 = input.devices.iter().map(|device| device.memory_bytes).sum();
    let missing = needed - lent;
    if missing <= 0.0 {
        return None;
    }
    let help = format!(
        "The model takes {} and all phones together lend {}, {} too little: {}.",
        size(needed),
        size(lent),
        size_at_least(missing),
        any_of([one_more(extra_bytes), shorter_context(input, total_kv(input))])
    );
    Some(Shortfall { constraint: "total_memory", device: None, missing_bytes: Some(missing), help })
}

/// Memory is there, but not in the right pieces.
fn contiguous(input: &PlanInput, missing: f64) -> Shortfall {
    let help = format!(
        "There is enough memory in all, but not for consecutive modules on each phone: {}.",
        any_of([one_more(missing), shorter_context(input, total_kv(input))])
    );
    let constraint = "contiguous_memory";
    Shortfall { constraint, device: None, missing_bytes: Some(missing), help }
}

fn links(input: &PlanInput) -> Shortfall {
    let devices = input.devices.len();
    let pairs = (0..devices).flat_map(|from| (0..devices).map(move |to| (from, to)));
    let missing = pairs.filter(|&(from, to)| from != to && input.bytes_per_sec[from][to] == 0.0);
    let id = |device: usize| &input.devices[device].id;
    let mut names: Vec<String> =
        missing.map(|(from, to)| format!("from {} to {}", id(from), id(to))).collect();
    if names.len() > MOST_NAMES {
        let others = names.len() - MOST_NAMES;
        names.truncate(MOST_NAMES);
        names.push(format!("{others} more"));
    }
    Shortfall {
        constraint: "links",
        device: None,
        missing_bytes: None,
        help: format!(
            "Phones that would have to talk have no link ({}): bring them onto the same network, or \
             let another phone join.",
            names.join(", ")
        ),
    }
}

fn one_more(bytes: f64) -> Option<String> {
    let phone = || format!("let one more phone join that lends {}", size_at_least(bytes));
    (bytes > 0.0).then(phone)
}

/// A file may have the KV cache inside the weights; then a shorter context may help anything.
fn shorter_context(input: &PlanInput, kv_bytes: f64) -> Option<String> {
    (kv_bytes > 0.0 || total_kv(input) == 0.0).then(|| SHORTER_CONTEXT.into())
}

fn total_kv(input: &PlanInput) -> f64 {
    input.modules.iter().map(|module| module.kv_bytes).sum()
}

/// What would help, one of them enough; a smaller quantisation always may.
fn any_of<const N: usize>(remedies: [Option<String>; N]) -> String {
    let remedies: Vec<String> = remedies.into_iter().flatten().collect();
    match remedies.is_empty() {
        true => SMALLER.into(),
        false => format!("{} or {SMALLER}", remedies.join(", ")),
    }
}

/// How much memory a device more would need; none where there is a plan without.
fn missing_device_bytes(input: &PlanInput) -> f64 {
    let costs = Costs::new(input);
    let bytes = extra_device_bytes(&costs);
    if costs.is_monotone {
        return bytes;
    }
    // Where more modules may take less, the search knows better; all but the first are enough.
    match fits_with_every_link(input) {
        true => 0.0,
        false if bytes > 0.0 => bytes,
        false => held_bytes(input, &[ModuleRange::new(1, costs.modules)]),
    }
}

/// Whether there would be a plan if every pair of devices had a link.
fn fits_with_every_link(input: &PlanInput) -> bool {
    let mut linked = input.clone();
    linked.bytes_per_sec.iter_mut().flatten().for_each(|bandwidth| *bandwidth = 1.0);
    search(&Costs::new(&linked), FEASIBILITY).plan.is_some()
}

/// Whether it is sure that nothing fits.
fn has_no_plan(input: &PlanInput) -> bool {
    if input.devices.len() > MOST_SEARCHED {
        return false;
    }
    let found = search(&Costs::new(input), FEASIBILITY);
    found.complete && found.plan.is_none()
}

/// Adds one that has links with all others.
fn add_device(input: &mut PlanInput, memory_bytes: f64) {
    let id = "one more".to_owned();
    input.devices.push(DeviceProfile {
        id,
        flops_per_sec: 1.0,
        overhead_secs: 0.0,
        memory_bytes,
        within: Vec::new(),
    });
    for (rows, value) in [(&mut input.rtt_secs, 0.0), (&mut input.bytes_per_sec, 1.0)] {
        rows.iter_mut().for_each(|row| row.push(value));
        rows.push(vec![value; input.devices.len()]);
    }
}

const SMALLER: &str = "use a smaller quantisation";
const SHORTER_CONTEXT: &str = "use a shorter context";
/// Missing links that are told apart.
const MOST_NAMES: usize = 3;
/// With more devices a second search may take seconds.
const MOST_SEARCHED: usize = 12;
/// Enough to reach a plan where memory alone decides.
const FEASIBILITY: Limits = Limits { steps: 20_000, end: None };
