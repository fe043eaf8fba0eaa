//! Every bound of a frame, and the checks that hold decoded bodies to them.

use base::Estimate;

use super::DecodeError;

/// Largest frame, of any kind.
pub const MAX_FRAME_BYTES: usize = 16 << 20;
/// Largest body of a control frame: the longest answer statistics and room to spare.
pub const MAX_CONTROL_BYTES: usize = 1 << 20;
/// Phones in a room.
pub const MAX_PEERS: usize = 8;
/// Phones that a room remembers to have let in.
pub const MAX_ADMITTED: usize = 4 * MAX_PEERS;
/// What an invitation brings to the coordinator.
pub const MAX_TICKET_BYTES: usize = 32;
/// Stages of a plan: one a phone, and the header's second where the ring closes on it.
pub const MAX_STAGES: usize = MAX_PEERS + 1;
/// Stages of one phone: two on a header that closes the ring.
pub const MAX_PEER_STAGES: usize = 2;
/// Copies in a plan: two at each boundary between stages.
pub const MAX_COPIES: usize = 2 * (MAX_STAGES - 1);
/// Modules of a model.
pub const MAX_MODULES: usize = 1024;
/// Rows of one chunk of a prefill.
pub const MAX_CHUNK_TOKENS: u16 = 1024;
/// Requests that a stage keeps a KV cache for at once.
pub const MAX_SLOTS: u16 = 64;
/// Messages of a conversation.
pub const MAX_MESSAGES: usize = 256;
/// A conversation's texts, before its chat template.
pub const MAX_PROMPT_BYTES: usize = 64 << 10;
/// Tokens of one answer; with all their log probabilities they still fit a control frame.
pub const MAX_COMPLETION_TOKENS: u32 = 16 << 10;
/// Alternatives that come with a token.
pub const MAX_ALTERNATIVES: u8 = 5;
/// Stop strings of an ask.
pub const MAX_STOPS: usize = 4;
/// The longest stop string.
pub const MAX_STOP_BYTES: usize = 64;
/// Tokens at the end of a prompt that a repetition penalty counts.
pub const MAX_SEEN_TOKENS: usize = 4 << 10;

pub(super) const MAX_NAME_CHARS: usize = 40;
pub(super) const MAX_DEVICE_CHARS: usize = 80;
pub(super) const MAX_MESSAGE_CHARS: usize = 1000;
pub(super) const MAX_URL_CHARS: usize = 1000;
pub(super) const MAX_PADDING_BYTES: usize = 32 << 10;

/// `text` cut to at most `chars` characters, so that our own words fit a frame.
pub fn clip(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

pub(super) fn text(field: &'static str, value: &str, max_chars: usize) -> Result<(), DecodeError> {
    within(field, value.chars().count() <= max_chars)
}

pub(super) fn message(value: &str) -> Result<(), DecodeError> {
    text("message", value, MAX_MESSAGE_CHARS)
}

pub(super) fn list<T>(field: &'static str, value: &[T], max: usize) -> Result<(), DecodeError> {
    within(field, value.len() <= max)
}

/// A measured figure: finite and not negative.
pub(super) fn figure(field: &'static str, value: f64) -> Result<(), DecodeError> {
    within(field, value.is_finite() && value >= 0.0)
}

/// A figure measured in rounds.
pub(super) fn estimate(field: &'static str, value: Estimate) -> Result<(), DecodeError> {
    figure(field, value.mean)?;
    figure(field, value.spread)
}

/// A measured speed or bandwidth in operations or bytes a second: 0, or what anything real has.
pub(super) fn rate(field: &'static str, value: Estimate) -> Result<(), DecodeError> {
    estimate(field, value)?;
    within(field, value.mean == 0.0 || (SLOWEST..=FASTEST).contains(&value.mean))
}

/// A measured time in seconds, an hour at most.
pub(super) fn time(field: &'static str, value: f64) -> Result<(), DecodeError> {
    within(field, (0.0..=LONGEST_SECS).contains(&value))
}

/// Per second.
const SLOWEST: f64 = 1.0;
/// Per second.
const FASTEST: f64 = 1e18;
const LONGEST_SECS: f64 = 3600.0;

pub(super) fn within(field: &'static str, holds: bool) -> Result<(), DecodeError> {
    if holds { Ok(()) } else { Err(DecodeError::OutOfRange { field }) }
}
