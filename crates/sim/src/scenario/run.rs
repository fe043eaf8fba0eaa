//! A scenario in virtual time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use base::Message;
use protocol::peer::{Phase, Sampling};
use session::{Command, Event as Told, ModelSpec, RoomLimits};
use transport::memory::Conditions;

use super::{
    Ask, Scenario, ScenarioError,
    runner::{Kept, SizedToy},
    schedule::Item,
};
use crate::{
    Sim, SimConfig,
    report::{Happened, Report},
    timeline,
};

/// A scenario that was simulated.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    /// What came of it.
    pub report: Report,
    /// The time line, as an SVG file.
    pub svg: String,
}

/// Why there is no report.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulateError {
    /// The scenario means nothing.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The room never came to answer.
    #[error("the room does not get ready: {0}")]
    NotReady(String),
}

/// Simulates a scenario; `tell` gets a line for whatever happens.
///
/// # Errors
/// A scenario out of its bounds, or a room that never gets ready.
pub fn simulate(scenario: &Scenario, tell: &mut dyn FnMut(&str)) -> Result<Run, SimulateError> {
    let prompt_flops = Rc::new(scenario.model.prompt_flops()?);
    let mut play = Play::new(scenario, (Rc::new(scenario.spec()?), prompt_flops), tell);
    play.get_ready()?;
    for item in scenario.schedule() {
        play.wait_until(item.at_secs());
        match item {
            Item::Ask(index, ask) => play.ask(index, ask),
            Item::Event(event) => play.happen(event),
        }
    }
    play.wait_for_answers();
    play.sim.log_pause();
    let report = Report::of(&play);
    let svg = timeline::draw(&play, &report);
    Ok(Run { report, svg })
}

/// A scenario under way.
pub(crate) struct Play<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) spec: Rc<ModelSpec>,
    pub(crate) sim: Sim,
    /// When the room was ready first.
    pub(crate) origin_secs: f64,
    /// The simulation's phones, as numbers of the scenario's.
    pub(crate) lanes: Vec<usize>,
    /// When phones of the simulation came.
    pub(crate) joined_at_secs: Vec<f64>,
    /// When they did nothing more.
    pub(crate) gone_at_secs: Vec<Option<f64>>,
    /// Who has asked: by request, the simulation's phone and when.
    pub(crate) asked: Vec<Option<(usize, f64)>>,
    pub(crate) happened: Vec<Happened>,
    /// The simulation's phone of each of the scenario's, while it is in the room.
    pub(super) present: Vec<Option<usize>>,
    /// How fast each of the scenario's phones is.
    pub(super) speeds: Vec<f64>,
    pub(super) links: Vec<Vec<Conditions>>,
    pub(super) joining: Rc<Cell<usize>>,
    tell: &'a mut dyn FnMut(&str),
}

impl<'a> Play<'a> {
    fn new(
        scenario: &'a Scenario,
        (spec, prompt_flops): (Rc<ModelSpec>, Rc<Vec<f64>>),
        tell: &'a mut dyn FnMut(&str),
    ) -> Self {
        let phones = scenario.phones.len();
        let joining = Rc::new(Cell::new(0));
        let mut play = Self {
            scenario,
            sim: simulation(scenario, (&spec, prompt_flops), &joining),
            spec,
            origin_secs: 0.0,
            lanes: Vec::new(),
            joined_at_secs: Vec::new(),
            gone_at_secs: Vec::new(),
            asked: vec![None; scenario.requests.len()],
            happened: Vec::new(),
            present: vec![None; phones],
            speeds: scenario.phones.iter().map(|phone| phone.flops_per_sec).collect(),
            links: vec![vec![scenario.link.conditions(); phones]; phones],
            joining,
            tell,
        };
        for link in &scenario.links {
            play.set_link(link);
        }
        for (lane, phone) in scenario.phones.iter().enumerate() {
            if scenario.is_there_at_first(&phone.id) {
                play.join(lane);
            }
        }
        play
    }

    fn get_ready(&mut self) -> Result<(), SimulateError> {
        (self.tell)("the phones meet, measure and load");
        self.sim.gather();
        self.sim.command(0, Command::Begin(self.scenario.assignment));
        let phase = |sim: &Sim| sim.drawn(0).phase;
        let is_over = |sim: &Sim| matches!(phase(sim), Phase::Ready | Phase::Failed);
        self.sim.run_until(MOST_LOADING_SECS, is_over);
        if phase(&self.sim) != Phase::Ready {
            let error = self.sim.drawn(0).error.as_ref();
            let why = error.map_or("its phones load for too long", |error| error.message.as_str());
            return Err(SimulateError::NotReady(why.to_owned()));
        }
        self.origin_secs = self.sim.now_secs();
        (self.tell)(&format!("the room is ready after {:.1} s", self.origin_secs));
        Ok(())
    }

