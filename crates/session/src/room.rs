//! The room itself: its state, and where every input goes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::{Identity, PeerId, RequestId};
use protocol::peer::{
    AwayReason, DeviceMeasured, Failure, LinkMeasured, MeasuringStatus, ModelStatus, Phase,
    PlanStatus,
};

use crate::{
    Command, Input, ModelSpec, Output, RoomConfig,
    answers::OwnAsk,
    balance::Balance,
    carry::{Outgoing, Switch},
    clock::Throttle,
    door::Door,
    exercise::Exercise,
    facts::Facts,
    links::LinkDrift,
    loading::Loading,
    members::Member,
    pace::Pace,
    probing::Prober,
    queue::QueuedAsk,
    request::Request,
    restock::Restock,
    stage::Stage,
    survey::Survey,
    told::Told,
};

/// One phone's side of a room.
///
/// Outputs wait until they are polled. An input makes at most a few for every peer
/// and every waiting ask, so a driver that polls after each input needs no other bound.
#[derive(Debug)]
pub struct Room {
    pub(crate) config: RoomConfig,
    pub(crate) now_secs: f64,
    pub(crate) outputs: VecDeque<Output>,
    /// Everyone else, also those lost since the last beginning.
    pub(crate) members: BTreeMap<PeerId, Member>,
    pub(crate) coordinator: Option<PeerId>,
    /// Coordinator: who may come in.
    pub(crate) door: Door,
    /// Elsewhere: who is in, as the coordinator says.
    pub(crate) known: BTreeSet<Identity>,
    /// Elsewhere: the only one that we take for the coordinator, once we know.
    pub(crate) expected: Option<Identity>,
    /// Coordinator: links that end once their phones may have read why.
    pub(crate) farewells: BTreeMap<PeerId, f64>,
    pub(crate) phase: Phase,
    pub(crate) failure: Option<Failure>,
    /// The name of the coordinator that we lost.
    pub(crate) lost_coordinator: Option<String>,
    /// When we began to wait for a link to the coordinator.
    pub(crate) waiting_since_secs: Option<f64>,
    /// Coordinator: the link whose loss is the failure.
    pub(crate) broken_link: Option<(PeerId, PeerId)>,
    /// What is known of every phone, ourselves included.
    pub(crate) facts: BTreeMap<PeerId, Facts>,
    /// Links measured so far, by sender and receiver.
    pub(crate) links: BTreeMap<(PeerId, PeerId), LinkMeasured>,
    /// What has become of them while answers ran.
    pub(crate) link_drifts: BTreeMap<(PeerId, PeerId), LinkDrift>,
    /// Coordinator: who took part when all was measured last.
    pub(crate) measured: BTreeSet<PeerId>,
    /// While phones measure, as the coordinator tells.
    pub(crate) measuring: Option<MeasuringStatus>,
    /// Coordinator: whether the plan is without somebody whom an earlier one had.
    pub(crate) is_reduced: bool,
    /// Coordinator: whether somebody came who was not there when the plan was made.
    pub(crate) has_come: bool,
    /// Coordinator: what the load balancer remembers.
    pub(crate) balance: Balance,
    /// Header: how long tokens take.
    pub(crate) pace: Pace,
    /// Coordinator: those of the links that are guesses.
    pub(crate) assumed_links: BTreeSet<(PeerId, PeerId)>,
    pub(crate) model: Option<ModelStatus>,
    pub(crate) plan: Option<PlanStatus>,
    /// The newest plan seen or made.
    pub(crate) epoch: u32,
    pub(crate) prober: Prober,
    /// What our device runs steps for while links are measured.
    pub(crate) exercises: BTreeMap<u32, Exercise>,
    pub(crate) stage: Stage,
    /// What others may have of our caches.
    pub(crate) outgoing: Outgoing,
    /// Why we had better have nothing to do.
    pub(crate) own_away: Option<AwayReason>,
    /// Our asks that have no answer yet, by number.
    pub(crate) own_asks: BTreeMap<u32, OwnAsk>,
    /// Coordinator: the model that is to run.
    pub(crate) spec: Option<ModelSpec>,
    /// Coordinator: what is still to be measured.
    pub(crate) survey: Option<Survey>,
    /// Coordinator: who is still loading.
    pub(crate) loading: Option<Loading>,
    /// Coordinator: the plan that comes next.
    pub(crate) switch: Option<Switch>,
    /// Coordinator: what phones load for a plan to come.
    pub(crate) restock: Option<Restock>,
    /// Header: asks that wait.
    pub(crate) queue: VecDeque<QueuedAsk>,
    /// Header: requests that run, or whose last text is being decoded.
    pub(crate) requests: BTreeMap<RequestId, Request>,
    /// Header: the answers to others' asks.
    pub(crate) told: Told,
    /// Header: what is to be turned into text once our step is done.
    pub(crate) unread: VecDeque<Output>,
    pub(crate) next_request: u32,
    pub(crate) next_nonce: u32,
    pub(crate) view_changes: Throttle,
    /// Since when our device has been at work without a pause.
    pub(crate) busy_since_secs: Option<f64>,
    pub(crate) status_changes: Throttle,
    pub(crate) report_changes: Throttle,
    pub(crate) progress_changes: Throttle,
    pub(crate) wake_at_secs: Option<f64>,
    pub(crate) has_left: bool,
}

