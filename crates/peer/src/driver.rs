//! One phone's part in a room: everything that happens becomes an input of the session's
//! [`Room`], and what the room wants is done (see [`crate::perform`]).

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::{Rc, Weak},
};

use base::{PeerId, RequestId};
use futures_channel::mpsc::{Sender, channel};
use platform::{Timer, now_secs, timed};
use protocol::{
    peer::{AwayReason, Frame},
    signal::{
        Candidate, Description, DescriptionKind, HostMark, Invitation, SignalBody, SignalError,
        TicketKey,
    },
};
use session::{Command, ErrorView, Input, Room, RoomConfig, RoomLimits};
use transport::{Link, LinkEvent};

use crate::{
    introductions::{Entrance, Introductions},
    machine::{Done, DoneOf, WantedEpoch, Work, WorkOf},
    messages::{FromWorker, RtcCommand, RtcEvent, StartConfig, ToWorker, error},
    offering::Offering,
    opening::Opening,
    restarts::Restarts,
    tickets,
    world::{DecoderOf, MachineParts, TextOf, World},
};

/// Work that may wait for the device. The room keeps a handful of steps in flight.
const QUEUED_WORK: usize = 256;

/// Longer than the server is asked for a room that is not open yet.
const LONGEST_WAIT_SECS: f64 = 7200.0;

/// The ear of whoever shows the room: a page, or a program's lines.
#[derive(Clone)]
pub struct Emit(Rc<dyn Fn(&FromWorker)>);

impl Emit {
    /// Calls `hear` for everything that is to be known, from within the driver's calls.
    pub fn new(hear: impl Fn(&FromWorker) + 'static) -> Self {
        Self(Rc::new(hear))
    }

    /// Tells something.
    pub fn send(&self, message: &FromWorker) {
        (self.0)(message);
    }
}

/// The driver of one room.
pub struct Driver<W: World> {
    pub(crate) world: W,
    pub(crate) room: Room,
    pub(crate) emit: Emit,
    pub(crate) work: Sender<WorkOf<W>>,
    /// Of the stages that are to be loaded next, if any.
    pub(crate) wanted_epoch: WantedEpoch,
    pub(crate) links: BTreeMap<PeerId, W::Link>,
    /// Links whose other ends have not shown yet that they were invited.
    pub(crate) opening: BTreeMap<PeerId, Opening>,
    /// How the room's model reads and writes, on the phone that started the room.
    pub(crate) text: Option<TextOf<W>>,
    pub(crate) decoders: BTreeMap<RequestId, DecoderOf<W>>,
    pub(crate) alarm: Option<Timer>,
    /// Inputs that outputs gave rise to.
    pub(crate) answers: Vec<Input>,
    pub(crate) view_changed: bool,
    pub(crate) me: PeerId,
    pub(crate) config: StartConfig,
    pub(crate) invitation: Invitation,
    /// Where the room is started: what tells its invitations from others.
    pub(crate) ticket_key: Option<TicketKey>,
    /// Where the room is started: what its invitations name this phone by.
    pub(crate) host: Option<HostMark>,
    pub(crate) introductions: Introductions<W::Socket>,
    pub(crate) offering: Offering,
    pub(crate) restarts: Restarts,
    pub(crate) this: This<W>,
}

/// Where a driver is, for what happens later.
pub type This<W> = Weak<RefCell<Option<Driver<W>>>>;

