//! The dynamic program: the cheapest completion of every beginning of a plan.

mod parts;
mod table;

use std::time::Instant;

use base::Objective;

use crate::{
    costs::{Costs, Place},
    places::{Places, best_bandwidth},
};
use parts::{AfterOwner, Parts};
use table::{Cuts, Row, Rows, Table, higher, lower};

/// For every set of places, place before them and cut: what it costs at least when
/// exactly these places, in the best order, run the modules from the cut on,
/// the hand-over to the first of them and the token's return included. From the cut after
/// the tracked module on it also depends on the owner, who has that module's tensors.
pub(crate) struct Completions {
    /// The tracked module; none where there is none or the time was too short for its tables.
    pub tracked: Option<usize>,
    /// Cuts without an owner.
    open: Option<Table>,
    /// By owner: completions straight after its own stage.
    next: Vec<Table>,
    /// By owner: all completions, for sets that were asked for.
    owned: Vec<Vec<Table>>,
    owned_bytes: usize,
    /// How much those may take together, about; more are made again when asked for.
    most_owned_bytes: usize,
    parts: Parts,
    /// By cut: what is sure where there was no time for a table.
    rest_secs: Vec<f64>,
    end: Option<Instant>,
}

/// How much work a table takes, in a unit of its own: a second has some 10^10.
pub(crate) fn table_work(devices: usize, modules: usize) -> f64 {
    (devices * modules * modules) as f64 * f64::from(1 << (devices - 1))
}

impl Completions {
    /// Where there is an end, tables may take most of the time until then, and are left out if
    /// that is too short.
    pub fn new(costs: &Costs<'_>, end: Option<Instant>) -> Self {
        let most = |end: Instant| {
            let now = Instant::now();
            now + end.saturating_duration_since(now).mul_f64(TABLES_SHARE)
        };
        Self::within(costs, end.map(most), MOST_OWNED_BYTES)
    }

    fn within(costs: &Costs<'_>, end: Option<Instant>, most_owned_bytes: usize) -> Self {
        let (tracked, parts) = (costs.tracked, Parts::new(costs));
        let owned = (0..costs.devices()).map(|_| Vec::new()).collect();
        let mut table = Self {
            tracked,
            open: None,
            next: Vec::new(),
            owned,
            owned_bytes: 0,
            most_owned_bytes,
            parts,
            rest_secs: (0..=costs.modules).map(|start| costs.rest_secs(start)).collect(),
            end,
        };
        if tracked.is_some() {
            table.add_owners(costs);
        }
        // Where the header has the tracked module for sure, there is no cut without an owner.
        if table.tracked.is_none_or(|from| from >= costs.first_end()) {
            let (tracked, within) = (table.tracked, Places::all(costs));
            let request = Request { tracked, owner: None, within };
            table.open = request.table(costs, &table.parts, &table.next, end);
        }
        table
    }

    /// The least cost of a completion; infinite where there is none, and less where an owner's are not
    /// prepared. Those straight after its own stage always are.
    pub fn get(&self, owner: Option<Place>, set: Places, before: Place, cut: usize) -> f64 {
        match owner {
            None => {
                let table = self.open.as_ref();
                table.map_or(self.rest_secs[cut], |table| table.row(set, before).get(cut))
            }
            Some(owner) if owner == before => self.next[owner].row(set, 0).get(cut),
            Some(owner) => {
                let table = self.owned[owner].iter().find(|table| table.holds(set));
                table.map_or(self.rest_secs[cut], |table| table.row(set, before).get(cut))
            }
        }
    }

    /// Makes sure that an owner's completions by these places are known.
    pub fn prepare(&mut self, costs: &Costs<'_>, owner: Place, set: Places) {
        if self.owned[owner].iter().any(|table| table.holds(set)) {
            return;
        }
        if self.owned_bytes > self.most_owned_bytes {
            self.clear_owned();
        }
        let request = Request { tracked: self.tracked, owner: Some(owner), within: set };
        if let Some(table) = request.table(costs, &self.parts, &[], self.end) {
            self.keep(owner, table);
        }
    }

    fn clear_owned(&mut self) {
        self.owned.iter_mut().for_each(Vec::clear);
        self.owned_bytes = 0;
    }

