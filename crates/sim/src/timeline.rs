//! A scenario's time line as an SVG drawing: a lane for each phone, and the plans and events across them.

use crate::report::{Activity, Report};
use crate::scenario::Play;

/// Draws what every phone did from the moment when the room was ready.
pub(crate) fn draw(play: &Play<'_>, report: &Report) -> String {
    let canvas = Canvas { lanes: report.phones.len(), end_secs: report.end_secs.max(1e-3) };
    let notes = notes(report);
    let height = canvas.bottom() + AXIS + LINE * notes.len() as f64 + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n{}",
        rect(0.0, 0.0, WIDTH, height, "#fff")
    );
    draw_title(&mut svg, report);
    for (lane, phone) in report.phones.iter().enumerate() {
        let [compute, send] = [phone.compute, phone.send].map(|share| 100.0 * share);
        let name = format!("{}: {compute:.0} % computes, {send:.0} % sends", phone.id);
        svg += &text(MARGIN, canvas.top(lane) - 4.0, "#222", &name);
        canvas.draw_lane(&mut svg, lane, &Activity::of(play, lane), play.origin_secs);
    }
    canvas.draw_marks(&mut svg, report);
    canvas.draw_axis(&mut svg);
    for (row, note) in notes.iter().enumerate() {
        let y = canvas.bottom() + AXIS + LINE * (row + 1) as f64;
        svg += &text(MARGIN, y, note.colour, &note.text);
    }
    svg + "</svg>\n"
}

fn draw_title(svg: &mut String, report: &Report) {
    let about = format!("{}: {}", report.model.name, report.about);
    *svg += &text(MARGIN, 20.0, "#000", &about);
    let legend = [
        (COMPUTE, "computes"),
        (SEND, "sends"),
        (WAIT, "waits"),
        (PLAN, "a plan"),
        (EVENT, "an event"),
    ];
    for (column, (colour, name)) in legend.into_iter().enumerate() {
        let x = MARGIN + 110.0 * column as f64;
        *svg += &rect(x, 32.0, 12.0, 12.0, colour);
        *svg += &text(x + 18.0, 42.0, "#222", name);
    }
}

/// Where things are.
struct Canvas {
    lanes: usize,
    end_secs: f64,
}

impl Canvas {
    fn top(&self, lane: usize) -> f64 {
        HEAD + (LANE + GAP) * lane as f64
    }

    fn bottom(&self) -> f64 {
        self.top(self.lanes)
    }

    fn x(&self, secs: f64) -> f64 {
        MARGIN + (WIDTH - 2.0 * MARGIN) * (secs / self.end_secs).clamp(0.0, 1.0)
    }

    /// In each column the shares of the time, one upon the other.
    fn draw_lane(&self, svg: &mut String, lane: usize, activity: &Activity, origin_secs: f64) {
        let end_secs = origin_secs + self.end_secs;
        let compute = activity.compute.shares(origin_secs, end_secs, COLUMNS);
        let send = activity.send.shares(origin_secs, end_secs, COLUMNS);
        let both: Vec<f64> =
            compute.iter().zip(&send).map(|(compute, send)| compute + send).collect();
        for (colour, shares) in [(WAIT, vec![1.0; COLUMNS]), (SEND, both), (COMPUTE, compute)] {
            let path = self.area(lane, &shares);
            *svg += &format!("<path fill=\"{colour}\" d=\"{path}\"/>\n");
        }
    }

    /// The outline of columns of these heights, as parts of the lane's.
    fn area(&self, lane: usize, shares: &[f64]) -> String {
        let foot = self.top(lane) + LANE;
        let width = (WIDTH - 2.0 * MARGIN) / shares.len() as f64;
        let mut path = format!("M{MARGIN} {foot}");
        let mut drawn = f64::NAN;
        for (column, share) in shares.iter().enumerate() {
            let y = (10.0 * (foot - LANE * share.clamp(0.0, 1.0))).round() / 10.0;
            if y != drawn {
                let x = (10.0 * (MARGIN + width * column as f64)).round() / 10.0;
                path += &format!("H{x}V{y}");
                drawn = y;
            }
        }
        path += &format!("H{}V{foot}Z", WIDTH - MARGIN);
        path
    }

    /// Plans with the modules that each phone then runs, and events.
    fn draw_marks(&self, svg: &mut String, report: &Report) {
        for event in report.events.iter().filter(|event| event.phone.is_none()) {
            self.draw_line(svg, event.at_secs, EVENT);
        }
        for plan in report.plans.iter().take(MOST_NOTES) {
            self.draw_line(svg, plan.at_secs, PLAN);
            for stage in &plan.stages {
                let lane = report.phones.iter().position(|phone| phone.id == stage.phone);
                let Some(lane) = lane else { continue };
                // The header's second stage stands below its first.
                let y = self.top(lane) + if stage.start == 0 { 14.0 } else { 30.0 };
                let modules = format!("{}..{}", stage.start, stage.end);
                *svg += &text(self.x(plan.at_secs) + 4.0, y, "#000", &modules);
            }
        }
    }

    fn draw_line(&self, svg: &mut String, at_secs: f64, colour: &str) {
        let (x, top, bottom) = (self.x(at_secs), HEAD - 12.0, self.bottom() - GAP);
        *svg += &format!("<path stroke=\"{colour}\" d=\"M{x:.1} {top}V{bottom}\"/>\n");
    }

    fn draw_axis(&self, svg: &mut String) {
        let y = self.bottom() + 4.0;
        for tick in 0..=TICKS {
            let secs = self.end_secs * f64::from(tick) / f64::from(TICKS);
            let x = self.x(secs) - if tick == TICKS { 40.0 } else { 0.0 };
            *svg += &text(x, y, "#222", &format!("{secs:.1} s"));
        }
    }
}

/// A line below the lanes.
struct Note {
    at_secs: f64,
    colour: &'static str,
    text: String,
}

/// Events and plans in words, by time.
fn notes(report: &Report) -> Vec<Note> {
    let note = |at_secs: f64, colour: &'static str, what: &str| Note {
        at_secs,
        colour,
        text: format!("{at_secs:.3} s: {what}"),
    };
    let events = report.events.iter().filter(|event| event.phone.is_none());
    let events = events.map(|event| note(event.at_secs, EVENT, &event.what));
    let plans = report.plans.iter();
    let plans =
        plans.map(|plan| note(plan.at_secs, PLAN, &format!("plan {}: {}", plan.epoch, plan.why())));
    let mut notes: Vec<Note> = events.chain(plans).collect();
    notes.sort_by(|a, b| a.at_secs.total_cmp(&b.at_secs));
    notes.truncate(MOST_NOTES);
    notes
}

fn text(x: f64, y: f64, colour: &str, words: &str) -> String {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let outline = "paint-order=\"stroke\" stroke=\"#fff\" stroke-width=\"3\"";
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\" {outline}>{words}</text>\n")
}

fn rect(x: f64, y: f64, width: f64, height: f64, colour: &str) -> String {
    format!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{colour}\"/>\n")
}

const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 20.0;
const HEAD: f64 = 80.0;
const LANE: f64 = 36.0;
const GAP: f64 = 24.0;
const AXIS: f64 = 12.0;
const LINE: f64 = 16.0;
const COLUMNS: usize = 580;
const TICKS: u32 = 8;
const MOST_NOTES: usize = 100;
const COMPUTE: &str = "#2a7ab8";
const SEND: &str = "#f0a030";
const WAIT: &str = "#e6e6e6";
const PLAN: &str = "#1f7a3f";
const EVENT: &str = "#b82a2a";
