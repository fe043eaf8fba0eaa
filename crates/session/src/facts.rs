//! What is known of a phone apart from our link to it.

use protocol::peer::{Counters, LastStep, PeerStatus, Pledge};

use base::{Estimate, ModuleRange, PeerId};

/// Figures of one phone. The coordinator collects them, its status spreads them.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) pledge: Pledge,
    /// Its device is ready to be measured on the room's model.
    pub(crate) is_prepared: bool,
    pub(crate) flops_per_sec: Option<Estimate>,
    /// What a stage takes there besides its operations.
    pub(crate) overhead_secs: f64,
    /// How many times as long its stages take as these two say, of late.
    pub(crate) drift: f64,
    /// Nothing was measured: the speed is a cautious guess, until the next beginning.
    pub(crate) is_assumed: bool,
    /// What people should know about the figures.
    pub(crate) remark: Option<String>,
    /// The device cannot run a stage.
    pub(crate) is_unfit: bool,
    /// What the pledge comes to, once known.
    pub(crate) pledge_bytes: Option<u64>,
    /// What the plan puts there.
    pub(crate) used_bytes: u64,
    /// Coordinator: the modules that it holds, each of its stages with the copies next to it.
    pub(crate) held: Vec<ModuleRange>,
    pub(crate) loaded_bytes: u64,
    pub(crate) total_bytes: u64,
    /// When its stage began to load, and how much it had then.
    loading_since: Option<(f64, u64)>,
    /// How fast it loads.
    pub(crate) loads_bytes_per_sec: Option<f64>,
    pub(crate) is_ready: bool,
    /// How many rows have to wait for its device.
    pub(crate) waiting_rows: u32,
    pub(crate) counters: Counters,
    /// How far its stage has got with each request.
    pub(crate) last_steps: Vec<LastStep>,
}

impl Facts {
    pub(crate) fn new(pledge: Pledge) -> Self {
        Self {
            pledge,
            is_prepared: false,
            flops_per_sec: None,
            overhead_secs: 0.0,
            drift: 1.0,
            is_assumed: false,
            remark: None,
            is_unfit: false,
            pledge_bytes: None,
            used_bytes: 0,
            held: Vec::new(),
            loaded_bytes: 0,
            total_bytes: 0,
            loading_since: None,
            loads_bytes_per_sec: None,
            is_ready: false,
            waiting_rows: 0,
            counters: Counters::default(),
            last_steps: Vec::new(),
        }
    }

    /// Forgets a stage that is no more.
    pub(crate) fn clear_stage(&mut self) {
        self.loaded_bytes = 0;
        self.total_bytes = 0;
        self.loading_since = None;
        self.is_ready = false;
        self.waiting_rows = 0;
        self.last_steps.clear();
    }

    /// Its stage has loaded so much of so much.
    pub(crate) fn loaded(&mut self, loaded_bytes: u64, total_bytes: u64, now_secs: f64) {
        (self.loaded_bytes, self.total_bytes) = (loaded_bytes, total_bytes);
        let (since_secs, bytes) = *self.loading_since.get_or_insert((now_secs, loaded_bytes));
        let (secs, bytes) = (now_secs - since_secs, loaded_bytes.saturating_sub(bytes));
        if secs > LOADING_SECS && bytes > 0 {
            self.loads_bytes_per_sec = Some(bytes as f64 / secs);
        }
    }

    /// What is lent, for a model of so many resident bytes.
    pub(crate) fn lent_bytes(&self, model_bytes: f64) -> f64 {
        match self.pledge {
            Pledge::Bytes(bytes) => bytes as f64,
            Pledge::Share { factor, phones } => factor * model_bytes / f64::from(phones),
        }
    }

    /// The part of it that the planner may fill with weights and KV caches. What a person lends is memory of
    /// the phone, in which the browser and its buffers need room, too; a share is of the model itself.
    pub(crate) fn budget_bytes(&self, model_bytes: f64) -> f64 {
        let fraction = match self.pledge {
            Pledge::Bytes(_) => SAFETY_FRACTION,
            Pledge::Share { .. } => 1.0,
        };
        fraction * self.lent_bytes(model_bytes)
    }

    pub(crate) fn status(&self, peer: PeerId) -> PeerStatus {
        PeerStatus {
            peer,
            flops_per_sec: self.flops_per_sec,
            remark: self.remark.clone(),
            pledge_bytes: self.pledge_bytes,
            used_bytes: self.used_bytes,
            loaded_bytes: self.loaded_bytes,
            total_bytes: self.total_bytes,
            ready: self.is_ready,
            waiting_rows: self.waiting_rows,
            counters: self.counters,
        }
    }

    /// Takes over what the coordinator knows of another phone.
    pub(crate) fn update(&mut self, status: &PeerStatus) {
        self.flops_per_sec = status.flops_per_sec;
        self.remark.clone_from(&status.remark);
        self.pledge_bytes = status.pledge_bytes;
        self.used_bytes = status.used_bytes;
        self.loaded_bytes = status.loaded_bytes;
        self.total_bytes = status.total_bytes;
        self.is_ready = status.ready;
        self.waiting_rows = status.waiting_rows;
        self.counters = status.counters;
    }
}

/// In a shorter time nothing is seen of how fast a phone loads.
const LOADING_SECS: f64 = 0.2;
/// Of the memory that a phone lends; LinguaLinked takes as much of the memory that is free (arXiv 2312.00388).
pub(crate) const SAFETY_FRACTION: f64 = 0.7;
