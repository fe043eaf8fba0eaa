//! Time, timers and tasks of the thread that one is in: a browser's worker, or one that runs a `tokio::task::LocalSet`.
//!
//! One law: both halves have the same functions, and what is called later is called in the same thread.

#[cfg(not(target_family = "wasm"))]
mod native;
// Clippy looks at it on any machine.
#[cfg(any(target_family = "wasm", clippy))]
#[cfg_attr(not(target_family = "wasm"), allow(dead_code))]
mod web;

#[cfg(not(target_family = "wasm"))]
pub use native::{Timer, now_secs, sleep, spawn, timed, unix_secs};
#[cfg(target_family = "wasm")]
pub use web::{Timer, now_secs, sleep, spawn, timed, unix_secs};
