//! The engine in a browser's worker: a [`peer::Driver`] with what a browser has, which speaks with the page in plain
//! messages.
//!
//! One law: `JsValue` ends here. The crates below know no JavaScript, and the page knows
//! nothing but the messages of [`peer::messages`].

// Clippy looks at it on any machine.
#![cfg(any(target_family = "wasm", clippy))]

mod browser;
mod engine;
mod folder;
mod http;
mod kept;
mod local;
mod picked;
mod planner;
mod redeem;
mod socket;
mod text;
mod world;

use wasm_bindgen::prelude::*;

unsafe extern "C" {
    /// Runs the static constructors of the module.
    fn __wasm_call_ctors();
}

/// Runs once, before anything else.
///
/// CubeCL registers kernels through static constructors. Where nobody calls them, the linker
/// wraps every export in a call of all of them: 6.5 ms for each kernel launch instead of
/// 0.02. That they are called here keeps the wrappers away; the build checks that.
#[wasm_bindgen(start)]
fn start() {
    // SAFETY: nothing has run in this module before, and nothing calls it again.
    unsafe { __wasm_call_ctors() };
    console_error_panic_hook::set_once();
}