impl<W: World> Driver<W> {
    /// Connects to the server and opens the GPU; where the room is started, `load_text` is called.
    ///
    /// # Errors
    /// What the page should show: a wrong invitation or address, no randomness.
    pub fn start(
        world: W,
        config: StartConfig,
        load_text: impl FnOnce() -> Result<W::Reader, String>,
        emit: Emit,
        this: This<W>,
    ) -> Result<Self, ErrorView> {
        let invited = match &config.secret {
            Some(fragment) => Invitation::from_fragment(fragment),
            None => Invitation::random().map(|invitation| (invitation, None)),
        };
        let bad = |failed: SignalError| error("room_gone", failed.to_string());
        let (invitation, pass) = invited.map_err(bad)?;
        let ticket_key = tickets::key(&config.door, &invitation).map_err(bad)?;
        let me = random_peer()?;
        let coordinator = config.starts;
        let room = Room::new(RoomConfig {
            me,
            coordinator,
            name: config.name.clone(),
            device: config.device.clone(),
            pledge: config.pledge.within(world.memory_bytes()),
            door: config.door.config(pass).map_err(bad)?,
            limits: limits(&config),
        });
        let text = coordinator.then(load_text).transpose();
        let text = text.map_err(|failed| error("internal", failed))?;
        let wanted_epoch = WantedEpoch::default();
        let machine = MachineParts {
            world: world.clone(),
            me: me.to_string(),
            text,
            wanted_epoch: wanted_epoch.clone(),
        };
        let work = start_machine(machine, this.clone());
        let mut driver = Self {
            world,
            room,
            emit,
            work,
            wanted_epoch,
            links: BTreeMap::new(),
            opening: BTreeMap::new(),
            text: None,
            decoders: BTreeMap::new(),
            alarm: None,
            answers: Vec::new(),
            view_changed: true,
            introductions: Introductions::new(&invitation, me),
            offering: Offering::default(),
            restarts: Restarts::default(),
            me,
            config,
            invitation,
            ticket_key,
            host: None,
            this,
        };
        let is_new = coordinator && !driver.config.reopens;
        driver.connect(if is_new { Entrance::Open } else { Entrance::Join })?;
        Ok(driver)
    }

    /// Tells the page how the room looks.
    pub fn greet(&mut self) {
        if let Some(url) = self.config.model_url.clone() {
            self.queue(Work::Open(url));
        }
        self.input(Input::Timeout);
    }

    /// Leaves the room in good order.
    pub fn leave(&mut self) {
        self.input(Input::Command(Command::Leave));
        for peer in std::mem::take(&mut self.links).into_keys() {
            self.emit.send(&FromWorker::Rtc { command: RtcCommand::Close { peer } });
        }
    }

    /// A message of the page, other than those that start and end the room.
    pub fn on_page(&mut self, message: ToWorker) {
        match message {
            ToWorker::Begin { assignment } => {
                self.command(Command::Begin(assignment.unwrap_or_default()));
            }
            ToWorker::Ask { ask, messages, options } => {
                self.command(Command::Ask { ask, messages, options: options.into() });
            }
            ToWorker::Check { ask, prompt } => self.queue(Work::Check { ask, prompt }),
            ToWorker::Stop { ask } => self.command(Command::Stop { ask }),
            ToWorker::Trust { identities } => {
                self.command(Command::Trust(identities.into_iter().collect()));
            }
            ToWorker::Own { identity } => self.know_own(identity),
            ToWorker::Invite { life_secs } => self.invite(life_secs),
            ToWorker::Home { secret, ticket_key } => self.move_home(&secret, ticket_key),
            ToWorker::LetIn { peer } => self.command(Command::LetIn(peer)),
            ToWorker::TurnAway { peer } => self.command(Command::TurnAway(peer)),
            ToWorker::Lock { locked } => self.command(Command::Lock(locked)),
            ToWorker::Remove { identity } => self.command(Command::Remove(identity)),
            ToWorker::Away { why } => {
                if why != Some(AwayReason::Hidden) {
                    // A page that was not in front may have missed that its network went.
                    self.doubt_socket();
                }
                self.command(Command::Away(why));
            }
            ToWorker::Network => self.on_network_change(),
            ToWorker::Rtc { event } => self.on_rtc(event),
            ToWorker::OfferCode { invitation } => self.offer_code(invitation),
            ToWorker::WithdrawCode => self.withdraw_code(),
            ToWorker::Start { .. } | ToWorker::Redeem { .. } | ToWorker::Leave => {}
        }
    }

