//! Frames larger than a channel's message, in slices.
//!
//! Behind each frame comes the CRC-32C of its number (u32, from 0 in each direction, counted by both ends and not sent)
//! and its bytes: a frame that was damaged, lost, doubled or overtaken shows, and ends the link. A message is either a
//! whole frame or a slice: version + `0x80`, frame number u32, index u16, count u16, then its part; all parts but the
//! last are full. What is no frame, such as a link's proof, may begin like a slice, and goes as one. The channel is
//! reliable and ordered, so slices arrive in order; whole frames may pass between them.

use super::{DecodeError, MAX_FRAME_BYTES, PROTOCOL_VERSION};

/// Largest message on a data channel: every browser takes 64 KiB (RFC 8841's default),
/// and some close the channel on more. SCTP cuts messages into packets by itself;
/// frames of a decode step are far smaller than this.
pub const MESSAGE_BYTES: usize = 60 << 10;

/// Cuts frames into messages. One for each direction of a link.
#[derive(Debug, Default)]
pub struct Slicer {
    next_frame: u32,
}

impl Slicer {
    /// The messages that carry `frame`, in order; one, usually the frame itself, where it is small.
    pub fn slice(&mut self, mut frame: Vec<u8>) -> Vec<Vec<u8>> {
        let checksum = checksum(self.next_frame, &frame);
        self.next_frame = self.next_frame.wrapping_add(1);
        frame.extend(checksum.to_le_bytes());
        if frame.len() <= MESSAGE_BYTES && frame[0] != SLICE_MARK {
            return vec![frame];
        }
        let parts = frame.chunks(PART_BYTES);
        let count = parts.len() as u16;
        (0..count).zip(parts).map(|(index, part)| self.message(index, count, part)).collect()
    }

    fn message(&self, index: u16, count: u16, part: &[u8]) -> Vec<u8> {
        let mut message = Vec::with_capacity(HEADER_BYTES + part.len());
        message.push(SLICE_MARK);
        message.extend_from_slice(&self.next_frame.to_le_bytes());
        message.extend_from_slice(&index.to_le_bytes());
        message.extend_from_slice(&count.to_le_bytes());
        message.extend_from_slice(part);
        message
    }
}

/// Of a frame that is the `number`th in its direction.
fn checksum(number: u32, frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&number.to_le_bytes()), frame)
}

/// Puts frames together again, holding at most one unfinished frame and so at
/// most [`MAX_FRAME_BYTES`] and its checksum.
#[derive(Debug, Default)]
pub struct Assembler {
    unfinished: Option<Unfinished>,
    /// Frames that have begun to come.
    begun: u32,
}

#[derive(Debug)]
struct Unfinished {
    number: u32,
    frame: u32,
    next_index: u16,
    count: u16,
    bytes: Vec<u8>,
}

impl Assembler {
    /// Takes a message; gives the frame's bytes if it completes one.
    ///
    /// # Errors
    /// A message over the limit, a slice out of order, or a frame that is not what was sent. The link is of no
    /// further use.
    pub fn push(&mut self, message: Vec<u8>) -> Result<Option<Vec<u8>>, DecodeError> {
        if message.len() > MESSAGE_BYTES {
            return Err(DecodeError::TooLarge { bytes: message.len(), limit: MESSAGE_BYTES });
        }
        if message.first() != Some(&SLICE_MARK) {
            return verified(self.begin(), message).map(Some);
        }
        let header = message.first_chunk().ok_or(DecodeError::TooShort { field: "slice" })?;
        self.push_slice(Header::read(header), &message[HEADER_BYTES..])
    }

    fn push_slice(&mut self, header: Header, part: &[u8]) -> Result<Option<Vec<u8>>, DecodeError> {
        let Header { frame, index, count } = header;
        let wrong = DecodeError::Slice { frame, index };
        let mut current = match self.unfinished.take() {
            None if index == 0 => {
                Unfinished { number: self.begin(), frame, next_index: 0, count, bytes: Vec::new() }
            }
            Some(current) if current.continues(&header) => current,
            _ => return Err(wrong),
        };
        if count > MAX_SLICES || index >= count {
            return Err(wrong);
        }
        let is_last = index + 1 == count;
        if !is_last && part.len() != PART_BYTES {
            return Err(wrong);
        }
        current.bytes.extend_from_slice(part);
        if is_last {
            return verified(current.number, current.bytes).map(Some);
        }
        current.next_index += 1;
        self.unfinished = Some(current);
        Ok(None)
    }

    /// The number of a frame that has begun to come.
    fn begin(&mut self) -> u32 {
        let number = self.begun;
        self.begun = number.wrapping_add(1);
        number
    }
}

/// The frame in front of its checksum.
fn verified(number: u32, mut bytes: Vec<u8>) -> Result<Vec<u8>, DecodeError> {
    let split = bytes.len().checked_sub(CHECKSUM_BYTES);
    let len = split.ok_or(DecodeError::TooShort { field: "checksum" })?;
    let (frame, sent) = bytes.split_at(len);
    if checksum(number, frame).to_le_bytes() != sent {
        return Err(DecodeError::Checksum);
    }
    bytes.truncate(len);
    Ok(bytes)
}

impl Unfinished {
    fn continues(&self, header: &Header) -> bool {
        (self.frame, self.next_index, self.count) == (header.frame, header.index, header.count)
    }
}

struct Header {
    frame: u32,
    index: u16,
    count: u16,
}

