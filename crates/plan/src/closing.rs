//! What the header's memory allows where the ring closes: two stages that share it.

use std::ops::RangeInclusive;

use base::{ModuleRange, PlanInput};

/// The header's first and last stage together.
#[derive(Clone)]
pub(crate) struct Closing {
    /// Bytes of the modules before each cut.
    heads: Vec<f64>,
    /// Bytes of the modules from each cut on.
    tails: Vec<f64>,
    is_monotone: bool,
    /// Whether only plans count in which the header has both.
    pub is_required: bool,
    /// Where the first stage ends at least.
    pub first_end: usize,
    /// By start of the last stage: whether the header could hold it with a first stage.
    pub fits: Vec<bool>,
    /// By end of the first stage: whether the header could hold it with a last stage.
    pub first_fits: Vec<bool>,
}

impl Closing {
    /// For a header that may have a last stage, whatever the first.
    pub fn new(input: &PlanInput, is_monotone: bool) -> Self {
        let modules = input.modules.len();
        let sum = |from: usize, to: usize| {
            input.modules[from..to].iter().map(|module| module.resident_bytes()).sum()
        };
        let mut closing = Self {
            heads: (0..=modules).map(|end| sum(0, end)).collect(),
            tails: (0..=modules).map(|start| sum(start, modules)).collect(),
            is_monotone,
            is_required: false,
            first_end: 1,
            fits: Vec::new(),
            first_fits: Vec::new(),
        };
        closing.first_fits = (0..=modules).map(|end| closing.first_fits(input, end)).collect();
        closing.fits = closing.fits(input, 1..=modules);
        closing
    }

    /// For a header that has a last stage, and a first that ends there.
    pub fn require(&mut self, input: &PlanInput, ends: RangeInclusive<usize>) {
        (self.is_required, self.first_end) = (true, *ends.start());
        self.fits = self.fits(input, ends);
    }

    /// The bytes of the header's first stage, as far as they are sure.
    pub fn first_bytes(&self) -> f64 {
        if self.is_required { self.heads[self.first_end] } else { 0.0 }
    }

    fn fits(&self, input: &PlanInput, ends: RangeInclusive<usize>) -> Vec<bool> {
        let modules = input.modules.len();
        let fits = |start: usize| {
            if self.is_monotone {
                // Sums of more modules may differ in their last digits.
                let slack = 1e-12 * self.heads[modules];
                return start > *ends.start() && self.fits_both(input, *ends.start(), start, slack);
            }
            ends.clone().any(|end| end < start && self.fits_both(input, end, start, 0.0))
        };
        (0..modules).map(fits).collect()
    }

    fn first_fits(&self, input: &PlanInput, end: usize) -> bool {
        let last = input.modules.len() - 1;
        (end + 1..=last).rev().any(|start| self.fits_both(input, end, start, 0.0))
    }

    /// Whether the header may hold `..end` and `start..`, with so many bytes more.
    fn fits_both(&self, input: &PlanInput, end: usize, start: usize, slack: f64) -> bool {
        let (header, modules) = (&input.devices[0], input.modules.len());
        if ![(0, end), (start, modules)]
            .iter()
            .all(|&(start, end)| header.may_run(ModuleRange::new(start, end)))
        {
            return false;
        }
        let holds = |module| module < end || module >= start;
        let shared = input.tied.iter().filter(|tied| holds(tied.0) && holds(tied.1));
        let bytes = self.heads[end] + self.tails[start] - shared.map(|tied| tied.2).sum::<f64>();
        bytes <= header.memory_bytes + slack
    }
}