    /// A data channel to `peer`, which may not be open yet.
    pub fn add_channel(&mut self, peer: PeerId, channel: W::Channel) {
        let this = self.this.clone();
        let wake = move || with(&this, |driver| driver.poll_link(peer));
        self.opening.insert(peer, self.opening(peer));
        self.links.insert(peer, self.world.link(channel, Rc::new(wake)));
        self.poll_link(peer);
    }

    /// Gives the room an input and does what it wants.
    pub fn input(&mut self, input: Input) {
        self.answers.push(input);
        self.settle();
    }

    /// Gives the room what waits for it, and does what it wants until it wants nothing more.
    fn settle(&mut self) {
        while !self.answers.is_empty() {
            for input in std::mem::take(&mut self.answers) {
                self.room.handle(now_secs(), input);
                while let Some(output) = self.room.poll() {
                    self.perform(output);
                }
            }
        }
        if std::mem::take(&mut self.view_changed) {
            self.emit.send(&FromWorker::Room { room: Box::new(self.room.view()) });
        }
    }

    /// Puts something on the device's list.
    pub fn queue(&mut self, work: WorkOf<W>) {
        if self.work.try_send(work).is_err() {
            self.fail(error(
                "internal",
                "This device's list of work is full. Leave the room and join again.",
            ));
        }
    }

    /// Tells the page something that stops nothing.
    pub(crate) fn remark(&self, message: String) {
        self.emit.send(&FromWorker::Note { message });
    }

    /// Tells the page that something is wrong with the room and not with one answer.
    pub fn fail(&self, error: ErrorView) {
        self.emit.send(&FromWorker::Failed { ask: None, error });
    }

