//! A peer that is a program: it joins a room with the GPU of the computer it runs on, through the same
//! [`peer::Driver`] as a page. [`join`] does it all.
//!
//! One law: what a room's other members, its server or a disk say can neither stop the program by a panic nor make it
//! wait or grow without bound.

mod error;
mod files;
mod identity;
mod invited;
mod join;
mod kept;
mod lines;
mod local;
mod pieces;
mod rtc;
mod socket;
mod trust;
mod world;

pub use error::NativeError;
pub use invited::Invited;
pub use join::{Joining, join};