    fn keep(&mut self, owner: Place, table: Table) {
        self.owned_bytes += table.bytes();
        self.owned[owner].push(table);
    }

    fn add_owners(&mut self, costs: &Costs<'_>) {
        let is_header = self.tracked.is_some_and(|from| from < costs.first_end());
        for owner in 0..if is_header { 1 } else { costs.devices() } {
            let within = Places::all(costs).without(owner);
            let request = Request { tracked: self.tracked, owner: Some(owner), within };
            let Some(table) = request.table(costs, &self.parts, &[], self.end) else {
                self.tracked = None;
                self.next.clear();
                return self.clear_owned();
            };
            self.next.push(table.after(owner));
            if costs.devices() * table.bytes() <= self.most_owned_bytes {
                self.keep(owner, table);
            }
        }
        if costs.places > costs.devices() && !is_header {
            // Nobody comes after the header's second stage.
            let last = Cuts { first: costs.modules, last: costs.modules };
            self.next.push(Table::new(Places::NONE, last, &[costs.token_bound(costs.devices())]));
        }
    }
}

/// Which table is wanted.
#[derive(Clone, Copy)]
struct Request {
    tracked: Option<usize>,
    owner: Option<Place>,
    within: Places,
}

impl Request {
    /// `next` is what follows an owner straight after its stage, where there is no owner yet. None where
    /// the time or the memory is too short.
    fn table(
        self,
        costs: &Costs<'_>,
        parts: &Parts,
        next: &[Table],
        end: Option<Instant>,
    ) -> Option<Table> {
        let cuts = self.cuts(costs);
        let is_last = cuts.last == costs.modules;
        let last = |place| if is_last { costs.token_bound(place) } else { f64::INFINITY };
        let last: Vec<f64> = (0..costs.places).map(last).collect();
        let bytes = (costs.places * cuts.len() * size_of::<f64>()) << self.within.len();
        if bytes > MOST_TABLE_BYTES {
            return None;
        }
        let mut table = Table::new(self.within, cuts, &last);
        let closing = costs.devices();
        let counts = |set: &Places| !costs.must_close() || set.contains(closing);
        for (at, set) in self.within.subsets().skip(1).filter(counts).enumerate() {
            let looks = (at + 1).is_multiple_of(SETS_PER_LOOK);
            if looks && end.is_some_and(|end| Instant::now() > end) {
                return None;
            }
            let (done, block) = table.split(set);
            let step = Step { costs, parts, request: self, cuts, set };
            step.fill(done, next, block);
        }
        Some(table)
    }

    fn cuts(self, costs: &Costs<'_>) -> Cuts {
        let (modules, first) = (costs.modules, costs.first_end());
        match (self.owner, self.tracked) {
            (Some(_), Some(tracked)) => Cuts { first: first.max(tracked + 1), last: modules },
            (_, tracked) => Cuts { first, last: tracked.unwrap_or(modules) },
        }
    }

    /// Who may come before a set.
    fn befores(self, costs: &Costs<'_>, set: Places) -> impl Iterator<Item = Place> {
        let may = move |&place: &Place| match self.owner {
            None => !set.contains(place),
            Some(owner) => place == owner || self.within.contains(place) && !set.contains(place),
        };
        (0..costs.devices()).filter(may)
    }
}

/// One set of one table.
struct Step<'a> {
    costs: &'a Costs<'a>,
    parts: &'a Parts,
    request: Request,
    cuts: Cuts,
    set: Places,
}

