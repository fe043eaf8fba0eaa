//! Random instances, and an optimum found by trying everything. Written from the
//! definitions of the planner's file interface; uses nothing of the planner.

#![allow(dead_code)] // each test file uses its own part

use std::collections::{BTreeMap, BTreeSet};

use base::{
    DeviceProfile, ModuleProfile, ModuleRange, Objective, Plan, PlanInput, Residual, Stage, Tied,
};

/// A small generator of random numbers (xorshift64*), so that a seed means the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A whole number from `low` to `high`, both included.
    pub fn int(&mut self, low: usize, high: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        low + bits as usize % (high - low + 1)
    }

    pub fn real(&mut self, low: usize, high: usize) -> f64 {
        self.int(low, high) as f64
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.int(1, 100) <= percent
    }
}

/// A room with what the planner has to deal with: missing links, residual and shared
/// tensors, tight memory, equal phones, a token that goes elsewhere, a ring that may close.
pub fn instance(random: &mut Random, devices: usize, modules: usize, plain: bool) -> PlanInput {
    let profiles: Vec<_> = (0..modules).map(|i| module(random, i)).collect();
    let bytes: f64 = profiles.iter().map(ModuleProfile::resident_bytes).sum();
    let share = (bytes / devices as f64) as usize;
    let extras = !plain && modules > 2;
    let residual =
        if extras && random.chance(60) { residuals(random, modules) } else { Vec::new() };
    let tied = if extras && random.chance(50) { ties(random, &profiles) } else { Vec::new() };
    let fastest = if random.chance(10) { 1 } else { 9 };
    PlanInput {
        objective: if random.chance(50) { Objective::Latency } else { Objective::Throughput },
        sequential_bytes: (1..modules).map(|_| random.real(0, 40)).collect(),
        residual,
        tied,
        devices: (0..devices)
            .map(|i| DeviceProfile {
                id: format!("phone-{i}"),
                flops_per_sec: random.real(1, fastest),
                overhead_secs: if random.chance(50) { random.real(0, 3) } else { 0.0 },
                memory_bytes: random.real(share / 2, share * 3),
                within: Vec::new(),
            })
            .collect(),
        rtt_secs: matrix(devices, || random.real(0, fastest + 3)),
        bytes_per_sec: matrix(devices, || {
            if random.chance(8) { 0.0 } else { random.real(1, fastest) }
        }),
        token_bytes: random.real(0, 4),
        token_to: if !plain && random.chance(20) { random.int(0, modules - 1) } else { 0 },
        close_ring: !plain && random.chance(50),
        modules: profiles,
    }
}

/// Devices that may run only what they hold.
pub fn restricted(random: &mut Random, mut input: PlanInput) -> PlanInput {
    let modules = input.modules.len();
    input.devices.iter_mut().for_each(|device| device.within = within(random, modules));
    input
}

/// What a device holds: anything, one range, or the beginning and the end.
fn within(random: &mut Random, modules: usize) -> Vec<ModuleRange> {
    let (first, last) = (random.int(0, modules - 1), random.int(0, modules - 1));
    match random.int(0, 2) {
        0 => Vec::new(),
        1 => vec![ModuleRange::new(first.min(last), first.max(last) + 1)],
        _ => vec![ModuleRange::new(0, first + 1), ModuleRange::new(last, modules)],
    }
}

fn module(random: &mut Random, index: usize) -> ModuleProfile {
    let (flops, weights_bytes) = (random.real(0, 30), random.real(1, 30));
    let kv_bytes = (index % 2) as f64;
    ModuleProfile { name: format!("m.{index}"), flops, weights_bytes, kv_bytes }
}

/// Mostly the embedding and the head; else any two modules, once or twice.
fn ties(random: &mut Random, modules: &[ModuleProfile]) -> Vec<Tied> {
    let last = modules.len() - 1;
    let least = |a: usize, b: usize| modules[a].weights_bytes.min(modules[b].weights_bytes);
    if random.chance(60) {
        return vec![Tied(0, last, least(0, last))];
    }
    let one = |random: &mut Random| {
        let first = random.int(0, last - 1);
        let second = random.int(first + 1, last);
        let bytes = random.real(0, least(first, second) as usize);
        if random.chance(50) { Tied(first, second, bytes) } else { Tied(second, first, bytes) }
    };
    (0..random.int(1, 2)).map(|_| one(random)).collect()
}

/// Several tensors of the smaller module's size, so that more modules may take less memory, and a
/// ring that may close.
pub fn with_many_ties(random: &mut Random, mut input: PlanInput) -> PlanInput {
    let last = input.modules.len() - 1;
    let one = |_| {
        let first = random.int(0, last - 1);
        let second = random.int(first + 1, last);
        let bytes = [first, second].map(|module| input.modules[module].weights_bytes);
        Tied(first, second, bytes[0].min(bytes[1]))
    };
    input.tied = (0..4).map(one).collect();
    input.tied.truncate(random.int(2, 4));
    input.close_ring = true;
    input
}

fn residuals(random: &mut Random, modules: usize) -> Vec<Residual> {
    let one = |random: &mut Random| {
        let from = if random.chance(50) { 0 } else { random.int(0, modules - 3) };
        let mut to: Vec<_> = (from + 2..modules).filter(|_| random.chance(50)).collect();
        if to.is_empty() {
            to.push(modules - 1);
        }
        Residual { from, to, bytes: random.real(0, 30) }
    };
    (0..random.int(1, 3)).map(|_| one(random)).collect()
}

fn matrix(size: usize, mut value: impl FnMut() -> f64) -> Vec<Vec<f64>> {
    (0..size).map(|_| (0..size).map(|_| value()).collect()).collect()
}

