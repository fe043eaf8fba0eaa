//! Half-open ranges of modules.

use core::{fmt, ops::Range};

use serde::{Deserialize, Serialize};

/// The consecutive modules `start..end` of a stage.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct ModuleRange {
    /// First module of the range.
    pub start: usize,
    /// One past the last module of the range.
    pub end: usize,
}

impl ModuleRange {
    /// The range `start..end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// How many modules the range has.
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether the range has no modules.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether `module` is one of the range's.
    pub fn contains(self, module: usize) -> bool {
        self.indices().contains(&module)
    }

    /// The modules that are in both ranges; empty where there are none.
    pub fn common(self, other: Self) -> Self {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// Whether all modules of `other` are in the range.
    pub fn holds(self, other: Self) -> bool {
        self.common(other) == other
    }

    /// The module numbers, in order.
    pub fn indices(self) -> Range<usize> {
        self.start..self.end
    }
}

impl fmt::Display for ModuleRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}
