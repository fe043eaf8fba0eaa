//! Pictures without colours.

use std::ops::Range;

use crate::PIXELS_MAX;

/// A picture of at most [`PIXELS_MAX`] pixels from dark to light, in whole rows.
#[derive(Debug)]
pub(crate) struct Grey {
    width: usize,
    pixels: Vec<u8>,
}

impl Grey {
    /// None for pictures of no whole rows, and of too many pixels.
    pub(crate) fn of(rgba: &[u8], width: usize) -> Option<Self> {
        let (pixels, rest) = rgba.as_chunks::<4>();
        let is_whole = width > 0 && rest.is_empty() && pixels.len() % width == 0;
        if !is_whole || pixels.len() > PIXELS_MAX {
            return None;
        }
        Some(Self { width, pixels: pixels.iter().map(luma).collect() })
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn height(&self) -> usize {
        self.pixels.len() / self.width
    }

    pub(crate) fn at(&self, x: usize, y: usize) -> u8 {
        self.pixels[y * self.width + x]
    }

    /// Half as wide and high, each pixel the mean of four. None where nothing would be left.
    pub(crate) fn halved(&self) -> Option<Self> {
        let (width, height) = (self.width / 2, self.height() / 2);
        if width == 0 || height == 0 {
            return None;
        }
        let mean = |at: usize| {
            let (x, y) = (at % width * 2, at / width * 2);
            let four = [self.at(x, y), self.at(x + 1, y), self.at(x, y + 1), self.at(x + 1, y + 1)];
            (four.map(u16::from).iter().sum::<u16>() / 4) as u8
        };
        Some(Self { width, pixels: (0..width * height).map(mean).collect() })
    }

    /// Black where the mean of a pixel and those within `grain` of it is darker than that of its surroundings, else
    /// white. Noise is smaller than the one, and lamps and shadows are larger than the other.
    pub(crate) fn in_two_shades(&self, grain: usize) -> Self {
        let sums = Sums::of(self);
        let far = self.width / SURROUNDINGS;
        let mut pixels = Vec::with_capacity(self.pixels.len());
        for y in 0..self.height() {
            let (near_rows, far_rows) = (sums.rows(y, grain), sums.rows(y, far));
            for x in 0..self.width {
                let (near, near_pixels) = sums.within(sums.columns(x, grain), &near_rows);
                let (around, far_pixels) = sums.within(sums.columns(x, far), &far_rows);
                let is_dark = near * far_pixels * 100 < around * near_pixels * DARK_PERCENT;
                pixels.push(if is_dark { 0 } else { u8::MAX });
            }
        }
        Self { width: self.width, pixels }
    }
}

/// What is around a pixel goes as far as this part of the picture's width.
const SURROUNDINGS: usize = 16;
/// Darker than this of what is around it is dark.
const DARK_PERCENT: u64 = 95;

/// For the sum of any rectangle of a picture.
struct Sums {
    width: usize,
    height: usize,
    /// Of all pixels above and to the left of each corner, of which there is one more each way than pixels. With
    /// [`PIXELS_MAX`] that is less than 2^30.
    corners: Vec<u32>,
}

impl Sums {
    fn of(picture: &Grey) -> Self {
        let (width, height) = (picture.width, picture.height());
        let wide = width + 1;
        let mut corners = vec![0; wide * (height + 1)];
        for (y, row) in picture.pixels.chunks_exact(width).enumerate() {
            let mut along = 0;
            for (x, pixel) in row.iter().enumerate() {
                along += u32::from(*pixel);
                corners[(y + 1) * wide + x + 1] = corners[y * wide + x + 1] + along;
            }
        }
        Self { width, height, corners }
    }

    fn columns(&self, x: usize, away: usize) -> Range<usize> {
        x.saturating_sub(away)..(x + away + 1).min(self.width)
    }

    fn rows(&self, y: usize, away: usize) -> Range<usize> {
        y.saturating_sub(away)..(y + away + 1).min(self.height)
    }

    /// The sum of a rectangle, and how many pixels it has.
    fn within(&self, columns: Range<usize>, rows: &Range<usize>) -> (u64, u64) {
        let corner = |x: usize, y: usize| self.corners[y * (self.width + 1) + x];
        // In this order nothing goes below zero.
        let right = corner(columns.end, rows.end) - corner(columns.end, rows.start);
        let left = corner(columns.start, rows.end) - corner(columns.start, rows.start);
        (u64::from(right - left), (columns.len() * rows.len()) as u64)
    }
}

/// Of ITU-R BT.601, in 256ths.
fn luma(pixel: &[u8; 4]) -> u8 {
    let [red, green, blue, _] = pixel.map(u32::from);
    ((77 * red + 150 * green + 29 * blue) >> 8) as u8
}
