//! Tables over ranges of modules.

use base::{PlanInput, Residual};

/// A value for every range `start..end` of modules.
#[derive(Clone)]
pub(crate) struct Triangle {
    width: usize,
    values: Vec<f64>,
}

impl Triangle {
    pub fn zero(modules: usize) -> Self {
        Self { width: modules + 1, values: vec![0.0; modules * (modules + 1)] }
    }

    /// Sums added up in the modules' order, so that they are those of anyone who adds in order.
    pub fn sums(modules: usize, value: impl Fn(usize) -> f64) -> Self {
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

    pub fn get(&self, start: usize, end: usize) -> f64 {
        self.values[start * self.width + end]
    }

    /// The values of `start..start + 1`, `start..start + 2` and so on.
    pub fn row(&self, start: usize) -> &[f64] {
        &self.values[start * self.width + start + 1..(start + 1) * self.width]
    }

    pub fn at(&mut self, start: usize, end: usize) -> &mut f64 {
        &mut self.values[start * self.width + end]
    }

    /// Counts tensors shared by two modules of a range once.
    pub fn subtract_within(&mut self, input: &PlanInput) {
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

    /// Bytes that each range reads of tensors made before it.
    pub fn reads<'a>(modules: usize, residuals: impl Iterator<Item = &'a Residual>) -> Self {
        let mut table = Self::zero(modules);
        for residual in residuals {
            for start in residual.from + 1..modules {
                let next = residual.to.iter().filter(|&&to| to >= start).min();
                for end in next.map_or(modules + 1, |next| next + 1)..=modules {
                    *table.at(start, end) += residual.bytes;
                }
            }
        }
        table
    }
}
