//! Binary frames between the phones of a room.
//!
//! A [`Frame`] is a version byte, a tag byte and a body. Small control bodies are
//! postcard; the two hot ones, [`Activations`] and [`Token`], and [`Residual`] are laid out by hand
//! (little-endian, see `peer/hot.rs` and `peer/residual.rs`). A frame larger than a channel's message goes
//! out in slices ([`Slicer`]) and is put together again ([`Assembler`]).
//!
//! Decoding is total: any bytes give a frame or a [`DecodeError`], and nothing
//! larger than [`MAX_FRAME_BYTES`] is looked at.

mod admission;
mod asks;
mod bounds;
mod caches;
mod control;
mod copies;
mod error;
mod frame;
mod hot;
mod logprobs;
mod options;
mod plan_status;
mod residual;
mod rollout;
mod slices;
mod status;
mod wire;

pub use admission::{Admission, Refusal, RoomSecret};
pub use asks::{
    AnswerStats, Answered, Ask, AskFailed, Failure, FailureCode, Finish, Resume, StopAsk, Text,
    is_bounded,
};
pub use bounds::{
    MAX_ADMITTED, MAX_ALTERNATIVES, MAX_CHUNK_TOKENS, MAX_COMPLETION_TOKENS, MAX_CONTROL_BYTES,
    MAX_COPIES, MAX_FRAME_BYTES, MAX_MESSAGES, MAX_MODULES, MAX_PEER_STAGES, MAX_PEERS,
    MAX_PROMPT_BYTES, MAX_SEEN_TOKENS, MAX_SLOTS, MAX_STAGES, MAX_STOP_BYTES, MAX_STOPS,
    MAX_TICKET_BYTES, clip,
};
pub use caches::{CacheAsk, CacheLost, CacheRows, Carried, Carry, MAX_CACHE_BYTES, MovedCache};
pub use control::{
    Away, AwayReason, DeviceMeasured, Hello, Leave, LinkLost, LinkMeasured, Measure, MeasureFailed,
    ModelRef, Ping, Pledge, Pong, Prepare, Prepared, Probe, ProbeDone,
};
pub use copies::{CopiesLoaded, LoadCopies};
pub use error::DecodeError;
pub use frame::{Frame, PROTOCOL_VERSION};
pub use hot::{ACTIVATIONS_HEADER_BYTES, Activations, Token};
pub use logprobs::{Alternative, TokenLogprobs};
pub use options::{AskOptions, Sampling};
pub use plan_status::{Alone, CopyStatus, PlanStatus, StageStatus, TrafficStatus, Unused};
pub use residual::{RESIDUAL_HEADER_BYTES, Residual};
pub use rollout::{
    Begin, Cancel, ChunkDone, Finished, Halt, LoadProgress, PlannedEncoder, PlannedStage,
    RequestFailed, RollOut, StageFailed, StageReady,
};
pub use slices::{Assembler, MESSAGE_BYTES, Slicer};
pub use status::{
    Counters, LastStep, LinkStatus, LinkTimes, MeasuringStatus, ModelStatus, PeerStatus, Phase,
    Report, Status,
};
pub use wire::WireType;

#[cfg(test)]
mod tests;
