//! Buckets of distances between positions.

use serde::Deserialize;

/// Buckets as transformers has them (T5).
#[derive(Clone, Debug)]
pub struct Buckets {
    /// Whether keys behind a query are told apart from those before it.
    pub two_sided: bool,
    /// How many buckets there are.
    pub buckets: usize,
    /// All distances from this one on are in the last.
    pub max_distance: usize,
    /// Distances from a query to a key, and their buckets.
    pub expected: Vec<(i64, usize)>,
}

/// `golden/buckets.json`.
pub fn buckets() -> Vec<Buckets> {
    let index: Index = serde_json::from_str(include_str!("../golden/buckets.json"))
        .expect("buckets.json is written by make_t5.py in this form");
    let case = |case: Case| Buckets {
        two_sided: case.two_sided,
        buckets: case.buckets,
        max_distance: case.max_distance,
        expected: (index.first..).zip(case.expected).collect(),
    };
    index.cases.into_iter().map(case).collect()
}

#[derive(Deserialize)]
struct Index {
    /// The first distance.
    first: i64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    two_sided: bool,
    buckets: usize,
    max_distance: usize,
    /// Of the first distance and those that follow.
    expected: Vec<usize>,
}
