//! Time and timers of the worker.

use js_sys::Object;
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::WorkerGlobalScope;

/// Seconds since the worker started.
pub fn now_secs() -> f64 {
    let performance = scope().performance().expect("every browser with WebGPU has it");
    performance.now() / 1000.0
}

/// Seconds since 1970, as this device's clock says.
pub fn unix_secs() -> f64 {
    js_sys::Date::now() / 1000.0
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance)]
    fn measure(name: &str, options: &Object) -> JsValue;

    #[wasm_bindgen(js_namespace = performance, js_name = clearMeasures)]
    fn clear_measures(name: &str);
}

/// Does `work` and measures it for whoever observes the browser's timeline (User Timing): its tools, and
/// the bench. The timeline itself keeps only the last of each name.
pub fn timed<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let start_ms = 1000.0 * now_secs();
    let done = work();
    let options = Object::new();
    // Setting a field of a new object cannot fail.
    let _ = js_sys::Reflect::set(&options, &"start".into(), &start_ms.into());
    clear_measures(name);
    measure(name, &options);
    done
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

/// Lets a task run beside this one.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    wasm_bindgen_futures::spawn_local(task);
}

fn scope() -> WorkerGlobalScope {
    js_sys::global().unchecked_into()
}
