//! The kernels in a browser: exports `checks()`, which gives one line for each check,
//! `passed` or the error, a tab, and its name. Loaded by the end-to-end tests; natively
//! `tests/kernels.rs` runs the same checks and this file is empty.

#[cfg(target_family = "wasm")]
#[path = "../tests/checks/mod.rs"]
mod checks;

#[cfg(target_family = "wasm")]
mod browser {
    use wasm_bindgen::prelude::*;

    unsafe extern "C" {
        fn __wasm_call_ctors();
    }

    #[wasm_bindgen(start)]
    fn start() {
        // SAFETY: called once, before anything else (see the engine's own start).
        unsafe { __wasm_call_ctors() };
    }

    /// Runs every check on the browser's GPU.
    #[wasm_bindgen]
    pub async fn checks() -> Result<String, JsError> {
        let gpu = kernels::Gpu::open().await?;
        let checks = super::checks::all(&gpu).await;
        let line = |check: super::checks::Check| match check.has_passed() {
            true => format!("passed\t{}\n", check.name),
            false => format!("{}\t{}\n", check.error, check.name),
        };
        Ok(checks.into_iter().map(line).collect())
    }
}
