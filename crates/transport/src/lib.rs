//! Links to other peers: whole frames in order, with a bound on what waits.

#[cfg(target_family = "wasm")]
pub mod web;
