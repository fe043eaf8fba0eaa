//! What crosses between the page and the engine. The TypeScript of the same contract is
//! `web/src/engine/messages.ts`; the names there are the names here in camel case.

use base::{Message, PeerId};
use protocol::{
    peer::{AwayReason, WireType},
    signal::IceServer,
};
use serde::{Deserialize, Serialize};
use session::{Assignment, ErrorView, RoomView};

/// What the page asks for. Channels and picked files come apart from these, since they are no plain values.
#[derive(Deserialize, Debug)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ToWorker {
    /// Make or join a room.
    Start { config: StartConfig },
    /// Coordinator: measure, plan and load.
    Begin { assignment: Option<Assignment> },
    /// Answer the last message of a conversation.
    Ask { ask: u32, messages: Vec<Message>, options: AskOptions },
    /// Coordinator: count a prompt's tokens.
    Check { ask: u32, prompt: String },
    /// No more of this answer.
    Stop { ask: u32 },
    /// This phone had better have nothing to do, or may have something again.
    Away { why: Option<AwayReason> },
    /// Leave the room.
    Leave,
    /// Something happened to a peer connection.
    Rtc { event: RtcEvent },
}

/// How to make or join a room.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct StartConfig {
    pub signal_url: String,
    pub secret: Option<String>,
    /// This phone had started the room, and starts it again.
    pub reopens: bool,
    pub name: String,
    pub device: String,
    pub model_url: Option<String>,
    pub pledge: Pledge,
    /// Coordinator: how hidden states travel.
    pub wire: WireType,
    /// Coordinator: whether cuts move while answers go on.
    pub balances: bool,
    /// Coordinator: whether an encoder's output goes straight to the phones that read it.
    pub skips: bool,
    /// Coordinator: how many requests are expected at once.
    pub requests: Option<u16>,
}

/// Memory a phone lends. More bytes than it has are as good as all of it.
#[derive(Deserialize, Debug, Clone, Copy)]
#[serde(rename_all = "camelCase")]
pub enum Pledge {
    #[serde(rename = "bytes")]
    Bytes(f64),
    #[serde(rename = "share")]
    Share { factor: f64, phones: u32 },
}

/// What an answer is to be like.
#[derive(Deserialize, Debug, Clone)]
#[serde(rename_all = "camelCase")]
pub struct AskOptions {
    pub temperature: f32,
    pub top_k: u32,
    pub top_p: f32,
    pub min_p: Option<f32>,
    pub repetition_penalty: Option<f32>,
    pub seed: f64,
    pub max_tokens: u32,
    pub stop: Option<Vec<String>>,
    pub logprobs: Option<u8>,
}

/// What the page's peer connections tell.
#[derive(Deserialize, Debug)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum RtcEvent {
    Description { peer: PeerId, description: protocol::signal::DescriptionKind, sdp: String },
    Candidate { peer: PeerId, candidate: String, mid: Option<String>, line: Option<u16> },
    Secured { peer: PeerId, own: [u8; 32], theirs: [u8; 32] },
    State { peer: PeerId, state: String },
}

/// What the engine tells the page.
#[derive(Serialize, Debug)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FromWorker {
    Room { room: Box<RoomView> },
    Invitation { fragment: String },
    Text { ask: u32, delta: String },
    Done { ask: u32, stats: protocol::peer::AnswerStats },
    Failed { ask: Option<u32>, error: ErrorView },
    Note { message: String },
    Warning { message: String },
    Checked { ask: u32, prompt_tokens: usize, context_tokens: u32 },
    Rtc { command: RtcCommand },
}

/// What the engine asks of the page's peer connections.
#[derive(Serialize, Debug)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RtcCommand {
    Config { ice_servers: Vec<IceServer> },
    Offer { peer: PeerId },
    Answer { peer: PeerId, sdp: String },
    Accept { peer: PeerId, sdp: String },
    Candidate { peer: PeerId, candidate: String, mid: Option<String>, line: Option<u16> },
    Close { peer: PeerId },
}

impl From<Pledge> for protocol::peer::Pledge {
    fn from(pledge: Pledge) -> Self {
        match pledge {
            Pledge::Bytes(bytes) => Self::Bytes(bytes.min(crate::browser::memory_bytes()) as u64),
            Pledge::Share { factor, phones } => Self::Share { factor, phones },
        }
    }
}

impl From<AskOptions> for protocol::peer::AskOptions {
    fn from(options: AskOptions) -> Self {
        let sampling = protocol::peer::Sampling {
            temperature: options.temperature,
            top_k: options.top_k,
            top_p: options.top_p,
            min_p: options.min_p.unwrap_or(0.0),
            repetition_penalty: options.repetition_penalty.unwrap_or(1.0),
            seed: options.seed as u64,
            max_tokens: options.max_tokens,
            logprobs: options.logprobs,
        };
        Self { sampling, stop: options.stop.unwrap_or_default() }
    }
}

/// An [`ErrorView`] without figures.
pub fn error(code: &'static str, message: impl Into<String>) -> ErrorView {
    ErrorView { code, message: message.into(), prompt_tokens: None, context_tokens: None }
}
