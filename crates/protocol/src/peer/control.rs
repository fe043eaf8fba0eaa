//! Bodies about phones, links and measurements.

use base::{Estimate, MAX_LABEL_CHARS, MAX_LABELS, PeerId};
use serde::{Deserialize, Serialize};

use super::{
    DecodeError, MAX_PEERS,
    bounds::{self, MAX_DEVICE_CHARS, MAX_NAME_CHARS, MAX_PADDING_BYTES, MAX_URL_CHARS},
    frame::Control,
};

/// Introduces a phone to another as soon as their link is open.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// [`super::PROTOCOL_VERSION`] of the sender, for a message that says which phone is behind.
    pub version: u8,
    /// Whether the sender opened the room and makes its plans.
    pub coordinator: bool,
    /// What the user calls the phone; at most 40 characters.
    pub name: String,
    /// What the device is; at most 80 characters.
    pub device: String,
    /// The memory it lends.
    pub pledge: Pledge,
}

impl Hello {
    /// Longest `name`, in characters.
    pub const MAX_NAME_CHARS: usize = MAX_NAME_CHARS;
    /// Longest `device`, in characters.
    pub const MAX_DEVICE_CHARS: usize = MAX_DEVICE_CHARS;
}

/// Memory that a phone lends to the room.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Pledge {
    /// So many bytes.
    Bytes(u64),
    /// `factor` x (the bytes of all modules) / `phones`.
    Share {
        /// Above 1 leaves room to choose.
        factor: f64,
        /// Among how many phones the model is to be shared.
        phones: u32,
    },
}

/// Asks for a [`Pong`] with the same number. From anyone, at any time.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Ping {
    /// Comes back in the answer.
    pub nonce: u32,
    /// Whether the receiver's device runs a step before the answer, as it does for a token.
    pub through_device: bool,
}

/// Answers a [`Ping`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Pong {
    /// The ping's.
    pub nonce: u32,
    /// How long the device was at it; 0 where none was asked.
    pub busy_secs: f64,
}

/// One of a series of frames whose only purpose is their size.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Probe {
    /// Number of the series.
    pub nonce: u32,
    /// Whether the receiver answers with [`ProbeDone`].
    pub last: bool,
    /// At most 32 KiB of anything.
    pub padding: Vec<u8>,
}

/// Answers the last [`Probe`] of a series.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ProbeDone {
    /// The series' number.
    pub nonce: u32,
}

/// The sender leaves the room.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Leave {}

/// Where a model is and what it is called.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ModelRef {
    /// Path on the server, like `/models/x.gguf`.
    pub url: String,
    /// Its name for people.
    pub name: String,
    /// Size of the file.
    pub total_bytes: u64,
    /// Longest request, prompt and completion.
    pub context_tokens: u32,
    /// Whether it has a chat template: it is asked with the whole conversation.
    pub takes_chats: bool,
    /// What a classifier calls its labels, by their numbers: an answer is one of them. Else none.
    pub labels: Vec<String>,
}

/// From the coordinator: open this model and get your device ready to be measured on it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Prepare {
    /// The model that the room is to run.
    pub model: ModelRef,
}

/// To the coordinator: the sender's device is ready for the model at this address.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Prepared {
    /// The model's `url`.
    pub url: String,
}

/// From the coordinator: measure your device on this model, and then your links to these peers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Measure {
    /// The model whose modules are measured.
    pub model: ModelRef,
    /// Everyone who takes part.
    pub peers: Vec<PeerId>,
}

/// To the coordinator: what the sender's device can do.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DeviceMeasured {
    /// Speed on the model's own kernels.
    pub flops_per_sec: Estimate,
    /// What a stage takes besides its operations: starting the step, and reading its output back.
    pub overhead_secs: f64,
}

/// To the coordinator: the sender's device cannot run a stage.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MeasureFailed {
    /// Why, in a sentence.
    pub message: String,
}

/// To the coordinator: what the sender's link to a peer can carry.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LinkMeasured {
    /// The other end.
    pub to: PeerId,
    /// A round trip.
    pub rtt_secs: Estimate,
    /// Bandwidth; 0 where there is no link.
    pub bytes_per_sec: Estimate,
}

/// To the coordinator: the sender's link to a peer is gone.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LinkLost {
    /// The other end.
    pub peer: PeerId,
}

/// To the coordinator: the sender had better have nothing to do, or may have something again.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Away {
    /// Why; none once it is back.
    pub why: Option<AwayReason>,
}

/// Why a phone had better have nothing to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AwayReason {
    /// Its page is hidden: the system freezes it in a moment.
    Hidden,
    /// Its battery is nearly empty.
    LowBattery,
}

impl Control for Away {
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}

impl Control for Hello {
    fn check(&self) -> Result<(), DecodeError> {
        bounds::text("name", &self.name, MAX_NAME_CHARS)?;
        bounds::text("device", &self.device, MAX_DEVICE_CHARS)?;
        self.pledge.check()
    }
}

impl Pledge {
    fn check(self) -> Result<(), DecodeError> {
        match self {
            Self::Bytes(_) => Ok(()),
            Self::Share { factor, phones } => {
                bounds::figure("pledge.factor", factor)?;
                bounds::within("pledge.phones", phones > 0)
            }
        }
    }
}

impl Control for Ping {
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}

impl Control for Pong {
    fn check(&self) -> Result<(), DecodeError> {
        bounds::time("busy_secs", self.busy_secs)
    }
}

impl Control for Probe {
    fn check(&self) -> Result<(), DecodeError> {
        bounds::list("padding", &self.padding, MAX_PADDING_BYTES)
    }
}

impl Control for ProbeDone {
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}

impl Control for Leave {
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}

impl ModelRef {
    pub(super) fn check(&self) -> Result<(), DecodeError> {
        bounds::text("model.url", &self.url, MAX_URL_CHARS)?;
        bounds::text("model.name", &self.name, MAX_URL_CHARS)?;
        bounds::list("model.labels", &self.labels, MAX_LABELS)?;
        for label in &self.labels {
            bounds::text("model.labels", label, MAX_LABEL_CHARS)?;
        }
        bounds::within("model.context_tokens", self.context_tokens > 0)
    }
}

impl Control for Prepare {
    fn check(&self) -> Result<(), DecodeError> {
        self.model.check()
    }
}

impl Control for Prepared {
    fn check(&self) -> Result<(), DecodeError> {
        bounds::text("url", &self.url, MAX_URL_CHARS)
    }
}

impl Control for Measure {
    fn check(&self) -> Result<(), DecodeError> {
        self.model.check()?;
        bounds::list("peers", &self.peers, MAX_PEERS)
    }
}

impl Control for DeviceMeasured {
    fn check(&self) -> Result<(), DecodeError> {
        bounds::rate("flops_per_sec", self.flops_per_sec)?;
        bounds::time("overhead_secs", self.overhead_secs)
    }
}

impl Control for MeasureFailed {
    fn check(&self) -> Result<(), DecodeError> {
        bounds::message(&self.message)
    }
}

impl Control for LinkMeasured {
    fn check(&self) -> Result<(), DecodeError> {
        bounds::estimate("rtt_secs", self.rtt_secs)?;
        bounds::time("rtt_secs", self.rtt_secs.mean)?;
        bounds::rate("bytes_per_sec", self.bytes_per_sec)
    }
}

impl Control for LinkLost {
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}
