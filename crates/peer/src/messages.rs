//! What crosses between the page and the engine. The TypeScript of the same contract is
//! `web/src/engine/messages.ts`; the names there are the names here in camel case.

use base::{Identity, Message, PeerId};
use protocol::{
    peer::{AwayReason, RoomSecret, WireType},
    signal::{IceServer, Pass, SignalError, read_secret},
};
use serde::{Deserialize, Serialize};
use session::{Assignment, ErrorView, RoomView};

/// What the page asks for. Channels and picked files come apart from these, since they are no plain values.
#[derive(Deserialize, Debug)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ToWorker {
    /// Make or join a room.
    Start { config: Box<StartConfig> },
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
    /// Coordinator: these phones come in without asking, in place of those that were named before.
    Trust { identities: Vec<Identity> },
    /// Coordinator: by what this phone is known, which its invitations name; none where every link has another key. The
    /// first invitation waits for it.
    Own { identity: Option<Identity> },
    /// Coordinator: another invitation, good for so many seconds from now, or as long as the room is open.
    Invite { life_secs: Option<f64> },
    /// Coordinator: another secret for the rooms to come, and another key: invitations that were given out are over.
    Home { secret: String, ticket_key: String },
    /// Coordinator: a phone that asks may come in.
    LetIn { peer: PeerId },
    /// Coordinator: a phone that asks may not come in.
    TurnAway { peer: PeerId },
    /// Coordinator: whether nobody else may come in.
    Lock { locked: bool },
    /// Coordinator: this phone is to leave at once, and to ask if it comes back.
    Remove { identity: Identity },
    /// Coordinator: show a short code that brings what goes after the `#` of a link.
    OfferCode { invitation: String },
    /// Show it no longer.
    WithdrawCode,
    /// Get the invitation of the phone that shows this code; no room is needed.
    Redeem { signal_url: String, code: String },
    /// The browser has come into another network.
    Network,
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
    /// What stands after the `#` of an invitation; where the room is started, its secret, or none for another.
    pub secret: Option<String>,
    /// This phone starts the room.
    pub starts: bool,
    /// It had started it before, and starts it again.
    pub reopens: bool,
    /// Elsewhere: whether a person waits until the room is open.
    pub waits: bool,
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
    pub door: Door,
}

/// Who may come in, or how this phone does.
#[derive(Deserialize, Debug, Clone, Default)]
#[serde(rename_all = "camelCase")]
pub struct Door {
    /// Coordinator: everybody comes in without asking.
    pub admits_all: bool,
    /// Coordinator: nobody else may come in.
    pub locked: bool,
    /// Coordinator: who comes in without asking, also where the room is locked.
    pub trusted: Vec<Identity>,
    /// Coordinator: what its invitations are made with, 32 bytes in base64url.
    pub ticket_key: Option<String>,
    /// Coordinator: tells this time that the room is open from others, 32 bytes in base64url.
    pub opening: Option<String>,
    /// Coordinator: for how many seconds the first invitation is good; none is as long as the room is open.
    pub life_secs: Option<f64>,
    /// Coordinator: the secret of its rooms to come, for phones that are remembered.
    pub next_secret: Option<String>,
    /// Coordinator that starts the room again: whom it had let in.
    pub admitted: Vec<Identity>,
    /// Elsewhere: the coordinator that is expected, if it is known.
    pub coordinator: Option<Identity>,
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
    Description {
        peer: PeerId,
        description: protocol::signal::DescriptionKind,
        sdp: String,
    },
    Candidate {
        peer: PeerId,
        candidate: String,
        mid: Option<String>,
        line: Option<u16>,
    },
    Restart {
        peer: PeerId,
        number: u32,
        description: protocol::signal::DescriptionKind,
        sdp: String,
    },
    Secured {
        peer: PeerId,
        own: [u8; 32],
        theirs: [u8; 32],
    },
    State {
        peer: PeerId,
        state: String,
    },
}

/// What the engine tells the page.
#[derive(Serialize, Debug)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FromWorker {
    Room { room: Box<RoomView> },
    Invitation { fragment: String },
    Remembered { identity: Identity, name: String, device: String, secret: String },
    Text { ask: u32, delta: String },
    Done { ask: u32, stats: protocol::peer::AnswerStats },
    Failed { ask: Option<u32>, error: ErrorView },
    Note { message: String },
    Warning { message: String },
    Checked { ask: u32, prompt_tokens: usize, context_tokens: u32 },
    Code { code: Option<CodeView> },
    Redeemed { fragment: String },
    RedeemFailed { why: RedeemFailure, tried: bool },
    Server { is_there: bool },
    Rtc { command: RtcCommand },
}

/// The short code that this phone shows.
#[derive(Serialize, Debug)]
#[serde(tag = "state", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum CodeView {
    Asked,
    Shown { text: String, life_secs: u32, tries_left: u32, redeemed: u32 },
    Over { why: CodeEnd },
}

/// Why a code is good no longer.
#[derive(Serialize, Clone, Copy, Debug)]
#[serde(rename_all = "snake_case")]
pub enum CodeEnd {
    /// Wrong codes were typed too often.
    Guessed,
    Expired,
    /// The server had no place for it.
    ServerFull,
    /// The socket to the server was lost.
    Lost,
}

/// Why a typed code brought nothing. It was `tried` where whoever answered has seen enough to know whether it had guessed it.
#[derive(Serialize, Clone, Copy, Debug)]
#[serde(rename_all = "snake_case")]
pub enum RedeemFailure {
    BadCode,
    WrongCode,
    CodeGone,
    CodeBusy,
    LockedOut,
    NoAnswer,
    Unreachable,
    /// Who answered does not know the code either.
    Forged,
}

/// What the engine asks of the page's peer connections.
#[derive(Serialize, Debug, Clone)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RtcCommand {
    Config { ice_servers: Vec<IceServer> },
    Offer { peer: PeerId },
    Answer { peer: PeerId, sdp: String },
    Accept { peer: PeerId, sdp: String },
    Candidate { peer: PeerId, candidate: String, mid: Option<String>, line: Option<u16> },
    Restart { peer: PeerId, number: u32 },
    AnswerRestart { peer: PeerId, number: u32, sdp: String },
    AcceptRestart { peer: PeerId, number: u32, sdp: String },
    Close { peer: PeerId },
}

impl Door {
    /// As the session takes it; elsewhere with what the invitation brings.
    ///
    /// # Errors
    /// The secret to come is none.
    pub fn config(&self, pass: Option<Pass>) -> Result<session::DoorConfig, SignalError> {
        let door = self.clone();
        let next_secret = door.next_secret.as_deref().map(read_secret).transpose()?;
        Ok(session::DoorConfig {
            admits_all: door.admits_all,
            is_locked: door.locked,
            trusted: door.trusted.into_iter().collect(),
            admitted: door.admitted,
            coordinator: door.coordinator,
            host: pass.and_then(|pass| pass.host),
            next_secret: next_secret.map(|secret| RoomSecret(*secret)),
            ticket: pass.map(|pass| pass.ticket.to_bytes().to_vec()).unwrap_or_default(),
        })
    }
}

impl Pledge {
    /// As others are told of it, of a device with so much memory.
    pub(crate) fn within(self, memory_bytes: f64) -> protocol::peer::Pledge {
        match self {
            Self::Bytes(bytes) => protocol::peer::Pledge::Bytes(bytes.min(memory_bytes) as u64),
            Self::Share { factor, phones } => protocol::peer::Pledge::Share { factor, phones },
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