impl Header {
    fn read(&[_, a, b, c, d, e, f, g, h]: &[u8; HEADER_BYTES]) -> Self {
        Self {
            frame: u32::from_le_bytes([a, b, c, d]),
            index: u16::from_le_bytes([e, f]),
            count: u16::from_le_bytes([g, h]),
        }
    }
}

/// Marks a slice; no frame begins so, and what does is sent in slices.
const SLICE_MARK: u8 = PROTOCOL_VERSION | 0x80;
const CHECKSUM_BYTES: usize = 4;
const HEADER_BYTES: usize = 9;
const PART_BYTES: usize = MESSAGE_BYTES - HEADER_BYTES;
const MAX_SLICES: u16 = ((MAX_FRAME_BYTES + CHECKSUM_BYTES) / PART_BYTES + 1) as u16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(len: usize) -> Vec<u8> {
        (0..len).map(|i| if i == 0 { PROTOCOL_VERSION } else { (i % 251) as u8 }).collect()
    }

    fn reassemble(assembler: &mut Assembler, messages: Vec<Vec<u8>>) -> Option<Vec<u8>> {
        let mut whole = None;
        for message in messages {
            assert!(whole.is_none(), "a frame came before its last slice");
            whole = assembler.push(message).expect("slices in order");
        }
        whole
    }

    #[test]
    fn frames_of_every_size_come_back() {
        let (mut slicer, mut assembler) = (Slicer::default(), Assembler::default());
        for len in [1, MESSAGE_BYTES, MESSAGE_BYTES + 1, 2 * PART_BYTES, 1_000_000, MAX_FRAME_BYTES]
        {
            let messages = slicer.slice(frame(len));
            assert!(messages.iter().all(|message| message.len() <= MESSAGE_BYTES));
            assert_eq!(reassemble(&mut assembler, messages), Some(frame(len)), "{len} bytes");
        }
    }

    /// A link's proof begins with any byte.
    #[test]
    fn what_begins_with_any_byte_comes_back() {
        let (mut slicer, mut assembler) = (Slicer::default(), Assembler::default());
        for first in 0..=u8::MAX {
            for len in [1, 32, PART_BYTES, MESSAGE_BYTES - CHECKSUM_BYTES, MESSAGE_BYTES] {
                let mut sent = frame(len);
                sent[0] = first;
                let messages = slicer.slice(sent.clone());
                assert!(messages.iter().all(|message| message.len() <= MESSAGE_BYTES));
                assert_eq!(reassemble(&mut assembler, messages), Some(sent), "{first:#x}, {len}");
            }
        }
    }

    #[test]
    fn whole_frames_pass_between_slices() {
        let (mut slicer, mut assembler) = (Slicer::default(), Assembler::default());
        let mut large = slicer.slice(frame(100_000));
        let small = slicer.slice(frame(5)).remove(0);
        assert_eq!(assembler.push(large.remove(0)), Ok(None));
        assert_eq!(assembler.push(small), Ok(Some(frame(5))));
        assert_eq!(assembler.push(large.remove(0)), Ok(Some(frame(100_000))));
    }

    #[test]
    fn a_frame_that_is_not_the_next_shows() {
        let sent = || {
            let mut slicer = Slicer::default();
            [3, 4, 5].map(|len| slicer.slice(frame(len)).remove(0))
        };
        let take = |messages: [usize; 2]| {
            let mut assembler = Assembler::default();
            let [first, second] = messages.map(|place| assembler.push(sent()[place].clone()));
            first.and(second)
        };
        assert_eq!(take([0, 1]), Ok(Some(frame(4))));
        for messages in [[0, 0], [0, 2], [1, 0]] {
            assert_eq!(take(messages), Err(DecodeError::Checksum), "{messages:?}");
        }
    }

    #[test]
    fn a_flipped_bit_shows() {
        for len in [1, 300, 100_000] {
            for bit in [0, 77, 8 * len + 31] {
                let mut messages = Slicer::default().slice(frame(len));
                let parts = messages.len();
                let part = if bit > 8 * 50_000 { parts - 1 } else { 0 };
                let last = messages[part].len() - 1;
                let byte = if part > 0 { last } else { (bit / 8).min(last) };
                messages[part][byte] ^= 1 << (bit % 8);
                let mut assembler = Assembler::default();
                let taken: Result<Vec<_>, _> =
                    messages.into_iter().map(|message| assembler.push(message)).collect();
                assert!(taken.is_err(), "bit {bit} of {len} bytes");
            }
        }
    }

    #[test]
    fn slices_out_of_order_are_refused() {
        let mut messages = Slicer::default().slice(frame(200_000));
        assert!(Assembler::default().push(messages[1].clone()).is_err());
        let mut assembler = Assembler::default();
        assert_eq!(assembler.push(messages.remove(0)), Ok(None));
        assert_eq!(
            assembler.push(messages.remove(1)),
            Err(DecodeError::Slice { frame: 1, index: 2 })
        );
    }

    #[test]
    fn a_count_over_the_limit_is_refused() {
        let mut message = vec![SLICE_MARK, 1, 0, 0, 0, 0, 0, 0xff, 0xff];
        message.resize(MESSAGE_BYTES, 0);
        assert!(Assembler::default().push(message).is_err());
    }

    proptest! {
        #[test]
        fn any_messages_are_survived(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..8),
        ) {
            let mut assembler = Assembler::default();
            for mut message in messages {
                if let Some(first) = message.first_mut() {
                    *first |= SLICE_MARK;
                }
                let _ = assembler.push(message);
            }
        }
    }
}
