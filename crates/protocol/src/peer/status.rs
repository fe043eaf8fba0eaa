//! What members tell each other so that every screen shows the same room.

use base::{Estimate, PeerId, RequestId};
use serde::{Deserialize, Serialize};

use super::{
    DecodeError, Failure, MAX_PEER_STAGES, MAX_PEERS, MAX_SLOTS, ModelRef, PlanStatus, bounds,
    frame::Control,
};

/// To the coordinator, about once a second: what the sender has done so far.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Totals since the sender joined.
    pub counters: Counters,
    /// How far its stage has got with each request: they tell which phone is late.
    pub last_steps: Vec<LastStep>,
    /// How long the device works on a token, for each of its stages in ring order: the median of the latest
    /// steps of one row; empty before there are enough.
    pub stage_secs: Vec<f64>,
    /// How many rows have to wait for the device, of all requests together: the median of the latest passes; 0 before
    /// there are enough.
    pub waiting_rows: u32,
    /// The sender's links that it has timed enough pings of, each once.
    pub links: Vec<LinkTimes>,
}

/// How a link does while answers run, as its sender sees it.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct LinkTimes {
    /// The receiver.
    pub to: PeerId,
    /// A round trip of a ping that nothing large was in the way of: the median of the latest, in seconds.
    pub rtt_secs: f64,
    /// Bandwidth, where large frames went over it lately: the median of the latest.
    pub bytes_per_sec: Option<f64>,
}

/// What a phone has done since it joined.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// Steps run, of any number of rows.
    pub steps_run: u64,
    /// Rows run.
    pub rows_run: u64,
    /// GPU dispatches.
    pub dispatches: u64,
    /// Model bytes fetched.
    pub bytes_fetched: u64,
    /// Bytes of frames sent to other phones.
    pub bytes_sent: u64,
    /// Bytes of frames received from other phones.
    pub bytes_received: u64,
}

/// How far a stage has got with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LastStep {
    /// The request.
    pub request: RequestId,
    /// The position after the step's last row.
    pub next_position: u32,
}

/// From the coordinator to everyone: the room as it stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Where the room stands.
    pub phase: Phase,
    /// What runs, once chosen.
    pub model: Option<ModelStatus>,
    /// Everyone in the room.
    pub peers: Vec<PeerStatus>,
    /// Links measured so far.
    pub links: Vec<LinkStatus>,
    /// While the phones measure.
    pub measuring: Option<MeasuringStatus>,
    /// The plan of the running epoch.
    pub plan: Option<Box<PlanStatus>>,
    /// What went wrong last.
    pub failure: Option<Failure>,
}

/// Where a room stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// No link to the coordinator yet.
    Connecting,
    /// Phones come and go; the coordinator may begin.
    Gathering,
    /// Devices and links are measured.
    Measuring,
    /// The plan is solved.
    Planning,
    /// Stages load.
    Loading,
    /// The room answers.
    Ready,
    /// The last beginning failed; the coordinator may begin again.
    Failed,
}

/// The room's model.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ModelStatus {
    /// Which.
    pub model: ModelRef,
    /// How many modules it has.
    pub modules: u32,
    /// Bytes of all modules' weights; a shared tensor counts once.
    pub weights_bytes: u64,
}

/// One phone of the room.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PeerStatus {
    /// Which.
    pub peer: PeerId,
    /// Its speed, once measured.
    pub flops_per_sec: Option<Estimate>,
    /// What people should know about its figures: why it runs no part, or that they are guessed.
    pub remark: Option<String>,
    /// Its memory for the room, once known in bytes.
    pub pledge_bytes: Option<u64>,
    /// What the plan puts there: weights and KV caches of its stages and copies.
    pub used_bytes: u64,
    /// Bytes of its stage that have arrived.
    pub loaded_bytes: u64,
    /// Bytes of its stage.
    pub total_bytes: u64,
    /// Whether its stage is loaded.
    pub ready: bool,
    /// How many rows have to wait for its device.
    pub waiting_rows: u32,
    /// What it has done.
    pub counters: Counters,
}

/// One direction of a link.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct LinkStatus {
    /// The sender.
    pub from: PeerId,
    /// The receiver.
    pub to: PeerId,
    /// A round trip.
    pub rtt_secs: Estimate,
    /// Bandwidth.
    pub bytes_per_sec: Estimate,
    /// How many times as long a round trip takes while answers run.
    pub rtt_drift: f64,
    /// How many times as long a byte takes.
    pub bytes_drift: f64,
}

/// How far a beginning has got with its devices and links.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MeasuringStatus {
    /// So many are measured.
    pub done: u32,
    /// So many there are.
    pub total: u32,
}

impl Control for Report {
    fn check(&self) -> Result<(), DecodeError> {
        bounds::list("last_steps", &self.last_steps, MAX_SLOTS.into())?;
        bounds::list("stage_secs", &self.stage_secs, MAX_PEER_STAGES)?;
        bounds::list("links", &self.links, MAX_PEERS)?;
        self.stage_secs.iter().try_for_each(|&secs| bounds::figure("stage_secs", secs))?;
        self.links.iter().try_for_each(LinkTimes::check)
    }
}

impl LinkTimes {
    fn check(&self) -> Result<(), DecodeError> {
        bounds::time("links.rtt_secs", self.rtt_secs)?;
        bounds::figure("links.bytes_per_sec", self.bytes_per_sec.unwrap_or_default())
    }
}

impl Control for Status {
    fn check(&self) -> Result<(), DecodeError> {
        bounds::list("peers", &self.peers, MAX_PEERS)?;
        bounds::list("links", &self.links, MAX_PEERS * MAX_PEERS)?;
        self.model.as_ref().map_or(Ok(()), |model| model.model.check())?;
        self.plan.as_ref().map_or(Ok(()), |plan| plan.check())?;
        self.failure.as_ref().map_or(Ok(()), Failure::check)?;
        self.peers.iter().try_for_each(|peer| {
            peer.remark.as_deref().map_or(Ok(()), bounds::message)?;
            peer.flops_per_sec.map_or(Ok(()), |speed| bounds::estimate("status", speed))
        })?;
        self.links.iter().try_for_each(|link| {
            bounds::estimate("status", link.rtt_secs)?;
            bounds::estimate("status", link.bytes_per_sec)?;
            bounds::figure("status", link.rtt_drift)?;
            bounds::figure("status", link.bytes_drift)
        })
    }
}
