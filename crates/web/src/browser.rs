//! Promises, hashes and errors of the browser.

use js_sys::{ArrayBuffer, Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::WorkerGlobalScope;

/// What a promise comes to.
pub async fn settled<T: JsCast>(promise: Promise) -> Result<T, JsValue> {
    Ok(JsFuture::from(promise).await?.unchecked_into())
}

/// The bytes that a promise of an `ArrayBuffer` comes to.
pub async fn bytes_of(promise: Promise) -> Result<Vec<u8>, JsValue> {
    let buffer: ArrayBuffer = settled(promise).await?;
    Ok(Uint8Array::new(&buffer).to_vec())
}

/// SHA-256, computed by the browser beside this thread.
pub async fn sha256(bytes: &[u8]) -> Result<[u8; 32], JsValue> {
    let copy = Uint8Array::from(bytes);
    let subtle = scope().crypto()?.subtle();
    let hash = bytes_of(subtle.digest_with_str_and_js_u8_array("SHA-256", &copy)?).await?;
    hash.try_into().map_err(|_| JsValue::from_str("the hash does not have 32 bytes"))
}

/// An error in words.
pub fn text(error: &JsValue) -> String {
    let own = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
    own.or_else(|| error.as_string()).unwrap_or_else(|| format!("{error:?}"))
}

/// Memory of the device as far as the browser tells it (in powers of two of GiB, Chrome at most 8 on phones);
/// without a limit where it does not.
pub fn memory_bytes() -> f64 {
    let told = js_sys::Reflect::get(&scope().navigator(), &"deviceMemory".into());
    told.ok()
        .and_then(|gibibytes| gibibytes.as_f64())
        .map_or(f64::INFINITY, |gib| gib * 1024f64.powi(3))
}

/// The worker that this runs in.
pub fn scope() -> WorkerGlobalScope {
    js_sys::global().unchecked_into()
}
