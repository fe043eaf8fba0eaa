//! What `cargo xtask bench room` found.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use plotters::style::RGBColor;
use serde_json::Value;

use super::palette::{ACCENT, ALARM, INK, INK_SOFT, PHONES};
use super::panel::{Axis, Panel, Series, Shape};

/// Draws the result, the last line of `e2e/src/bench/room.ts`, and returns the files: all ratios, round by round, and the
/// times of tokens around the slow-down.
///
/// # Errors
/// The result has another shape, or a file cannot be written.
pub fn draw(folder: &Path, result: &Value) -> Result<[PathBuf; 2]> {
    let files = ["room-ratios.svg", "room-tokens.svg"].map(|name| folder.join(name));
    let ratios = RATIOS.iter().map(|known| known.panel(result)).collect::<Result<Vec<_>>>()?;
    super::draw(
        &files[0],
        "Rooms of three slow phones: time without / time with",
        (2, (620, 380)),
        &ratios,
    )?;
    let rounds = token_panels(result)?;
    let title = "Tokens of an answer while one of three equal phones becomes three times as slow";
    super::draw(&files[1], title, (1, (1240, 260)), &rounds)?;
    Ok(files)
}

/// A ratio of the result, and what is known of it.
struct Ratio {
    /// `KEY_ratio` is the median, `KEY_ratios` has every round.
    key: &'static str,
    title: &'static str,
    /// What LinguaLinked was published with (arXiv 2312.00388).
    paper: Option<(f64, f64)>,
    goal: Option<f64>,
    /// Where nothing but the stages' own work counts.
    ideal: Option<f64>,
}

impl Ratio {
    fn panel(&self, result: &Value) -> Result<Panel> {
        let key = format!("{}_ratios", self.key);
        let rounds = result[&key].as_array().filter(|rounds| !rounds.is_empty());
        let rounds = rounds.with_context(|| format!("the result has no `{key}`"))?;
        let points: Vec<_> = (1..)
            .zip(rounds)
            .filter_map(|(round, ratio)| Some((f64::from(round), ratio.as_f64()?)))
            .collect();
        let median = result[format!("{}_ratio", self.key)].as_f64();
        let highest = points.iter().map(|point| point.1).chain(self.known()).fold(1.0, f64::max);
        let lowest = points.iter().map(|point| point.1).fold(1.0, f64::min);
        Ok(Panel {
            title: self.title.to_owned(),
            x: Axis { name: "round", range: 0.5..rounds.len() as f64 + 0.5, labels: rounds.len() },
            y: Axis { name: "times as fast", range: 0.9 * lowest..1.05 * highest, labels: 8 },
            series: self.series(median, points),
        })
    }

    fn series(&self, median: Option<f64>, points: Vec<(f64, f64)>) -> Vec<Series> {
        let one = |name: String, colour, shape| Series { name, colour, shape };
        let paper = self.paper.map(|(low, high)| {
            one(format!("paper {low} to {high}"), PHONES[1], Shape::Band(low, high))
        });
        let ideal =
            self.ideal.map(|at| one(format!("ideal {at}"), PHONES[2], Shape::Reference(at)));
        let goal = self.goal.map(|at| one(format!("goal {at}"), ALARM, Shape::Reference(at)));
        let level = median.map(|at| one(format!("median {at:.2}"), ACCENT, Shape::Level(at)));
        let nothing = one("nothing gained".to_owned(), INK_SOFT, Shape::Reference(1.0));
        let dots = one("a round".to_owned(), INK, Shape::Dots(points));
        [paper, Some(nothing), ideal, goal, level, Some(dots)].into_iter().flatten().collect()
    }

    fn known(&self) -> impl Iterator<Item = f64> {
        self.paper.map(|(_, high)| high).into_iter().chain(self.goal).chain(self.ideal)
    }
}

/// A panel for each round: a token's time with the balancer and without.
fn token_panels(result: &Value) -> Result<Vec<Panel>> {
    let runs = result["balance"].as_array().context("the result has no `balance`")?;
    let runs = runs.iter().map(Run::read).collect::<Result<Vec<_>>>()?;
    let pairs = runs.iter().filter(|run| run.balances).filter_map(|on| {
        Some((on, runs.iter().find(|off| !off.balances && off.round == on.round)?))
    });
    let panels: Vec<_> = pairs.map(|(on, off)| token_panel(on, off)).collect();
    ensure!(!panels.is_empty(), "the result's `balance` has no round with and without");
    Ok(panels)
}

