//! The room as a page draws it.

use base::PeerId;
use protocol::peer::{Counters, Failure, FailureCode, LinkStatus, Phase};
use serde::{Serialize, Serializer};

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
    /// Everyone, ourselves first.
    pub peers: Vec<PeerView>,
    /// Who runs what, once planned.
    pub plan: Option<PlanView>,
    /// What runs, once chosen.
    pub model: Option<ModelView>,
    /// Links measured so far.
    pub links: Vec<LinkStatus>,
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
    /// Our link to it.
    pub link: LinkState,
    /// Its speed, once measured.
    pub flops_per_sec: Option<f64>,
    /// What people should know about its figures: why it runs no part, or that they are guessed.
    pub remark: Option<String>,
    /// Its memory for the room, once known.
    pub pledge_bytes: Option<u64>,
    /// What it runs (its first stage, on a header with two).
    pub stage: Option<StageView>,
    /// Bytes of its stage that have arrived.
    pub loaded_bytes: u64,
    /// Bytes of its stage.
    pub total_bytes: u64,
    /// Whether its stage is loaded.
    pub ready: bool,
    /// What it has done.
    pub counters: Counters,
}

/// How a link stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// Open, but the other has not introduced itself.
    Connecting,
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

/// A plan.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanView {
    /// In ring order.
    pub stages: Vec<PlanStageView>,
    /// One token through the whole ring.
    pub predicted_token_secs: f64,
    /// No plan of these phones takes less: the relaxed linear program's bound, or the search's.
    pub lower_bound_secs: f64,
    /// Why it looks as it does, a sentence.
    pub reason: String,
}

/// A stage of a plan.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanStageView {
    /// Who runs it.
    pub peer: PeerId,
    /// First module.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// Bytes of their weights.
    pub weights_bytes: u64,
    /// One token through it.
    pub predicted_secs: f64,
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
