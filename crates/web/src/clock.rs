//! Time and timers of the worker.

use wasm_bindgen::{JsCast, prelude::*};

use crate::browser::scope;

/// Seconds since the worker started.
pub fn now_secs() -> f64 {
    let performance = scope().performance().expect("every browser with WebGPU has it");
    performance.now() / 1000.0
}

/// A call to come. Dropping it cancels the call.
#[derive(Debug)]
pub struct Timer {
    id: i32,
    _call: Closure<dyn FnMut()>,
}

impl Timer {
    /// Calls `call` once, `delay_secs` from now.
    pub fn after(delay_secs: f64, call: impl FnOnce() + 'static) -> Self {
        let call = Closure::once(call);
        let delay_ms = (delay_secs * 1000.0).ceil().clamp(0.0, f64::from(i32::MAX)) as i32;
        let id = scope()
            .set_timeout_with_callback_and_timeout_and_arguments_0(
                call.as_ref().unchecked_ref(),
                delay_ms,
            )
            .expect("a worker has timers");
        Self { id, _call: call }
    }
}

/// Waits so long.
pub async fn sleep(secs: f64) {
    let (wake, woken) = futures_channel::oneshot::channel();
    let _timer = Timer::after(secs, move || {
        // Nobody waits any more: then nothing needs to be told.
        let _ = wake.send(());
    });
    // The timer lives until it has rung.
    let _ = woken.await;
}

impl Drop for Timer {
    fn drop(&mut self) {
        scope().clear_timeout_with_handle(self.id);
    }
}
