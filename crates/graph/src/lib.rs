//! From a model's config to what the planner and the loader need to know: an
//! operator graph, the modules it falls into, their tensors, costs and
//! dependency maps.
//!
//! **The one law: everything is computed from the graph's edges.** An
//! architecture is described once, as operators and what they read (one file in
//! `describe/` each); where the modules begin and end, what they send to each
//! other, which tensors they share and what they cost follows generically.

mod config;
mod cuts;
mod describe;
mod error;
mod modules;
mod operators;
mod profiles;
mod recompute;

pub use config::{Architecture, Encoder, ModelConfig, RelativePositions, Rope};
pub use describe::{
    EMBEDDING_TABLE, FeedForward, LOGITS_MATRIX, NormKind, POSITION_TABLE, Positions,
    SCORES_MATRIX, Stack, Traits, is_relative_table,
};
pub use error::GraphError;
pub use modules::{Module, Modules, module_tensors};
pub use operators::{Graph, Node, NodeId, Operator, Sees, TensorSpec};
pub use profiles::{Caches, GraphProfiles, ModuleSummary, SharedTensor, profiles};

/// Bytes of one activation or KV value: all of them are 32-bit floats.
pub const VALUE_BYTES: usize = size_of::<f32>();