fn token_panel(on: &Run, off: &Run) -> Panel {
    let (alone, moved) = (off.millis(), on.millis());
    let all = || alone.iter().chain(&moved);
    let first = all().map(|point| point.0).fold(0.0, f64::min);
    let last = all().map(|point| point.0).fold(1.0, f64::max);
    let most = all().map(|point| point.1).fold(1.0, f64::max);
    let (alone_steady, moved_steady) = (steadied(&alone), steadied(&moved));
    let one = |name: &str, colour, shape| Series { name: name.to_owned(), colour, shape };
    Panel {
        title: format!(
            "round {}: {:.2} s left alone, {:.2} s where cuts move",
            on.round, off.secs, on.secs
        ),
        x: Axis { name: "tokens from the slow-down on", range: first..last, labels: 12 },
        y: Axis { name: "ms a token", range: 0.0..1.1 * most, labels: 6 },
        series: vec![
            one("a phone slows down", ALARM, Shape::Marks(vec![0.0])),
            one("cuts move", INK, Shape::Marks(on.switches())),
            one("left alone: each token", PALE_ALONE, Shape::Line(alone)),
            one("where cuts move: each token", PALE_MOVED, Shape::Line(moved)),
            one("left alone: median of nine", PHONES[1], Shape::Thick(alone_steady)),
            one("where cuts move: median of nine", ACCENT, Shape::Thick(moved_steady)),
        ],
    }
}

/// Of each point and the four on either side of it the median.
fn steadied(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let around = |at: usize| {
        let near = &points[at.saturating_sub(4)..points.len().min(at + 5)];
        let mut values: Vec<f64> = near.iter().map(|point| point.1).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    points.iter().enumerate().map(|(at, point)| (point.0, around(at))).collect()
}

/// One answer. Seconds are from the slow-down on.
struct Run {
    round: u64,
    balances: bool,
    /// What the timed tokens took.
    secs: f64,
    token_secs: Vec<f64>,
    switch_secs: Vec<f64>,
}

impl Run {
    fn read(value: &Value) -> Result<Self> {
        let missing = |key: &str| format!("a run of `balance` has no `{key}`");
        let numbers = |key: &str| -> Result<Vec<f64>> {
            serde_json::from_value(value[key].clone()).with_context(|| missing(key))
        };
        Ok(Self {
            round: value["round"].as_u64().with_context(|| missing("round"))?,
            balances: value["balances"].as_bool().with_context(|| missing("balances"))?,
            secs: value["secs"].as_f64().with_context(|| missing("secs"))?,
            token_secs: numbers("token_secs")?,
            switch_secs: numbers("switch_secs")?,
        })
    }

    /// By a token's number from the slow-down on, how many milliseconds it came after the one before it.
    fn millis(&self) -> Vec<(f64, f64)> {
        let pairs = self.token_secs.windows(2).enumerate();
        let first = 2.0 - self.tokens_until(0.0);
        pairs.map(|(at, pair)| (at as f64 + first, 1e3 * (pair[1] - pair[0]))).collect()
    }

    /// The numbers of the tokens that came first after a switch.
    fn switches(&self) -> Vec<f64> {
        let before = self.tokens_until(0.0);
        self.switch_secs.iter().map(|&at| self.tokens_until(at) + 1.0 - before).collect()
    }

    fn tokens_until(&self, secs: f64) -> f64 {
        self.token_secs.iter().filter(|&&at| at <= secs).count() as f64
    }
}

/// Those of the lines that are drawn over them, on white.
const PALE_ALONE: RGBColor = RGBColor(0xe6, 0xc4, 0xa8);
const PALE_MOVED: RGBColor = RGBColor(0xa8, 0xcc, 0xca);

const RATIOS: [Ratio; 4] = [
    Ratio {
        key: "throughput",
        title: "four requests at once, beside one after the other",
        paper: Some((1.73, 2.65)),
        goal: Some(2.7),
        ideal: None,
    },
    Ratio {
        key: "balance",
        title: "a phone slows down: cuts that move, beside cuts that stay",
        paper: Some((1.29, 1.32)),
        goal: Some(1.5),
        ideal: Some(1.67),
    },
    Ratio {
        key: "assignment",
        title: "phones of unequal speed: the plan, beside equal parts",
        paper: Some((1.11, 1.61)),
        goal: Some(1.61),
        ideal: None,
    },
    Ratio {
        key: "residual_delay",
        title: "an encoder-decoder's first token: skip links, beside the ring",
        paper: None,
        goal: None,
        ideal: None,
    },
];
