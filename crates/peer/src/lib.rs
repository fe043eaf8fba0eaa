//! One phone's part in a room: drives a [`session::Room`] with real links, a real GPU and a real server, whatever
//! it runs in. What that is, is a [`World`]: a browser's worker (`crates/web`) or a program (`crates/native`).
//!
//! One law: it all happens in one thread, and nothing here waits for anything in it. Whoever shows the room hears
//! the messages of [`messages`] and nothing else.

mod driver;
mod fetched;
mod http;
mod introductions;
mod machine;
pub mod measure;
#[allow(missing_docs, reason = "what the fields mean is said in `web/src/engine/messages.ts`")]
pub mod messages;
mod offering;
mod opened;
mod opening;
mod perform;
mod restarts;
mod signaling;
mod step;
mod tickets;
mod world;

pub use driver::{Driver, Emit, This, with};
pub use fetched::Fetched;
pub use http::{Failure, HttpSource, Pieces, REQUEST_TIMEOUT_MS, Reply, Store, whole};
pub use machine::{Done, DoneOf, Machine, WantedEpoch, Work, WorkOf};
pub use opened::Opened;
pub use step::pass;
pub use world::{
    Decoder, DecoderOf, Files, LocalOf, MachineParts, NoReader, Reader, Socket, SocketEvent, Text,
    TextOf, World,
};
