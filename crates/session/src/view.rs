//! The room as a page draws it.

use base::{Identity, PeerId};
use protocol::{
    peer::{Counters, Failure, FailureCode, LinkStatus, MeasuringStatus, Phase},
    signal::Pictures,
};
use serde::{Serialize, Serializer};

use crate::PlanView;

/// The whole room, as this phone knows it. In JSON the names are in camel case.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomView {
    /// Where the room stands.
    pub phase: Phase,
    /// Our id.
    pub me: PeerId,
    /// The coordinator's id as text; empty until it is known.
    pub coordinator: String,
    /// Everyone who is or was in, ourselves first.
    pub peers: Vec<PeerView>,
    /// Coordinator: who may come in.
    pub door: Option<DoorView>,
    /// While a person is asked whether we may come in: where.
    pub asking: Option<AskerView>,
    /// Who runs what, once planned.
    pub plan: Option<PlanView>,
    /// What runs, once chosen.
    pub model: Option<ModelView>,
    /// Links measured so far.
    pub links: Vec<LinkView>,
    /// While the phones measure.
    pub measuring: Option<MeasuringStatus>,
    /// What went wrong last.
    pub error: Option<ErrorView>,
}

/// One phone.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerView {
    /// Which.
    pub id: PeerId,
    /// What its user calls it.
    pub name: String,
    /// What it is.
    pub device: String,
    /// Whether it is this one.
    pub me: bool,
    /// Whether it is the coordinator.
    pub coordinator: bool,
    /// By what it is known again, once a link was open; our own once any was.
    pub identity: Option<Identity>,
    /// Our link to it.
    pub link: LinkState,
    /// Its speed, once measured: the mean of some rounds.
    pub flops_per_sec: Option<f64>,
    /// The standard deviation of the rounds.
    pub flops_per_sec_spread: Option<f64>,
    /// What people should know about its figures: why it runs no part, or that they are guessed.
    pub remark: Option<String>,
    /// Its memory for the room, once known.
    pub pledge_bytes: Option<u64>,
    /// What the plan puts there: weights and KV caches of its stages and copies.
    pub used_bytes: u64,
    /// What it runs (its first stage, on a header with two).
    pub stage: Option<StageView>,
    /// Bytes of its stage that have arrived.
    pub loaded_bytes: u64,
    /// Bytes of its stage.
    pub total_bytes: u64,
    /// Whether its stage is loaded.
    pub ready: bool,
    /// How many rows of all answers have to wait for its device.
    pub waiting_rows: u32,
    /// What it has done.
    pub counters: Counters,
}

/// The coordinator's door.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DoorView {
    /// Whether nobody else may come in.
    pub locked: bool,
    /// Whether everybody comes in without asking.
    pub admits_all: bool,
    /// Whom a person is asked about, in the order in which they came.
    pub askers: Vec<AskerView>,
    /// Who was let in, for [`crate::DoorConfig::admitted`].
    pub admitted: Vec<Identity>,
}

/// A phone at the other end of a link that waits for a person.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AskerView {
    /// Which.
    pub id: PeerId,
    /// What its user calls it.
    pub name: String,
    /// What it is.
    pub device: String,
    /// By what it is known again.
    pub identity: Identity,
    /// The same on both screens where nobody is between the two.
    pub pictures: [PictureView; 4],
}

/// A picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PictureView {
    /// An emoji.
    pub symbol: &'static str,
    /// What a screen reader says.
    pub name: &'static str,
}

/// How a link stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// Open, but the other has not introduced itself.
    Connecting,
    /// The other has introduced itself, and is not in, or we are not.
    Waiting,
    /// In use.
    Open,
    /// Gone.
    Lost,
}

/// The modules of a phone.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageView {
    /// First module.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// Bytes of their weights.
    pub weights_bytes: u64,
}

/// The room's model.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelView {
    /// For people.
    pub name: String,
    /// Path on the server.
    pub url: String,
    /// How many modules it has.
    pub modules: u32,
    /// Bytes of all their weights; a shared tensor counts once.
    pub weights_bytes: u64,
    /// Longest request.
    pub context_tokens: u32,
    /// Whether it is asked with the whole conversation.
    pub takes_chats: bool,
    /// What a classifier calls its labels, by their numbers; else none.
    pub labels: Vec<String>,
}

/// One direction of a link: means of some rounds, and their standard deviations.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkView {
    /// The sender.
    pub from: PeerId,
    /// The receiver.
    pub to: PeerId,
    /// A round trip.
    pub rtt_secs: f64,
    /// Of the round trip.
    pub rtt_spread_secs: f64,
    /// Bandwidth.
    pub bytes_per_sec: f64,
    /// Of the bandwidth.
    pub bytes_per_sec_spread: f64,
    /// How many times as long a round trip takes while answers run.
    pub rtt_drift: f64,
    /// How many times as long a byte takes.
    pub bytes_drift: f64,
}

/// A failure as the page knows it.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorView {
    /// The kind.
    pub code: &'static str,
    /// For a person.
    pub message: String,
    /// With `prompt_too_long`: the prompt's length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<u32>,
    /// With `prompt_too_long`: what the context takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u32>,
}

impl PictureView {
    pub(crate) fn of(pictures: Pictures) -> [Self; 4] {
        pictures.each().map(|picture| Self { symbol: picture.symbol, name: picture.name })
    }
}

impl From<&LinkStatus> for LinkView {
    fn from(link: &LinkStatus) -> Self {
        Self {
            from: link.from,
            to: link.to,
            rtt_secs: link.rtt_secs.mean,
            rtt_spread_secs: link.rtt_secs.spread,
            bytes_per_sec: link.bytes_per_sec.mean,
            bytes_per_sec_spread: link.bytes_per_sec.spread,
            rtt_drift: link.rtt_drift,
            bytes_drift: link.bytes_drift,
        }
    }
}

impl From<&Failure> for ErrorView {
    fn from(failure: &Failure) -> Self {
        let (prompt_tokens, context_tokens) = match failure.code {
            FailureCode::PromptTooLong { prompt_tokens, context_tokens } => {
                (Some(prompt_tokens), Some(context_tokens))
            }
            _ => (None, None),
        };
        Self {
            code: failure.code.name(),
            message: failure.message.clone(),
            prompt_tokens,
            context_tokens,
        }
    }
}

/// Serialises a failure as its [`ErrorView`].
pub(crate) fn failure<S: Serializer>(failure: &Failure, serializer: S) -> Result<S::Ok, S::Error> {
    ErrorView::from(failure).serialize(serializer)
}