impl Step<'_> {
    fn fill(&self, done: Rows<'_>, next: &[Table], block: &mut [f64]) {
        let Self { costs, parts, set, .. } = *self;
        let (starts, owner) = (self.starts(), self.request.owner);
        if starts.first > starts.last {
            return;
        }
        for first in set.members().filter(|&first| !costs.is_closing(first) || set.len() == 1) {
            let rest = set.without(first);
            let rows = [Some(done.row(rest, first)), next.get(first).map(|next| next.row(rest, 0))];
            let far = self.runs(first, rows);
            let near = owner.map(|owner| self.runs_after_owner(first, owner, rows, &far));
            for before in self.request.befores(costs, set) {
                let runs = if Some(before) == owner { near.as_ref().unwrap_or(&far) } else { &far };
                let entries = &parts.entries(before, first)[starts.between()];
                let start = before * self.cuts.len() + starts.first - self.cuts.first;
                let best = &mut block[start..start + starts.len()];
                match costs.input.objective {
                    Objective::Latency => lower_all(best, entries, runs, |entry, run| entry + run),
                    Objective::Throughput => lower_all(best, entries, runs, higher),
                }
            }
        }
    }

    /// Where the set may begin.
    fn starts(&self) -> Cuts {
        let Cuts { first, last } = self.parts.cuts(self.set);
        let last = last.min(self.cuts.last).min(self.costs.modules - 1);
        Cuts { first: first.max(self.cuts.first), last }
    }

    /// Per start: the least cost when `first` begins there, after others than the owner, and the rest
    /// of the set follows.
    fn runs(&self, first: Place, rows: [Option<Row<'_>>; 2]) -> Vec<f64> {
        let run = |start| {
            let stages = self.parts.stages(self.request.owner, first, start);
            self.run(first, start, stages, rows)
        };
        self.starts().between().map(run).collect()
    }

    /// The same after the owner, whose link to `first` is in use already. Who else hands over makes no
    /// difference.
    fn runs_after_owner(
        &self,
        first: Place,
        owner: Place,
        rows: [Option<Row<'_>>; 2],
        far: &[f64],
    ) -> Vec<f64> {
        let run = |(start, &far)| match self.parts.after_owner(owner, first, start) {
            AfterOwner::Change(secs) => self.costs.combine(far, *secs),
            AfterOwner::Stages(stages) => self.run(first, start, stages, rows),
        };
        self.starts().between().zip(far).map(run).collect()
    }

    fn run(&self, first: Place, start: usize, stages: &[f64], rows: [Option<Row<'_>>; 2]) -> f64 {
        let Self { costs, parts, set, .. } = *self;
        let bandwidth = || best_bandwidth(costs, set, first);
        let skipping = costs.skipping(first, start, bandwidth);
        let ends = parts.cuts(set.without(first));
        let least = |row: Row<'_>| row.least(costs.input.objective, start, stages, skipping, ends);
        rows.into_iter().flatten().map(least).fold(f64::INFINITY, f64::min)
    }
}

/// Takes what `combine` makes of two lists where it is less.
fn lower_all(best: &mut [f64], left: &[f64], right: &[f64], combine: impl Fn(f64, f64) -> f64) {
    for ((best, &left), &right) in best.iter_mut().zip(left).zip(right) {
        *best = lower(*best, combine(left, right));
    }
}

/// The tables of small rooms take no time worth a look at the clock.
const SETS_PER_LOOK: usize = 64;
/// Of the time; what is left is enough for a short search.
const TABLES_SHARE: f64 = 0.7;
/// 16 phones and 130 modules take half of it, or all where the ring may close.
const MOST_TABLE_BYTES: usize = 1_200_000_000;
/// 12 phones and 62 modules keep all their tables.
const MOST_OWNED_BYTES: usize = 100_000_000;

#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;

#[cfg(test)]
mod tests {
    use super::common::{Random, instance};
    use super::*;

    #[test]
    fn tables_made_when_asked_for_are_those_that_were_kept() {
        let mut compared = 0;
        for seed in 0..60 {
            let input = instance(&mut Random::new(seed), 5, 9, false);
            let costs = Costs::new(&input);
            let Some(tracked) = costs.tracked else { continue };
            let (kept, mut asked) =
                (Completions::new(&costs, None), Completions::within(&costs, None, 0));
            for (owner, set) in (0..5).flat_map(|owner| {
                Places::all(&costs).without(owner).subsets().map(move |set| (owner, set))
            }) {
                asked.prepare(&costs, owner, set);
                let befores = set.members().filter(|&before| !costs.is_closing(before));
                for (before, cut) in befores
                    .flat_map(|before| (tracked + 1..=costs.modules).map(move |cut| (before, cut)))
                {
                    let (owner, rest) = (Some(owner), set.without(before));
                    let [kept, asked] =
                        [&kept, &asked].map(|one| one.get(owner, rest, before, cut));
                    assert_eq!(kept, asked, "seed {seed}, {owner:?}, {rest:?}, {before}, {cut}");
                    compared += usize::from(kept.is_finite());
                }
            }
        }
        assert!(compared > 1000, "{compared} finite values");
    }
}
