//! T5 1.1, and so FLAN-T5 (arXiv 2210.11416): T5 with GELU and a gate (arXiv 2002.05202).

use super::{FeedForward, Traits, t5};

pub(super) const TRAITS: Traits = Traits { feed_forward: FeedForward::GeluGate, ..t5::TRAITS };
