//! The nouns that every other crate shares: who is in a room and what is said
//! there, which modules a stage runs, what was measured and what was decided. Data only; no behaviour
//! beyond parsing, printing and asking simple questions of the data.

mod estimate;
mod ids;
mod labels;
mod message;
mod plan;
mod profile;
mod range;

pub use estimate::Estimate;
pub use ids::{Identity, ParseIdError, PeerId, RequestId, RoomId};
pub use labels::{MAX_LABEL_CHARS, MAX_LABELS};
pub use message::{Message, Role};
pub use plan::{Objective, Overlap, Plan, Stage};
pub use profile::{DeviceProfile, ModuleProfile, PlanInput, Residual, Tied};
pub use range::ModuleRange;
