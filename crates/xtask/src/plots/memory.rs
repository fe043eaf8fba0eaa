//! The memory of phones that `cargo xtask soak --only requests` looked at.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use plotters::style::RGBColor;
use serde_json::Value;

use super::palette::{ACCENT, ALARM, INK_SOFT, PHONES};
use super::panel::{Axis, Panel, Series, Shape};

/// Draws `story`, a file that `e2e/src/soak/busy-room.ts` writes, and returns the drawing, which lies beside it.
///
/// # Errors
/// The story cannot be read or has another shape, or the drawing cannot be written.
pub fn draw(story: &Path) -> Result<PathBuf> {
    let read = || -> Result<Value> { Ok(serde_json::from_slice(&fs::read(story)?)?) };
    let value = read().with_context(|| format!("cannot read {}", story.display()))?;
    let panels = panels(&value).with_context(|| format!("cannot draw {}", story.display()))?;
    let title = value["title"].as_str().unwrap_or_default();
    let drawing = story.with_extension("svg");
    super::draw(&drawing, title, (1, (1300, 340)), &panels)?;
    Ok(drawing)
}

fn panels(story: &Value) -> Result<Vec<Panel>> {
    let samples = story["samples"].as_array().context("it has no `samples`")?;
    let samples = samples.iter().map(Sample::read).collect::<Result<Vec<_>>>()?;
    let marks = story["marks"].as_array().context("it has no `marks`")?;
    let marks = marks.iter().map(read_mark).collect::<Result<Vec<_>>>()?;
    let times = samples.iter().map(|sample| sample.minutes).chain(marks.iter().map(|mark| mark.0));
    let end = times.fold(0.1, f64::max);
    let panel = |title: &str, lines: Vec<Series>| Panel {
        title: title.to_owned(),
        x: Axis { name: "minutes", range: 0.0..end, labels: 12 },
        y: Axis { name: "MB", range: 0.0..1.1 * highest(&lines), labels: 8 },
        series: happenings(&marks).chain(lines).collect(),
    };
    Ok(vec![
        panel("each phone's processes", phones(&samples)),
        panel("parts of the phone that started the room", parts(&samples)),
    ])
}

/// One look at a phone's memory.
struct Sample<'a> {
    minutes: f64,
    phone: &'a str,
    /// It started the room.
    is_header: bool,
    value: &'a Value,
}

impl<'a> Sample<'a> {
    fn read(value: &'a Value) -> Result<Self> {
        Ok(Self {
            minutes: value["at_secs"].as_f64().context("a sample has no `at_secs`")? / 60.0,
            phone: value["phone"].as_str().context("a sample has no `phone`")?,
            is_header: value["is_header"].as_bool().context("a sample has no `is_header`")?,
            value,
        })
    }

    /// A point of one of its figures; none where that was not found.
    fn megabytes(&self, key: &str) -> Option<(f64, f64)> {
        Some((self.minutes, self.value[key].as_f64()? / 1e6))
    }
}

/// Minutes and a name.
fn read_mark(value: &Value) -> Result<(f64, &str)> {
    let at_secs = value["at_secs"].as_f64().context("a mark has no `at_secs`")?;
    Ok((at_secs / 60.0, value["name"].as_str().context("a mark has no `name`")?))
}

/// A line for each, in the order in which they came.
fn phones(samples: &[Sample<'_>]) -> Vec<Series> {
    let mut names: Vec<&str> = Vec::new();
    for sample in samples {
        if !names.contains(&sample.phone) {
            names.push(sample.phone);
        }
    }
    let line = |(at, name): (usize, &str)| {
        let own = || samples.iter().filter(|sample| sample.phone == name);
        let points = own().filter_map(|sample| sample.megabytes("total")).collect();
        let is_header = own().any(|sample| sample.is_header);
        Series {
            name: name.to_owned(),
            colour: PHONES[at % PHONES.len()],
            shape: if is_header { Shape::Thick(points) } else { Shape::Line(points) },
        }
    };
    names.into_iter().enumerate().map(line).collect()
}

fn parts(samples: &[Sample<'_>]) -> Vec<Series> {
    let line = |((key, name), colour): ((&str, &str), RGBColor)| Series {
        name: name.to_owned(),
        colour,
        shape: Shape::Line(
            samples
                .iter()
                .filter(|sample| sample.is_header)
                .filter_map(|sample| sample.megabytes(key))
                .collect(),
        ),
    };
    PARTS.into_iter().zip(PHONES).map(line).collect()
}

/// Vertical lines, of one colour for each kind of thing that happened.
fn happenings<'a>(marks: &'a [(f64, &'a str)]) -> impl Iterator<Item = Series> + 'a {
    HAPPENINGS.into_iter().map(move |(name, colour)| {
        let places = marks.iter().filter(|mark| mark.1 == name).map(|mark| mark.0).collect();
        Series { name: name.to_owned(), colour, shape: Shape::Marks(places) }
    })
}

fn highest(lines: &[Series]) -> f64 {
    let points = lines.iter().flat_map(|line| match &line.shape {
        Shape::Line(points) | Shape::Thick(points) => points.as_slice(),
        _ => &[],
    });
    points.map(|point| point.1).fold(1.0, f64::max)
}

/// A sample's figures in bytes.
const PARTS: [(&str, &str); 4] = [
    ("renderers", "page's processes"),
    ("gpu", "GPU's process"),
    ("wasm", "engine's wasm"),
    ("page_heap", "page's heap"),
];
const HAPPENINGS: [(&str, RGBColor); 4] =
    [("joined", ACCENT), ("left", INK_SOFT), ("killed", ALARM), ("frozen", PHONES[5])];
