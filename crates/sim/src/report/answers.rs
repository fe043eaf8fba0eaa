//! Answers and their tokens, as those who asked saw them.

use protocol::peer::Finish;
use serde::Serialize;
use session::Event as Told;

use super::micros;
use crate::scenario::{Ask, Play, number, prompt, sampling, undisturbed};
use crate::spans::Spans;

/// A request and its answer.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RequestReport {
    /// From 1, in the file's order.
    pub request: usize,
    /// Who asked.
    pub from: String,
    /// When.
    pub asked_secs: f64,
    /// Length of the prompt.
    pub prompt_tokens: u32,
    /// When the first token could be read.
    pub first_token_secs: Option<f64>,
    /// When the last token could be read, or there was no more to hope for.
    pub end_secs: Option<f64>,
    /// Tokens that came.
    pub tokens: usize,
    /// Those after the first, by the time they took.
    pub tokens_per_sec: Option<f64>,
    /// From one token to the next.
    pub token_secs: Option<Times>,
    /// Why the answer ended, if it is complete.
    pub finish: Option<Finish>,
    /// Why it is not.
    pub failure: Option<String>,
    /// Whether the tokens are those of a model that nothing disturbs, as far as they go.
    pub undisturbed: bool,
}

/// Some times, in short.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Times {
    /// As many are longer as shorter.
    pub median: f64,
    /// One in twenty is longer.
    pub p95: f64,
    /// The longest.
    pub longest: f64,
}

impl Times {
    fn of(mut secs: Vec<f64>) -> Option<Self> {
        secs.sort_by(f64::total_cmp);
        let last = secs.len().checked_sub(1)?;
        let at = |part: f64| micros(secs[(part * last as f64).round() as usize]);
        Some(Self { median: at(0.5), p95: at(0.95), longest: at(1.0) })
    }
}

/// All of a scenario's answers.
pub(super) struct Answers {
    pub(super) requests: Vec<RequestReport>,
    /// Of all requests, from one token to the next.
    gaps_secs: Vec<f64>,
    /// When each was under way.
    spans: Vec<(f64, f64)>,
}

impl Answers {
    pub(super) fn of(play: &Play<'_>) -> Self {
        let mut answers = Self { requests: Vec::new(), gaps_secs: Vec::new(), spans: Vec::new() };
        for (index, ask) in play.scenario.requests.iter().enumerate() {
            let answer = Answer::of(play, index);
            answers.gaps_secs.extend(answer.gaps_secs());
            answers.spans.extend(answer.span(play));
            answers.requests.push(answer.report(play, index, ask));
        }
        answers
    }

    pub(super) fn token_secs(&self) -> Option<Times> {
        Times::of(self.gaps_secs.clone())
    }

    /// When any of them was under way.
    pub(super) fn active(&self) -> Spans {
        Spans::of(self.spans.iter().copied())
    }
}

/// What the asker was told of one answer.
#[derive(Default)]
struct Answer {
    asked: Option<(usize, f64)>,
    tokens: Vec<u32>,
    /// When each could be read.
    token_at_secs: Vec<f64>,
    ended_at_secs: Option<f64>,
    finish: Option<Finish>,
    failure: Option<String>,
}

impl Answer {
    fn of(play: &Play<'_>, index: usize) -> Self {
        let asked = play.asked[index];
        let mut answer = Self { asked, ..Self::default() };
        let Some((phone, _)) = asked else {
            answer.failure = Some("The phone that was to ask is not in the room.".to_owned());
            return answer;
        };
        for told in play.sim.log.told.iter().filter(|told| told.phone == phone) {
            answer.take(told.at_secs, number(index), &told.event);
        }
        if let Some(gone_at_secs) = play.gone_at_secs[phone].filter(|_| answer.is_open()) {
            answer.ended_at_secs = Some(gone_at_secs);
            answer.failure = Some("The phone that asked is gone.".to_owned());
        }
        if answer.is_open() {
            answer.failure = Some("It had no end when the simulation had.".to_owned());
        }
        answer
    }

    fn is_open(&self) -> bool {
        self.finish.is_none() && self.failure.is_none()
    }

    fn take(&mut self, at_secs: f64, number: u32, event: &Told) {
        match event {
            Told::Text { ask, delta } if *ask == number => {
                // The toy's tokens are numbers, each with a space behind it.
                for token in delta.split_whitespace().filter_map(|word| word.parse().ok()) {
                    self.tokens.push(token);
                    self.token_at_secs.push(at_secs);
                }
            }
            Told::Answered { ask, stats } if *ask == number => {
                self.ended_at_secs = Some(at_secs);
                self.finish = Some(stats.finish);
            }
            Told::AskFailed { ask, failure } if *ask == number => {
                self.ended_at_secs = Some(at_secs);
                self.failure = Some(failure.message.clone());
            }
            _ => {}
        }
    }

    fn gaps_secs(&self) -> impl Iterator<Item = f64> {
        self.token_at_secs.windows(2).map(|pair| pair[1] - pair[0])
    }

    /// When it was under way, in the simulation's time.
    fn span(&self, play: &Play<'_>) -> Option<(f64, f64)> {
        let (_, asked_at_secs) = self.asked?;
        Some((asked_at_secs, self.ended_at_secs.unwrap_or(play.sim.now_secs())))
    }

    fn report(&self, play: &Play<'_>, index: usize, ask: &Ask) -> RequestReport {
        let relative = |at_secs: f64| micros(at_secs - play.origin_secs);
        let (first, last) = (self.token_at_secs.first(), self.token_at_secs.last());
        let decode_secs = first.zip(last).map(|(first, last)| last - first);
        let decoded = self.tokens.len().saturating_sub(1) as f64;
        RequestReport {
            request: index + 1,
            from: ask.from.clone(),
            asked_secs: self.asked.map_or(ask.at_secs, |(_, at_secs)| relative(at_secs)),
            prompt_tokens: ask.prompt_tokens,
            first_token_secs: first.copied().map(relative),
            end_secs: self.ended_at_secs.map(relative),
            tokens: self.tokens.len(),
            tokens_per_sec: decode_secs
                .filter(|&secs| secs > 0.0)
                .map(|secs| micros(decoded / secs)),
            token_secs: Times::of(self.gaps_secs().collect()),
            finish: self.finish,
            failure: self.failure.clone(),
            undisturbed: self.is_undisturbed(play, index, ask),
        }
    }

    fn is_undisturbed(&self, play: &Play<'_>, index: usize, ask: &Ask) -> bool {
        let prompt = prompt(index, ask.prompt_tokens);
        let expected = undisturbed(&play.spec, &prompt, sampling(ask.tokens));
        let is_whole = self.finish.is_none() || self.tokens.len() == ask.tokens as usize;
        expected.is_ok_and(|expected| expected.starts_with(&self.tokens)) && is_whole
    }
}
