//! Why bytes from a peer are not a frame.

/// Bytes from a peer that are not a frame of this version.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end before the body does.
    #[error("the frame ends too early: {field} is missing")]
    TooShort {
        /// The first part that is missing.
        field: &'static str,
    },
    /// More bytes than such a frame may have; it was not looked at.
    #[error("a frame of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The most such a frame may have.
        limit: usize,
    },
    /// Written by another version of the program.
    #[error("the frame is of version {found}; reload the page on both phones")]
    Version {
        /// Its first byte.
        found: u8,
    },
    /// No frame has this tag.
    #[error("no frame has tag {tag}")]
    UnknownTag {
        /// Its second byte.
        tag: u8,
    },
    /// The body does not read as the tag says.
    #[error("the body of a {frame} frame does not read as one")]
    Malformed {
        /// The frame's name.
        frame: &'static str,
    },
    /// The body reads, but one of its values is out of bounds.
    #[error("{field} is out of bounds")]
    OutOfRange {
        /// The value's name.
        field: &'static str,
    },
    /// Other bytes than were sent, or not the frame that was sent next.
    #[error("a frame was damaged, lost, doubled or overtaken on its way")]
    Checksum,
    /// A slice that does not continue what came before.
    #[error("slice {index} of frame {frame} does not follow the slices before it")]
    Slice {
        /// The frame's number, by its sender.
        frame: u32,
        /// The slice's place in it.
        index: u16,
    },
}
