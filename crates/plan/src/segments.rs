//! Which modules of a stage a load balancer may move, and where to.

use base::{ModuleRange, Overlap, Stage};

/// A stage's modules, by whether they have a second copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segments {
    /// The modules that only the stage's device has; may be empty.
    pub fixed: ModuleRange,
    /// The others, in order, each with the neighbour that has the copy.
    pub dynamic: Vec<Overlap>,
}

/// The fixed and dynamic segments of each stage, in ring order, for copies that
/// [`verify`](crate::verify) accepts.
pub fn segments(stages: &[Stage], overlap: &[Overlap]) -> Vec<Segments> {
    stages.iter().map(|stage| Segments::new(stage.modules, overlap)).collect()
}

impl Segments {
    fn new(stage: ModuleRange, overlap: &[Overlap]) -> Self {
        let copies = overlap.iter().filter(|copy| !copy.modules.is_empty());
        let of_stage =
            |copy: &Overlap| stage.start <= copy.modules.start && copy.modules.end <= stage.end;
        let mut dynamic: Vec<Overlap> = copies.copied().filter(of_stage).collect();
        dynamic.sort_by_key(|copy| copy.modules.start);
        let mut fixed = stage;
        for ModuleRange { start, end } in dynamic.iter().map(|copy| copy.modules) {
            // First the left neighbour's copies, from the start on; then the right one's, to the end.
            if start == fixed.start { fixed.start = end } else { fixed.end = start }
        }
        Self { fixed, dynamic }
    }
}
