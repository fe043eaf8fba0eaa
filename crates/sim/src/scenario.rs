//! Scenarios: a room, a model and what happens to them, from a file to a report. `docs/simulate.md`
//! has the format.

mod check;
mod events;
mod model;
mod run;
mod runner;
mod schedule;

use base::{ModuleProfile, Residual, Tied};
use serde::Deserialize;

pub use check::ScenarioError;
pub use run::{Run, SimulateError, simulate};
pub use session::Assignment;

pub(crate) use run::{Play, number, prompt, sampling};
pub(crate) use runner::undisturbed;

/// A room and what happens to it. Times are in seconds; those of requests and events count from the
/// moment when the room is ready.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, for people.
    #[serde(default)]
    pub about: String,
    /// What chance is drawn from.
    #[serde(default)]
    pub seed: u64,
    /// How much more or less than its time a step, a measurement or a frame may take: 0.1 is a tenth.
    #[serde(default)]
    pub jitter: f64,
    /// What each row of a step after the first takes, as a part of the first: weights are read once for all.
    #[serde(default = "whole")]
    pub further_row_cost: f64,
    /// How the first plan is made.
    #[serde(default)]
    pub assignment: Assignment,
    /// Whether cuts move while answers go on.
    #[serde(default = "yes")]
    pub balances: bool,
    /// Whether the header may also run the last stage.
    #[serde(default = "yes")]
    pub ring_may_close: bool,
    /// Whether an encoder's output goes straight to the phones that read it, and not along the ring.
    #[serde(default = "yes")]
    pub skips: bool,
    /// What the room runs.
    pub model: Model,
    /// In the order of joining; the first opens the room and is its header.
    pub phones: Vec<Phone>,
    /// Every pair's link, both directions.
    pub link: Link,
    /// Directions that are otherwise.
    #[serde(default)]
    pub links: Vec<LinkBetween>,
    /// What is asked.
    pub requests: Vec<Ask>,
    /// What happens.
    #[serde(default)]
    pub events: Vec<Event>,
}

/// A model, as its sizes or as its modules.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// For people.
    pub name: String,
    /// The longest request, prompt and answer.
    #[serde(default = "context_tokens")]
    pub context_tokens: u32,
    /// Requests that have a KV cache at once.
    #[serde(default = "one")]
    pub slots: u16,
    /// Sizes of a known architecture.
    pub sizes: Option<Sizes>,
    /// Or modules with their figures.
    pub profiles: Option<Profiles>,
}

/// What fixes a model's shapes.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// As in a GGUF file: `bloom`, `gpt2`, `llama`, ...
    pub architecture: graph::Architecture,
    /// Transformer layers, two modules each.
    pub layers: usize,
    /// Those of the encoder, of an architecture that has one; `layers` are then the decoder's, three modules each.
    pub encoder_layers: Option<usize>,
    /// Width of the hidden state.
    pub hidden: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; as many as `heads` unless given.
    pub kv_heads: Option<usize>,
    /// Width of the feed-forward part; 4 times `hidden` unless given.
    pub ffn: Option<usize>,
    /// Tokens in the vocabulary.
    pub vocab: usize,
    /// Bytes of one weight on a device: 4 for 32-bit floats, 1 for 8-bit integers.
    pub weight_bytes: f64,
    /// Bytes of one value in a KV cache.
    #[serde(default = "four")]
    pub kv_value_bytes: usize,
}

/// A model's modules, as the planner's format and `lingualinked inspect --json` have them.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Profiles {
    /// In order.
    pub modules: Vec<ModuleProfile>,
    /// One less than modules: bytes from each module to the next, for one token.
    pub sequential_bytes: Vec<f64>,
    /// Tensors that skip modules.
    #[serde(default)]
    pub residual: Vec<Residual>,
    /// Tensors that two modules share.
    #[serde(default)]
    pub tied: Vec<Tied>,
}

/// A phone.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phone {
    /// Its name.
    pub id: String,
    /// How fast it runs a stage.
    pub flops_per_sec: f64,
    /// What each step takes there besides its operations.
    #[serde(default = "overhead_secs")]
    pub overhead_secs: f64,
    /// What it lends; 0.7 of that is planned with.
    pub memory_bytes: f64,
    /// How fast it fetches weights.
    #[serde(default = "fetch_bytes_per_sec")]
    pub fetch_bytes_per_sec: f64,
}

/// How good a link is.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// There and back.
    pub rtt_secs: f64,
    /// Of each direction.
    pub bytes_per_sec: f64,
}

/// How good one direction of a link is.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkBetween {
    /// The sender.
    pub from: String,
    /// The receiver.
    pub to: String,
    /// Twice what a byte is on its way.
    pub rtt_secs: f64,
    /// Bandwidth.
    pub bytes_per_sec: f64,
}

/// A request.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// When it is asked.
    pub at_secs: f64,
    /// By which phone.
    pub from: String,
    /// Length of the prompt.
    pub prompt_tokens: u32,
    /// Length of the answer.
    pub tokens: u32,
}

/// Something that happens: exactly one of the fields besides the time.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When.
    pub at_secs: f64,
    /// A phone becomes faster or slower.
    pub speed: Option<Speed>,
    /// One direction of a link becomes better or worse.
    pub link: Option<LinkBetween>,
    /// A link breaks: two phones.
    pub cut: Option<(String, String)>,
    /// A phone does nothing more, though its links stay open.
    pub freeze: Option<String>,
    /// A frozen phone goes on.
    pub thaw: Option<String>,
    /// A phone's page is not in front any more, and says so.
    pub hide: Option<String>,
    /// It is in front again.
    pub show: Option<String>,
    /// A phone is gone without a word.
    pub kill: Option<String>,
    /// A phone says goodbye.
    pub leave: Option<String>,
    /// A phone comes, or comes back. One that is mentioned first here is not there at the start.
    pub join: Option<String>,
    /// The person with the first phone sets the room up anew.
    pub begin: Option<Assignment>,
}

impl Event {
    /// The phones of kinds that have nothing else, by kind and with a verb.
    pub(crate) fn phones(&self) -> [(&'static str, &'static str, Option<&str>); 7] {
        [
            ("freeze", "freezes", self.freeze.as_deref()),
            ("thaw", "goes on", self.thaw.as_deref()),
            ("hide", "is hidden", self.hide.as_deref()),
            ("show", "is in front again", self.show.as_deref()),
            ("kill", "is killed", self.kill.as_deref()),
            ("leave", "leaves", self.leave.as_deref()),
            ("join", "joins", self.join.as_deref()),
        ]
    }
}

/// How fast a phone becomes.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speed {
    /// Which.
    pub phone: String,
    /// From its next step on.
    pub flops_per_sec: f64,
}

fn yes() -> bool {
    true
}

fn whole() -> f64 {
    1.0
}

fn one() -> u16 {
    1
}

fn four() -> usize {
    4
}

fn context_tokens() -> u32 {
    512
}

fn overhead_secs() -> f64 {
    0.002
}

fn fetch_bytes_per_sec() -> f64 {
    2e7
}
