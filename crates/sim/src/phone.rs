//! A simulated phone.

use std::collections::BTreeMap;

use base::{Identity, PeerId};
use protocol::peer::Pledge;
use session::{Event, Input, LoadStage, Room, RoomView};
use transport::memory::MemoryLink;

use crate::StageRunner;

/// What a phone is like.
#[derive(Clone, PartialEq, Debug)]
pub struct PhoneSpec {
    /// What its user calls it.
    pub name: String,
    /// How fast it runs a stage, and what it measures of itself.
    pub flops_per_sec: f64,
    /// What starting a step and reading its output back takes.
    pub overhead_secs: f64,
    /// What it lends.
    pub pledge: Pledge,
    /// How fast it fetches weights.
    pub fetch_bytes_per_sec: f64,
    /// Whether its device can run a stage at all.
    pub is_fit: bool,
}

impl PhoneSpec {
    /// A phone of ordinary speed that lends so much.
    pub fn new(name: &str, pledge: Pledge) -> Self {
        Self {
            name: name.to_owned(),
            flops_per_sec: 1e9,
            overhead_secs: 0.001,
            pledge,
            fetch_bytes_per_sec: 5e6,
            is_fit: true,
        }
    }
}

/// A phone in the simulation.
pub(crate) struct Phone {
    pub(crate) id: PeerId,
    pub(crate) identity: Identity,
    pub(crate) spec: PhoneSpec,
    pub(crate) room: Room,
    pub(crate) runner: Box<dyn StageRunner>,
    pub(crate) links: BTreeMap<PeerId, MemoryLink>,
    pub(crate) wake_at_secs: Option<f64>,
    pub(crate) events: Vec<Event>,
    /// The view as of the last change it was told of.
    pub(crate) view: RoomView,
    /// Neither hears nor speaks, though its links stay open.
    pub(crate) is_frozen: bool,
    /// It will not come back.
    pub(crate) is_gone: bool,
    /// What its driver would have told while it is frozen.
    pub(crate) backlog: Vec<Input>,
    /// Its driver begins steps and never ends them.
    pub(crate) device_hangs: bool,
    /// Its KV caches can neither be read nor written for others.
    pub(crate) caches_locked: bool,
    /// What its driver loads beside what runs, with the load's number.
    pub(crate) copies: Option<(u32, LoadStage)>,
    /// It can load no copies beside what runs.
    pub(crate) is_full: bool,
    /// Its driver begins measuring or loading and never ends it.
    pub(crate) driver_hangs: bool,
    /// The device is at work until then.
    pub(crate) busy_until_secs: f64,
}
