//! Links between phones: whole frames in, whole frames out, in order.
//!
//! Law: nothing grows without bound. A link refuses a frame that would take its
//! send buffer over [`MAX_BUFFERED_BYTES`], and a peer's slices are put together
//! within the bounds of [`protocol::peer`]. What has come and is not polled is bounded alike.

mod framing;
#[cfg(any(target_family = "wasm", feature = "native", clippy, test))]
mod incoming;
mod link;
pub mod memory;
#[cfg(feature = "native")]
pub mod native;
#[cfg(any(target_family = "wasm", clippy))]
pub mod web;

pub use framing::Framing;
pub use link::{Link, LinkError, LinkEvent, MAX_BUFFERED_BYTES};
