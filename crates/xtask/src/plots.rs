//! Plots of what the drivers in `e2e/` measured, as SVG files.

mod memory;
mod palette;
mod panel;
mod room;

use std::path::Path;

use anyhow::{Context, Result};
use plotters::prelude::*;

pub use memory::draw as draw_memory;
pub use room::draw as draw_room;

use palette::INK;
use panel::Panel;

/// Panels row by row below one title, each so many pixels wide and high. A row is full before the next begins.
fn draw(
    path: &Path,
    title: &str,
    (columns, size): (usize, (u32, u32)),
    panels: &[Panel],
) -> Result<()> {
    let rows = panels.len().div_ceil(columns);
    let (width, height) = (columns as u32 * size.0, TITLE + rows as u32 * size.1);
    let all = || -> Result<()> {
        let page = SVGBackend::new(path, (width, height)).into_drawing_area();
        page.fill(&WHITE)?;
        let (head, body) = page.split_vertically(TITLE);
        let style = ("sans-serif", 20).into_font().color(&INK);
        head.draw(&Text::new(title, (12, 12), style))?;
        for (panel, area) in panels.iter().zip(body.split_evenly((rows, columns))) {
            panel.draw(&area)?;
        }
        Ok(page.present()?)
    };
    all().with_context(|| format!("cannot draw {}", path.display()))
}

/// Pixels.
const TITLE: u32 = 40;

#[cfg(test)]
mod tests;
