//! What goes into a room and what comes out of it.

use std::collections::BTreeSet;

use base::{Estimate, Identity, Message, ModuleRange, PeerId, RequestId};
use protocol::{
    peer::{
        AnswerStats, AskOptions, AwayReason, CacheAsk, Failure, Frame, ModelRef, RoomSecret,
        Sampling, TokenLogprobs,
    },
    signal::Pictures,
};
use serde::{Deserialize, Serialize};

use crate::ModelSpec;

/// One ask in the room: its number is unique only among the asks of one peer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AskId {
    /// Who asks.
    pub from: PeerId,
    /// The asker's number for it.
    pub number: u32,
}

/// Number of a [`Job`], unique in the life of a [`crate::Room`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct JobId(pub u64);

/// Something that happened outside.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// A link to `peer` is open in both directions, and both ends have shown that they were invited.
    LinkUp {
        /// The other end.
        peer: PeerId,
        /// Between whom it is.
        meeting: Meeting,
    },
    /// The link to `peer` is closed, for whatever reason.
    LinkDown {
        /// The other end.
        peer: PeerId,
    },
    /// The link to `peer` is given another way, as where one of the two has come into another network. Until something
    /// is heard, or [`crate::RESTART_SECS`] have passed, it is not lost; a second one in that time gives no more of it.
    LinkRestarts {
        /// The other end.
        peer: PeerId,
    },
    /// A whole frame has arrived.
    Frame {
        /// The other end of the link it came by.
        peer: PeerId,
        /// The frame.
        frame: Frame,
    },
    /// Answers [`Output::Prepare`].
    Prepared {
        /// Of the model.
        url: String,
    },
    /// Answers [`Output::Measure`].
    DeviceMeasured {
        /// Speed on the model's own kernels, with pauses between the steps as in a room.
        flops_per_sec: Estimate,
        /// What a stage takes besides its operations.
        overhead_secs: f64,
    },
    /// Answers [`Output::Prepare`] or [`Output::Measure`]: this device cannot run a stage.
    MeasureFailed {
        /// Why, in a sentence.
        message: String,
    },
    /// Answers [`Output::Exercise`].
    Exercised {
        /// The output's.
        number: u32,
        /// How long the device was at it.
        busy_secs: f64,
    },
    /// How far [`Output::LoadStage`] has got. As often as the driver likes.
    LoadProgress {
        /// The stage's epoch.
        epoch: u32,
        /// Bytes that have arrived.
        loaded_bytes: u64,
        /// Bytes there are.
        total_bytes: u64,
    },
    /// Answers [`Output::LoadStage`]: every stage is resident and warm.
    StageLoaded {
        /// The stage's epoch.
        epoch: u32,
        /// Whether all of it was resident before, with KV caches that are as they were.
        has_caches: bool,
    },
    /// Answers [`Output::LoadCopies`].
    CopiesLoaded {
        /// The output's.
        number: u32,
        /// Whether all of it is resident.
        is_there: bool,
    },
    /// The stage cannot be loaded, or the device is lost.
    StageFailed {
        /// The stage's epoch.
        epoch: u32,
        /// Why.
        failure: Failure,
    },
    /// Answers [`Output::RunStage`].
    StageDone {
        /// The job.
        job: JobId,
        /// What came out of each part, in their order; of the kind that the part wants.
        outputs: Vec<StageOutput>,
        /// How long the device worked on it.
        busy_secs: f64,
        /// GPU dispatches issued for it.
        dispatches: u32,
    },
    /// Answers [`Output::RunStage`]: this step failed, and with it the requests of its parts; the stage may
    /// still serve others.
    JobFailed {
        /// The job.
        job: JobId,
        /// Why, in a sentence.
        message: String,
    },
    /// Answers [`Output::ReadCache`].
    CacheRead {
        /// The output's.
        to: PeerId,
        /// The output's.
        ask: CacheAsk,
        /// Keys and values; empty where they cannot be read.
        data: Vec<u8>,
    },
    /// Answers [`Output::WriteCache`].
    CacheWritten {
        /// The epoch of what was to be written.
        epoch: u32,
        /// Whether it is there now.
        is_there: bool,
    },
    /// Answers [`Output::Tokenize`].
    Tokenized {
        /// The ask.
        ask: AskId,
        /// The prompt's tokens, at least one; or why there are none.
        result: Result<Vec<u32>, Failure>,
    },
    /// Answers [`Output::Decode`], in the same order; the text may be empty.
    Decoded {
        /// The request.
        request: RequestId,
        /// What the answer goes on with.
        text: String,
    },
    /// Answers [`Output::CheckTicket`].
    TicketChecked {
        /// Whose.
        peer: PeerId,
        /// Whether a person may be asked about it; else it is turned away.
        is_good: bool,
    },
    /// The user wants something.
    Command(Command),
    /// The time of the last [`Output::WakeAt`] has come. Harmless at any time.
    Timeout,
}

