//! Child processes, each in a group with all that it starts, so that it is ended with all of that.
//!
//! The terminal's Ctrl-C does not reach such a group; it is passed on.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// A child and all that it starts, unless that leaves the group.
pub struct Group {
    pub child: Child,
    id: Pid,
}

impl Group {
    /// Starts `command` as the first of a group.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        PASSED_ON.call_once(pass_signals_on);
        let mut running = running();
        let child = command.process_group(0).spawn()?;
        let id = Pid::from_child(&child);
        running.insert(id.as_raw_nonzero().get());
        Ok(Self { child, id })
    }

    /// Asks all of the group to end, and after a few seconds makes them.
    pub fn end(mut self) -> io::Result<()> {
        self.end_within(PATIENCE)
    }

    fn end_within(&mut self, patience: Duration) -> io::Result<()> {
        // Where that does not work, the next signal tells why.
        let _ = kill_process_group(self.id, Signal::TERM);
        let end = Instant::now() + patience;
        while Instant::now() < end {
            let has_ended = self.child.try_wait()?.is_some();
            if has_ended && test_kill_process_group(self.id).is_err() {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
        match kill_process_group(self.id, Signal::KILL) {
            // Nobody may be left, and a program of another user cannot be waited for.
            Err(error) if error != Errno::SRCH && self.child.try_wait()?.is_none() => {
                Err(error.into())
            }
            _ => self.child.wait().map(drop),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        running().remove(&self.id.as_raw_nonzero().get());
    }
}

/// Ends all children, then this program, when the user or the system asks it to end.
fn pass_signals_on() {
    let Ok(mut signals) = Signals::new([SIGHUP, SIGINT, SIGTERM]) else { return };
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            end_all();
            std::process::exit(128 + signal);
        }
    });
}

fn end_all() {
    // Held until the program ends, so that no more children start.
    let running = running();
    let groups = || running.iter().copied().filter_map(Pid::from_raw);
    for group in groups() {
        let _ = kill_process_group(group, Signal::TERM);
    }
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end && groups().any(|group| test_kill_process_group(group).is_ok()) {
        thread::sleep(PAUSE);
    }
    for group in groups() {
        let _ = kill_process_group(group, Signal::KILL);
    }
    std::mem::forget(running);
}

fn running() -> MutexGuard<'static, BTreeSet<i32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The groups that have not ended.
static RUNNING: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
static PASSED_ON: Once = Once::new();
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::process::Stdio;

    use super::*;

    /// Starts a shell that starts another program, and returns when it has.
    fn family(script: &str) -> Group {
        let mut command = Command::new("sh");
        let mut group = Group::start(command.args(["-c", script]).stdout(Stdio::piped())).unwrap();
        let mut word = [0; 6];
        group.child.stdout.as_mut().unwrap().read_exact(&mut word).unwrap();
        assert_eq!(&word, b"ready\n");
        group
    }

    /// The output of a group ends when the last of it has ended.
    fn assert_all_ended(mut group: Group) {
        let mut output = group.child.stdout.take().unwrap();
        drop(group);
        assert_eq!(output.read_to_end(&mut Vec::new()).unwrap(), 0);
    }

    #[test]
    fn a_child_ends_with_what_it_started() {
        let mut group = family("sleep 600 & echo ready; wait");
        group.end_within(PATIENCE).unwrap();
        assert_all_ended(group);
    }

    #[test]
    fn who_does_not_listen_is_made_to_end() {
        let mut group = family("trap '' TERM; sleep 600 & echo ready; wait");
        group.end_within(Duration::from_millis(200)).unwrap();
        assert_all_ended(group);
    }
}
