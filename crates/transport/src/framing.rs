//! Frames to messages and back, for any link.

use protocol::peer::{Assembler, DecodeError, Slicer};

/// Both directions' slicing of one link.
#[derive(Debug, Default)]
pub struct Framing {
    slicer: Slicer,
    assembler: Assembler,
}

impl Framing {
    /// The messages that carry a frame, in order.
    pub fn outgoing(&mut self, frame: Vec<u8>) -> Vec<Vec<u8>> {
        self.slicer.slice(frame)
    }

    /// Takes a message; gives the frame's bytes if it completes one.
    ///
    /// # Errors
    /// What came is not what was sent: close the link.
    pub fn incoming(&mut self, message: Vec<u8>) -> Result<Option<Vec<u8>>, DecodeError> {
        self.assembler.push(message)
    }
}