/// The least cost over every subset, order and cut, and the fewest stages it takes.
pub fn brute_force(input: &PlanInput) -> Option<(f64, usize)> {
    let mut best = None;
    extend(input, &mut Vec::new(), &mut best);
    best
}

fn extend(input: &PlanInput, stages: &mut Vec<Stage>, best: &mut Option<(f64, usize)>) {
    let start = stages.last().map_or(0, |stage| stage.modules.end);
    if start == input.modules.len() {
        let cost = cost(input, &Plan { stages: stages.clone(), overlap: vec![] });
        if let Some(cost) = cost {
            let better = best.is_none_or(|(least, count)| {
                let equal = (cost - least).abs() <= 1e-9 * least;
                if equal { stages.len() < count } else { cost < least }
            });
            if better {
                *best = Some((cost, stages.len()));
            }
        }
        return;
    }
    for device in 0..input.devices.len() {
        let used = stages.iter().any(|stage| stage.device == device);
        let closes = input.close_ring && device == 0 && stages.len() >= 2;
        let opens = stages.is_empty() == (device == 0) && !used;
        if !opens && !closes {
            continue;
        }
        for end in start + 1..=input.modules.len() {
            if closes && end < input.modules.len() {
                continue;
            }
            stages.push(Stage { device, modules: ModuleRange::new(start, end) });
            if !is_hopeless(input, stages, *best) {
                extend(input, stages, best);
            }
            stages.pop();
        }
    }
}

/// Whether the last stage cannot be held, whatever it shares, or computing alone takes longer than
/// the best plan so far.
fn is_hopeless(input: &PlanInput, stages: &[Stage], best: Option<(f64, usize)>) -> bool {
    let last = stages[stages.len() - 1];
    let modules = &input.modules[last.modules.indices()];
    let bytes: f64 = modules.iter().map(ModuleProfile::resident_bytes).sum();
    let shared: f64 = input.tied.iter().map(|tied| tied.2).sum();
    if bytes - shared > input.devices[last.device].memory_bytes {
        return true;
    }
    let secs = stages.iter().map(|stage| {
        let modules = &input.modules[stage.modules.indices()];
        let flops: f64 = modules.iter().map(|module| module.flops).sum();
        flops / input.devices[stage.device].flops_per_sec
    });
    let secs = match input.objective {
        Objective::Latency => secs.sum(),
        Objective::Throughput => secs.fold(0.0, f64::max),
    };
    best.is_some_and(|(least, _)| secs > least * (1.0 + 1e-6))
}

/// A plan's cost; none if memory or a link is missing.
pub fn cost(input: &PlanInput, plan: &Plan) -> Option<f64> {
    let owner: Vec<usize> =
        plan.stages.iter().flat_map(|one| vec![one.device; one.modules.len()]).collect();
    let mut busy = vec![0.0; input.devices.len()];
    let mut held = vec![0.0; input.devices.len()];
    for (module, &device) in input.modules.iter().zip(&owner) {
        busy[device] += module.flops / input.devices[device].flops_per_sec;
        held[device] += module.weights_bytes + module.kv_bytes;
    }
    for stage in &plan.stages {
        let is_passed = stage.modules.end > input.token_to;
        let overhead_secs = input.devices[stage.device].overhead_secs;
        busy[stage.device] += if is_passed { overhead_secs } else { 0.0 };
    }
    for &Tied(a, b, bytes) in &input.tied {
        if owner[a] == owner[b] {
            held[owner[a]] -= bytes;
        }
    }
    if held.iter().zip(&input.devices).any(|(held, device)| *held > device.memory_bytes) {
        return None;
    }
    let is_held = |stage: &Stage| {
        let within = &input.devices[stage.device].within;
        let holds =
            |range: &ModuleRange| stage.modules.indices().all(|module| range.contains(module));
        within.is_empty() || within.iter().any(holds)
    };
    if !plan.stages.iter().all(is_held) {
        return None;
    }
    let pairs = traffic(input, &owner);
    if pairs.keys().any(|&(from, to)| input.bytes_per_sec[from][to] == 0.0) {
        return None;
    }
    let wire =
        |(&(from, to), &bytes): (&(usize, usize), &f64)| bytes / input.bytes_per_sec[from][to];
    Some(match input.objective {
        Objective::Latency => {
            let rtts = pairs.keys().map(|&(from, to)| input.rtt_secs[from][to] / 2.0);
            busy.iter().sum::<f64>() + pairs.iter().map(wire).sum::<f64>() + rtts.sum::<f64>()
        }
        Objective::Throughput => busy.into_iter().chain(pairs.iter().map(wire)).fold(0.0, f64::max),
    })
}

fn traffic(input: &PlanInput, owner: &[usize]) -> BTreeMap<(usize, usize), f64> {
    let mut all = Vec::new();
    for (module, &bytes) in input.sequential_bytes.iter().enumerate() {
        all.push((owner[module], owner[module + 1], bytes));
    }
    for residual in &input.residual {
        let readers: BTreeSet<_> = residual.to.iter().map(|&to| owner[to]).collect();
        all.extend(
            readers.into_iter().map(|reader| (owner[residual.from], reader, residual.bytes)),
        );
    }
    all.push((*owner.last().expect("a module"), owner[input.token_to], input.token_bytes));
    let mut pairs = BTreeMap::new();
    for (from, to, bytes) in all.into_iter().filter(|one| one.0 != one.1 && one.2 > 0.0) {
        *pairs.entry((from, to)).or_insert(0.0) += bytes;
    }
    pairs
}
