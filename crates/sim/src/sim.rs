//! The simulation: phones, links between them, and time.

use std::collections::{BTreeMap, VecDeque};

use base::{Identity, Message, PeerId};
use protocol::{
    peer::{AnswerStats, AskOptions, Failure, FailureCode, Frame},
    signal::Pictures,
};
use session::{
    Assignment, Command, DoorConfig, Event, Input, Meeting, ModelSpec, Room, RoomConfig,
    RoomLimits, RoomView,
};
use transport::{
    Link, LinkEvent,
    memory::{self, Clock, Conditions, Tamper},
};

use crate::{PhoneSpec, StageRunner, chance::Chance, log::Log, phone::Phone};

/// What a simulated room is made of.
#[derive(Clone, PartialEq, Debug)]
pub struct SimConfig {
    /// In order of joining; the first opens the room.
    pub phones: Vec<PhoneSpec>,
    /// Every pair's link.
    pub link: Conditions,
    /// What the room runs.
    pub model: ModelSpec,
    /// Bounds and time-outs of every room.
    pub limits: RoomLimits,
}

/// A room in virtual time. Phones are numbered in order of joining.
pub struct Sim {
    pub(crate) clock: Clock,
    pub(crate) phones: Vec<Phone>,
    /// Answers of drivers, by when they come, and then by when they were asked for.
    pub(crate) due: BTreeMap<(Time, u64), (usize, Input)>,
    pub(crate) next_due: u64,
    pub(crate) trace: Vec<String>,
    pub(crate) log: Log,
    pub(crate) chance: Chance,
    model: ModelSpec,
    link: Conditions,
    limits: RoomLimits,
    door: DoorConfig,
    make_runner: Box<dyn FnMut() -> Box<dyn StageRunner>>,
}

/// What became of an ask.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// All text that came.
    pub text: String,
    /// How it ended.
    pub result: Result<AnswerStats, Failure>,
}

impl Sim {
    /// A room where nobody has met yet and everybody may come in; `make_runner` gives each phone its model.
    pub fn new(
        config: SimConfig,
        make_runner: impl FnMut() -> Box<dyn StageRunner> + 'static,
    ) -> Self {
        let door = DoorConfig { admits_all: true, ..DoorConfig::default() };
        Self::with_door(config, door, make_runner)
    }

    /// A room where nobody has met yet, with a door.
    pub fn with_door(
        config: SimConfig,
        door: DoorConfig,
        make_runner: impl FnMut() -> Box<dyn StageRunner> + 'static,
    ) -> Self {
        let mut sim = Self {
            clock: Clock::default(),
            phones: Vec::new(),
            due: BTreeMap::new(),
            next_due: 0,
            trace: Vec::new(),
            log: Log::default(),
            chance: Chance::none(),
            model: config.model,
            link: config.link,
            limits: config.limits,
            door,
            make_runner: Box::new(make_runner),
        };
        for phone in config.phones {
            sim.join(phone);
        }
        sim
    }

    /// One more phone; gives its number. Its links to all others open in a moment.
    pub fn join(&mut self, spec: PhoneSpec) -> usize {
        let number = self.phones.len();
        self.enter(spec, number == 0, identity_of(number))
    }

    /// The page of the phone that had opened the room is loaded anew: another phone, for the others, that opens it.
    /// It knows whom it had let in.
    pub fn reopen(&mut self, spec: PhoneSpec) -> usize {
        self.door.admitted = self.view(0).door.map_or_else(Vec::new, |door| door.admitted);
        self.enter(spec, true, identity_of(0))
    }

    /// A phone that was invited says that it started the room.
    pub fn pretend(&mut self, spec: PhoneSpec) -> usize {
        self.enter(spec, true, identity_of(self.phones.len()))
    }

    /// The page of a phone that had come in is loaded anew: another one, for the others, with the same key.
    pub fn reload(&mut self, phone: usize) -> usize {
        self.enter(self.phones[phone].spec.clone(), false, self.identity(phone))
    }

