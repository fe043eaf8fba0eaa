//! What a room is told at the start.

use std::collections::BTreeSet;

use base::{Identity, ModuleProfile, ModuleRange, PeerId, Residual, Tied};
use protocol::peer::{
    ACTIVATIONS_HEADER_BYTES, MAX_CHUNK_TOKENS, ModelRef, PlannedEncoder, Pledge, RoomSecret,
    WireType,
};
use protocol::signal::HostMark;

use crate::MAX_PARTS;

/// This phone's place in the room.
#[derive(Clone, PartialEq, Debug)]
pub struct RoomConfig {
    /// Our id.
    pub me: PeerId,
    /// Whether we opened the room: we then make its plans, and are its header.
    pub coordinator: bool,
    /// What the user calls the phone; cut to 40 characters.
    pub name: String,
    /// What the device is; cut to 80 characters.
    pub device: String,
    /// The memory we lend.
    pub pledge: Pledge,
    /// Who may come in, or how we do.
    pub door: DoorConfig,
    /// Bounds and time-outs.
    pub limits: RoomLimits,
}

/// Who may come in, at the coordinator; how to come in, elsewhere. By default a person is asked about everybody.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct DoorConfig {
    /// Coordinator: whether everybody with a good ticket comes in without asking.
    pub admits_all: bool,
    /// Coordinator: whether nobody else may come in.
    pub is_locked: bool,
    /// Coordinator: phones that come in without asking, also where the room is locked; the first
    /// [`crate::MAX_TRUSTED`] count.
    pub trusted: BTreeSet<Identity>,
    /// Coordinator: the secret of its rooms to come, which trusted phones are told.
    pub next_secret: Option<RoomSecret>,
    /// Coordinator that starts the room again: whom it had let in, as [`crate::DoorView::admitted`] told; they
    /// come in like those that are trusted.
    pub admitted: Vec<Identity>,
    /// Elsewhere: the coordinator that is expected. Others that say they are it are refused.
    pub coordinator: Option<Identity>,
    /// Elsewhere: the coordinator that the invitation names, where it does. Others are refused as well.
    pub host: Option<HostMark>,
    /// Elsewhere: what the invitation brings to the coordinator's [`crate::Output::CheckTicket`]; at most 32 bytes.
    pub ticket: Vec<u8>,
}

/// Bounds and time-outs of a room. Only the coordinator's `chunk_tokens`, `wire` and what
/// concerns requests matter; the plan carries them to the others.
#[derive(Clone, PartialEq, Debug)]
pub struct RoomLimits {
    /// How hidden states travel; exactly, unless somebody asks for less.
    pub wire: WireType,
    /// Most rows of one chunk of a prefill.
    pub chunk_tokens: u16,
    /// Chunks of a request between the header's start and the tail's end of them.
    pub chunks_in_flight: u16,
    /// Most requests that run at once, up to [`crate::MAX_PARTS`]; fewer where the phones have no memory for so
    /// many KV caches beside the weights.
    pub slots: u16,
    /// Requests that are expected at once, up to [`crate::MAX_PARTS`]. For one the plan is that with the fastest
    /// token, for several that with the most tokens a second.
    pub expected_requests: u16,
    /// Asks that wait; more are refused as busy.
    pub queued_asks: usize,
    /// Whether cuts move while answers go on.
    pub balances: bool,
    /// Whether the header may also run the last stage.
    pub ring_may_close: bool,
    /// Whether tensors that skip modules go straight to the phones that read them. Else they go along the ring,
    /// from phone to phone.
    pub skips: bool,
    /// Time for a link to the coordinator to come about.
    pub connect_secs: f64,
    /// How long a phone that wants to come in waits for a person to say so.
    pub ask_secs: f64,
    /// A peer that says nothing for so long is lost.
    pub silence_secs: f64,
    /// A phone that leaves a ping unanswered for so long in the middle of an answer is gone on without.
    pub hush_secs: f64,
    /// How long answers wait for a phone that makes a plan possible.
    pub parked_secs: f64,
    /// Time for all phones to get ready to be measured, and then for each one's turn; what is
    /// missing then is assumed.
    pub measure_secs: f64,
    /// Longest time without progress in loading; compiling and warming up comes at its end.
    pub load_stall_secs: f64,
    /// Longest time without progress in a request, or for an answer of our own driver.
    pub stall_secs: f64,
}

