//! The two frames of the per-token path, laid out by hand, little-endian.
//!
//! ```text
//! Activations  0 version  1 tag  2 wire type (1 = f32, 2 = f16, 3 = int8)  3 flags (bit 0: last, bit 1: more)
//!              4 request u32   8 epoch u32   12 position u32   16 row_len u32
//!              20 dispatches u32   24 sequence u32   28 rows u16
//!              30 data, rows x row_len values as the wire type writes them
//! Token        0 version  1 tag  2 request u32  6 epoch u32  10 position u32  14 token u32
//!              18 dispatches u32  22 more u8  23 log probabilities u8: 0 without any, else
//!              1 + alternatives; then
//!              24 chosen f32   28 alternatives, each token u32, logprob f32
//! ```

use base::RequestId;

use super::{
    Alternative, DecodeError, MAX_ALTERNATIVES, MAX_CHUNK_TOKENS, TokenLogprobs, WireType, bounds,
    frame::Body,
};

/// From a stage to the next: hidden states of consecutive positions.
#[derive(Clone, PartialEq, Debug)]
pub struct Activations {
    /// The request.
    pub request: RequestId,
    /// The plan's epoch.
    pub epoch: u32,
    /// How many frames of the request the sender sent to the same stage before, in this epoch.
    pub sequence: u32,
    /// Position of the first row.
    pub position: u32,
    /// How many rows; at least one.
    pub rows: u16,
    /// Values of one row.
    pub row_len: u32,
    /// GPU dispatches that the step has cost so far, of all stages before.
    pub dispatches: u32,
    /// Whether the tail samples a token from the last row.
    pub last: bool,
    /// Whether another frame of the same pass follows at once, so that the next pass has both.
    pub more: bool,
    /// How the values are written; the plan's.
    pub wire: WireType,
    /// `[rows, row_len]`, as [`WireType::pack`] gives it.
    pub data: Vec<u8>,
}

/// From the tail to the header: a sampled token.
#[derive(Clone, PartialEq, Debug)]
pub struct Token {
    /// The request.
    pub request: RequestId,
    /// The plan's epoch.
    pub epoch: u32,
    /// Position of the row it was sampled from.
    pub position: u32,
    /// The token.
    pub token: u32,
    /// GPU dispatches that the step has cost, of all stages.
    pub dispatches: u32,
    /// Whether another token of the same pass follows at once.
    pub more: bool,
    /// Where they were asked for.
    pub logprobs: Option<TokenLogprobs>,
}

impl Body for Activations {
    fn write(&self, bytes: &mut Vec<u8>) {
        let flags = u8::from(self.last) | (u8::from(self.more) << 1);
        bytes.extend_from_slice(&[self.wire.code(), flags]);
        let places = [self.request.0, self.epoch, self.position, self.row_len];
        for word in places.into_iter().chain([self.dispatches, self.sequence]) {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&self.rows.to_le_bytes());
        bytes.extend_from_slice(&self.data);
    }

    fn len(&self) -> usize {
        ACTIVATIONS_HEADER_BYTES - FRAME_HEADER_BYTES + self.data.len()
    }

    fn read(_: &'static str, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader { bytes };
        let wire = reader.wire()?;
        let [flags] = reader.take("flags")?;
        bounds::within("flags", flags <= 3)?;
        let frame = Self {
            wire,
            last: flags & 1 != 0,
            more: flags & 2 != 0,
            request: RequestId(reader.word("request")?),
            epoch: reader.word("epoch")?,
            position: reader.word("position")?,
            row_len: reader.word("row_len")?,
            dispatches: reader.word("dispatches")?,
            sequence: reader.word("sequence")?,
            rows: u16::from_le_bytes(reader.take("rows")?),
            data: reader.bytes.to_vec(),
        };
        check_rows((frame.rows, frame.row_len), wire, &frame.data)?;
        bounds::within("position", frame.position.checked_add(frame.rows.into()).is_some())?;
        Ok(frame)
    }
}

