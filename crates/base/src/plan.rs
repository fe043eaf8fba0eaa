//! Decisions: which peer runs which modules.

use serde::{Deserialize, Serialize};

use crate::ModuleRange;

/// What a plan minimises.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// The time of one token through the whole ring.
    Latency,
    /// The slowest stage or link, for several requests in flight.
    Throughput,
}

/// One device's consecutive modules, by index into the planner's device list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stage {
    /// Index into [`crate::PlanInput::devices`].
    pub device: usize,
    /// The modules it runs.
    pub modules: ModuleRange,
}

/// Extra modules that a neighbour of a stage keeps resident but dormant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overlap {
    /// Index into [`crate::PlanInput::devices`].
    pub device: usize,
    /// The modules it holds a second copy of.
    pub modules: ModuleRange,
}

/// Stages in ring order, plus the overlap copies.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Plan {
    /// Stages in ring order; the first is the header's.
    pub stages: Vec<Stage>,
    /// Overlap copies; empty until a load balancer wants them.
    pub overlap: Vec<Overlap>,
}
