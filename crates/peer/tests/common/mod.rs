//! A world that is played: a server, connections and a page that say what a test wants, and tell what they were told.

use std::{cell::RefCell, collections::VecDeque, convert::Infallible, ops::Range, rc::Rc};

use base::PeerId;
use futures_channel::mpsc::Receiver;
use model::{Address, ByteSource, ModelError, ModelFile, Parts, SourceError};
use peer::{
    DoneOf, Driver, Emit, Fetched, Files, MachineParts, NoReader, Socket, SocketEvent, WorkOf,
    World,
    messages::{
        CodeEnd, CodeView, Door, FromWorker, Pledge, RtcCommand, RtcEvent, StartConfig, ToWorker,
    },
    with,
};
use protocol::{
    peer::WireType,
    signal::{ClientMessage, Invitation, ServerMessage, SignalBody},
};
use transport::{Link, LinkError, LinkEvent};

/// A phone that joins, and all around it.
pub struct Play {
    world: Played,
    driver: Rc<RefCell<Option<Driver<Played>>>>,
    commands: Rc<RefCell<Vec<RtcCommand>>>,
    codes: Rc<RefCell<Vec<&'static str>>>,
    pub invitation: Invitation,
    pub me: PeerId,
}

impl Play {
    /// It is in the room, as the server says; with nobody else yet.
    pub fn join() -> Self {
        let invitation = Invitation::from_secret([7; 32]);
        let world = Played::default();
        let commands = Rc::<RefCell<Vec<RtcCommand>>>::default();
        let codes = Rc::<RefCell<Vec<&'static str>>>::default();
        let (told, shown) = (commands.clone(), codes.clone());
        let emit = Emit::new(move |message| match message {
            FromWorker::Rtc { command } => told.borrow_mut().push(command.clone()),
            FromWorker::Code { code } => shown.borrow_mut().push(looks(code.as_ref())),
            _ => {}
        });
        let driver = Rc::<RefCell<Option<Driver<Played>>>>::default();
        let this = Rc::downgrade(&driver);
        let config = config(invitation.to_fragment(None).to_string());
        let no_rooms = || Err("it joins".to_owned());
        let started = Driver::start(world.clone(), config, no_rooms, emit, this).unwrap();
        *driver.borrow_mut() = Some(started);
        let mut play = Self { world, driver, commands, codes, invitation, me: PeerId(0) };
        play.me = play.enters();
        play
    }

    /// Its socket is open, and the server lets it in as the phone that it says it is.
    pub fn enters(&self) -> PeerId {
        self.socket(SocketEvent::Open);
        let hello = self.world.0.borrow_mut().said.pop();
        let Some(ClientMessage::Join { peer, .. }) = hello else { panic!("it said {hello:?}") };
        self.server(ServerMessage::Entered { peers: Vec::new(), ice_servers: Vec::new() });
        peer
    }

    /// The socket is closed.
    pub fn closes(&self) {
        self.socket(SocketEvent::Closed);
    }

    /// The server says something.
    pub fn server(&self, message: ServerMessage) {
        self.socket(SocketEvent::Text(message.to_json()));
    }

    /// Another says something through the server.
    pub fn says(&self, from: PeerId, body: &SignalBody) {
        let sealed = self.invitation.sealer(from).seal(self.me, body).unwrap();
        self.server(ServerMessage::From { from, sealed });
    }

    /// The page tells something of a connection.
    pub fn page(&self, event: RtcEvent) {
        self.wants(ToWorker::Rtc { event });
    }

    /// The page says something.
    pub fn wants(&self, message: ToWorker) {
        with(&Rc::downgrade(&self.driver), |driver| driver.on_page(message));
    }

    /// How the code looked that the page was told of, since this was asked last.
    pub fn codes(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.codes.borrow_mut())
    }

    /// How often the server was asked for a place of a code, since this was asked last.
    pub fn asks_for_places(&self) -> usize {
        let said = &mut self.world.0.borrow_mut().said;
        said.extract_if(.., |message| matches!(message, ClientMessage::OfferCode {})).count()
    }

    /// There is a channel to another.
    pub fn channel(&self, peer: PeerId) -> Channel {
        let channel = Channel::default();
        let given = channel.clone();
        with(&Rc::downgrade(&self.driver), |driver| driver.add_channel(peer, given));
        channel
    }

    /// What the page was told to do with the connection to `peer` since this was asked last.
    pub fn commands(&self, peer: PeerId) -> Vec<&'static str> {
        let mut commands = self.commands.borrow_mut();
        let about_it = |command: &mut RtcCommand| about(command, peer).is_some();
        commands.extract_if(.., about_it).filter_map(|command| about(&command, peer)).collect()
    }

    /// How many messages the server was given for `peer` since this was asked last.
    pub fn messages_to(&self, peer: PeerId) -> usize {
        let said = &mut self.world.0.borrow_mut().said;
        let is_to_it = |message: &mut ClientMessage| matches!(message, ClientMessage::Send { to, .. } if *to == peer);
        said.extract_if(.., is_to_it).count()
    }

    /// How often it has connected to the server.
    pub fn sockets(&self) -> usize {
        self.world.0.borrow().sockets
    }

    fn socket(&self, event: SocketEvent) {
        let listener = self.world.0.borrow().listener.clone();
        listener.expect("it has connected")(event);
    }
}

