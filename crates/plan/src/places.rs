//! Sets of places other than the header's first.

use crate::costs::{Costs, Place};

/// Places, as bits: bit `p - 1` for place `p`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Places(pub u32);

impl Places {
    pub const NONE: Self = Self(0);

    /// Every place but the header's first.
    pub fn all(costs: &Costs<'_>) -> Self {
        Self((1 << (costs.places - 1)) - 1)
    }

    pub fn contains(self, place: Place) -> bool {
        place > 0 && self.0 >> (place - 1) & 1 == 1
    }

    pub fn includes(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }

    pub fn without(self, place: Place) -> Self {
        if place == 0 { self } else { Self(self.0 & !(1 << (place - 1))) }
    }

    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    pub fn members(self) -> impl Iterator<Item = Place> {
        let mut bits = self.0;
        std::iter::from_fn(move || {
            let place = bits.trailing_zeros() as Place + 1;
            let is_there = bits != 0;
            bits &= bits.wrapping_sub(1);
            is_there.then_some(place)
        })
    }

    /// All its subsets; every set comes after its own subsets.
    pub fn subsets(self) -> impl Iterator<Item = Self> {
        let next =
            move |set: &Self| (*set != self).then(|| Self(set.0.wrapping_sub(self.0) & self.0));
        std::iter::successors(Some(Self::NONE), next)
    }

    /// How many of its subsets come before this one.
    pub fn rank(self, subset: Self) -> usize {
        let (mut rank, mut bit) = (0, 1);
        for place in self.members() {
            rank |= if subset.contains(place) { bit } else { 0 };
            bit <<= 1;
        }
        rank
    }
}

/// The fastest link to a place from any device that may have come before the set.
pub(crate) fn best_bandwidth(costs: &Costs<'_>, set: Places, to: Place) -> f64 {
    let to = costs.device_of(to);
    (0..costs.devices())
        .filter(|&from| from != to && !set.contains(from))
        .map(|from| costs.input.bytes_per_sec[from][to])
        .fold(0.0, f64::max)
}
