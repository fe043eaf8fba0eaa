//! What a scenario may say. Bounds keep a simulation short whatever a file holds.

use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};
use std::ops::RangeInclusive;

use protocol::peer::{Hello, MAX_PEERS};
use session::ModelSpec;

use super::{Ask, Event, Link, Scenario};

/// A value that a scenario cannot have.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct ScenarioError {
    /// Where it is in the file, such as `phones[2].flops_per_sec`.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Scenario {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value out of its bounds.
    pub fn check(&self) -> Result<(), ScenarioError> {
        self.spec().map(|_| ())
    }

    /// Checks every value and gives what the room is told of the model.
    ///
    /// # Errors
    /// The first value out of its bounds.
    pub(super) fn spec(&self) -> Result<ModelSpec, ScenarioError> {
        number("jitter", self.jitter, 0.0, 0.9)?;
        number("further_row_cost", self.further_row_cost, 0.0, 1.0)?;
        within("phones", self.phones.len(), 1..=MAX_PEERS)?;
        within("links", self.links.len(), 0..=MAX_PEERS * MAX_PEERS)?;
        within("requests", self.requests.len(), 1..=MAX_REQUESTS)?;
        within("events", self.events.len(), 0..=MAX_EVENTS)?;
        let spec = self.model.spec()?;
        self.check_phones()?;
        self.link.check("link")?;
        for (index, link) in self.links.iter().enumerate() {
            self.check_link(&format!("links[{index}]"), link)?;
        }
        for (index, ask) in self.requests.iter().enumerate() {
            self.check_request(&format!("requests[{index}]"), ask)?;
        }
        for (index, event) in self.events.iter().enumerate() {
            self.check_event(&format!("events[{index}]"), event)?;
        }
        self.check_work(&spec)?;
        Ok(spec)
    }

    fn check_phones(&self) -> Result<(), ScenarioError> {
        let mut names = BTreeSet::new();
        for (index, phone) in self.phones.iter().enumerate() {
            let at = |field: &str| format!("phones[{index}].{field}");
            let is_name = (1..=Hello::MAX_NAME_CHARS).contains(&phone.id.chars().count())
                && !phone.id.contains(char::is_control);
            if !is_name {
                let problem =
                    format!("must be a name of 1 to {} characters", Hello::MAX_NAME_CHARS);
                return Err(refused(&at("id"), problem));
            }
            if !names.insert(&phone.id) {
                return Err(refused(&at("id"), format!("{} is there twice", phone.id)));
            }
            number(&at("flops_per_sec"), phone.flops_per_sec, LEAST_SPEED, MOST_SPEED)?;
            number(&at("overhead_secs"), phone.overhead_secs, 0.0, MOST_STEP_SECS)?;
            number(&at("memory_bytes"), phone.memory_bytes, 0.0, MOST_SPEED)?;
            number(&at("fetch_bytes_per_sec"), phone.fetch_bytes_per_sec, LEAST_SPEED, MOST_SPEED)?;
        }
        Ok(())
    }

    fn check_link(&self, path: &str, link: &super::LinkBetween) -> Result<(), ScenarioError> {
        self.known(&format!("{path}.from"), &link.from)?;
        self.known(&format!("{path}.to"), &link.to)?;
        if link.from == link.to {
            return Err(refused(&format!("{path}.to"), "must be another phone"));
        }
        link.quality().check(path)
    }

    fn check_request(&self, path: &str, ask: &Ask) -> Result<(), ScenarioError> {
        number(&format!("{path}.at_secs"), ask.at_secs, 0.0, MOST_SECS)?;
        self.known(&format!("{path}.from"), &ask.from)?;
        let context_tokens = self.model.context_tokens;
        within(&format!("{path}.prompt_tokens"), ask.prompt_tokens, 1..=context_tokens)?;
        within(&format!("{path}.tokens"), ask.tokens, 1..=context_tokens)?;
        let tokens = ask.prompt_tokens + ask.tokens;
        if tokens > context_tokens {
            let problem = format!(
                "prompt and answer have {tokens} tokens, and model.context_tokens is {context_tokens}"
            );
            return Err(refused(path, problem));
        }
        Ok(())
    }

    fn check_event(&self, path: &str, event: &Event) -> Result<(), ScenarioError> {
        number(&format!("{path}.at_secs"), event.at_secs, 0.0, MOST_SECS)?;
        if event.count() != 1 {
            return Err(refused(path, format!("must have exactly one of {KINDS}")));
        }
        if let Some(speed) = &event.speed {
            self.known(&format!("{path}.speed.phone"), &speed.phone)?;
            let place = format!("{path}.speed.flops_per_sec");
            number(&place, speed.flops_per_sec, LEAST_SPEED, MOST_SPEED)?;
        }
        if let Some(link) = &event.link {
            self.check_link(&format!("{path}.link"), link)?;
        }
        if let Some((one, other)) = &event.cut {
            self.known(&format!("{path}.cut[0]"), one)?;
            self.known(&format!("{path}.cut[1]"), other)?;
        }
        for (kind, _, phone) in event.phones() {
            if let Some(phone) = phone {
                self.known(&format!("{path}.{kind}"), phone)?;
            }
        }
        match event.join.as_ref() == self.phones.first().map(|phone| &phone.id) {
            true => Err(refused(&format!("{path}.join"), "the first phone opens the room")),
            false => Ok(()),
        }
    }

    /// Which phone that is.
    fn known(&self, path: &str, id: &str) -> Result<usize, ScenarioError> {
        let missing = || refused(path, format!("there is no phone {id:?}"));
        self.phones.iter().position(|phone| phone.id == id).ok_or_else(missing)
    }

    /// What a simulation computes grows with these.
    fn check_work(&self, spec: &ModelSpec) -> Result<(), ScenarioError> {
        let tokens = |ask: &Ask| u64::from(ask.prompt_tokens) + u64::from(ask.tokens);
        let tokens: u64 = self.requests.iter().map(tokens).sum();
        let (modules, row_bytes) = (spec.modules.len() as u64, u64::from(spec.row_bytes));
        let most = (MOST_MODULE_STEPS / modules).min(MOST_ROWS_BYTES / row_bytes);
        if tokens > most {
            let problem =
                format!("have {tokens} tokens in all, and for this model may have {most}");
            return Err(refused("requests", problem));
        }
        Ok(())
    }
}

