//! A whole room in one process: every phone's session, over memory links, in
//! virtual time, with a model of the caller's choice.
//!
//! Law: the same room and the same calls give the same trace, to the last frame. There is no
//! clock but the simulation's, and no random number.

mod driver;
mod phone;
mod runner;
mod sim;
pub mod toy;

pub use phone::PhoneSpec;
pub use runner::{Loaded, Ran, StageRunner};
pub use sim::{Answer, Sim, SimConfig};