    fn wait_until(&mut self, at_secs: f64) {
        let rest_secs = self.origin_secs + at_secs - self.sim.now_secs();
        self.sim.run_for(rest_secs.max(0.0));
    }

    fn ask(&mut self, index: usize, ask: &Ask) {
        let here = self.phone(&ask.from).filter(|&phone| self.gone_at_secs[phone].is_none());
        let Some(phone) = here else {
            return self.tell(format!("{} is not there to ask", ask.from));
        };
        self.tell(format!("{} asks request {}", ask.from, index + 1));
        self.asked[index] = Some((phone, self.sim.now_secs()));
        let messages = vec![Message::user(prompt(index, ask.prompt_tokens))];
        let options = sampling(ask.tokens).into();
        self.sim.command(phone, Command::Ask { ask: number(index), messages, options });
    }

    fn wait_for_answers(&mut self) {
        let waiting: BTreeSet<(usize, u32)> = self
            .asked
            .iter()
            .enumerate()
            .filter_map(|(index, asked)| Some((asked.as_ref()?.0, number(index))))
            .filter(|&(phone, _)| self.gone_at_secs[phone].is_none())
            .collect();
        let (waiting, read) = (RefCell::new(waiting), Cell::new(0));
        self.sim.run_until(MOST_ANSWERING_SECS, |sim| {
            let mut waiting = waiting.borrow_mut();
            for told in &sim.log.told[read.replace(sim.log.told.len())..] {
                if let Told::Answered { ask, .. } | Told::AskFailed { ask, .. } = told.event {
                    waiting.remove(&(told.phone, ask));
                }
            }
            waiting.is_empty()
        });
    }

    pub(super) fn tell(&mut self, what: String) {
        let secs = self.sim.now_secs() - self.origin_secs;
        (self.tell)(&format!("{secs:9.3} s  {what}"));
    }

    /// What a phone of the simulation is called.
    pub(crate) fn name(&self, phone: usize) -> String {
        self.scenario.phones[self.lanes[phone]].id.clone()
    }

    pub(super) fn lane(&self, id: &str) -> Option<usize> {
        self.scenario.phones.iter().position(|phone| phone.id == id)
    }

    pub(super) fn phone(&self, id: &str) -> Option<usize> {
        self.present[self.lane(id)?]
    }
}

/// A room without phones; they come with the modules that the phone of number `joining` keeps.
fn simulation(
    scenario: &Scenario,
    (spec, prompt_flops): (&Rc<ModelSpec>, Rc<Vec<f64>>),
    joining: &Rc<Cell<usize>>,
) -> Sim {
    let kept: Kept = Rc::new(RefCell::new(vec![BTreeSet::new(); scenario.phones.len()]));
    let (runner_spec, joining) = (Rc::clone(spec), Rc::clone(joining));
    let further_row_cost = scenario.further_row_cost;
    let limits = RoomLimits {
        balances: scenario.balances,
        ring_may_close: scenario.ring_may_close,
        skips: scenario.skips,
        slots: scenario.model.slots,
        expected_requests: scenario.model.slots,
        ..RoomLimits::default()
    };
    let config = SimConfig {
        phones: Vec::new(),
        link: scenario.link.conditions(),
        model: ModelSpec::clone(spec),
        limits,
    };
    let mut sim = Sim::new(config, move || {
        let model = (Rc::clone(&runner_spec), Rc::clone(&prompt_flops));
        Box::new(SizedToy::new(model, further_row_cost, joining.get(), Rc::clone(&kept)))
    });
    sim.vary(scenario.seed, scenario.jitter);
    sim
}

/// A request's number in its room.
pub(crate) fn number(index: usize) -> u32 {
    index as u32 + 1
}

/// A prompt of so many tokens, another for each request.
pub(crate) fn prompt(index: usize, tokens: u32) -> String {
    let letter = |i: usize| char::from(b'a' + ((7 * i + index) % 26) as u8);
    let first = char::from(b'!' + (index % 64) as u8);
    std::iter::once(first).chain((1..tokens as usize).map(letter)).collect()
}

/// Always the likeliest token.
pub(crate) fn sampling(max_tokens: u32) -> Sampling {
    Sampling {
        temperature: 0.0,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        repetition_penalty: 1.0,
        seed: 0,
        max_tokens,
        logprobs: None,
    }
}

/// A large model over a slow line.
const MOST_LOADING_SECS: f64 = 4.0 * 3600.0;
/// After the last thing that happens; a room gives up earlier what gets no further.
const MOST_ANSWERING_SECS: f64 = 3600.0;
