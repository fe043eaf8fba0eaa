//! Bodies about plans and requests: everything that travels along the ring
//! except the two hot frames.

use base::{ModuleRange, PeerId, RequestId};
use serde::{Deserialize, Serialize};

use super::{
    Carry, DecodeError, Failure, MAX_CHUNK_TOKENS, MAX_COMPLETION_TOKENS, MAX_COPIES, MAX_MODULES,
    MAX_SEEN_TOKENS, MAX_SLOTS, MAX_STAGES, ModelRef, Sampling, WireType, bounds, frame::Control,
};

/// From the coordinator: the plan of an epoch. Each peer loads its stages.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RollOut {
    /// Number of the plan; every later plan has a greater one.
    pub epoch: u32,
    /// The model it splits.
    pub model: ModelRef,
    /// In ring order; the first is the coordinator's, and so may the last be.
    pub stages: Vec<PlannedStage>,
    /// Second copies of modules: the beginning of the next stage or the end of the one before, which a
    /// phone holds besides its own and does not run.
    pub overlap: Vec<PlannedStage>,
    /// Most rows of one chunk of a prefill.
    pub chunk_tokens: u16,
    /// Requests that have a KV cache at once.
    pub slots: u16,
    /// Bytes of one row of hidden states, in 32-bit floats.
    pub row_bytes: u32,
    /// How hidden states travel from stage to stage.
    pub wire: WireType,
    /// Of a model that has one.
    pub encoder: Option<PlannedEncoder>,
    /// What goes on from the epoch before.
    pub carry: Carry,
}

/// How an encoder's output gets to the modules that read it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlannedEncoder {
    /// How many modules are its; they come first. The next one takes the tokens of answers.
    pub modules: usize,
    /// The modules that read its output: residual tensors of the plan.
    pub readers: Vec<usize>,
    /// Most rows of a prompt, which goes through it in one step.
    pub prompt_tokens: u16,
    /// Whether its output goes straight to the phones that read it, and not along the ring.
    pub skips: bool,
}

/// One stage of a plan, or modules that are copied.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlannedStage {
    /// Who runs or holds them.
    pub peer: PeerId,
    /// The modules.
    pub range: ModuleRange,
}

/// To the coordinator: how far the sender's stage has loaded.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LoadProgress {
    /// The plan's epoch.
    pub epoch: u32,
    /// Bytes that have arrived.
    pub loaded_bytes: u64,
    /// Bytes there are.
    pub total_bytes: u64,
}

/// To the coordinator: the sender's stage is loaded.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StageReady {
    /// The plan's epoch.
    pub epoch: u32,
    /// Whether it has the KV caches that were to go on; else the histories are run again.
    pub has_caches: bool,
}

/// To the coordinator: the sender's stage cannot be loaded, or runs no more.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StageFailed {
    /// The plan's epoch.
    pub epoch: u32,
    /// Why.
    pub failure: Failure,
}

/// From the coordinator: an epoch is over; its requests are dropped.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Halt {
    /// The plan's epoch.
    pub epoch: u32,
}

/// Along the ring, before a request's first [`super::Activations`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Begin {
    /// Greater than that of every request before.
    pub request: RequestId,
    /// The plan's epoch.
    pub epoch: u32,
    /// Which KV cache it takes; free on every stage by now.
    pub slot: u16,
    /// How the tail picks tokens.
    pub sampling: Sampling,
    /// Tokens that come in chunks: the prompt, and behind it what of the answer was drawn in an earlier epoch.
    pub history_tokens: u32,
    /// How many tokens of the answer are among them.
    pub drawn: u32,
    /// How many of the history the KV caches have already, as the plan says.
    pub kept_tokens: u32,
    /// The prompt's last 4 Ki tokens and those drawn, where the tail needs them for a repetition
    /// penalty; else none. Behind an encoder always the whole history, which goes through the decoder.
    pub seen: Vec<u32>,
    /// Rows of the prompt on their way through an encoder; 0 without one.
    pub prompt_rows: u16,
}

/// From the tail to the header: a chunk that wanted no token has passed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ChunkDone {
    /// The request.
    pub request: RequestId,
    /// The plan's epoch.
    pub epoch: u32,
    /// Position of the chunk's first row.
    pub position: u32,
}

/// Along the ring: drop the request. What arrives of it later is ignored.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Cancel {
    /// The request.
    pub request: RequestId,
}

/// Along the ring: the request has its answer, its slot is free.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Finished {
    /// The request.
    pub request: RequestId,
}

/// To the header: the sender could not run a step of the request.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RequestFailed {
    /// The request.
    pub request: RequestId,
    /// The plan's epoch.
    pub epoch: u32,
    /// Why, in a sentence.
    pub message: String,
}

impl Control for RollOut {
    fn check(&self) -> Result<(), DecodeError> {
        self.model.check()?;
        bounds::list("stages", &self.stages, MAX_STAGES)?;
        bounds::list("overlap", &self.overlap, MAX_COPIES)?;
        let all = self.stages.iter().chain(&self.overlap);
        let modules = all.map(|stage| stage.range.end).max().unwrap_or(0);
        bounds::within("stages", modules <= MAX_MODULES)?;
        bounds::within("chunk_tokens", (1..=MAX_CHUNK_TOKENS).contains(&self.chunk_tokens))?;
        self.carry.check()?;
        bounds::within("slots", (1..=MAX_SLOTS).contains(&self.slots))?;
        bounds::within("row_bytes", self.row_bytes > 0 && self.row_bytes.is_multiple_of(4))?;
        self.encoder.as_ref().map_or(Ok(()), PlannedEncoder::check)
    }
}

impl PlannedEncoder {
    fn check(&self) -> Result<(), DecodeError> {
        let Self { modules, readers, prompt_tokens, .. } = self;
        bounds::within("encoder.modules", (1..MAX_MODULES).contains(modules))?;
        bounds::list("encoder.readers", readers, MAX_MODULES)?;
        let are_behind = readers.iter().all(|reader| (*modules..MAX_MODULES).contains(reader));
        bounds::within("encoder.readers", are_behind)?;
        bounds::within("encoder.prompt_tokens", (1..=MAX_CHUNK_TOKENS).contains(prompt_tokens))
    }
}

impl Control for LoadProgress {
    fn check(&self) -> Result<(), DecodeError> {
        bounds::within("loaded_bytes", self.loaded_bytes <= self.total_bytes)
    }
}

impl Control for StageReady {
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}

impl Control for StageFailed {
    fn check(&self) -> Result<(), DecodeError> {
        self.failure.check()
    }
}

impl Control for Halt {
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}

impl Control for Begin {
    fn check(&self) -> Result<(), DecodeError> {
        bounds::within("slot", self.slot < MAX_SLOTS)?;
        bounds::within("drawn", self.drawn < self.history_tokens)?;
        bounds::within("kept_tokens", self.kept_tokens < self.history_tokens)?;
        bounds::within("drawn", self.drawn < MAX_COMPLETION_TOKENS)?;
        bounds::list("seen", &self.seen, MAX_SEEN_TOKENS + self.drawn as usize)?;
        bounds::within("prompt_rows", self.prompt_rows <= MAX_CHUNK_TOKENS)?;
        self.sampling.check()
    }
}

impl Control for ChunkDone {
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}

impl Control for Cancel {
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}

impl Control for Finished {
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}

impl Control for RequestFailed {
    fn check(&self) -> Result<(), DecodeError> {
        bounds::message(&self.message)
    }
}
