//! Sums over module ranges, and the parts of a plan's cost that depend on little:
//! on a stage alone, or on two neighbours alone.

use std::ops::RangeInclusive;

use base::{ModuleRange, Objective, PlanInput};

use crate::{closing::Closing, triangle::Triangle};

/// Someone who can run a stage. Place `p` is device `p`; one more place, after
/// all devices, is the header's second stage where the ring may close.
pub(crate) type Place = usize;

/// An input with its sums.
#[derive(Clone)]
pub(crate) struct Costs<'a> {
    pub input: &'a PlanInput,
    pub modules: usize,
    /// Devices, and the closing place if there may be one.
    pub places: usize,
    flops: Triangle,
    bytes: Triangle,
    /// Bytes of the tensors of module 0 that a range reads.
    from_header: Triangle,
    /// The module, other than 0, whose residual tensors cost most: bounds know which device has
    /// them. None where only module 0 has any.
    pub tracked: Option<usize>,
    /// Bytes of its tensors that a range reads.
    from_tracked: Triangle,
    /// Bytes of all other tensors of modules before the range that it reads.
    from_others: Option<Triangle>,
    /// Whether holding more modules never takes less memory.
    pub is_monotone: bool,
    /// The header's second stage, where it may have one.
    pub closing: Option<Closing>,
}

impl<'a> Costs<'a> {
    pub fn new(input: &'a PlanInput) -> Self {
        let modules = input.modules.len();
        let devices = input.devices.len();
        let closes = input.close_ring && devices > 1;
        let flops = Triangle::sums(modules, |module| input.modules[module].flops);
        let mut bytes = Triangle::sums(modules, |module| input.modules[module].resident_bytes());
        bytes.subtract_within(input);
        let tracked = tracked(input);
        let reads = |is_meant: &dyn Fn(usize) -> bool| {
            Triangle::reads(modules, input.residual.iter().filter(|one| is_meant(one.from)))
        };
        let is_other = |from: usize| from != 0 && Some(from) != tracked;
        let has_others = input.residual.iter().any(|one| is_other(one.from) && one.bytes > 0.0);
        let places = devices + usize::from(closes);
        let is_monotone = is_monotone(input);
        let closing = closes.then(|| Closing::new(input, is_monotone));
        Self {
            input,
            modules,
            places,
            flops,
            bytes,
            from_header: reads(&|from| from == 0),
            tracked,
            from_tracked: reads(&|from| Some(from) == tracked),
            from_others: has_others.then(|| reads(&is_other)),
            is_monotone,
            closing,
        }
    }

    /// The same without the header's second stage.
    pub fn open(&self) -> Self {
        Self { places: self.devices(), closing: None, ..self.clone() }
    }

    /// Of plans in which the header has a second stage, those where its first has one of these ends.
    pub fn close_after(&mut self, ends: RangeInclusive<usize>) {
        if let Some(closing) = &mut self.closing {
            closing.require(self.input, ends);
        }
    }

    /// Whether only plans count in which the header has a second stage.
    pub fn must_close(&self) -> bool {
        self.closing.as_ref().is_some_and(|closing| closing.is_required)
    }

    /// Where the header's first stage ends at least.
    pub fn first_end(&self) -> usize {
        self.closing.as_ref().map_or(1, |closing| closing.first_end)
    }

    /// Whether residual tensors of modules other than 0 and the tracked one have bytes.
    pub fn has_others(&self) -> bool {
        self.from_others.is_some()
    }

    /// What the modules from there on cost at least, on whatever devices.
    pub fn rest_secs(&self, start: usize) -> f64 {
        let flops = self.flops.get(start.min(self.modules - 1), self.modules);
        let speeds = self.input.devices.iter().map(|device| device.flops_per_sec);
        match self.input.objective {
            _ if start >= self.modules => 0.0,
            Objective::Latency => flops / speeds.fold(0.0, f64::max),
            Objective::Throughput => flops / speeds.sum::<f64>() * (1.0 - 1e-9),
        }
    }

    pub fn devices(&self) -> usize {
        self.input.devices.len()
    }

    /// Whether the place is the header's second stage.
    pub fn is_closing(&self, place: Place) -> bool {
        place == self.devices()
    }

    pub fn device_of(&self, place: Place) -> usize {
        if self.is_closing(place) { 0 } else { place }
    }