fn looks(code: Option<&CodeView>) -> &'static str {
    match code {
        None => "none",
        Some(CodeView::Asked) => "asked for",
        Some(CodeView::Shown { .. }) => "shown",
        Some(CodeView::Over { why: CodeEnd::Lost }) => "lost",
        Some(CodeView::Over { .. }) => "over",
    }
}

fn about(command: &RtcCommand, whom: PeerId) -> Option<&'static str> {
    let (peer, what) = match command {
        RtcCommand::Offer { peer } => (peer, "offer"),
        RtcCommand::Close { peer } => (peer, "close"),
        RtcCommand::Restart { peer, .. } => (peer, "restart"),
        RtcCommand::AcceptRestart { peer, .. } => (peer, "acceptRestart"),
        RtcCommand::Config { .. } => return None,
        other => panic!("it wants {other:?}"),
    };
    (*peer == whom).then_some(what)
}

fn config(secret: String) -> StartConfig {
    StartConfig {
        signal_url: "ws://server".into(),
        secret: Some(secret),
        starts: false,
        reopens: false,
        waits: false,
        name: "Ben".into(),
        device: "test".into(),
        model_url: None,
        pledge: Pledge::Bytes(1e9),
        wire: WireType::F32,
        balances: false,
        skips: true,
        requests: None,
        door: Door::default(),
    }
}

/// The world itself.
#[derive(Clone, Default)]
pub struct Played(Rc<RefCell<Table>>);

#[derive(Default)]
struct Table {
    listener: Option<Rc<dyn Fn(SocketEvent)>>,
    sockets: usize,
    said: Vec<ClientMessage>,
    /// A device that never gets to anything.
    queue: Option<Receiver<WorkOf<Played>>>,
}

impl World for Played {
    type Channel = Channel;
    type Link = Channel;
    type Socket = Played;
    type Files = Nothing;
    type Reader = NoReader;

    fn link(&self, channel: Channel, wake: Rc<dyn Fn()>) -> Channel {
        channel.0.borrow_mut().wake = Some(wake);
        channel
    }

    fn connect(&self, _: &str, listener: Rc<dyn Fn(SocketEvent)>) -> Option<Self> {
        let mut table = self.0.borrow_mut();
        (table.listener, table.sockets) = (Some(listener), table.sockets + 1);
        Some(self.clone())
    }

    fn files(&self, _: String, _: Rc<dyn Fn(String)>) -> Nothing {
        panic!("there are no files")
    }

    fn work(
        &self,
        _: MachineParts<Self>,
        queue: Receiver<WorkOf<Self>>,
        _: Rc<dyn Fn(DoneOf<Self>)>,
    ) {
        self.0.borrow_mut().queue = Some(queue);
    }

    async fn lookup_secs(&self) -> f64 {
        0.0
    }

    fn memory_bytes(&self) -> f64 {
        1e9
    }
}

impl std::fmt::Debug for Played {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Played").finish_non_exhaustive()
    }
}

impl Socket for Played {
    fn send(&self, text: String) {
        let message = ClientMessage::from_json(&text).expect("it says what a server knows");
        self.0.borrow_mut().said.push(message);
    }
}

/// A data channel, of which the test is the other end.
#[derive(Clone, Default)]
pub struct Channel(Rc<RefCell<Ends>>);

#[derive(Default)]
struct Ends {
    incoming: VecDeque<LinkEvent>,
    sent: Vec<Vec<u8>>,
    wake: Option<Rc<dyn Fn()>>,
}

impl Channel {
    /// Something happens to it.
    pub fn happens(&self, event: LinkEvent) {
        self.0.borrow_mut().incoming.push_back(event);
        let wake = self.0.borrow().wake.clone();
        wake.expect("it was given a link")();
    }

    /// The frames that were sent over it since this was asked last.
    pub fn sent(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.0.borrow_mut().sent)
    }
}

impl Link for Channel {
    fn send(&mut self, frame: Vec<u8>) -> Result<(), LinkError> {
        self.0.borrow_mut().sent.push(frame);
        Ok(())
    }

    fn buffered_bytes(&self) -> usize {
        0
    }

    fn poll(&mut self) -> Option<LinkEvent> {
        self.0.borrow_mut().incoming.pop_front()
    }

    fn close(&mut self) {}
}

/// What is not played; there is no value of it.
#[derive(Clone, Debug)]
pub enum Nothing {}

impl Files for Nothing {
    type File = Self;
    type Picked = Infallible;

    fn fetched(&self) -> &Rc<Fetched> {
        match *self {}
    }

    fn pick(&mut self, _: Vec<Infallible>) {}

    async fn find(&self, _: &mut Address) -> Result<ModelFile<Parts<Self>>, ModelError> {
        match *self {}
    }
}

impl ByteSource for Nothing {
    type Local = Self;

    fn len(&self) -> u64 {
        match *self {}
    }

    async fn read(&self, _: Range<u64>) -> Result<Vec<u8>, SourceError> {
        match *self {}
    }

    async fn local(&self, _: &[Range<u64>]) -> Result<Self, SourceError> {
        match *self {}
    }
}
