//! Reads QR codes from a camera's pictures, as a module of its own: most phones' browsers do that by themselves, and
//! whoever opens a link never needs it.

mod grey;

use grey::Grey;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}

/// The text of a QR code somewhere in a picture: `rgba` has four bytes for each of its pixels, row after row, as a canvas
/// gives them; `width` is in pixels. Nothing where there is no code that can be read, and for pictures of no whole rows or
/// of more than [`PIXELS_MAX`] pixels.
///
/// Whether a pixel is dark depends on what is around it, with its neighbours or, `halved`, in a picture of half as many
/// pixels each way, each the mean of four. What the one does not read the other often does: the one small codes, the
/// other those out of focus or in noise. It takes a third of the time.
#[wasm_bindgen(js_name = readQr)]
pub fn read_qr(rgba: &[u8], width: usize, halved: bool) -> Option<String> {
    let picture = Grey::of(rgba, width)?;
    text_in(&if halved { picture.halved()?.in_two_shades(0) } else { picture.in_two_shades(1) })
}

fn text_in(picture: &Grey) -> Option<String> {
    let at = |x, y| picture.at(x, y);
    let mut prepared =
        rqrr::PreparedImage::prepare_from_greyscale(picture.width(), picture.height(), at);
    let texts = prepared.detect_grids().into_iter().filter_map(|grid| grid.decode().ok());
    texts.map(|(_, text)| text).next()
}

/// Far more than a code on a screen needs.
pub const PIXELS_MAX: usize = 1 << 22;
