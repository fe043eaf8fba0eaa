//! Being in a room, from the link to the end.

use std::{cell::RefCell, fs, path::PathBuf, rc::Rc};

use peer::{
    Driver, Emit,
    messages::{Door, FromWorker, Pledge, StartConfig, ToWorker},
    with,
};
use protocol::peer::WireType;
use session::ErrorView;
use tokio::{
    sync::mpsc::{Sender, channel},
    task::LocalSet,
};

use crate::{
    Invited, NativeError,
    identity::Identity,
    lines::{Lines, finish_saying, say},
    rtc::{Connections, Happened},
    trust::Trust,
    world::{Program, Surroundings},
};

/// What joining takes.
#[derive(Clone, Debug)]
pub struct Joining {
    /// Where to.
    pub invited: Invited,
    /// What the others read.
    pub name: String,
    /// What this computer lends.
    pub memory_bytes: u64,
    /// How much of models stays on its disk when another is opened.
    pub kept_bytes: u64,
    /// Where this computer's certificate and pieces of models are kept.
    pub folder: PathBuf,
    /// A file with the certificate of the server's authority, or its fingerprint.
    pub trust: Option<String>,
}

/// Joins, and is a part of the room until it is asked to end (Ctrl-C, SIGTERM): then it leaves in good order.
///
/// # Errors
/// [`NativeError`]; of a room that cannot be entered, or a GPU that cannot be used, too.
pub fn join(joining: &Joining) -> Result<(), NativeError> {
    let Joining { invited, memory_bytes, kept_bytes, folder, trust, .. } = joining;
    fs::create_dir_all(folder).map_err(|error| NativeError::file(folder, error))?;
    let identity = Identity::load_or_make(folder)?;
    let surroundings = Surroundings {
        invited: invited.clone(),
        trust: Trust::of(trust.as_deref(), invited)?,
        folder: folder.clone(),
        memory_bytes: *memory_bytes,
        kept_bytes: *kept_bytes,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(LINK_THREADS)
        .enable_all()
        .build()?;
    let program = Program::new(surroundings);
    let being = be_there(program.clone(), identity, joining);
    let outcome = LocalSet::new().block_on(&runtime, being);
    program.wait_for_device();
    // A name that is looked up without an answer holds nothing up.
    runtime.shutdown_background();
    outcome
}

async fn be_there(
    program: Program,
    identity: Identity,
    joining: &Joining,
) -> Result<(), NativeError> {
    let place = Rc::new(RefCell::new(None::<Driver<Program>>));
    let this = Rc::downgrade(&place);
    let (end, mut ended) = channel(1);
    let happened = {
        let this = this.clone();
        move |what| with(&this, |driver| on_connection(driver, what))
    };
    let connections = Rc::new(Connections::new(identity, happened));
    let config = config(joining);
    let emit = emit(connections.clone(), end);
    let no_rooms = || Err("A program joins rooms and starts none.".into());
    let driver = Driver::start(program, config, no_rooms, emit, this.clone()).map_err(failure)?;
    *place.borrow_mut() = Some(driver);
    with(&this, Driver::greet);
    let outcome = tokio::select! {
        asked = asked_to_end() => asked.map_err(NativeError::from),
        Some(error) = ended.recv() => Err(failure(error)),
    };
    with(&this, Driver::leave);
    // Dropped outside of its place: what it drops may look there.
    let driver = place.borrow_mut().take();
    drop(driver);
    connections.close_all().await;
    if outcome.is_ok() {
        say("left the room");
    }
    finish_saying();
    outcome
}

fn config(joining: &Joining) -> StartConfig {
    StartConfig {
        signal_url: joining.invited.signal_url(),
        secret: Some(joining.invited.secret.clone()),
        starts: false,
        reopens: false,
        waits: false,
        name: joining.name.clone(),
        device: format!("computer ({})", std::env::consts::OS),
        model_url: None,
        pledge: Pledge::Bytes(joining.memory_bytes as f64),
        // These are the coordinator's to choose.
        wire: WireType::F32,
        balances: true,
        skips: true,
        requests: None,
        door: Door::default(),
    }
}

fn on_connection(driver: &mut Driver<Program>, happened: Happened) {
    match happened {
        Happened::Channel(peer, channel) => driver.add_channel(peer, channel),
        Happened::Event(event) => driver.on_page(ToWorker::Rtc { event }),
    }
}

/// What a page would hear.
fn emit(connections: Rc<Connections>, end: Sender<ErrorView>) -> Emit {
    let lines = RefCell::new(Lines::default());
    Emit::new(move |message| match message {
        FromWorker::Rtc { command } => connections.handle(command),
        FromWorker::Failed { ask: None, error } if FATAL.contains(&error.code) => {
            // One is enough.
            let _ = end.try_send(error.clone());
        }
        message => {
            lines.borrow_mut().hear(message);
            if let Some(error) = refusal(message) {
                let _ = end.try_send(error);
            }
        }
    })
}

/// Why this computer does not come in, or is to leave: nobody asks again by itself.
fn refusal(message: &FromWorker) -> Option<ErrorView> {
    let FromWorker::Room { room } = message else { return None };
    room.error.clone().filter(|error| REFUSALS.contains(&error.code))
}

fn failure(error: ErrorView) -> NativeError {
    NativeError::Room { code: error.code, message: error.message }
}

#[cfg(unix)]
async fn asked_to_end() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let [mut interrupt, mut terminate] =
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    // Whoever asks again does not want to wait.
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        std::process::exit(INTERRUPTED);
    });
    Ok(())
}

#[cfg(not(unix))]
async fn asked_to_end() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// As of a program that Ctrl-C has ended.
#[cfg(unix)]
const INTERRUPTED: i32 = 130;
/// Threads for encrypting and sending; the room itself and the device have one each.
const LINK_THREADS: usize = 2;
/// What a page would have to be loaded anew for, or nothing helps against.
const FATAL: [&str; 6] =
    ["room_gone", "room_full", "server_unreachable", "no_webgpu", "device_lost", "internal"];
/// As `protocol::peer::Refusal` names them; and there was no way to the phone that started the room.
const REFUSALS: [&str; 7] =
    ["turned_away", "locked", "unanswered", "crowded", "expired", "removed", "unreachable"];
