//! What a peer finds around it, in a browser's worker or in a program.

use std::{fmt::Debug, rc::Rc};

use base::Message;
use futures_channel::mpsc::Receiver;
use model::{Address, ByteSource, ModelError, ModelFile, Parts};
use transport::Link;

use crate::{
    fetched::Fetched,
    machine::{DoneOf, WantedEpoch, WorkOf},
};

/// All of it.
pub trait World: Clone + 'static {
    /// A data channel, as it comes from a peer connection.
    type Channel;
    /// What frames go through.
    type Link: Link;
    /// A WebSocket.
    type Socket: Socket;
    /// Where models are read from.
    type Files: Files;
    /// What makes texts of tokens, where rooms can be started.
    type Reader: Reader;

    /// A link over a channel, which may not be open yet. `wake` is called when there is something to poll, and never
    /// from within a call of the link.
    fn link(&self, channel: Self::Channel, wake: Rc<dyn Fn()>) -> Self::Link;

    /// Connects to the server; none where the address is not one of a WebSocket. `listener` is never called from within a
    /// call of the socket or this one.
    fn connect(&self, url: &str, listener: Rc<dyn Fn(SocketEvent)>) -> Option<Self::Socket>;

    /// The models' files. `me` is how the server's log names this phone; `warn` hears what a person should know though it
    /// stops nothing.
    fn files(&self, me: String, warn: Rc<dyn Fn(String)>) -> Self::Files;

    /// Lets a [`Machine`](crate::Machine) work; what it tells comes to this thread.
    fn work(
        &self,
        machine: MachineParts<Self>,
        queue: Receiver<WorkOf<Self>>,
        tell: Rc<dyn Fn(DoneOf<Self>)>,
    );

    /// How long it takes to read a row of an embedding; see [`mean_secs`](crate::measure::mean_secs).
    #[allow(async_fn_in_trait, reason = "browser futures are not Send")]
    async fn lookup_secs(&self) -> f64;

    /// Memory of the device as far as it is known; without a limit where it is not.
    fn memory_bytes(&self) -> f64;
}

/// What a machine is made of, beside the way to tell what it did.
pub struct MachineParts<W: World> {
    /// What is around it.
    pub world: W,
    /// Its name in the server's log.
    pub me: String,
    /// On the phone that starts a room.
    pub text: Option<W::Reader>,
    /// Of the stages that are to be loaded next.
    pub wanted_epoch: WantedEpoch,
}

/// A way to the server. Dropping it closes it.
pub trait Socket: Debug {
    /// Sends a text. A closed socket takes it too: its closing is told.
    fn send(&self, text: String);
}

/// What comes out of a socket.
#[derive(Debug)]
pub enum SocketEvent {
    /// Texts can be sent from now on.
    Open,
    /// A text came.
    Text(String),
    /// It is closed, or never opened. The last event.
    Closed,
}

/// Where models are read from.
pub trait Files: Sized + 'static {
    /// A file of a model.
    type File: ByteSource;
    /// One that was picked by hand.
    type Picked: Debug;

    /// Counts what comes.
    fn fetched(&self) -> &Rc<Fetched>;

    /// From now on these are the picked files.
    fn pick(&mut self, picked: Vec<Self::Picked>);

    /// Reads the fronts of the files at an address. Of a picked file the address says afterwards which it is.
    ///
    /// # Errors
    /// Whatever keeps the model from being opened.
    #[allow(async_fn_in_trait, reason = "browser futures are not Send")]
    async fn find(&self, address: &mut Address)
    -> Result<ModelFile<Parts<Self::File>>, ModelError>;
}

/// What makes a [`Text`] for any model.
pub trait Reader: Clone + Debug + 'static {
    /// How one model reads and writes.
    type Text: Text;

    /// How the model in `file` reads and writes.
    ///
    /// # Errors
    /// Whatever keeps it from that.
    #[allow(async_fn_in_trait, reason = "browser futures are not Send")]
    async fn of<S: ByteSource>(&self, file: &ModelFile<S>) -> Result<Self::Text, ModelError>;
}

/// How one model reads and writes.
pub trait Text: Clone + Debug + 'static {
    /// Turns a completion's tokens into text.
    type Decoder: Decoder;

    /// The tokens of a conversation's prompt.
    ///
    /// # Errors
    /// Why there are none, in words.
    fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>, String>;

    /// Tokens that end a completion.
    fn eos(&self) -> Vec<u32>;

    /// Whether the model was made for conversations.
    fn takes_chats(&self) -> bool;

    /// A decoder for one completion.
    fn decoder(&self) -> Self::Decoder;
}

/// Turns a completion's tokens into text.
pub trait Decoder {
    /// The text that `token` adds.
    fn push(&mut self, token: u32) -> String;

    /// What is left at the end.
    fn finish(&mut self) -> String;
}

/// How a model reads and writes in a world.
pub type TextOf<W> = <<W as World>::Reader as Reader>::Text;
/// What decodes answers in a world.
pub type DecoderOf<W> = <TextOf<W> as Text>::Decoder;
/// What of a file is on the device, in a world.
pub type LocalOf<W> = <<<W as World>::Files as Files>::File as ByteSource>::Local;

/// Where no rooms are started, no prompts are made and no tokens are read: there is no value of this.
#[derive(Clone, Debug)]
pub enum NoReader {}

impl Reader for NoReader {
    type Text = Self;

    async fn of<S: ByteSource>(&self, _: &ModelFile<S>) -> Result<Self, ModelError> {
        match *self {}
    }
}

impl Text for NoReader {
    type Decoder = Self;

    fn prompt(&self, _: &[Message]) -> Result<Vec<u32>, String> {
        match *self {}
    }

    fn eos(&self) -> Vec<u32> {
        match *self {}
    }

    fn takes_chats(&self) -> bool {
        match *self {}
    }

    fn decoder(&self) -> Self {
        match *self {}
    }
}

impl Decoder for NoReader {
    fn push(&mut self, _: u32) -> String {
        match *self {}
    }

    fn finish(&mut self) -> String {
        match *self {}
    }
}
