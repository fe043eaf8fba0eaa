//! Codes as a camera sees them: small, tilted, blurred, in noise, with a light in the screen.

use lingualinked_scan::{PIXELS_MAX, read_qr};
use qrcode::{Color, QrCode};

const LINK: &str = "https://192.168.178.20:8080/#q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA";
const WIDTH: usize = 640;
const HEIGHT: usize = 480;

/// How a picture was taken.
#[derive(Clone, Copy, Debug)]
struct Photo {
    /// Of the code's edge, in pixels.
    size: f64,
    /// In degrees, in the picture's plane.
    turn: f64,
    /// By how much of the code's edge the near one looks longer than the far one.
    tilt: f64,
    /// Half the edge of the square over which each pixel is averaged.
    blur: i32,
    /// Brightness of a lamp in the screen, up to 255.
    glare: f64,
    /// Most that a pixel is off, of 255.
    noise: f64,
}

const STRAIGHT: Photo =
    Photo { size: 300.0, turn: 0.0, tilt: 0.0, blur: 0, glare: 0.0, noise: 0.0 };

/// Brightness at a place of the code, both from 0 to 1; the quiet zone and the screen around it are light.
fn code_at(code: &QrCode, x: f64, y: f64) -> f64 {
    let at = |place: f64| (place * code.width() as f64).floor();
    let (column, row) = (at(x), at(y));
    let within = 0.0..code.width() as f64;
    let is_dark = within.contains(&column)
        && within.contains(&row)
        && code[(column as usize, row as usize)] == Color::Dark;
    if is_dark { 25.0 } else { 215.0 }
}

fn taken(photo: Photo) -> Vec<u8> {
    let code = QrCode::new(LINK).expect("a link fits");
    let (sin, cos) = photo.turn.to_radians().sin_cos();
    let sharp = |column: i32, row: i32| {
        let (dx, dy) =
            (f64::from(column) - WIDTH as f64 / 2.0, f64::from(row) - HEIGHT as f64 / 2.0);
        let (x, y) = ((dx * cos + dy * sin) / photo.size, (dy * cos - dx * sin) / photo.size);
        // The lower edge is nearer.
        let near = 1.0 + photo.tilt * y;
        code_at(&code, x / near + 0.5, y / near + 0.5)
    };
    let mut seed = 7_u64;
    let mut rgba = Vec::with_capacity(4 * WIDTH * HEIGHT);
    for row in 0..HEIGHT as i32 {
        for column in 0..WIDTH as i32 {
            let (near, mut sum) = (-photo.blur..=photo.blur, 0.0);
            for (dx, dy) in near.clone().flat_map(|dx| near.clone().map(move |dy| (dx, dy))) {
                sum += sharp(column + dx, row + dy);
            }
            let blurred = sum / f64::from((2 * photo.blur + 1).pow(2));
            let from_lamp = f64::from(column - 400).hypot(f64::from(row - 150)) / 110.0;
            let glare = photo.glare * (-from_lamp * from_lamp).exp();
            let noise = photo.noise * (draw(&mut seed) - 0.5) * 2.0;
            let grey = (blurred + glare + noise).clamp(0.0, 255.0) as u8;
            rgba.extend([grey, grey, grey, 255]);
        }
    }
    rgba
}

/// From 0 to 1 (xorshift).
fn draw(seed: &mut u64) -> f64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    (*seed >> 11) as f64 / (1_u64 << 53) as f64
}

fn reads(photo: Photo, halved: bool) -> bool {
    read_qr(&taken(photo), WIDTH, halved).as_deref() == Some(LINK)
}

#[test]
fn codes_are_read_from_photos() {
    let photos = [
        STRAIGHT,
        Photo { size: 170.0, ..STRAIGHT },
        Photo { turn: 33.0, ..STRAIGHT },
        Photo { turn: 180.0, ..STRAIGHT },
        Photo { tilt: 0.25, turn: 8.0, ..STRAIGHT },
        Photo { blur: 2, ..STRAIGHT },
        Photo { glare: 90.0, ..STRAIGHT },
        Photo { noise: 30.0, blur: 1, ..STRAIGHT },
        Photo { turn: -12.0, tilt: 0.15, blur: 2, glare: 60.0, noise: 25.0, size: 320.0 },
    ];
    for photo in photos {
        assert!(reads(photo, false) || reads(photo, true), "{photo:?}");
    }
}

#[test]
fn where_there_is_no_code_there_is_no_text() {
    let mut seed = 3_u64;
    let noise: Vec<u8> = (0..4 * 200 * 200).map(|_| (255.0 * draw(&mut seed)) as u8).collect();
    for picture in [vec![255; 4 * 200 * 200], vec![0; 4 * 200 * 200], noise] {
        for halved in [false, true] {
            assert_eq!(read_qr(&picture, 200, halved), None);
        }
    }
}

#[test]
fn odd_pictures_are_refused() {
    let picture = taken(STRAIGHT);
    for halved in [false, true] {
        assert_eq!(read_qr(&picture, 0, halved), None);
        assert_eq!(read_qr(&picture, WIDTH - 1, halved), None);
        assert_eq!(read_qr(&picture[1..], WIDTH, halved), None);
        assert_eq!(read_qr(&[], WIDTH, halved), None);
        assert_eq!(read_qr(&[0; 4], 1, halved), None);
        assert_eq!(read_qr(&vec![255; 4 * (PIXELS_MAX + WIDTH)], WIDTH, halved), None);
    }
}