impl Room {
    /// A room with nobody else in it yet.
    pub fn new(config: RoomConfig) -> Self {
        let me = config.me;
        let coordinator = config.coordinator.then_some(me);
        Self {
            now_secs: 0.0,
            outputs: VecDeque::new(),
            members: BTreeMap::new(),
            coordinator,
            door: Door::new(&config.door),
            known: BTreeSet::new(),
            expected: config.door.coordinator,
            farewells: BTreeMap::new(),
            phase: if config.coordinator { Phase::Gathering } else { Phase::Connecting },
            failure: None,
            lost_coordinator: None,
            waiting_since_secs: None,
            broken_link: None,
            facts: BTreeMap::from([(me, Facts::new(config.pledge))]),
            links: BTreeMap::new(),
            link_drifts: BTreeMap::new(),
            measured: BTreeSet::new(),
            measuring: None,
            is_reduced: false,
            has_come: false,
            balance: Balance::default(),
            pace: Pace::default(),
            assumed_links: BTreeSet::new(),
            model: None,
            plan: None,
            epoch: 0,
            prober: Prober::default(),
            exercises: BTreeMap::new(),
            stage: Stage::default(),
            outgoing: Outgoing::default(),
            own_away: None,
            own_asks: BTreeMap::new(),
            spec: None,
            survey: None,
            loading: None,
            switch: None,
            restock: None,
            queue: VecDeque::new(),
            requests: BTreeMap::new(),
            told: Told::default(),
            unread: VecDeque::new(),
            next_request: 1,
            next_nonce: 1,
            view_changes: Throttle::every(VIEW_SECS),
            busy_since_secs: None,
            status_changes: Throttle::every(STATUS_SECS),
            report_changes: Throttle::every(REPORT_SECS),
            progress_changes: Throttle::every(PROGRESS_SECS),
            wake_at_secs: None,
            has_left: false,
            config,
        }
    }

    /// Takes what happened at `now_secs`: seconds of a monotonic clock with any origin.
    pub fn handle(&mut self, now_secs: f64, input: Input) {
        if self.has_left {
            return;
        }
        self.now_secs = self.now_secs.max(now_secs);
        if matches!(input, Input::Timeout) {
            self.wake_at_secs = None;
        }
        self.take(input);
        self.run_timers();
        self.start_asks();
        self.run_next_step();
        self.flush_changes();
        self.ask_to_be_woken();
    }