    /// Time to compute modules `start..end`.
    pub fn compute_secs(&self, place: Place, start: usize, end: usize) -> f64 {
        let device = self.device_of(place);
        let compute_secs = self.flops.get(start, end) / self.input.devices[device].flops_per_sec;
        self.input.overhead_secs(device, end) + compute_secs
    }

    /// The part of it that is one module's alone.
    pub fn module_secs(&self, place: Place, module: usize) -> f64 {
        let device = &self.input.devices[self.device_of(place)];
        self.input.modules[module].flops / device.flops_per_sec
    }

    /// Whether a place has memory for `start..end`; necessary, and sufficient except for the header where
    /// the ring closes.
    pub fn fits(&self, place: Place, start: usize, end: usize) -> bool {
        let device = &self.input.devices[self.device_of(place)];
        if !device.may_run(ModuleRange::new(start, end)) {
            return false;
        }
        if let Some(closing) = &self.closing {
            if self.is_closing(place) {
                return closing.fits[start];
            }
            if place == 0 && closing.is_required {
                return closing.first_fits[end];
            }
        }
        self.bytes.get(start, end) <= device.memory_bytes
    }

    /// Least cost of a stage by itself: its compute, and tensors and a token whose way is known.
    pub fn own_stage_bound(&self, place: Place, start: usize, end: usize) -> f64 {
        if !self.fits(place, start, end) {
            return f64::INFINITY;
        }
        let compute = self.compute_secs(place, start, end);
        let throughput = self.input.objective == Objective::Throughput;
        if self.is_closing(place) {
            let first = if throughput { self.compute_secs(0, 0, self.first_end()) } else { 0.0 };
            return compute + first;
        }
        let compute = self.combine(compute, self.return_bound(place, start, end));
        if place == 0 {
            return compute;
        }
        let header = time(self.from_header.get(start, end), self.input.bytes_per_sec[0][place]);
        if throughput { compute.max(header) } else { compute + header }
    }

    /// What tensors of the tracked module cost a stage that reads them, where `owner` has made them
    /// and `before` hands over to it.
    pub fn tracked_secs(
        &self,
        owner: Place,
        before: Place,
        place: Place,
        start: usize,
        end: usize,
    ) -> f64 {
        let (bytes, to) = (self.from_tracked.get(start, end), self.device_of(place));
        if bytes <= 0.0 || owner == to {
            return 0.0;
        }
        let header_reads = |end| {
            let reads = owner == 0 && !self.is_closing(place);
            if reads { self.from_header.get(start, end) } else { 0.0 }
        };
        let handed_over =
            if before == owner { self.input.sequential_bytes[start - 1] } else { 0.0 };
        let bandwidth = self.input.bytes_per_sec[owner][to];
        match self.input.objective {
            Objective::Throughput => (bytes + handed_over + header_reads(end)) / bandwidth,
            // Whatever starts the link first pays for that: see `entry_bound`.
            Objective::Latency => {
                let is_started = handed_over > 0.0 || before != 0 && header_reads(start + 1) > 0.0;
                let start_secs =
                    if is_started { 0.0 } else { self.input.rtt_secs[owner][to] / 2.0 };
                start_secs + bytes / bandwidth
            }
        }
    }

    /// What it changes for a stage with that start, whatever its end, if the owner of the tracked tensors
    /// hands over to it; none where the end matters.
    pub fn change_after_owner(&self, owner: Place, place: Place, start: usize) -> Option<f64> {
        let (first, all) =
            (self.from_tracked.get(start, start + 1), self.from_tracked.get(start, self.modules));
        if owner == self.device_of(place) || all <= 0.0 {
            return Some(0.0);
        }
        let secs = |before| self.tracked_secs(owner, before, place, start, start + 1);
        let change = match self.input.objective {
            Objective::Latency => secs(owner) - secs(if owner == 0 { 1 } else { 0 }),
            Objective::Throughput => secs(owner),
        };
        let is_same = match self.input.objective {
            Objective::Latency => first > 0.0,
            Objective::Throughput => first == all && owner != 0,
        };
        (is_same && change.is_finite()).then_some(change)
    }

