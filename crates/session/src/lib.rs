//! The engine of a room: who is in it, what was measured, who runs which modules,
//! which requests are under way, and what to do when a phone fails.
//!
//! Law: sans-IO. A [`Room`] has no clock, no GPU and no socket. [`Room::handle`]
//! takes an [`Input`] with the time, [`Room::poll`] gives the [`Output`]s that follow
//! from it; the same inputs always give the same outputs. After each `handle` the
//! driver polls until there is nothing left.

mod admission;
mod answers;
mod away;
mod balance;
mod batch;
mod beats;
mod carry;
mod clock;
mod config;
mod door;
mod encoding;
mod exercise;
mod facts;
mod feed;
mod frames;
mod grouping;
mod held;
mod io;
mod labels;
mod links;
mod loading;
mod measuring;
mod members;
mod memory;
mod pace;
mod passing;
mod plan_view;
mod planning;
mod probing;
mod queue;
mod recovery;
mod remembering;
mod request;
mod requests;
mod reshape;
mod restock;
mod ring;
mod room;
mod row_pace;
mod shortfall;
mod slots;
mod stage;
mod status;
mod stops;
mod survey;
mod told;
mod view;

pub use beats::RESTART_SECS;
pub use config::{DoorConfig, EncoderSpec, ModelSpec, RoomConfig, RoomLimits};
pub use door::{MAX_ASKERS, MAX_TRUSTED};
pub use io::{
    AskId, Assignment, Command, Event, Input, Job, JobId, JobInput, LoadStage, MAX_PARTS, Meeting,
    Output, Part, Pass, Resident, SamplingStep, StageOutput, Wants,
};
pub use plan_view::{CopyView, PlanStageView, PlanView};
pub use room::Room;
pub use view::{
    AskerView, DoorView, ErrorView, LinkState, LinkView, ModelView, PeerView, PictureView,
    RoomView, StageView,
};
