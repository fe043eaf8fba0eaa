//! One chart with its legend beside it.

use std::iter::once;
use std::ops::Range;

use anyhow::Result;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::palette::{INK, INK_SOFT, LINE};

pub struct Panel {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    /// From back to front, which is the legend's order, too.
    pub series: Vec<Series>,
}

pub struct Axis {
    /// With the unit.
    pub name: &'static str,
    pub range: Range<f64>,
    /// How many numbers stand along it at most.
    pub labels: usize,
}

pub struct Series {
    pub name: String,
    pub colour: RGBColor,
    pub shape: Shape,
}

pub enum Shape {
    Line(Vec<(f64, f64)>),
    Thick(Vec<(f64, f64)>),
    Dots(Vec<(f64, f64)>),
    /// A value, across the chart.
    Level(f64),
    /// A value to compare with.
    Reference(f64),
    /// Values from the first to the second.
    Band(f64, f64),
    /// Places on the x axis at which something happened.
    Marks(Vec<f64>),
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl Panel {
    pub fn draw(&self, area: &Area<'_>) -> Result<()> {
        let (width, _) = area.dim_in_pixel();
        let (left, right) = area.split_horizontally(width.saturating_sub(LEGEND));
        let mut chart = ChartBuilder::on(&left)
            .caption(&self.title, ("sans-serif", 16, &INK))
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(58)
            .build_cartesian_2d(self.x.range.clone(), self.y.range.clone())?;
        chart
            .configure_mesh()
            .x_desc(self.x.name)
            .y_desc(self.y.name)
            .x_labels(self.x.labels)
            .y_labels(self.y.labels)
            .x_label_formatter(&|value| short(*value))
            .y_label_formatter(&|value| short(*value))
            .label_style(("sans-serif", 13, &INK))
            .axis_style(INK_SOFT)
            .bold_line_style(LINE)
            .light_line_style(WHITE)
            .draw()?;
        for series in &self.series {
            self.draw_series(&mut chart, series)?;
        }
        self.draw_legend(&right)
    }

    fn draw_series(&self, chart: &mut Chart<'_>, series: &Series) -> Result<()> {
        let (x, y) = (&self.x.range, &self.y.range);
        let across = |value: f64| vec![(x.start, value), (x.end, value)];
        let colour = series.colour;
        let path = |points, width| PathElement::new(points, colour.stroke_width(width));
        match &series.shape {
            Shape::Line(points) => chart.draw_series(once(path(points.clone(), 1))),
            Shape::Thick(points) => chart.draw_series(once(path(points.clone(), BROAD))),
            Shape::Level(value) => chart.draw_series(once(path(across(*value), BROAD))),
            Shape::Reference(value) => chart.draw_series(once(dashed(across(*value), colour))),
            Shape::Dots(points) => {
                chart.draw_series(points.iter().map(|&at| Circle::new(at, 4, colour.filled())))
            }
            Shape::Band(low, high) => {
                let corners = [(x.start, *low), (x.end, *high)];
                chart.draw_series(once(Rectangle::new(corners, tint(colour))))
            }
            Shape::Marks(places) => {
                let style = mark_style(colour, places.len());
                let line = |&at| PathElement::new([(at, y.start), (at, y.end)], style);
                chart.draw_series(places.iter().map(line))
            }
        }?;
        Ok(())
    }

    /// Further names have no room.
    fn draw_legend(&self, area: &Area<'_>) -> Result<()> {
        let (_, height) = area.dim_in_pixel();
        let rows = (TOP..height as i32 - ROW).step_by(ROW as usize);
        for (series, at) in self.series.iter().zip(rows) {
            let style = ("sans-serif", 13).into_font().color(&INK);
            area.draw(&Text::new(series.name.as_str(), (36, at - 5), style))?;
            series.draw_symbol(area, at)?;
        }
        Ok(())
    }
}

impl Series {
    fn draw_symbol(&self, area: &Area<'_>, at: i32) -> Result<()> {
        let (across, colour) = (vec![(6, at), (30, at)], self.colour);
        match self.shape {
            Shape::Line(_) => area.draw(&PathElement::new(across, colour.stroke_width(1))),
            Shape::Thick(_) | Shape::Level(_) => {
                area.draw(&PathElement::new(across, colour.stroke_width(BROAD)))
            }
            Shape::Reference(_) => area.draw(&dashed(across, colour)),
            Shape::Dots(_) => area.draw(&Circle::new((18, at), 4, colour.filled())),
            Shape::Band(..) => {
                area.draw(&Rectangle::new([(6, at - 6), (30, at + 6)], tint(colour)))
            }
            Shape::Marks(_) => {
                let style = mark_style(colour, 1);
                area.draw(&PathElement::new([(18, at - 8), (18, at + 8)], style))
            }
        }?;
        Ok(())
    }
}

fn dashed<Coord: Clone>(
    points: Vec<Coord>,
    colour: RGBColor,
) -> DashedPathElement<std::vec::IntoIter<Coord>, i32> {
    DashedPathElement::new(points, 5, 4, colour.stroke_width(BROAD))
}

/// Many must not hide the lines.
fn mark_style(colour: RGBColor, marks: usize) -> ShapeStyle {
    if marks > MANY { colour.mix(0.3).stroke_width(1) } else { colour.mix(0.6).stroke_width(BROAD) }
}

fn tint(colour: RGBColor) -> ShapeStyle {
    colour.mix(0.15).filled()
}

/// At most two decimals.
fn short(value: f64) -> String {
    ((value * 100.0).round() / 100.0).to_string()
}

/// Pixels.
const LEGEND: u32 = 240;
const TOP: i32 = 44;
const ROW: i32 = 20;
const BROAD: u32 = 2;
const MANY: usize = 20;
