//! What a camera sees of a code on a phone's screen.

use qrcode::{Color, QrCode};

pub const LINK: &str = "https://192.168.178.20:8080/#q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA";
pub const WIDTH: usize = 800;
const HEIGHT: usize = 600;

/// How a picture was taken. Lengths are in pixels, light in 255ths.
#[derive(Clone, Copy, Debug)]
pub struct Shot {
    /// The code's edge.
    pub size: f64,
    /// Where its middle is, from that of the picture.
    pub middle: [f64; 2],
    /// In degrees.
    pub turn: f64,
    /// By how much of the code's edge the near side looks longer than the far one, across and down.
    pub tilt: [f64; 2],
    /// Standard deviation of a point's picture.
    pub blur: f64,
    /// A lamp in the screen, and where.
    pub glare: f64,
    pub lamp: [f64; 2],
    /// Most that a pixel is off by in either direction is three times this; usually it is half of it.
    pub noise: f64,
    /// 1 for a bright room.
    pub light: f64,
    /// How much less of it there is on one side.
    pub shade: f64,
}

impl Shot {
    /// Near enough, in good light, by somebody who takes care.
    pub fn held(random: &mut Random) -> Self {
        Self {
            size: random.between(230.0, 420.0),
            middle: [random.between(-60.0, 60.0), random.between(-40.0, 40.0)],
            turn: random.between(-25.0, 25.0),
            tilt: [random.between(-0.1, 0.1), random.between(-0.1, 0.1)],
            blur: 0.6,
            glare: 0.0,
            lamp: [random.between(250.0, 550.0), random.between(180.0, 420.0)],
            noise: 6.0,
            light: 1.0,
            shade: 0.0,
        }
    }
}

/// The picture, as a canvas gives it.
pub fn taken(shot: &Shot, random: &mut Random) -> Vec<u8> {
    let blurred = blurred(&blurred(&sharp(shot), shot.blur, 1, WIDTH), shot.blur, WIDTH, HEIGHT);
    let mut rgba = Vec::with_capacity(4 * WIDTH * HEIGHT);
    for (at, brightness) in blurred.into_iter().enumerate() {
        let (x, y) = ((at % WIDTH) as f64, (at / WIDTH) as f64);
        let from_lamp = (x - shot.lamp[0]).hypot(y - shot.lamp[1]) / 110.0;
        let light = shot.light * (1.0 - shot.shade * x / WIDTH as f64);
        let glare = shot.glare * (-from_lamp * from_lamp).exp();
        let noise = 2.0 * shot.noise * (random.draw() + random.draw() + random.draw() - 1.5);
        let grey = (brightness * light + glare + noise).clamp(0.0, 255.0) as u8;
        rgba.extend([grey, grey, grey, 255]);
    }
    rgba
}

/// Each pixel is the mean of four places in it.
fn sharp(shot: &Shot) -> Vec<f64> {
    let code = QrCode::new(LINK).expect("a link fits");
    let (sin, cos) = shot.turn.to_radians().sin_cos();
    let seen = |x: f64, y: f64| {
        let dx = x - WIDTH as f64 / 2.0 - shot.middle[0];
        let dy = y - HEIGHT as f64 / 2.0 - shot.middle[1];
        let (across, down) = ((dx * cos + dy * sin) / shot.size, (dy * cos - dx * sin) / shot.size);
        let near = 1.0 + shot.tilt[0] * across + shot.tilt[1] * down;
        brightness(&code, across / near + 0.5, down / near + 0.5).unwrap_or(table(x, y))
    };
    let places = [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)];
    let pixel = |at: usize| {
        let (x, y) = ((at % WIDTH) as f64, (at / WIDTH) as f64);
        places.iter().map(|(dx, dy)| seen(x + dx, y + dy)).sum::<f64>() / 4.0
    };
    (0..WIDTH * HEIGHT).map(pixel).collect()
}

/// Of the screen, at a place from 0 to 1 of the code; none beside the screen.
fn brightness(code: &QrCode, x: f64, y: f64) -> Option<f64> {
    if !(-0.12..1.12).contains(&x) || !(-0.12..1.3).contains(&y) {
        return None;
    }
    let within = 0.0..code.width() as f64;
    let (column, row) = (x * within.end, y * within.end);
    let is_dark = within.contains(&column)
        && within.contains(&row)
        && code[(column as usize, row as usize)] == Color::Dark;
    Some(if is_dark { 25.0 } else { 215.0 })
}

/// What is behind the screen.
fn table(x: f64, y: f64) -> f64 {
    90.0 + 30.0 * ((x as usize / 37 + y as usize / 53) % 3) as f64
}

/// By a bell curve along lines of `length` pixels that are `step` apart.
fn blurred(of: &[f64], blur: f64, step: usize, length: usize) -> Vec<f64> {
    let reach = (3.0 * blur).ceil() as i64;
    let bell: Vec<f64> =
        (-reach..=reach).map(|away| (-(away * away) as f64 / (2.0 * blur * blur)).exp()).collect();
    let whole: f64 = bell.iter().sum();
    let pixel = |at: usize| {
        let place = (at / step % length) as i64;
        let start = at as i64 - place * step as i64;
        let near = (-reach..=reach).zip(&bell).map(|(away, weight)| {
            let seen = (place + away).clamp(0, length as i64 - 1);
            weight * of[(start + seen * step as i64) as usize]
        });
        near.sum::<f64>() / whole
    };
    (0..of.len()).map(pixel).collect()
}

/// Xorshift.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..8 {
            random.draw();
        }
        random
    }

    /// From 0 to 1.
    pub fn draw(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.draw()
    }
}
