//! Reads QR codes from a camera's pictures, as a module of its own: most phones' browsers do that by themselves, and
//! whoever opens a link never needs it.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}

/// The text of a QR code somewhere in a picture: `rgba` has four bytes for each of its pixels, row after row, as a canvas
/// gives them; `width` is in pixels. Nothing where there is no code that can be read, and for pictures of no whole rows or
/// of more than [`PIXELS_MAX`] pixels.
#[wasm_bindgen(js_name = readQr)]
pub fn read_qr(rgba: &[u8], width: usize) -> Option<String> {
    let (pixels, rest) = rgba.as_chunks::<4>();
    if width == 0 || !rest.is_empty() || pixels.len() % width != 0 || pixels.len() > PIXELS_MAX {
        return None;
    }
    let height = pixels.len() / width;
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        let [red, green, blue, _] = pixels[y * width + x].map(u32::from);
        // Luma of ITU-R BT.601, in 256ths.
        ((77 * red + 150 * green + 29 * blue) >> 8) as u8
    });
    let texts = picture.detect_grids().into_iter().filter_map(|grid| grid.decode().ok());
    texts.map(|(_, text)| text).next()
}

/// Far more than a code on a screen needs.
pub const PIXELS_MAX: usize = 1 << 22;
