//! The relay in virtual time, as phones of a room, strangers and worse use it.

#![allow(clippy::unwrap_used, reason = "where a test unwraps, it fails")]

mod bounds;
mod phone;
mod relay;