/// Between whom a link is, as its encryption has shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meeting {
    /// This phone.
    pub own: Identity,
    /// The other end.
    pub other: Identity,
    /// What both show.
    pub pictures: Pictures,
}

/// What a user can want.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// Coordinator: the room is to run this model.
    SetModel(ModelSpec),
    /// Coordinator: everybody is here; measure, plan and load.
    Begin(Assignment),
    /// Answer the last message of a conversation.
    Ask {
        /// Our number for it, not used before.
        ask: u32,
        /// What was said so far; at most 256 messages and 64 KiB. A model without a chat
        /// template is given the last one alone.
        messages: Vec<Message>,
        /// What the answer is to be like.
        options: AskOptions,
    },
    /// No more of this answer.
    Stop {
        /// Our number for it.
        ask: u32,
    },
    /// We had better have nothing to do, or none of that any more. The coordinator takes our part away
    /// where the others can do without us.
    Away(Option<AwayReason>),
    /// Coordinator: these phones come in without asking, now and later, also where the room is locked; the first
    /// [`crate::MAX_TRUSTED`] count. Replaces the set that was given before; who is in stays in.
    Trust(BTreeSet<Identity>),
    /// Coordinator: from now on this is the secret of its rooms to come; trusted phones that are in are told.
    NextSecret(RoomSecret),
    /// Coordinator: a phone that asks may come in.
    LetIn(PeerId),
    /// Coordinator: a phone that asks may not come in.
    TurnAway(PeerId),
    /// Coordinator: whether the room is locked. Who asks then is turned away; who was in before or is trusted still
    /// comes in.
    Lock(bool),
    /// Coordinator: this phone is to leave at once, is no longer trusted in this room, and has to ask if it comes back.
    Remove(Identity),
    /// We leave the room; it does nothing more.
    Leave,
}

/// How a room's modules are assigned.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Assignment {
    /// As the planner finds it best.
    #[default]
    Best,
    /// Parts of the same number of modules for all phones: what LinguaLinked compares with.
    Equal,
}