impl Link {
    fn check(self, path: &str) -> Result<(), ScenarioError> {
        number(&format!("{path}.rtt_secs"), self.rtt_secs, 0.0, MOST_STEP_SECS)?;
        number(&format!("{path}.bytes_per_sec"), self.bytes_per_sec, LEAST_SPEED, MOST_SPEED)
    }
}

impl Event {
    fn count(&self) -> usize {
        let named = self.phones().into_iter().filter(|(.., phone)| phone.is_some()).count();
        let others = [self.speed.is_some(), self.link.is_some(), self.cut.is_some()];
        let others = others.into_iter().filter(|is_there| *is_there).count();
        named + others + usize::from(self.begin.is_some())
    }
}

pub(super) fn refused(path: &str, problem: impl Display) -> ScenarioError {
    // Names in a file may hold anything.
    let clean = |text: &str| text.replace(char::is_control, " ");
    let mut sentence = String::new();
    write!(sentence, "{problem}").expect("a string takes any text");
    ScenarioError { path: clean(path), problem: clean(&sentence) }
}

pub(super) fn number(path: &str, value: f64, least: f64, most: f64) -> Result<(), ScenarioError> {
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(refused(path, format!("is {value}, and must be {least} to {most}"))),
    }
}

pub(super) fn within<T: PartialOrd + Display>(
    path: &str,
    value: T,
    bounds: RangeInclusive<T>,
) -> Result<(), ScenarioError> {
    if bounds.contains(&value) {
        return Ok(());
    }
    let (least, most) = bounds.into_inner();
    Err(refused(path, format!("is {value}, and must be {least} to {most}")))
}

const KINDS: &str = "speed, link, cut, freeze, thaw, hide, show, kill, leave, join, begin";
const MAX_REQUESTS: usize = 64;
const MAX_EVENTS: usize = 64;
/// Operations or bytes a second.
const LEAST_SPEED: f64 = 1e3;
const MOST_SPEED: f64 = 1e15;
const MOST_STEP_SECS: f64 = 10.0;
/// When the last thing may happen.
const MOST_SECS: f64 = 3600.0;
const MOST_MODULE_STEPS: u64 = 20_000_000;
const MOST_ROWS_BYTES: u64 = 1 << 30;