    fn enter(&mut self, spec: PhoneSpec, coordinator: bool, identity: Identity) -> usize {
        let number = self.phones.len();
        let config = RoomConfig {
            me: PeerId(number as u32 + 1),
            coordinator,
            name: spec.name.clone(),
            device: "simulated".to_owned(),
            pledge: spec.pledge,
            door: self.door.clone(),
            limits: self.limits.clone(),
        };
        let mut phone = Phone::new(spec, config, identity, (self.make_runner)());
        for other in self.phones.iter_mut().filter(|other| !other.is_gone) {
            let (near, far) = memory::pair(&self.clock, self.link);
            phone.links.insert(other.id, near);
            other.links.insert(phone.id, far);
        }
        self.phones.push(phone);
        number
    }

    /// How many phones there have been.
    pub fn phones(&self) -> usize {
        self.phones.len()
    }

    /// Seconds since the beginning.
    pub fn now_secs(&self) -> f64 {
        self.clock.now_secs()
    }

    /// What the room runs.
    pub fn model(&self) -> &ModelSpec {
        &self.model
    }

    /// The room as a phone sees it now.
    pub fn view(&self, phone: usize) -> RoomView {
        self.phones[phone].room.view()
    }

    /// The room as a phone's page has drawn it last.
    pub fn drawn(&self, phone: usize) -> &RoomView {
        &self.phones[phone].view
    }

    /// Everything a phone's user was told so far, except that the view has changed.
    pub fn events(&self, phone: usize) -> &[Event] {
        &self.phones[phone].events
    }

    /// Every frame and every event so far, in order.
    pub fn trace(&self) -> &[String] {
        &self.trace
    }

    /// A user's wish.
    pub fn command(&mut self, phone: usize, command: Command) {
        self.give(phone, Input::Command(command));
    }

    /// Waits until all phones have met, then begins and waits until the room is ready.
    /// Gives whether it became so.
    pub fn make_ready(&mut self) -> bool {
        self.gather();
        self.command(0, Command::Begin(Assignment::Best));
        self.run_until(200.0, |sim| sim.is_phase(protocol::peer::Phase::Ready))
    }

    /// Waits until all phones have met, and sets the model.
    pub fn gather(&mut self) {
        let all = self.phones.len();
        let open = |view: &RoomView| {
            view.peers.iter().filter(|peer| peer.link == session::LinkState::Open).count()
        };
        self.run_until(60.0, |sim| {
            (0..all).all(|phone| {
                let view = sim.view(phone);
                open(&view) == all && !view.coordinator.is_empty()
            })
        });
        self.command(0, Command::SetModel(self.model.clone()));
    }

    /// Whether every phone sees this phase.
    pub fn is_phase(&self, phase: protocol::peer::Phase) -> bool {
        (0..self.phones.len()).all(|phone| self.view(phone).phase == phase)
    }

    /// Asks and waits for the end of the answer, at most 1000 seconds.
    pub fn ask(
        &mut self,
        phone: usize,
        ask: u32,
        text: &str,
        options: impl Into<AskOptions>,
    ) -> Answer {
        let (messages, options) = (vec![Message::user(text)], options.into());
        self.command(phone, Command::Ask { ask, messages, options });
        self.run_until(1000.0, |sim| sim.answer(phone, ask).is_some());
        self.answer(phone, ask).expect("an ask ends within its deadlines, which are shorter")
    }

    /// What became of an ask; none while it runs.
    pub fn answer(&self, phone: usize, number: u32) -> Option<Answer> {
        let result = self.phones[phone].events.iter().find_map(|event| match event {
            Event::Answered { ask, stats } if *ask == number => Some(Ok(stats.clone())),
            Event::AskFailed { ask, failure } if *ask == number => Some(Err(failure.clone())),
            _ => None,
        })?;
        Some(Answer { text: self.text(phone, number), result })
    }

    /// The text of an ask so far.
    pub fn text(&self, phone: usize, number: u32) -> String {
        let delta = |event: &Event| match event {
            Event::Text { ask, delta } if *ask == number => Some(delta.clone()),
            _ => None,
        };
        self.phones[phone].events.iter().filter_map(delta).collect()
    }