/// Something to do outside. The driver does outputs in the order given.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// Send a frame. The room keeps few in flight; a link whose buffer is full all
    /// the same is to be closed.
    Transmit {
        /// To whom.
        to: PeerId,
        /// What.
        frame: Frame,
    },
    /// Close the link to a peer that is silent or speaks another version.
    Disconnect {
        /// The other end.
        peer: PeerId,
    },
    /// Coordinator: whether what an unknown phone's invitation has brought is still good. Answer:
    /// [`Input::TicketChecked`].
    CheckTicket {
        /// Who asks to come in.
        peer: PeerId,
        /// At most 32 bytes from that phone.
        ticket: Vec<u8>,
    },
    /// We were not let in, or were taken out: no link is to be made to anybody of this room any more.
    StayAway,
    /// Open the model and run its kernels once, so that measuring takes no longer than it must.
    /// Answer: [`Input::Prepared`] or [`Input::MeasureFailed`].
    Prepare {
        /// The model.
        model: ModelRef,
    },
    /// Measure the device. Answer: [`Input::DeviceMeasured`] or [`Input::MeasureFailed`].
    Measure {
        /// On this model's modules.
        model: ModelRef,
    },
    /// Run a step of what was prepared, as the device does for a token; nobody wants the output. Answer:
    /// [`Input::Exercised`], at once where nothing is prepared.
    Exercise {
        /// Comes back with the answer.
        number: u32,
    },
    /// Load a stage in place of whatever is loaded; what is resident already stays. Answer:
    /// [`Input::StageLoaded`] or [`Input::StageFailed`].
    LoadStage(LoadStage),
    /// Load these, too, beside the steps of the stages that are loaded, which go on as they are; what else is resident
    /// is freed first. Over, without an answer, with the next [`Output::LoadCopies`], [`Output::LoadStage`] or
    /// [`Output::UnloadStage`]. Answer: [`Input::CopiesLoaded`].
    LoadCopies {
        /// Comes back with the answer.
        number: u32,
        /// What is to be resident, in stages that do not run.
        copies: LoadStage,
    },
    /// Forget the loaded stage.
    UnloadStage,
    /// Read a part of a KV cache of what is resident. Answer: [`Input::CacheRead`].
    ReadCache {
        /// Who wants it; comes back with the answer.
        to: PeerId,
        /// Which part.
        ask: CacheAsk,
    },
    /// Write a part of a KV cache, before any job that comes after this. Answer: [`Input::CacheWritten`].
    WriteCache {
        /// Which part.
        of: CacheAsk,
        /// As another phone's driver has read it.
        data: Vec<u8>,
    },
    /// Run a step. One at a time. Answer: [`Input::StageDone`] or [`Input::JobFailed`].
    RunStage(Job),
    /// Turn a conversation into a prompt's tokens. Answer: [`Input::Tokenized`].
    Tokenize {
        /// The ask.
        ask: AskId,
        /// The conversation; at least one message.
        messages: Vec<Message>,
    },
    /// Turn a token into text. Answer: [`Input::Decoded`].
    Decode {
        /// The request.
        request: RequestId,
        /// The token; `None` only flushes what is left of the ones before.
        token: Option<u32>,
        /// Whether the decoder of this request can be dropped afterwards. Comes exactly once
        /// for every request with a `Decode`, and also for one that fails.
        last: bool,
    },
    /// Tell the user.
    Event(Event),
    /// Give [`Input::Timeout`] at this time; replaces every earlier one.
    WakeAt(f64),
}

/// What a peer is to hold in an epoch.
#[derive(Clone, PartialEq, Debug)]
pub struct LoadStage {
    /// Number of the plan.
    pub epoch: u32,
    /// Of which model.
    pub model: ModelRef,
    /// Its modules: one stage, or the first and the last on a header that closes the ring.
    pub stages: Vec<Resident>,
    /// KV caches to allocate.
    pub slots: u16,
    /// Length of each.
    pub context_tokens: u32,
    /// Most rows of one job, of all its parts together.
    pub rows: u16,
}

/// A stage, and the copies that are loaded with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resident {
    /// What jobs run.
    pub range: ModuleRange,
    /// What is on the device: the stage, and modules of the neighbours next to it.
    pub resident: ModuleRange,
}

/// One step through one range of modules, of one or several requests.
#[derive(Clone, PartialEq, Debug)]
pub struct Job {
    /// Comes back with the answer.
    pub id: JobId,
    /// The modules to run; one of the loaded ranges.
    pub range: ModuleRange,
    /// What they do.
    pub pass: Pass,
    /// What goes through them in one pass: at least one, at most [`MAX_PARTS`], each of another request.
    pub parts: Vec<Part>,
}

