//! What a peer finds around it in a program.

use std::{
    cell::RefCell,
    ops::Deref,
    path::PathBuf,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use futures_channel::mpsc::{Receiver, Sender, channel};
use futures_util::{SinkExt as _, StreamExt as _};
use peer::{DoneOf, Machine, MachineParts, NoReader, SocketEvent, WorkOf, World};
use platform::spawn;
use tokio::task::LocalSet;
use transport::native::NativeLink;
use webrtc::data_channel::DataChannel;

use crate::{Invited, files::ProgramFiles, socket::NativeSocket, trust::Trust};

/// What the device did and the driver has not heard yet.
const TOLD: usize = 256;

/// How long the end waits for the device's thread: for a GPU that is being opened, or a piece of a model.
const DEVICE_ENDS: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A program in a room.
#[derive(Clone)]
pub struct Program {
    surroundings: Arc<Surroundings>,
    device: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// What it was told and what it found.
pub struct Surroundings {
    pub(crate) invited: Invited,
    pub(crate) trust: Trust,
    /// Where what stays is kept.
    pub(crate) folder: PathBuf,
    /// What it lends at most.
    pub(crate) memory_bytes: u64,
    /// What it keeps on its disk at most, when a file is opened.
    pub(crate) kept_bytes: u64,
}

impl Program {
    /// One in these surroundings.
    pub fn new(surroundings: Surroundings) -> Self {
        Self { surroundings: Arc::new(surroundings), device: Arc::default() }
    }

    /// Waits until the device's thread has ended, whose queue must have: where a program ends while a GPU's driver is at work
    /// in it, what the driver needs goes away under it, and it crashes. Not for ever, as drivers may hang.
    pub fn wait_for_device(&self) {
        let Some(device) = self.device().take() else { return };
        let until = Instant::now() + DEVICE_ENDS;
        while !device.is_finished() && Instant::now() < until {
            thread::sleep(LOOK_AGAIN);
        }
        if device.is_finished() {
            // A panic has ended the program already.
            let _ = device.join();
        }
    }

    fn device(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.device.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Program {
    type Target = Surroundings;

    fn deref(&self) -> &Surroundings {
        &self.surroundings
    }
}

impl World for Program {
    type Channel = Arc<dyn DataChannel>;
    type Link = NativeLink;
    type Socket = NativeSocket;
    type Files = ProgramFiles;
    type Reader = NoReader;

    fn link(&self, channel: Arc<dyn DataChannel>, wake: Rc<dyn Fn()>) -> NativeLink {
        NativeLink::new(channel, wake)
    }

    fn connect(&self, url: &str, listener: Rc<dyn Fn(SocketEvent)>) -> Option<NativeSocket> {
        NativeSocket::connect(url, self, listener)
    }

    fn files(&self, me: String, warn: Rc<dyn Fn(String)>) -> ProgramFiles {
        ProgramFiles { program: self.clone(), me, fetched: Rc::default(), warn }
    }

    /// In a thread of its own: compiling kernels, hashing pieces and waiting for some drivers holds it up.
    fn work(
        &self,
        machine: MachineParts<Self>,
        queue: Receiver<WorkOf<Self>>,
        tell: Rc<dyn Fn(DoneOf<Self>)>,
    ) {
        let (sender, mut receiver) = channel(TOLD);
        let failed = sender.clone();
        let started = thread::Builder::new()
            .name("device".into())
            .spawn(move || run_machine(machine, queue, sender));
        match started {
            Ok(device) => *self.device() = Some(device),
            Err(error) => {
                tell_from_outside(&RefCell::new(failed), peer::Done::NoGpu(error.to_string()));
            }
        }
        spawn(async move {
            while let Some(done) = receiver.next().await {
                tell(done);
            }
            // After a leave nobody hears it.
            tell(peer::Done::GpuLost("the device's thread has ended".into()));
        });
    }

    async fn lookup_secs(&self) -> f64 {
        // Of who starts a room, which no program does.
        0.0
    }

    fn memory_bytes(&self) -> f64 {
        self.memory_bytes as f64
    }
}

fn run_machine(
    machine: MachineParts<Program>,
    queue: Receiver<WorkOf<Program>>,
    sender: Sender<DoneOf<Program>>,
) {
    let sender = RefCell::new(sender);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return tell_from_outside(&sender, peer::Done::NoGpu(error.to_string())),
    };
    let tell = move |done| tell_from_outside(&sender, done);
    LocalSet::new().block_on(&runtime, Machine::new(machine, Rc::new(tell)).work(queue));
}

/// Waits while the driver has not heard of much; where there is no driver any more, nobody wants to know.
fn tell_from_outside(sender: &RefCell<Sender<DoneOf<Program>>>, done: DoneOf<Program>) {
    let _ = pollster::block_on(sender.borrow_mut().send(done));
}