impl Default for RoomLimits {
    fn default() -> Self {
        Self {
            wire: WireType::F32,
            chunk_tokens: 32,
            chunks_in_flight: 4,
            slots: 4,
            expected_requests: 1,
            queued_asks: 16,
            balances: true,
            ring_may_close: true,
            skips: true,
            connect_secs: 45.0,
            ask_secs: 120.0,
            silence_secs: 15.0,
            hush_secs: 1.2,
            parked_secs: 600.0,
            measure_secs: 20.0,
            load_stall_secs: 60.0,
            stall_secs: 30.0,
        }
    }
}

/// What the coordinator's driver computes from a model's file.
#[derive(Clone, PartialEq, Debug)]
pub struct ModelSpec {
    /// Where it is and what it is called.
    pub model: ModelRef,
    /// Its modules; at most 1024. Their KV caches are those of every slot.
    pub modules: Vec<ModuleProfile>,
    /// Bytes from each module to the next, for one token; rows of hidden states in 32-bit floats.
    pub sequential_bytes: Vec<f64>,
    /// Tensors that skip modules; rows of hidden states, too.
    pub residual: Vec<Residual>,
    /// Tensors that two modules share.
    pub tied: Vec<Tied>,
    /// Of a model that has one.
    pub encoder: Option<EncoderSpec>,
    /// Tokens that end an answer.
    pub eos: Vec<u32>,
    /// Bytes of one row of hidden states, in 32-bit floats.
    pub row_bytes: u32,
    /// Modules on a device have something of their neighbours (Gemma 3), so that a stage whose ends change is loaded
    /// anew.
    pub modules_depend: bool,
    /// Requests that have a KV cache at once, as the modules' bytes assume; the room makes them as many as it
    /// has memory for.
    pub slots: u16,
}

/// What a prompt goes through before an answer begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EncoderSpec {
    /// How many modules are its; they come first. The next one takes the tokens of answers.
    pub modules: usize,
    /// The token that every answer begins behind.
    pub first_token: u32,
}

impl ModelSpec {
    /// The same model with KV caches for so many requests at once.
    pub(crate) fn with_slots(&self, slots: u16) -> Self {
        let mut spec = Self { slots, ..self.clone() };
        for module in &mut spec.modules {
            module.kv_bytes = module.kv_bytes * f64::from(slots) / f64::from(self.slots.max(1));
        }
        spec
    }

    /// Resident bytes of all modules, weights and the KV caches of one request; a shared tensor counts in each
    /// that reads it.
    pub fn resident_bytes(&self) -> f64 {
        self.with_slots(1).modules.iter().map(ModuleProfile::resident_bytes).sum()
    }

    /// Resident bytes of a stage and the copies on the same phone; what the stage's modules share counts once.
    pub fn held_bytes(&self, stages: &[ModuleRange], copies: &[ModuleRange]) -> f64 {
        let ranges = stages.iter().chain(copies);
        let modules = ranges.flat_map(|range| &self.modules[range.indices()]);
        modules.map(ModuleProfile::resident_bytes).sum::<f64>() - self.shared_bytes(stages)
    }

    /// Bytes of the weights of `range` on one phone; a shared tensor counts once.
    pub fn weights_bytes(&self, range: ModuleRange) -> f64 {
        let modules: f64 = range
            .indices()
            .filter_map(|module| self.modules.get(module))
            .map(|module| module.weights_bytes)
            .sum();
        modules - self.shared_bytes(&[range])
    }

    /// Bytes of the frame with rows that have `bytes` in 32-bit floats; none for no rows.
    pub(crate) fn frame_bytes(&self, bytes: f64, wire: WireType) -> f64 {
        let rows = bytes / f64::from(self.row_bytes);
        let row_bytes = wire.row_bytes(self.row_bytes / 4) as f64;
        if rows > 0.0 { ACTIVATIONS_HEADER_BYTES as f64 + rows * row_bytes } else { 0.0 }
    }

    /// Most rows of one chunk of a prefill: fewer than wished for where the prompts of all slots together
    /// would have more in flight than a link takes.
    pub(crate) fn chunk_tokens(&self, limits: &RoomLimits) -> u16 {
        let row_bytes = limits.wire.row_bytes(self.row_bytes / 4).max(1);
        let chunks = u64::from(limits.chunks_in_flight.max(1)) * u64::from(self.slots.max(1));
        let most_rows = MAX_IN_FLIGHT_BYTES / (chunks * row_bytes);
        limits.chunk_tokens.min(u16::try_from(most_rows).unwrap_or(u16::MAX)).max(1)
    }

    /// How many modules come before the one that takes the tokens of answers: an encoder's.
    pub fn encoder_modules(&self) -> usize {
        self.encoder.map_or(0, |encoder| encoder.modules)
    }