impl Body for Token {
    fn write(&self, bytes: &mut Vec<u8>) {
        for word in [self.request.0, self.epoch, self.position, self.token, self.dispatches] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.push(u8::from(self.more));
        bytes.push(
            self.logprobs.as_ref().map_or(0, |logprobs| 1 + logprobs.alternatives.len() as u8),
        );
        if let Some(logprobs) = &self.logprobs {
            bytes.extend_from_slice(&logprobs.chosen.to_le_bytes());
            for Alternative { token, logprob } in &logprobs.alternatives {
                bytes.extend_from_slice(&token.to_le_bytes());
                bytes.extend_from_slice(&logprob.to_le_bytes());
            }
        }
    }

    fn len(&self) -> usize {
        let bytes = |logprobs: &TokenLogprobs| {
            LOGPROB_BYTES + logprobs.alternatives.len() * ALTERNATIVE_BYTES
        };
        TOKEN_BYTES + self.logprobs.as_ref().map_or(0, bytes)
    }

    fn read(frame: &'static str, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader { bytes };
        let token = Self {
            request: RequestId(reader.word("request")?),
            epoch: reader.word("epoch")?,
            position: reader.word("position")?,
            token: reader.word("token")?,
            dispatches: reader.word("dispatches")?,
            more: reader.flag("more")?,
            logprobs: reader.logprobs()?,
        };
        if reader.bytes.is_empty() { Ok(token) } else { Err(DecodeError::Malformed { frame }) }
    }
}

/// Whether data is so many rows of so many values as they travel.
pub(super) fn check_rows(
    (rows, row_len): (u16, u32),
    wire: WireType,
    data: &[u8],
) -> Result<(), DecodeError> {
    bounds::within("rows", (1..=MAX_CHUNK_TOKENS).contains(&rows))?;
    bounds::within("row_len", row_len > 0)?;
    bounds::within("data", data.len() as u64 == u64::from(rows) * wire.row_bytes(row_len))
}

/// Takes fixed-size fields off the front.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
}

impl Reader<'_> {
    pub(super) fn take<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        let (head, rest) =
            self.bytes.split_first_chunk::<N>().ok_or(DecodeError::TooShort { field })?;
        self.bytes = rest;
        Ok(*head)
    }

    pub(super) fn word(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.take(field).map(u32::from_le_bytes)
    }

    pub(super) fn wire(&mut self) -> Result<WireType, DecodeError> {
        let [code] = self.take("wire")?;
        WireType::of_code(code).ok_or(DecodeError::OutOfRange { field: "wire" })
    }

    fn flag(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        let [byte] = self.take(field)?;
        bounds::within(field, byte <= 1)?;
        Ok(byte == 1)
    }

    fn logprobs(&mut self) -> Result<Option<TokenLogprobs>, DecodeError> {
        let [count] = self.take("logprobs")?;
        let Some(count) = count.checked_sub(1) else { return Ok(None) };
        bounds::within("alternatives", count <= MAX_ALTERNATIVES)?;
        let chosen = self.take("chosen").map(f32::from_le_bytes)?;
        let alternatives: Result<_, _> = (0..count).map(|_| self.alternative()).collect();
        let logprobs = TokenLogprobs { chosen, alternatives: alternatives? };
        logprobs.check()?;
        Ok(Some(logprobs))
    }

    fn alternative(&mut self) -> Result<Alternative, DecodeError> {
        let token = self.word("token")?;
        let logprob = self.take("logprob").map(f32::from_le_bytes)?;
        Ok(Alternative { token, logprob })
    }
}

/// What a frame of [`Activations`] has besides its data.
pub const ACTIVATIONS_HEADER_BYTES: usize = 30;
/// Version and tag.
pub(super) const FRAME_HEADER_BYTES: usize = 2;
const LOGPROB_BYTES: usize = 4;
const TOKEN_BYTES: usize = 22;
const ALTERNATIVE_BYTES: usize = 8;
