//! The frame: version, tag, body.

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Activations, Admission, Answered, Ask, AskFailed, Away, Begin, CacheAsk, CacheLost, CacheRows,
    Cancel, ChunkDone, CopiesLoaded, DecodeError, DeviceMeasured, Finished, Halt, Hello, Leave,
    LinkLost, LinkMeasured, LoadCopies, LoadProgress, MAX_CONTROL_BYTES, MAX_FRAME_BYTES, Measure,
    MeasureFailed, Ping, Pong, Prepare, Prepared, Probe, ProbeDone, Report, RequestFailed,
    Residual, Resume, RollOut, StageFailed, StageReady, Status, StopAsk, Text, Token,
};

/// First byte of every frame.
pub const PROTOCOL_VERSION: u8 = 9;

/// A body that knows its bounds.
pub(super) trait Body: Sized {
    /// Appends the body's bytes.
    fn write(&self, bytes: &mut Vec<u8>);
    /// How many bytes `write` appends.
    fn len(&self) -> usize;
    /// Reads a body from all of `bytes`.
    fn read(frame: &'static str, bytes: &[u8]) -> Result<Self, DecodeError>;
}

/// A control body: postcard, then its bounds.
pub(super) trait Control: Serialize + DeserializeOwned {
    /// Whether every value is within its bounds.
    fn check(&self) -> Result<(), DecodeError>;
}

impl<T: Control> Body for T {
    fn write(&self, bytes: &mut Vec<u8>) {
        let body = postcard::to_stdvec(self).expect("derived bodies always serialise to memory");
        bytes.extend_from_slice(&body);
    }

    fn len(&self) -> usize {
        postcard::experimental::serialized_size(self).expect("derived bodies always serialise")
    }

    fn read(frame: &'static str, bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_CONTROL_BYTES {
            return Err(DecodeError::TooLarge { bytes: bytes.len(), limit: MAX_CONTROL_BYTES });
        }
        let (body, rest) =
            postcard::take_from_bytes::<T>(bytes).map_err(|_| DecodeError::Malformed { frame })?;
        if !rest.is_empty() {
            return Err(DecodeError::Malformed { frame });
        }
        body.check()?;
        Ok(body)
    }
}

/// The frames, each with its tag: a tag is never given to another meaning.
macro_rules! frames {
    ($($(#[$doc:meta])* $name:ident = $tag:literal,)*) => {
        /// One message between two phones. The bodies' documentation says who may send it.
        #[derive(Clone, PartialEq, Debug)]
        pub enum Frame {
            $($(#[$doc])* $name($name),)*
        }

        impl Frame {
            /// The second byte of the frame.
            pub fn tag(&self) -> u8 {
                match self { $(Self::$name(_) => $tag,)* }
            }

            /// The frame's name, for messages about it.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)* }
            }

            fn body(&self) -> &dyn WriteBody {
                match self { $(Self::$name(body) => body,)* }
            }

            fn read(tag: u8, bytes: &[u8]) -> Result<Self, DecodeError> {
                match tag {
                    $($tag => Ok(Self::$name(Body::read(stringify!($name), bytes)?)),)*
                    _ => Err(DecodeError::UnknownTag { tag }),
                }
            }
        }

        $(impl From<$name> for Frame {
            fn from(body: $name) -> Self {
                Self::$name(body)
            }
        })*
    };
}

frames! {
    /// Introduces a phone; the first frame in each direction.
    Hello = 1,
    /// Asks for a sign of life.
    Ping = 2,
    /// Answers a ping.
    Pong = 3,
    /// Padding that fills the link while its bandwidth is measured.
    Probe = 4,
    /// The last probe of a series has arrived.
    ProbeDone = 5,
    /// The phone is leaving.
    Leave = 6,
    /// Whether a phone may come in, and who is in.
    Admission = 7,
    /// Asks for measurements.
    Measure = 16,
    /// A device's speed and memory.
    DeviceMeasured = 17,
    /// A device that cannot run a stage.
    MeasureFailed = 18,
    /// What a link can carry.
    LinkMeasured = 19,
    /// A link between two phones is gone.
    LinkLost = 20,
    /// Asks to get ready for being measured.
    Prepare = 21,
    /// A device is ready to be measured.
    Prepared = 22,
    /// A phone that had better have nothing to do.
    Away = 23,
    /// Who runs what.
    RollOut = 32,
    /// How far a stage has loaded.
    LoadProgress = 33,
    /// A stage is loaded.
    StageReady = 34,
    /// A stage cannot be loaded or run.
    StageFailed = 35,
    /// The end of an epoch.
    Halt = 36,
    /// Asks for a part of a KV cache.
    CacheAsk = 37,
    /// A part of a KV cache.
    CacheRows = 38,
    /// What to hold besides what runs.
    LoadCopies = 39,
    /// It is held, or cannot be.
    CopiesLoaded = 40,
    /// A part of a KV cache is gone.
    CacheLost = 41,
    /// Opens a request, along the ring.
    Begin = 48,
    /// Hidden states for the next stage.
    Activations = 49,
    /// A sampled token, from the tail to the header.
    Token = 50,
    /// A chunk has passed the tail.
    ChunkDone = 51,
    /// Drops a request, along the ring.
    Cancel = 52,
    /// Ends a request, along the ring.
    Finished = 53,
    /// A stage could not run a step of a request.
    RequestFailed = 54,
    /// A tensor that skips stages, to one that reads it.
    Residual = 55,
    /// A prompt for the header.
    Ask = 64,
    /// Stops an ask.
    StopAsk = 65,
    /// A piece of the answer.
    Text = 66,
    /// The answer is complete.
    Answered = 67,
    /// There will be no answer.
    AskFailed = 68,
    /// The link is back: where an answer goes on.
    Resume = 69,
    /// What a phone has done so far.
    Report = 80,
    /// The room as the coordinator sees it.
    Status = 81,
}

impl Frame {
    /// The frame's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.encoded_len());
        bytes.extend_from_slice(&[PROTOCOL_VERSION, self.tag()]);
        self.body().write_to(&mut bytes);
        bytes
    }

    /// How many bytes [`Frame::encode`] gives, without writing them.
    pub fn encoded_len(&self) -> usize {
        2 + self.body().written_len()
    }

    /// Reads a frame from all of `bytes`.
    ///
    /// # Errors
    /// Whatever is wrong with them; never a panic.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_FRAME_BYTES {
            return Err(DecodeError::TooLarge { bytes: bytes.len(), limit: MAX_FRAME_BYTES });
        }
        let [version, tag, body @ ..] = bytes else {
            return Err(DecodeError::TooShort { field: "tag" });
        };
        if *version != PROTOCOL_VERSION {
            return Err(DecodeError::Version { found: *version });
        }
        Self::read(*tag, body)
    }
}

/// The half of [`Body`] that a trait object can have.
trait WriteBody {
    fn write_to(&self, bytes: &mut Vec<u8>);
    fn written_len(&self) -> usize;
}

impl<T: Body> WriteBody for T {
    fn write_to(&self, bytes: &mut Vec<u8>) {
        self.write(bytes);
    }

    fn written_len(&self) -> usize {
        self.len()
    }
}
