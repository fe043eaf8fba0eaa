//! The room in plain lines, one for each thing that changes.

use std::{
    collections::BTreeMap,
    io::Write as _,
    sync::{
        LazyLock,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use base::PeerId;
use peer::messages::FromWorker;
use protocol::peer::Phase;
use session::{AskerView, LinkState, PeerView, RoomView, StageView};

/// What has been told.
#[derive(Default)]
pub struct Lines {
    phase: Option<Phase>,
    /// Names of those that are linked.
    linked: BTreeMap<PeerId, String>,
    stage: Option<(usize, usize)>,
    loaded_tenths: u64,
    problem: Option<String>,
    /// Whom a person decides for, and has been told of.
    asking: Option<PeerId>,
}

impl Lines {
    /// Tells what is new in a message.
    pub fn hear(&mut self, message: &FromWorker) {
        match message {
            FromWorker::Room { room } => self.room(room),
            FromWorker::Failed { error, .. } => say(&format!("! {}", error.message)),
            FromWorker::Warning { message } => say(&format!("! {message}")),
            FromWorker::Note { message } => say(&format!("  ({message})")),
            _ => {}
        }
    }

    fn room(&mut self, room: &RoomView) {
        self.others(room);
        if self.phase.replace(room.phase) != Some(room.phase) {
            say(phase(room.phase));
        }
        self.asking(room.asking.as_ref());
        if let Some(mine) = room.peers.iter().find(|peer| peer.me) {
            self.own(mine, room);
        }
        let problem = room.error.as_ref().map(|error| error.message.clone());
        if let Some(message) = problem.as_ref().filter(|_| problem != self.problem) {
            say(&format!("! {message}"));
        }
        self.problem = problem;
    }

    fn others(&mut self, room: &RoomView) {
        let is_linked = |peer: &&PeerView| !peer.me && peer.link == LinkState::Open;
        let named = |peer: &PeerView| (peer.id, plain(&peer.name));
        let linked: BTreeMap<_, _> = room.peers.iter().filter(is_linked).map(named).collect();
        for (_, name) in linked.iter().filter(|(id, _)| !self.linked.contains_key(*id)) {
            say(&format!("+ {name}"));
        }
        for (_, name) in self.linked.iter().filter(|(id, _)| !linked.contains_key(*id)) {
            say(&format!("- {name}"));
        }
        self.linked = linked;
    }

    fn asking(&mut self, asking: Option<&AskerView>) {
        let who = asking.map(|it| it.id);
        if let Some(it) = asking.filter(|_| who != self.asking) {
            let pictures = it.pictures.map(|picture| picture.name).join(", ");
            say(&format!("waiting for {} to let this computer in", plain(&it.name)));
            say(&format!("both screens should show: {pictures}"));
        }
        self.asking = who;
    }

    fn own(&mut self, mine: &PeerView, room: &RoomView) {
        let stage = mine.stage.map(|StageView { start, end, .. }| (start, end));
        if stage != self.stage {
            (self.stage, self.loaded_tenths) = (stage, 0);
            say(&match (mine.stage, &room.model) {
                (Some(StageView { start, end, weights_bytes }), Some(model)) => format!(
                    "this computer runs modules {start} to {} of {} ({}), {:.1} MB",
                    end.saturating_sub(1),
                    model.modules,
                    plain(&model.name),
                    weights_bytes as f64 / 1e6
                ),
                _ => "this computer runs nothing".into(),
            });
        }
        let tenths =
            mine.loaded_bytes.saturating_mul(10).checked_div(mine.total_bytes).unwrap_or(0).min(10);
        if tenths > self.loaded_tenths {
            self.loaded_tenths = tenths;
            say(&format!("  loaded {} %", 10 * tenths));
        }
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Connecting => "looking for the phone that started the room",
        Phase::Gathering => "in the room; it begins when the phone that started it says so",
        Phase::Measuring => "devices and links are measured",
        Phase::Planning => "who runs what is worked out",
        Phase::Loading => "the parts are loaded",
        Phase::Ready => "ready; the room answers",
        Phase::Failed => "the room could not begin",
    }
}

/// What others call themselves, without what a terminal would take for commands.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(MOST_CHARS).collect()
}

/// Prints a line. Where nobody reads it the room goes on, and lines that have no room to wait are lost.
pub fn say(line: &str) {
    let _ = PRINTER.try_send(Print::Line(line.replace(char::is_control, " ")));
}

/// Waits for what was said before, but not for a terminal that stands still.
pub fn finish_saying() {
    let (sender, done) = sync_channel(1);
    if PRINTER.try_send(Print::Done(sender)).is_ok() {
        let _ = done.recv_timeout(LAST_WORDS);
    }
}

/// What a thread does that may be held up.
enum Print {
    Line(String),
    /// What was to be printed before has been.
    Done(SyncSender<()>),
}

static PRINTER: LazyLock<SyncSender<Print>> = LazyLock::new(|| {
    let (sender, lines) = sync_channel(WAITING_LINES);
    thread::spawn(move || print_all(&lines));
    sender
});

fn print_all(lines: &Receiver<Print>) {
    for print in lines {
        match print {
            Print::Line(line) => drop(writeln!(std::io::stdout(), "{line}")),
            Print::Done(sender) => drop(sender.send(())),
        }
    }
}

const WAITING_LINES: usize = 256;
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Of a name on a line.
const MOST_CHARS: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_command_a_terminal() {
        assert_eq!(plain("Ann's\u{1b}[2J phone\n\u{9b}31m"), "Ann's[2J phone31m");
        assert_eq!(plain(&"x".repeat(100)).len(), MOST_CHARS);
    }
}
