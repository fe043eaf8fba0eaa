//! The frame of a tensor that skips stages, laid out by hand, little-endian.
//!
//! ```text
//! Residual     0 version  1 tag  2 wire type (1 = f32, 2 = f16, 3 = int8)
//!              3 request u32   7 epoch u32   11 row_len u32   15 sequence u32   19 rows u16
//!              21 data, rows x row_len values as the wire type writes them
//! ```

use base::RequestId;

use super::{
    DecodeError, WireType,
    frame::Body,
    hot::{FRAME_HEADER_BYTES, Reader, check_rows},
};

/// What the encoder gave of a request's prompt, all rows at once: from the phone that ends the encoder straight to
/// one that attends to it, or along the ring where nothing skips.
#[derive(Clone, PartialEq, Debug)]
pub struct Residual {
    /// The request.
    pub request: RequestId,
    /// The plan's epoch.
    pub epoch: u32,
    /// How many of these frames of the request the sender sent to the same phone before, in this epoch.
    pub sequence: u32,
    /// How many rows; at least one.
    pub rows: u16,
    /// Values of one row.
    pub row_len: u32,
    /// How the values are written; the plan's.
    pub wire: WireType,
    /// `[rows, row_len]`, as [`WireType::pack`] gives it.
    pub data: Vec<u8>,
}

impl Body for Residual {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.wire.code());
        for word in [self.request.0, self.epoch, self.row_len, self.sequence] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&self.rows.to_le_bytes());
        bytes.extend_from_slice(&self.data);
    }

    fn len(&self) -> usize {
        RESIDUAL_HEADER_BYTES - FRAME_HEADER_BYTES + self.data.len()
    }

    fn read(_: &'static str, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader { bytes };
        let frame = Self {
            wire: reader.wire()?,
            request: RequestId(reader.word("request")?),
            epoch: reader.word("epoch")?,
            row_len: reader.word("row_len")?,
            sequence: reader.word("sequence")?,
            rows: u16::from_le_bytes(reader.take("rows")?),
            data: reader.bytes.to_vec(),
        };
        check_rows((frame.rows, frame.row_len), frame.wire, &frame.data)?;
        Ok(frame)
    }
}

/// What a frame of [`Residual`] has besides its data.
pub const RESIDUAL_HEADER_BYTES: usize = 21;
