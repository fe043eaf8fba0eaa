//! What every link can do.

use protocol::peer::DecodeError;

/// An ordered, reliable way to one peer. Frames are bytes here: what they mean is
/// the protocol's business.
pub trait Link {
    /// Sends a whole frame.
    ///
    /// # Errors
    /// [`LinkError::Closed`], or [`LinkError::Full`]: the frame was not taken and the
    /// sender has to wait, or to give the link up.
    fn send(&mut self, frame: Vec<u8>) -> Result<(), LinkError>;

    /// Bytes taken and not yet on their way; back-pressure for whoever sends much.
    fn buffered_bytes(&self) -> usize;

    /// What happened next, if anything has; each event comes once.
    fn poll(&mut self) -> Option<LinkEvent>;

    /// Closes the link for both ends. What is buffered may be lost.
    fn close(&mut self);
}

/// What can happen on a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkEvent {
    /// Frames can be sent from now on.
    Open,
    /// A whole frame has arrived.
    Frame(Vec<u8>),
    /// What came is not what was sent; the link closes.
    Broken(DecodeError),
    /// Nothing more comes; the last event.
    Closed,
}

/// Why a link does not do what it is asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The link is closed, or not open yet.
    #[error("the link is not open")]
    Closed,
    /// The send buffer has no room for the frame.
    #[error(
        "the send buffer holds {buffered_bytes} bytes: no room for {frame_bytes}; wait for the peer"
    )]
    Full {
        /// Bytes that wait already.
        buffered_bytes: usize,
        /// The frame's size.
        frame_bytes: usize,
    },
}

/// Most bytes that a link takes before they are on their way. Chrome closes a data
/// channel whose own buffer goes over 16 MiB.
pub const MAX_BUFFERED_BYTES: usize = 8 << 20;

impl LinkError {
    /// Refuses a frame that the buffer has no room for.
    ///
    /// # Errors
    /// [`LinkError::Full`].
    pub fn check_room(buffered_bytes: usize, frame_bytes: usize) -> Result<(), Self> {
        if buffered_bytes + frame_bytes > MAX_BUFFERED_BYTES && buffered_bytes > 0 {
            return Err(Self::Full { buffered_bytes, frame_bytes });
        }
        Ok(())
    }
}
