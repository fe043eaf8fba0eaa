//! Solve time by the number of modules, a line for each number of phones.

use std::error::Error;

use base::Objective;
use plan::{Options, solve};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::rooms::{residuals, room};
use crate::timed;

type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Measures, and writes an SVG file with a panel for rooms without residual tensors and one for an
/// encoder's output to all decoder modules.
pub fn draw(path: &str) -> Result<(), Box<dyn Error>> {
    let area = SVGBackend::new(path, (1000, 460)).into_drawing_area();
    area.fill(&WHITE)?;
    let panels = area.split_evenly((1, 2));
    draw_panel(&panels[0], "no residual tensors", "none")?;
    draw_panel(&panels[1], "an encoder's output to all decoder modules", "encoder")?;
    area.present()?;
    Ok(())
}

fn draw_panel(panel: &Panel<'_>, title: &str, residual: &str) -> Result<(), Box<dyn Error>> {
    let mut chart = ChartBuilder::on(panel)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(0..140_i32, (0.001_f64..10_000.0).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("modules")
        .y_desc("ms to the proven best plan, natively")
        .x_labels(8)
        .y_label_formatter(&|millis| format!("{millis}"))
        .label_style(("sans-serif", 14))
        .light_line_style(WHITE)
        .draw()?;
    for (phones, colour) in PHONES.into_iter().zip([BLACK, BLUE, RED, MAGENTA]) {
        let points: Vec<(i32, f64)> = MODULES
            .iter()
            .map(|&modules| (modules as i32, millis(phones, modules, residual)))
            .collect();
        println!("{phones} phones, {title}: {points:.2?}");
        let dots = points.iter().map(|&point| Circle::new(point, 3, colour.filled()));
        chart.draw_series(dots)?;
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
            .label(format!("{phones} phones"))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE)
        .border_style(BLACK)
        .label_font(("sans-serif", 14))
        .draw()?;
    Ok(())
}

/// The median of three.
fn millis(phones: usize, modules: usize, residual: &str) -> f64 {
    let tensors = residuals(modules).into_iter().find(|one| one.0 == residual);
    let tensors = tensors.expect("one of the rooms' kinds").1;
    let input = room(phones, modules, Objective::Latency, tensors);
    let options = Options { linear_program: false, most_devices: 16, ..Options::default() };
    let mut rounds = [0; 3].map(|_| {
        let (millis, solution) = timed(|| solve(&input, &options).expect("the memory suffices"));
        let gap = 1.0 - solution.lower_bound_secs / solution.objective_secs;
        assert!(gap < 1e-9, "{phones} phones and {modules} modules are not proven: {gap}");
        millis
    });
    rounds.sort_by(f64::total_cmp);
    rounds[1]
}

const PHONES: [usize; 4] = [3, 8, 12, 16];
const MODULES: [usize; 5] = [14, 30, 62, 98, 130];
