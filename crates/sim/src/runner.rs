//! What runs the stages of a simulated phone.

use base::Message;
use protocol::peer::CacheAsk;
use session::{Job, LoadStage, StageOutput};

/// The model on one phone. Errors are sentences, as a driver would give them to its room.
pub trait StageRunner {
    /// Loads the ranges of a plan in place of what was loaded; what is there already need not come again.
    ///
    /// # Errors
    /// Why the phone cannot hold or run them.
    fn load(&mut self, stage: &LoadStage) -> Result<Loaded, String>;

    /// Bytes to fetch for these, which are to be loaded beside the stages that run.
    fn copies_bytes(&self, copies: &LoadStage) -> u64;

    /// Those bytes have come: holds these, too; what is neither of them nor runs is freed.
    ///
    /// # Errors
    /// Why the phone cannot hold them.
    fn load_copies(&mut self, copies: &LoadStage) -> Result<(), String>;

    /// Forgets what was loaded.
    fn unload(&mut self);

    /// Runs a step, of all its parts. Position 0 begins a request in its slot: what the slot held is over.
    ///
    /// # Errors
    /// Why the step cannot be run.
    fn run(&mut self, job: &Job) -> Result<Ran, String>;

    /// Keys and values of some positions in a slot of a module.
    ///
    /// # Errors
    /// Why they cannot be read.
    fn read_cache(&mut self, part: &CacheAsk) -> Result<Vec<u8>, String>;

    /// Takes what another phone has read.
    ///
    /// # Errors
    /// Why it cannot be written.
    fn write_cache(&mut self, part: &CacheAsk, data: &[u8]) -> Result<(), String>;

    /// The tokens of a conversation's prompt; asked of the header alone.
    fn tokenize(&mut self, messages: &[Message]) -> Vec<u32>;

    /// A token's text; asked of the header alone.
    fn decode(&mut self, token: u32) -> String;
}

/// What loading took.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Loaded {
    /// Bytes to fetch.
    pub bytes: u64,
    /// Whether all of it was there, with KV caches as they were.
    pub has_caches: bool,
}

/// What a step gave.
#[derive(Clone, PartialEq, Debug)]
pub struct Ran {
    /// The output of each part, of the kind that it wants.
    pub outputs: Vec<StageOutput>,
    /// Operations, from which the simulation takes the time it needs.
    pub flops: f64,
    /// GPU dispatches.
    pub dispatches: u32,
}