    /// Time for the room's [`session::Output::WakeAt`].
    pub fn set_alarm(&mut self, at_secs: f64) {
        let this = self.this.clone();
        let ring = move || with(&this, |driver| driver.input(Input::Timeout));
        self.alarm = Some(Timer::after(at_secs - now_secs(), ring));
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    pub(crate) fn poll_link(&mut self, peer: PeerId) {
        while self.may_listen(peer)
            && let Some(event) = self.links.get_mut(&peer).and_then(W::Link::poll)
        {
            match event {
                LinkEvent::Open => self.on_channel_open(peer),
                LinkEvent::Frame(proof) if self.opening.contains_key(&peer) => {
                    self.on_proof(peer, &proof);
                }
                LinkEvent::Frame(bytes) => self.on_frame(peer, &bytes),
                LinkEvent::Broken(wrong) => {
                    self.remark(format!("{peer} sent something unreadable: {wrong}"));
                }
                LinkEvent::Closed => self.drop_link(peer),
            }
        }
    }

    fn on_frame(&mut self, peer: PeerId, bytes: &[u8]) {
        match timed("receiving", || Frame::decode(bytes)) {
            Ok(frame) => self.input(Input::Frame { peer, frame }),
            Err(wrong) => {
                self.remark(format!("{peer} sent something unreadable: {wrong}"));
                self.give_link_up(peer);
                self.drop_link(peer);
            }
        }
    }

    /// Forgets a link and tells the room that it is gone.
    pub fn drop_link(&mut self, peer: PeerId) {
        self.disconnect(peer);
        self.settle();
    }

    /// The other end has given an open link up and offers a new one. The room hears of that before it thinks of
    /// closing the old one itself, as after a long freeze: that would end the new one.
    fn replace_link(&mut self, peer: PeerId) {
        if !self.opening.contains_key(&peer) && self.links.remove(&peer).is_some() {
            self.input(Input::LinkDown { peer });
        }
    }

    pub(crate) fn on_body(&mut self, peer: PeerId, body: SignalBody) {
        let command = match body {
            SignalBody::Description(Description { kind: DescriptionKind::Offer, sdp }) => {
                self.replace_link(peer);
                RtcCommand::Answer { peer, sdp }
            }
            SignalBody::Description(Description { kind: DescriptionKind::Answer, sdp }) => {
                RtcCommand::Accept { peer, sdp }
            }
            SignalBody::Candidate(Candidate { candidate, mid, line }) => {
                RtcCommand::Candidate { peer, candidate, mid, line }
            }
            SignalBody::Restart(restart) => return self.on_restart(peer, restart),
        };
        self.rtc(command);
    }

    fn on_rtc(&mut self, event: RtcEvent) {
        let (peer, body) = match event {
            RtcEvent::Description { peer, description: kind, sdp } => {
                (peer, SignalBody::Description(Description { kind, sdp }))
            }
            RtcEvent::Candidate { peer, candidate, mid, line } => {
                (peer, SignalBody::Candidate(Candidate { candidate, mid, line }))
            }
            RtcEvent::Secured { peer, own, theirs } => return self.on_secured(peer, own, theirs),
            RtcEvent::Restart { peer, number, description, sdp } => {
                return self.on_restart_description(peer, number, description, sdp);
            }
            RtcEvent::State { peer, state } => return self.on_link_state(peer, &state),
        };
        self.say(peer, &body);
    }

    fn on_done(&mut self, done: DoneOf<W>) {
        match done {
            Done::GpuLost(reason) => self.fail(error("device_lost", reason)),
            Done::NoGpu(reason) => self.fail(error("no_webgpu", reason)),
            Done::Opened(spec, text) => {
                self.text = Some(text);
                self.command(Command::SetModel(spec));
            }
            Done::OpenFailed(failed) => {
                self.fail(error("model_unavailable", failed.to_string()));
            }
            Done::Remark(message) => self.remark(message),
            Done::Fetched(number, failed) => self.queue(Work::Add { number, failed }),
            Done::Warning(message) => self.emit.send(&FromWorker::Warning { message }),
            Done::Checked { ask, prompt_tokens, context_tokens } => {
                let context_tokens = context_tokens as u32;
                self.emit.send(&FromWorker::Checked { ask, prompt_tokens, context_tokens });
            }
            Done::CheckFailed { ask, message } => {
                let error = error("model_unavailable", message);
                self.emit.send(&FromWorker::Failed { ask: Some(ask), error });
            }
            Done::Input(input) => self.input(input),
        }
    }

    pub(crate) fn rtc(&self, command: RtcCommand) {
        self.emit.send(&FromWorker::Rtc { command });
    }
}

/// Runs `act` on the driver, if the room has not been left.
pub fn with<W: World>(this: &This<W>, act: impl FnOnce(&mut Driver<W>)) {
    if let Some(driver) = this.upgrade()
        && let Some(driver) = driver.borrow_mut().as_mut()
    {
        act(driver);
    }
}

fn start_machine<W: World>(machine: MachineParts<W>, this: This<W>) -> Sender<WorkOf<W>> {
    let (sender, receiver) = channel(QUEUED_WORK);
    let tell = move |done| with(&this, |driver| driver.on_done(done));
    let world = machine.world.clone();
    world.work(machine, receiver, Rc::new(tell));
    sender
}

fn limits(config: &StartConfig) -> RoomLimits {
    let defaults = RoomLimits::default();
    // Who waits for a room to open is not told that it cannot be reached.
    let connect_secs = if config.waits { LONGEST_WAIT_SECS } else { defaults.connect_secs };
    RoomLimits {
        connect_secs,
        wire: config.wire,
        balances: config.balances,
        skips: config.skips,
        expected_requests: config.requests.unwrap_or(defaults.expected_requests),
        ..defaults
    }
}

fn random_peer() -> Result<PeerId, ErrorView> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes)
        .map_err(|_| error("internal", "This device gives no random numbers."))?;
    Ok(PeerId(u32::from_be_bytes(bytes)))
}