    /// What other tensors that skip modules cost a place at least, by the last module of its stage, where the
    /// best sender has `best_bandwidth`; none where they cost nothing.
    pub fn skipping(
        &self,
        place: Place,
        start: usize,
        best_bandwidth: impl FnOnce() -> f64,
    ) -> Option<Skipping<'_>> {
        let counts = self.input.objective == Objective::Latency;
        if !counts || place == 0 || self.is_closing(place) {
            return None;
        }
        let bytes = self.from_others.as_ref()?.row(start);
        Some(Skipping { bytes, best_bandwidth: best_bandwidth() })
    }

    /// Least cost of handing over from one place to the next before module `cut`.
    pub fn entry_bound(&self, from: Place, to: Place, cut: usize) -> f64 {
        if from == 0 && self.is_closing(to) {
            return f64::INFINITY;
        }
        let bytes = self.input.sequential_bytes[cut - 1];
        let link = self.link_secs(from, to, bytes);
        // A tensor straight from the header starts that link, whatever else the stage reads.
        let skips = from != 0 && !self.is_closing(to) && self.from_header.get(cut, cut + 1) > 0.0;
        let header_starts = skips && self.input.objective == Objective::Latency;
        link + if header_starts { self.input.rtt_secs[0][to] / 2.0 } else { 0.0 }
    }

    /// Cost of the sampled token's way back, where it is sure to go to the header.
    pub fn token_bound(&self, tail: Place) -> f64 {
        let returns = self.input.token_to == 0 && self.device_of(tail) != 0;
        if returns { self.link_secs(tail, 0, self.input.token_bytes) } else { 0.0 }
    }

    /// Least cost of the token's way back from a last stage that comes after the module that wants it.
    fn return_bound(&self, tail: Place, start: usize, end: usize) -> f64 {
        let wants = self.input.token_to;
        if end < self.modules || wants == 0 || wants >= start {
            return 0.0;
        }
        let others = (0..self.devices()).filter(|&device| device != tail);
        others
            .map(|device| self.link_secs(tail, device, self.input.token_bytes))
            .fold(f64::INFINITY, f64::min)
    }

    /// What one pair's traffic adds to the objective; infinite without a link.
    pub fn pair_secs(&self, from: usize, to: usize, bytes: f64) -> f64 {
        if bytes <= 0.0 {
            return 0.0;
        }
        let bandwidth = self.input.bytes_per_sec[from][to];
        match self.input.objective {
            Objective::Latency => self.input.rtt_secs[from][to] / 2.0 + bytes / bandwidth,
            Objective::Throughput => bytes / bandwidth,
        }
    }

    fn link_secs(&self, from: Place, to: Place, bytes: f64) -> f64 {
        self.pair_secs(self.device_of(from), self.device_of(to), bytes)
    }

    /// How costs of parts make the cost of the whole.
    pub fn combine(&self, left: f64, right: f64) -> f64 {
        match self.input.objective {
            Objective::Latency => left + right,
            Objective::Throughput => left.max(right),
        }
    }
}

/// Whether no module's tied bytes are more than all of its own.
fn is_monotone(input: &PlanInput) -> bool {
    let shared = |module| {
        let parts = input.tied.iter().filter(move |tied| tied.0 == module || tied.1 == module);
        parts.map(|tied| tied.2).sum::<f64>()
    };
    let modules = input.modules.iter().enumerate();
    modules.into_iter().all(|(index, module)| shared(index) <= module.resident_bytes())
}

/// Tensors that skip modules, as a stage that may end anywhere reads them.
#[derive(Clone, Copy)]
pub(crate) struct Skipping<'a> {
    /// By the number of the stage's modules, less one.
    bytes: &'a [f64],
    best_bandwidth: f64,
}

impl Skipping<'_> {
    /// What they cost a stage of so many modules at least.
    pub fn secs(self, modules: usize) -> f64 {
        time(self.bytes[modules - 1], self.best_bandwidth)
    }
}

/// Of all modules but the first, the one with the most bytes of residual tensors over all their readers.
fn tracked(input: &PlanInput) -> Option<usize> {
    let mut bytes = vec![0.0; input.modules.len()];
    for residual in input.residual.iter().filter(|one| one.from > 0) {
        bytes[residual.from] += residual.bytes * residual.to.len() as f64;
    }
    let most = bytes.iter().copied().fold(0.0, f64::max);
    bytes.iter().position(|&bytes| bytes > 0.0 && bytes >= most)
}

fn time(bytes: f64, bandwidth: f64) -> f64 {
    if bytes > 0.0 { bytes / bandwidth } else { 0.0 }
}