    /// Bytes of a position in a slot of a module's KV cache, keys and values of all heads; 0 where it has none.
    pub fn cache_row_bytes(&self, module: usize) -> u32 {
        let rows = f64::from(self.slots) * f64::from(self.model.context_tokens);
        (self.modules[module].kv_bytes / rows) as u32
    }

    /// Most rows of a prompt on its way through an encoder, all of them at once: as many as a step takes, and the
    /// frames of all slots together keep within what a link takes.
    pub(crate) fn prompt_tokens(&self, limits: &RoomLimits) -> u16 {
        let slots = limits.slots.max(limits.expected_requests).clamp(1, MAX_PARTS as u16);
        let row_bytes = limits.wire.row_bytes(self.row_bytes / 4).max(1);
        let most_rows = MAX_IN_FLIGHT_BYTES / (u64::from(slots) * row_bytes);
        let most_rows = most_rows.min(self.model.context_tokens.into());
        u16::try_from(most_rows).unwrap_or(u16::MAX).clamp(1, MAX_CHUNK_TOKENS)
    }

    /// How the encoder's output travels.
    pub(crate) fn planned_encoder(&self, limits: &RoomLimits) -> Option<PlannedEncoder> {
        let EncoderSpec { modules, .. } = self.encoder?;
        let is_output = |residual: &&Residual| residual.from + 1 == modules;
        let readers = self.residual.iter().filter(is_output).flat_map(|residual| &residual.to);
        Some(PlannedEncoder {
            modules,
            readers: readers.copied().collect(),
            prompt_tokens: self.prompt_tokens(limits),
            skips: limits.skips,
        })
    }

    /// Bytes of the tensors that two modules of these ranges share.
    fn shared_bytes(&self, ranges: &[ModuleRange]) -> f64 {
        let holds = |module| ranges.iter().any(|range| range.contains(module));
        let shared = self.tied.iter().filter(|tied| holds(tied.0) && holds(tied.1));
        shared.map(|tied| tied.2).sum()
    }
}

/// Of hidden states, from the header's step to the tail's: half of the bytes that a link takes before it counts
/// as stuck and is closed.
const MAX_IN_FLIGHT_BYTES: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(hidden: u32, slots: u16) -> ModelSpec {
        let model = ModelRef {
            url: String::new(),
            name: String::new(),
            total_bytes: 0,
            context_tokens: 1,
            takes_chats: false,
            labels: Vec::new(),
        };
        ModelSpec {
            model,
            modules: Vec::new(),
            sequential_bytes: Vec::new(),
            residual: Vec::new(),
            tied: Vec::new(),
            encoder: None,
            eos: Vec::new(),
            row_bytes: 4 * hidden,
            modules_depend: false,
            slots,
        }
    }

    #[test]
    fn chunks_in_flight_fit_a_link() {
        let rows = |hidden, slots, wire, chunk_tokens| {
            let limits = RoomLimits { wire, chunk_tokens, ..RoomLimits::default() };
            spec(hidden, slots).chunk_tokens(&limits)
        };
        assert_eq!(rows(4096, 1, WireType::F32, 32), 32);
        assert_eq!(rows(4096, 4, WireType::F32, 32), 16);
        assert_eq!(rows(4096, 4, WireType::F16, 32), 31, "a row has a scale");
        assert_eq!(rows(64, 1, WireType::Int8, 1024), 1024);
        assert_eq!(rows(1 << 20, 64, WireType::F32, 32), 1);
    }

    #[test]
    fn prompts_fit_a_step_the_context_and_a_link() {
        let limit = |hidden, slots, context_tokens| {
            let mut spec = spec(hidden, 1);
            spec.model.context_tokens = context_tokens;
            spec.prompt_tokens(&RoomLimits { slots, ..RoomLimits::default() })
        };
        assert_eq!(limit(64, 4, 512), 512);
        assert_eq!(limit(64, 4, 4096), MAX_CHUNK_TOKENS);
        assert_eq!(limit(1024, 4, 512), 256);
        assert_eq!(limit(1 << 24, 4, 512), 1);
    }

    #[test]
    fn what_travels_is_a_frame_with_as_many_rows() {
        let spec = spec(100, 1);
        assert_eq!(spec.frame_bytes(400.0, WireType::F32), 430.0);
        assert_eq!(spec.frame_bytes(400.0, WireType::F16), 234.0);
        assert_eq!(spec.frame_bytes(800.0, WireType::Int8), 238.0);
        assert_eq!(spec.frame_bytes(0.0, WireType::F16), 0.0);
    }
}
