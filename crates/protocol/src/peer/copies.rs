//! Copies of modules that phones load while a plan runs, so that another plan can take them up at once.

use base::ModuleRange;
use serde::{Deserialize, Serialize};

use super::{DecodeError, MAX_MODULES, MAX_SLOTS, MAX_STAGES, ModelRef, bounds, frame::Control};

/// From the coordinator: what the receiver is to hold from now on, its own stages among it. It loads what it lacks
/// beside its work, and runs what it ran.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LoadCopies {
    /// The running plan's epoch.
    pub epoch: u32,
    /// Of this frame. A later one takes its place.
    pub number: u32,
    /// The model that is run.
    pub model: ModelRef,
    /// Requests that have a KV cache at once.
    pub slots: u16,
    /// Most rows of one step.
    pub rows: u16,
    /// Modules, in their order and with gaps between the ranges.
    pub held: Vec<ModuleRange>,
}

/// To the coordinator: how that went.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CopiesLoaded {
    /// The number of [`LoadCopies`].
    pub number: u32,
    /// Whether the sender holds all of it now.
    pub is_there: bool,
}

impl Control for LoadCopies {
    fn check(&self) -> Result<(), DecodeError> {
        self.model.check()?;
        bounds::within("slots", (1..=MAX_SLOTS).contains(&self.slots))?;
        bounds::within("rows", self.rows > 0)?;
        bounds::list("held", &self.held, MAX_STAGES)?;
        let is_sound = |range: &ModuleRange| range.start < range.end && range.end <= MAX_MODULES;
        let have_gaps = self.held.windows(2).all(|pair| pair[0].end < pair[1].start);
        bounds::within("held", have_gaps && self.held.iter().all(is_sound))
    }
}

impl Control for CopiesLoaded {
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}