    /// Breaks a link.
    pub fn cut(&mut self, a: usize, b: usize) {
        let b = self.phones[b].id;
        if let Some(link) = self.phones[a].links.get_mut(&b) {
            link.cut();
        }
    }

    /// A link that was lost is made anew.
    pub fn relink(&mut self, a: usize, b: usize) {
        let (near, far) = memory::pair(&self.clock, self.link);
        let (a_id, b_id) = (self.phones[a].id, self.phones[b].id);
        self.phones[a].links.insert(b_id, near);
        self.phones[b].links.insert(a_id, far);
    }

    /// A phone is gone, with all its links.
    pub fn kill(&mut self, phone: usize) {
        self.phones[phone].links.values_mut().for_each(memory::MemoryLink::cut);
        self.phones[phone].is_frozen = true;
        self.phones[phone].is_gone = true;
    }

    /// A phone's device is so many times as slow, or as fast, from now on.
    pub fn slow_down(&mut self, phone: usize, times: f64) {
        self.phones[phone].spec.flops_per_sec /= times;
    }

    /// A phone does nothing more, though its links stay open.
    pub fn freeze(&mut self, phone: usize) {
        self.phones[phone].is_frozen = true;
    }

    /// A frozen phone goes on, with all that has come meanwhile.
    pub fn thaw(&mut self, phone: usize) {
        self.phones[phone].is_frozen = false;
        for input in std::mem::take(&mut self.phones[phone].backlog) {
            self.give(phone, input);
        }
        self.drain_links(phone);
    }

    /// A phone's GPU ends no step any more.
    pub fn hang_device(&mut self, phone: usize) {
        self.phones[phone].device_hangs = true;
    }

    /// Something is done to every so many messages that a phone sends to another, from now on.
    pub fn tamper(&mut self, from: usize, to: usize, how: Tamper, every: usize) {
        let to = self.phones[to].id;
        if let Some(link) = self.phones[from].links.get_mut(&to) {
            link.tamper(how, every);
        }
    }

    /// From now on no part of this phone's KV caches is given away or taken over.
    pub fn lock_caches(&mut self, phone: usize) {
        self.phones[phone].caches_locked = true;
    }

    /// From now on a phone has no memory for copies beside what it holds.
    pub fn fill_up(&mut self, phone: usize) {
        self.phones[phone].is_full = true;
    }

    /// A phone's driver ends no measuring and no loading any more.
    pub fn hang_driver(&mut self, phone: usize) {
        self.phones[phone].driver_hangs = true;
    }

    /// What kept a phone from running a stage is gone, and its driver has made it ready.
    pub fn mend(&mut self, phone: usize) {
        self.phones[phone].spec.is_fit = true;
        self.give(phone, Input::Prepared { url: self.model.model.url.clone() });
    }

    /// A phone cannot run its stage any more.
    pub fn fail_stage(&mut self, phone: usize, epoch: u32, code: FailureCode) {
        let failure = Failure::new(code, "that was the GPU's last word");
        self.give(phone, Input::StageFailed { epoch, failure });
    }

    /// Sends a frame that a phone's own session has not asked for.
    pub fn forge(&mut self, from: usize, to: usize, frame: &Frame) {
        self.forge_bytes(from, to, frame.encode());
    }

    /// Sends bytes that may be no frame at all.
    pub fn forge_bytes(&mut self, from: usize, to: usize, bytes: Vec<u8>) {
        let to = self.phones[to].id;
        if let Some(link) = self.phones[from].links.get_mut(&to) {
            let _ = link.send(bytes);
        }
    }

    /// Lets time pass until `is_done`, or nothing more happens, or so much time has
    /// passed. Gives whether it is done.
    pub fn run_until(&mut self, limit_secs: f64, is_done: impl Fn(&Self) -> bool) -> bool {
        let end_secs = self.now_secs() + limit_secs;
        while !is_done(self) {
            match self.next_event_secs() {
                Some(at) if at <= end_secs => self.advance_to(at),
                _ => {
                    self.clock.advance_to(end_secs);
                    return is_done(self);
                }
            }
        }
        true
    }

