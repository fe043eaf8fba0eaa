//! Sums over module ranges, and the parts of a plan's cost that depend on little:
//! on a stage alone, or on two neighbours alone.

use base::{ModuleRange, Objective, PlanInput};

use crate::verify::held_bytes;

/// Someone who can run a stage. Place `p` is device `p`; one more place, after
/// all devices, is the header's second stage where the ring may close.
pub(crate) type Place = usize;

/// An input with its sums.
pub(crate) struct Costs<'a> {
    pub input: &'a PlanInput,
    pub modules: usize,
    /// Devices, and the closing place if there may be one.
    pub places: usize,
    flops: Triangle,
    bytes: Triangle,
    /// Bytes of the tensors of module 0 that a range reads.
    from_header: Triangle,
    /// Bytes of tensors of modules before the range, not module 0, that it reads.
    from_others: Triangle,
    /// Whether the header can hold `start..` together with module 0.
    closing_fits: Vec<bool>,
}

impl<'a> Costs<'a> {
    pub fn new(input: &'a PlanInput) -> Self {
        let modules = input.modules.len();
        let devices = input.devices.len();
        let closes = input.close_ring && devices > 1;
        let flops = Triangle::sums(modules, |module| input.modules[module].flops);
        let mut bytes = Triangle::sums(modules, |module| input.modules[module].resident_bytes());
        bytes.subtract_within(input);
        let (from_header, from_others) = residual_reads(input);
        let places = devices + usize::from(closes);
        let closing_fits = closing_fits(input);
        Self { input, modules, places, flops, bytes, from_header, from_others, closing_fits }
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
        self.flops.get(start, end) / self.input.devices[self.device_of(place)].flops_per_sec
    }

    /// Whether a place has memory for `start..end`; necessary, and sufficient except when closing.
    pub fn fits(&self, place: Place, start: usize, end: usize) -> bool {
        if self.is_closing(place) {
            return self.closing_fits[start];
        }
        self.bytes.get(start, end) <= self.input.devices[place].memory_bytes
    }

    /// Least cost of a stage by itself: its compute, and tensors that skip modules on
    /// their way to it, for which the best sender outside has `best_bandwidth`.
    pub fn stage_bound(&self, place: Place, start: usize, end: usize, best_bandwidth: f64) -> f64 {
        let own = self.own_stage_bound(place, start, end);
        own + self.skipping_secs(place, start, end, best_bandwidth)
    }

    /// The part of it that every sender leaves as it is.
    pub fn own_stage_bound(&self, place: Place, start: usize, end: usize) -> f64 {
        if !self.fits(place, start, end) {
            return f64::INFINITY;
        }
        let compute = self.compute_secs(place, start, end);
        let throughput = self.input.objective == Objective::Throughput;
        if self.is_closing(place) {
            let first = if throughput { self.compute_secs(0, 0, 1) } else { 0.0 };
            return compute + first;
        }
        if place == 0 {
            return compute;
        }
        let header = time(self.from_header.get(start, end), self.input.bytes_per_sec[0][place]);
        if throughput { compute.max(header) } else { compute + header }
    }

    /// The rest: tensors of modules other than the first that skip modules on their way.
    pub fn skipping_secs(
        &self,
        place: Place,
        start: usize,
        end: usize,
        best_bandwidth: f64,
    ) -> f64 {
        let counts = self.input.objective == Objective::Latency;
        if !counts || place == 0 || self.is_closing(place) {
            return 0.0;
        }
        time(self.from_others.get(start, end), best_bandwidth)
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

/// A value for every range `start..end` of modules.
struct Triangle {
    width: usize,
    values: Vec<f64>,
}

impl Triangle {
    fn zero(modules: usize) -> Self {
        Self { width: modules + 1, values: vec![0.0; modules * (modules + 1)] }
    }

    /// Sums added up in the modules' order, so that they are those of anyone who adds in order.
    fn sums(modules: usize, value: impl Fn(usize) -> f64) -> Self {
        let mut table = Self::zero(modules);
        for start in 0..modules {
            let mut sum = 0.0;
            for end in start + 1..=modules {
                sum += value(end - 1);
                *table.at(start, end) = sum;
            }
        }
        table
    }

    fn get(&self, start: usize, end: usize) -> f64 {
        self.values[start * self.width + end]
    }

    fn at(&mut self, start: usize, end: usize) -> &mut f64 {
        &mut self.values[start * self.width + end]
    }

    /// Counts tensors shared by two modules of a range once.
    fn subtract_within(&mut self, input: &PlanInput) {
        let modules = input.modules.len();
        let mut shared = Self::zero(modules);
        for tied in &input.tied {
            let (first, last) = (tied.0.min(tied.1), tied.0.max(tied.1));
            for start in 0..=first {
                for end in last + 1..=modules {
                    *shared.at(start, end) += tied.2;
                }
            }
        }
        self.values.iter_mut().zip(shared.values).for_each(|(full, twice)| *full -= twice);
    }
}

/// Bytes that each range reads of residual tensors made before it: by module 0, by others.
fn residual_reads(input: &PlanInput) -> (Triangle, Triangle) {
    let modules = input.modules.len();
    let (mut header, mut others) = (Triangle::zero(modules), Triangle::zero(modules));
    for residual in &input.residual {
        let table = if residual.from == 0 { &mut header } else { &mut others };
        for start in residual.from + 1..modules {
            let next = residual.to.iter().filter(|&&to| to >= start).min();
            for end in next.map_or(modules + 1, |next| next + 1)..=modules {
                *table.at(start, end) += residual.bytes;
            }
        }
    }
    (header, others)
}

/// Per start of the closing stage: whether the header could hold it with module 0
/// alone. Holding less must not take more, else nothing is known.
fn closing_fits(input: &PlanInput) -> Vec<bool> {
    let modules = input.modules.len();
    let shared = |module| {
        let parts = input.tied.iter().filter(move |tied| tied.0 == module || tied.1 == module);
        parts.map(|tied| tied.2).sum::<f64>()
    };
    let monotone =
        (0..modules).all(|module| shared(module) <= input.modules[module].resident_bytes());
    let fits = |start: usize| {
        let ranges = [ModuleRange::new(0, 1), ModuleRange::new(start, modules)];
        held_bytes(input, &ranges) <= input.devices[0].memory_bytes
    };
    (0..modules).map(|start| !monotone || start == 0 || fits(start)).collect()
}

fn time(bytes: f64, bandwidth: f64) -> f64 {
    if bytes > 0.0 { bytes / bandwidth } else { 0.0 }
}
