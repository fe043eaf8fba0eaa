//! What crosses a wire: [`signal`], the sealed JSON that introduces phones to
//! each other through the server, [`peer`], the binary frames between them, and
//! [`cluster`], what several servers tell each other.
//!
//! Law: bytes from outside never panic us and never make us allocate more than
//! a stated bound. No input or output happens here.

pub mod cluster;
pub mod peer;
pub mod signal;