    /// Lets so much time pass.
    pub fn run_for(&mut self, secs: f64) {
        self.run_until(secs, |_| false);
    }

    fn next_event_secs(&self) -> Option<f64> {
        let due = self.due.keys().next().map(|(at, _)| at.0);
        let live = || self.phones.iter().filter(|phone| !phone.is_frozen);
        let wakes = live().filter_map(|phone| phone.wake_at_secs);
        let links = live().flat_map(|phone| phone.links.values());
        let links = links.filter_map(memory::MemoryLink::next_event_secs);
        due.into_iter().chain(wakes).chain(links).reduce(f64::min)
    }

    fn advance_to(&mut self, at_secs: f64) {
        self.clock.advance_to(at_secs);
        let now = self.now_secs();
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0.0 <= now) {
            let (phone, input) = entry.remove();
            self.give(phone, input);
        }
        for phone in 0..self.phones.len() {
            if self.phones[phone].wake_at_secs.is_some_and(|at| at <= now) {
                self.phones[phone].wake_at_secs = None;
                self.give(phone, Input::Timeout);
            }
            self.drain_links(phone);
        }
    }

    fn drain_links(&mut self, phone: usize) {
        if self.phones[phone].is_frozen {
            return;
        }
        let peers: Vec<PeerId> = self.phones[phone].links.keys().copied().collect();
        let mut inputs = VecDeque::new();
        for peer in peers {
            while let Some(event) = self.phones[phone].links.get_mut(&peer).and_then(Link::poll) {
                inputs.push_back((peer, event));
            }
        }
        for (peer, event) in inputs {
            self.take_link_event(phone, peer, event);
        }
    }

    fn take_link_event(&mut self, phone: usize, peer: PeerId, event: LinkEvent) {
        match event {
            LinkEvent::Open => {
                let meeting = self.meeting(phone, peer);
                self.give(phone, Input::LinkUp { peer, meeting });
            }
            LinkEvent::Broken(error) => {
                self.record(format!("{} closes {peer}: {error}", self.phones[phone].id));
            }
            LinkEvent::Closed => self.give(phone, Input::LinkDown { peer }),
            LinkEvent::Frame(bytes) => match Frame::decode(&bytes) {
                Ok(frame) => self.give(phone, Input::Frame { peer, frame }),
                Err(error) => {
                    // As the browser's driver does: such a peer speaks another language.
                    self.record(format!("{} closes {peer}: {error}", self.phones[phone].id));
                    if let Some(link) = self.phones[phone].links.get_mut(&peer) {
                        link.close();
                    }
                }
            },
        }
    }

    fn meeting(&self, phone: usize, peer: PeerId) -> Meeting {
        let other = self.identity(peer.0 as usize - 1);
        let pictures = Pictures::from_bits([0; 3]);
        Meeting { own: self.identity(phone), other, pictures }
    }

    /// By what a phone is known again.
    pub fn identity(&self, phone: usize) -> Identity {
        self.phones[phone].identity
    }

    pub(crate) fn record(&mut self, line: String) {
        self.trace.push(format!("{:.6} {line}", self.now_secs()));
    }
}

/// Made up.
fn identity_of(phone: usize) -> Identity {
    Identity([phone as u8 + 1; 32])
}

/// Virtual seconds as a key.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Time(pub(crate) f64);

impl Eq for Time {}

impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Time {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Phone {
    fn new(
        spec: PhoneSpec,
        config: RoomConfig,
        identity: Identity,
        runner: Box<dyn StageRunner>,
    ) -> Self {
        let id = config.me;
        let room = Room::new(config);
        Self {
            id,
            identity,
            spec,
            view: room.view(),
            room,
            runner,
            links: BTreeMap::new(),
            wake_at_secs: None,
            events: Vec::new(),
            is_frozen: false,
            is_gone: false,
            backlog: Vec::new(),
            device_hangs: false,
            caches_locked: false,
            is_full: false,
            copies: None,
            driver_hangs: false,
            busy_until_secs: 0.0,
        }
    }
}