    /// The next thing to do; `None` when there is nothing left.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::LinkUp { peer, meeting } => self.link_up(peer, meeting),
            Input::LinkDown { peer } => self.link_down(peer),
            Input::LinkRestarts { peer } => self.restart_began(peer),
            Input::Frame { peer, frame } => self.take_frame(peer, frame),
            Input::Prepared { url } => self.prepared(url),
            Input::DeviceMeasured { flops_per_sec, overhead_secs } => {
                self.device_measured(DeviceMeasured { flops_per_sec, overhead_secs });
            }
            Input::Exercised { number, busy_secs } => self.exercised(number, busy_secs),
            Input::MeasureFailed { message } => self.measure_failed(message),
            Input::LoadProgress { epoch, loaded_bytes, total_bytes } => {
                self.load_progress(epoch, loaded_bytes, total_bytes);
            }
            Input::StageLoaded { epoch, has_caches } => self.stage_loaded(epoch, has_caches),
            Input::CopiesLoaded { number, is_there } => self.copies_loaded(number, is_there),
            Input::StageFailed { epoch, failure } => self.stage_failed(epoch, failure),
            Input::StageDone { job, outputs, busy_secs, dispatches } => {
                self.step_done(job, outputs, busy_secs, dispatches);
            }
            Input::JobFailed { job, message } => self.step_failed(job, &message),
            Input::CacheRead { to, ask, data } => self.cache_read(to, ask, data),
            Input::CacheWritten { epoch, is_there } => self.cache_written(epoch, is_there),
            Input::Tokenized { ask, result } => self.tokenized(ask, result),
            Input::Decoded { request, text } => self.decoded(request, text),
            Input::TicketChecked { peer, is_good } => self.ticket_checked(peer, is_good),
            Input::Command(command) => self.take_command(command),
            Input::Timeout => {}
        }
    }

    fn take_command(&mut self, command: Command) {
        match command {
            Command::SetModel(spec) => self.set_model(spec),
            Command::Begin(assignment) => self.begin(assignment),
            Command::Ask { ask, messages, options } => self.ask(ask, messages, options),
            Command::Stop { ask } => self.stop(ask),
            Command::Away(why) => self.be_away(why),
            Command::Leave => self.leave(),
            command if self.config.coordinator => self.take_door_command(command),
            _ => self.note("Only the phone that started the room lets others in."),
        }
    }

    fn take_door_command(&mut self, command: Command) {
        match command {
            Command::Trust(identities) => self.trust(identities),
            Command::NextSecret(secret) => self.tell_next_secret(secret),
            Command::LetIn(peer) => self.let_in(peer),
            Command::TurnAway(peer) => self.turn_away(peer),
            Command::Lock(is_locked) => self.lock(is_locked),
            Command::Remove(identity) => self.remove(identity),
            _ => {}
        }
    }

    fn run_timers(&mut self) {
        self.beat();
        self.check_door();
        self.check_connecting();
        self.probe_on();
        self.survey_on();
        self.check_loading();
        self.check_caches();
        self.switch_on();
        self.check_restock();
        self.check_askers();
        self.check_asks();
        self.welcome_back();
    }

    fn ask_to_be_woken(&mut self) {
        let Some(next) = self.next_deadline().map(|at| at.max(self.now_secs)) else { return };
        if !self.has_left && self.wake_at_secs != Some(next) {
            self.wake_at_secs = Some(next);
            self.outputs.push_back(Output::WakeAt(next));
        }
    }

    fn next_deadline(&self) -> Option<f64> {
        let throttles = [&self.status_changes, &self.report_changes, &self.progress_changes];
        [
            self.next_beat(),
            self.door_deadline(),
            self.drawing_deadline(),
            self.connecting_deadline(),
            self.prober.deadline(),
            self.survey.as_ref().map(Survey::deadline),
            self.loading_deadline(),
            self.askers_deadline(),
            self.asks_deadline(),
            self.stage.more_deadline(),
            self.caches_deadline(),
            self.switch_deadline(),
            self.restock_deadline(),
        ]
        .into_iter()
        .chain(throttles.map(Throttle::deadline))
        .flatten()
        .reduce(f64::min)
    }
}

/// Redrawing ten times a second is enough for a page.
const VIEW_SECS: f64 = 0.1;
/// The others' cards may lag a little more.
const STATUS_SECS: f64 = 0.25;
/// The balancer works with these.
const REPORT_SECS: f64 = 0.3;
const PROGRESS_SECS: f64 = 0.25;
