//! The secondary optimizer: which modules get a second copy, for a load balancer to switch to.
//!
//! At the boundary between two stages the left phone may also hold the first modules of the right
//! one's stage, and the right phone the last modules of the left one's. As many bytes as possible get
//! a copy, within every phone's memory; no module gets two.
//!
//! Let `p[i]` be how many modules the left phone of boundary `i` takes of the right one's stage, and
//! `s[i]` the other way round. `p[i-1]` and `s[i]` share the modules of stage `i`; `s[i-1]` and `p[i]`
//! share the memory of its phone. So what limits each other makes two chains, `s[0] p[1] s[2] ..` and
//! `p[0] s[1] p[2] ..`, and the best counts along a chain are a dynamic program. Where the ring closes
//! on the header, its memory ties `p[0]` to the last `s`: every `p[0]` is tried.

use base::{ModuleRange, Overlap, PlanInput, Stage};

use crate::verify::held_bytes;

/// The copies whose weights have the most bytes, for stages that keep every constraint. Empty ones are
/// left out.
pub fn overlap(input: &PlanInput, stages: &[Stage]) -> Vec<Overlap> {
    if stages.len() < 2 {
        return Vec::new();
    }
    let chains = [Side::End, Side::Start].map(|first| Chain::new(input, stages, first));
    let closes = stages[stages.len() - 1].device == stages[0].device;
    let counts =
        if closes { closed(&chains) } else { chains.each_ref().map(|one| one.best(None, 0.0).1) };
    let copies = chains.iter().zip(counts).flat_map(|(chain, counts)| chain.copies(&counts));
    let mut copies: Vec<Overlap> = copies.filter(|copy| !copy.modules.is_empty()).collect();
    copies.sort_by_key(|copy| (copy.modules.start, copy.modules.end));
    copies
}

/// Which modules of a neighbour's stage: the first or the last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Start,
    End,
}

/// Copies that one phone may take of one neighbour's stage.
struct Link {
    device: usize,
    stage: ModuleRange,
    side: Side,
    /// What the phone has left for copies.
    free_bytes: f64,
    /// By how many modules are copied: what they take.
    bytes: Vec<f64>,
    /// The same for the weights alone.
    weights: Vec<f64>,
}

impl Link {
    /// Of boundary `at`, on the given side of it.
    fn new(input: &PlanInput, stages: &[Stage], at: usize, side: Side) -> Self {
        let (device, stage) = match side {
            Side::Start => (stages[at].device, stages[at + 1].modules),
            Side::End => (stages[at + 1].device, stages[at].modules),
        };
        let own = stages.iter().filter(|stage| stage.device == device);
        let own: Vec<_> = own.map(|stage| stage.modules).collect();
        let free_bytes = input.devices[device].memory_bytes - held_bytes(input, &own);
        let mut modules: Vec<_> = input.modules[stage.indices()].iter().collect();
        if side == Side::End {
            modules.reverse();
        }
        let bytes = sums(modules.iter().map(|module| module.resident_bytes()));
        let weights = sums(modules.iter().map(|module| module.weights_bytes));
        Self { device, stage, side, free_bytes, bytes, weights }
    }

    fn copy(&self, count: usize) -> Overlap {
        let ModuleRange { start, end } = self.stage;
        let modules = match self.side {
            Side::Start => ModuleRange::new(start, start + count),
            Side::End => ModuleRange::new(end - count, end),
        };
        Overlap { device: self.device, modules }
    }

    /// Whether so many modules and so many of the link that follows in a chain go together.
    fn allows(&self, count: usize, next: &Self, next_count: usize) -> bool {
        match self.side {
            // Of one stage.
            Side::Start => count + next_count <= self.stage.len(),
            // On one phone.
            Side::End => self.bytes[count] + next.bytes[next_count] <= self.free_bytes,
        }
    }
}

/// Copies of which each limits the next.
struct Chain(Vec<Link>);

impl Chain {
    fn new(input: &PlanInput, stages: &[Stage], first: Side) -> Self {
        let side = |at: usize| match (first == Side::Start) == at.is_multiple_of(2) {
            true => Side::Start,
            false => Side::End,
        };
        Self((0..stages.len() - 1).map(|at| Link::new(input, stages, at, side(at))).collect())
    }

    /// The most bytes and the counts that have them, with so many copies in the first link, if that is
    /// said, and `taken_bytes` less memory for the last.
    fn best(&self, first: Option<usize>, taken_bytes: f64) -> (f64, Vec<usize>) {
        let last = self.0.len() - 1;
        let mut tables: Vec<Vec<(f64, usize)>> = Vec::with_capacity(self.0.len());
        for (at, link) in self.0.iter().enumerate() {
            let free = link.free_bytes - if at == last { taken_bytes } else { 0.0 };
            let value = |count: usize| {
                let is_asked = at > 0 || first.is_none_or(|first| first == count);
                if !is_asked || count > 0 && link.bytes[count] > free {
                    return (f64::NEG_INFINITY, 0);
                }
                let Some(before) = tables.last() else { return (link.weights[count], 0) };
                let (value, came_from) = self.best_before(at, count, before);
                (link.weights[count] + value, came_from)
            };
            tables.push((0..link.bytes.len()).map(value).collect());
        }
        self.walk_back(&tables)
    }

    /// The best count of the link before `at` that goes together with `count` there.
    fn best_before(&self, at: usize, count: usize, before: &[(f64, usize)]) -> (f64, usize) {
        let (earlier, link) = (&self.0[at - 1], &self.0[at]);
        let together = (0..before.len()).filter(|&other| earlier.allows(other, link, count));
        most(together.map(|other| (before[other].0, other)))
    }

    fn walk_back(&self, tables: &[Vec<(f64, usize)>]) -> (f64, Vec<usize>) {
        let last = &tables[tables.len() - 1];
        let (value, mut count) =
            most(last.iter().enumerate().map(|(count, &(value, _))| (value, count)));
        let mut counts = Vec::with_capacity(tables.len());
        for table in tables.iter().rev() {
            counts.push(count);
            count = table[count].1;
        }
        counts.reverse();
        (value, counts)
    }

    fn copies(&self, counts: &[usize]) -> Vec<Overlap> {
        self.0.iter().zip(counts).map(|(link, &count)| link.copy(count)).collect()
    }
}

/// The best counts where the header has the first and the last stage: its memory holds copies of the
/// second stage, in the second chain's first link, and of the last but one, in some chain's last.
fn closed(chains: &[Chain; 2]) -> [Vec<usize>; 2] {
    let [ends_first, starts_first] = chains;
    let header = &starts_first.0[0];
    let has_last_end = |chain: &Chain| chain.0.last().is_some_and(|link| link.side == Side::End);
    let tried = (0..header.bytes.len()).map(|count| {
        let taken = |chain| if has_last_end(chain) { header.bytes[count] } else { 0.0 };
        let left = ends_first.best(None, taken(ends_first));
        let right = starts_first.best(Some(count), taken(starts_first));
        (left.0 + right.0, [left.1, right.1])
    });
    let least = (f64::NEG_INFINITY, [Vec::new(), Vec::new()]);
    tried.fold(least, |best, one| if one.0 > best.0 { one } else { best }).1
}

/// The first of those with the most.
fn most(values: impl Iterator<Item = (f64, usize)>) -> (f64, usize) {
    values.fold((f64::NEG_INFINITY, 0), |best, one| if one.0 > best.0 { one } else { best })
}

/// Sums of the first so many, from none to all.
fn sums(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sums = vec![0.0];
    let mut sum = 0.0;
    sums.extend(values.map(|value| {
        sum += value;
        sum
    }));
    sums
}
