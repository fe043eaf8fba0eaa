//! Why there is no plan, and what is wrong with one.

use base::ModuleRange;
use serde::Serialize;

/// Why an input has no plan.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The input means nothing; `path` is where, as in its JSON form.
    #[error("{path}: {problem}")]
    Invalid {
        /// For example `devices[2].memory_bytes`.
        path: String,
        /// What it must be.
        problem: String,
    },
    /// More devices than the tables of the search are made for.
    #[error("devices: {devices} are too many; the planner takes up to {limit}")]
    TooManyDevices {
        /// How many there are.
        devices: usize,
        /// How many there may be.
        limit: usize,
    },
    /// More modules than the tables of the search are made for.
    #[error("modules: {modules} are too many; the planner takes up to {limit}")]
    TooManyModules {
        /// How many there are.
        modules: usize,
        /// How many there may be.
        limit: usize,
    },
    /// No assignment satisfies every constraint.
    #[error("no assignment fits: {}", .0.iter().map(|one| one.help.as_str()).collect::<Vec<_>>().join(" "))]
    Infeasible(Vec<Shortfall>),
    /// The search's limit was reached before any plan was found; there may be one.
    #[error(
        "no plan found in {steps} steps of search; allow more steps, or connect more phones with each other"
    )]
    GaveUp {
        /// How many beginnings of plans were tried.
        steps: u64,
    },
    /// The search's plan breaks a constraint: a mistake of the planner, not of the input.
    #[error("the planner made a plan that does not hold ({0}); report this with the input")]
    Unsound(Violation),
}

/// One constraint that cannot be met.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Shortfall {
    /// `header_memory`, `module_memory`, `total_memory`, `contiguous_memory`, `within` or `links`.
    pub constraint: &'static str,
    /// The device it concerns, by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// How many bytes are missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_bytes: Option<f64>,
    /// What would help, as a sentence for a person.
    pub help: String,
}

/// What is wrong with a plan. Stages and copies are counted from 0.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A device that the input does not have.
    #[error("device {device} does not exist: there are {devices}")]
    NoSuchDevice {
        /// The device's index.
        device: usize,
        /// How many devices there are.
        devices: usize,
    },
    /// The first stage is not the first device's.
    #[error("stage 0 must be device 0's, the header")]
    HeaderNotFirst,
    /// Stages that are empty, leave modules out, or run one twice.
    #[error("stage {stage} is {modules}: must begin with module {expected_start} and not be empty")]
    NotContiguous {
        /// The stage.
        stage: usize,
        /// Its modules.
        modules: ModuleRange,
        /// Where it must begin.
        expected_start: usize,
    },
    /// The stages end elsewhere than the model.
    #[error("the stages end at module {end}: the model has {modules}")]
    WrongEnd {
        /// One past the last stage's last module.
        end: usize,
        /// How many modules there are.
        modules: usize,
    },
    /// A device with two stages, other than a header that closes the ring.
    #[error("device {device} has more than one stage")]
    DeviceTwice {
        /// The device's index.
        device: usize,
    },
    /// A stage that is not within what its device holds.
    #[error("device {device} is to run {modules}, which it does not hold")]
    NotHeld {
        /// The device's index.
        device: usize,
        /// The stage's modules.
        modules: ModuleRange,
    },
    /// A device holds more than its budget.
    #[error("device {device} holds {bytes} bytes: its budget is {budget_bytes}")]
    Memory {
        /// The device's index.
        device: usize,
        /// Bytes of its stages and copies.
        bytes: f64,
        /// What it lends.
        budget_bytes: f64,
    },
    /// Traffic between devices that have no link.
    #[error("device {from} sends {bytes} bytes to device {to}: they have no link")]
    NoLink {
        /// The sender's index.
        from: usize,
        /// The receiver's index.
        to: usize,
        /// Bytes for one token.
        bytes: f64,
    },
    /// A copy that is not at a boundary with a neighbour's stage, or a module's second.
    #[error("copy {copy} is {modules} on device {device}: {problem}")]
    Overlap {
        /// Which of the plan's copies.
        copy: usize,
        /// Its device.
        device: usize,
        /// Its modules.
        modules: ModuleRange,
        /// What is wrong.
        problem: &'static str,
    },
}
