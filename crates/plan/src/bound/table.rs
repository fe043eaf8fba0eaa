//! One table of the dynamic program, and the least cost over the ends of a stage.

use base::Objective;

use crate::{
    costs::{Place, Skipping},
    places::Places,
};

/// By set of places, place before them and cut: what they cost at least.
pub(super) struct Table {
    shape: Shape,
    secs: Vec<f64>,
}

#[derive(Clone, Copy)]
struct Shape {
    /// The sets are its subsets.
    within: Places,
    befores: usize,
    cuts: Cuts,
}

/// Cuts from `first` to `last`, both included.
#[derive(Clone, Copy)]
pub(super) struct Cuts {
    pub first: usize,
    pub last: usize,
}

/// The part of a table that is known.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    shape: Shape,
    secs: &'a [f64],
}

/// The costs of one set of places after one place, by cut.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    first_cut: usize,
    secs: &'a [f64],
}

impl Table {
    /// Nothing is known but that no further place costs `last_secs`, by place, at the last cut.
    pub fn new(within: Places, cuts: Cuts, last_secs: &[f64]) -> Self {
        let shape = Shape { within, befores: last_secs.len(), cuts };
        let mut secs = vec![f64::INFINITY; shape.block() << within.len()];
        for (row, &last) in secs.chunks_mut(cuts.len()).zip(last_secs) {
            row[cuts.len() - 1] = last;
        }
        Self { shape, secs }
    }

    pub fn rows(&self) -> Rows<'_> {
        Rows { shape: self.shape, secs: &self.secs }
    }

    pub fn row(&self, set: Places, before: Place) -> Row<'_> {
        self.rows().row(set, before)
    }

    pub fn holds(&self, set: Places) -> bool {
        self.shape.within.includes(set)
    }

    pub fn bytes(&self) -> usize {
        size_of_val(self.secs.as_slice())
    }

    /// What comes before a set, and the values of the set: by place before it, then by cut.
    pub fn split(&mut self, set: Places) -> (Rows<'_>, &mut [f64]) {
        let shape = self.shape;
        let (secs, rest) = self.secs.split_at_mut(shape.within.rank(set) * shape.block());
        (Rows { shape, secs }, &mut rest[..shape.block()])
    }

    /// The rows of one place before.
    pub fn after(&self, before: Place) -> Self {
        let Shape { within, befores, cuts } = self.shape;
        let rows = self.secs.chunks(cuts.len()).skip(before).step_by(befores);
        Self { shape: Shape { within, befores: 1, cuts }, secs: rows.flatten().copied().collect() }
    }
}

impl<'a> Rows<'a> {
    pub fn row(self, set: Places, before: Place) -> Row<'a> {
        let Shape { within, befores, cuts } = self.shape;
        let start = (within.rank(set) * befores + before) * cuts.len();
        Row { first_cut: cuts.first, secs: &self.secs[start..start + cuts.len()] }
    }
}

impl Row<'_> {
    pub fn get(self, cut: usize) -> f64 {
        self.secs[cut - self.first_cut]
    }

    /// The least cost of a stage from `start` on and what follows it in this row. `stages` are costs
    /// by end; ends are among `cuts`.
    pub fn least(
        self,
        objective: Objective,
        start: usize,
        stages: &[f64],
        skipping: Option<Skipping<'_>>,
        cuts: Cuts,
    ) -> f64 {
        let first = (start + 1).max(self.first_cut).max(cuts.first);
        let last = (start + stages.len()).min(self.first_cut + self.secs.len() - 1).min(cuts.last);
        if first > last {
            return f64::INFINITY;
        }
        let stages = &stages[first - start - 1..last - start];
        let rest = &self.secs[first - self.first_cut..=last - self.first_cut];
        match (objective, skipping) {
            (Objective::Throughput, _) => least(stages, rest, higher),
            (Objective::Latency, None) => least(stages, rest, |stage, rest| stage + rest),
            (Objective::Latency, Some(skipping)) => {
                let both = stages.iter().zip(rest).zip(first..);
                let whole =
                    both.map(|((stage, rest), end)| stage + skipping.secs(end - start) + rest);
                whole.fold(f64::INFINITY, lower)
            }
        }
    }
}

/// The least of what `combine` makes of two lists, in lanes that do not wait for each other.
fn least(left: &[f64], right: &[f64], combine: impl Fn(f64, f64) -> f64) -> f64 {
    let (left_chunks, left_rest) = left.as_chunks::<LANES>();
    let (right_chunks, right_rest) = right.as_chunks::<LANES>();
    let mut lanes = [f64::INFINITY; LANES];
    for (left, right) in left_chunks.iter().zip(right_chunks) {
        for lane in 0..LANES {
            lanes[lane] = lower(lanes[lane], combine(left[lane], right[lane]));
        }
    }
    let rest = left_rest.iter().zip(right_rest).map(|(&left, &right)| combine(left, right));
    rest.chain(lanes).fold(f64::INFINITY, lower)
}

/// Of two numbers that are there.
pub(super) fn lower(left: f64, right: f64) -> f64 {
    if right < left { right } else { left }
}

/// Of two numbers that are there.
pub(super) fn higher(left: f64, right: f64) -> f64 {
    if right > left { right } else { left }
}

const LANES: usize = 4;

impl Shape {
    /// Values of one set.
    fn block(self) -> usize {
        self.befores * self.cuts.len()
    }
}

impl Cuts {
    pub fn len(self) -> usize {
        self.last + 1 - self.first
    }

    pub fn between(self) -> std::ops::RangeInclusive<usize> {
        self.first..=self.last
    }
}
