//! Steps that a device runs only so that links are measured as they are for a token: between two devices
//! that have just been at work.

use base::PeerId;
use protocol::peer::{Ping, Pong};

use crate::{Output, Room, frames::Verdict};

/// Why our device runs a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exercise {
    /// Our own ping goes out after it.
    Ours,
    /// A peer's ping is answered after it.
    Answer {
        /// Whose.
        peer: PeerId,
        /// The ping's.
        nonce: u32,
    },
}

impl Exercise {
    /// Whether `peer` waits for it.
    fn answers(self, peer: PeerId) -> bool {
        matches!(self, Self::Answer { peer: waiting, .. } if waiting == peer)
    }
}

impl Room {
    pub(crate) fn take_ping(&mut self, peer: PeerId, ping: &Ping) -> Verdict {
        let nonce = ping.nonce;
        // A device that serves a plan has other things to do.
        if !ping.through_device || self.stage.ring.is_some() {
            return self.answer(peer, Pong { nonce, busy_secs: 0.0 });
        }
        // It has given up its earlier ping; our device is at it still.
        let earlier = self.exercises.values_mut().find(|exercise| exercise.answers(peer));
        if let Some(earlier) = earlier {
            *earlier = Exercise::Answer { peer, nonce };
        } else {
            self.exercise(Exercise::Answer { peer, nonce });
        }
        Ok(())
    }

    pub(crate) fn exercise(&mut self, exercise: Exercise) -> u32 {
        let number = self.nonce();
        if exercise == Exercise::Ours {
            self.exercises.retain(|_, other| *other != Exercise::Ours);
        }
        self.exercises.insert(number, exercise);
        self.outputs.push_back(Output::Exercise { number });
        number
    }

    /// Nobody waits for a peer's answer any more.
    pub(crate) fn forget_exercise(&mut self, peer: PeerId) {
        self.exercises.retain(|_, exercise| !exercise.answers(peer));
    }

    /// Our device has run a step.
    pub(crate) fn exercised(&mut self, number: u32, busy_secs: f64) {
        match self.exercises.remove(&number) {
            Some(Exercise::Ours) => self.ping_after_exercise(number),
            Some(Exercise::Answer { peer, nonce }) if busy_secs.is_finite() => {
                self.transmit(peer, Pong { nonce, busy_secs: busy_secs.max(0.0) });
            }
            _ => {}
        }
    }
}
