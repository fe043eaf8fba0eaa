//! Bounds of what a classifier tells texts apart by, where models are read and where they are told of.

/// Labels of one model.
pub const MAX_LABELS: usize = 256;
/// Characters of a label's name.
pub const MAX_LABEL_CHARS: usize = 80;