/// What the modules of a stage do with rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pass {
    /// Rows of histories and answers go through those that are not an encoder's.
    Run,
    /// A whole prompt goes through those that are an encoder's; there is one part, with all rows.
    Encode,
    /// What the encoder gave of a whole prompt is kept for those that attend to it: there is one part, its input has
    /// all rows, and nothing comes out.
    Remember,
}

impl Job {
    /// Rows of all parts.
    pub fn rows(&self) -> usize {
        self.parts.iter().map(|part| usize::from(part.rows)).sum()
    }
}

/// Most parts of a [`Job`], and so the most tokens that are sampled after one pass.
pub const MAX_PARTS: usize = 8;

/// Consecutive rows of one request in a [`Job`].
#[derive(Clone, PartialEq, Debug)]
pub struct Part {
    /// The request.
    pub request: RequestId,
    /// Its KV cache.
    pub slot: u16,
    /// Position of the first row.
    pub position: u32,
    /// How many rows.
    pub rows: u16,
    /// What goes in.
    pub input: JobInput,
    /// What must come out.
    pub wants: Wants,
}

/// What goes into a step as one of its parts.
#[derive(Clone, PartialEq, Debug)]
pub enum JobInput {
    /// `rows` tokens, for the range with the first module, of an encoder or of what is behind it.
    Tokens(Vec<u32>),
    /// `[rows, hidden]` 32-bit floats, little-endian.
    Hidden(Vec<u8>),
}

/// What must come out of a part.
#[derive(Clone, PartialEq, Debug)]
pub enum Wants {
    /// [`StageOutput::Hidden`] with all rows.
    Hidden,
    /// [`StageOutput::Token`], sampled from the last row.
    Token(SamplingStep),
    /// [`StageOutput::Nothing`]: a chunk at the tail that only fills the KV cache, or what is remembered.
    Nothing,
}

/// One draw of a token. The same draw from the same logits gives the same token anywhere.
#[derive(Clone, PartialEq, Debug)]
pub struct SamplingStep {
    /// How to draw.
    pub options: Sampling,
    /// How many tokens of this request were drawn before.
    pub step: u32,
    /// The tokens that a repetition penalty counts; none without one.
    pub seen: Vec<u32>,
}

/// What came out of a part.
#[derive(Clone, PartialEq, Debug)]
pub enum StageOutput {
    /// `[rows, hidden]` 32-bit floats, little-endian.
    Hidden(Vec<u8>),
    /// The sampled token.
    Token {
        /// Which.
        token: u32,
        /// How likely it was, where the draw's options ask for it.
        logprobs: Option<TokenLogprobs>,
    },
    /// The KV cache is filled.
    Nothing,
}

/// Something that the user may want to see.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// [`crate::Room::view`] has changed. At most once for an input.
    ViewChanged,
    /// An answer goes on.
    Text {
        /// Our number of the ask.
        ask: u32,
        /// What comes next.
        delta: String,
    },
    /// An answer is complete.
    Answered {
        /// Our number of the ask.
        ask: u32,
        /// How it went.
        stats: AnswerStats,
    },
    /// There will be no (more) answer.
    AskFailed {
        /// Our number of the ask.
        ask: u32,
        /// Why.
        #[serde(serialize_with = "crate::view::failure")]
        failure: Failure,
    },
    /// The coordinator lets us in without asking from now on, also into its rooms to come. Again where their secret is
    /// another.
    Remembered {
        /// By what it is known again.
        identity: Identity,
        /// What its user calls it.
        name: String,
        /// What it is.
        device: String,
        /// Of its rooms to come.
        #[serde(skip)]
        secret: RoomSecret,
    },
    /// A peer sent what it may not; the frame was refused.
    Misbehaved {
        /// Who.
        peer: PeerId,
        /// What, in a sentence.
        reason: String,
    },
    /// Something that did not stop the room, such as an assumed measurement.
    Note {
        /// In a sentence.
        message: String,
    },
}
