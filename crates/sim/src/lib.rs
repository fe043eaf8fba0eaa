//! A whole room in one process: every phone's session, over memory links, in
//! virtual time, with a model of the caller's choice.
//!
//! Law: the same room and the same calls give the same trace, to the last frame. There is no
//! clock but the simulation's, and no random number but those drawn from a seed.

mod chance;
mod changes;
mod driver;
mod log;
mod phone;
mod report;
mod runner;
pub mod scenario;
mod sim;
mod spans;
mod timeline;
pub mod toy;

pub use phone::PhoneSpec;
pub use report::{
    EventReport, FrameReport, ModelReport, PairReport, PhoneReport, PlanReport, PlanStage, Report,
    RequestReport, Times,
};
pub use runner::{Loaded, Ran, StageRunner};
pub use sim::{Answer, Sim, SimConfig};
