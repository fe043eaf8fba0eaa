//! What the header has told those who ask from other phones. It is kept while a link that was lost may come back: then
//! an answer goes on where it was.

use std::collections::{BTreeMap, VecDeque};

use base::PeerId;
use protocol::peer::{AskFailed, Failure, FailureCode, Frame, MAX_PROMPT_BYTES, Resume, Text};

use crate::{AskId, LinkState, Room, frames::Verdict, members::Member};

/// The answers to other phones' asks, those that have ended for a while.
#[derive(Debug, Default)]
pub(crate) struct Told {
    answers: BTreeMap<AskId, Answer>,
    /// Those that have ended, in this order.
    ended: VecDeque<AskId>,
}

#[derive(Debug, Default)]
struct Answer {
    text: String,
    /// What was said last.
    end: Option<Frame>,
    /// The link has been lost since, and nothing is said until the asker has told how far it is.
    is_interrupted: bool,
}

impl Told {
    /// Somebody asks.
    pub(crate) fn begin(&mut self, ask: AskId) {
        self.answers.insert(ask, Answer::default());
    }

    /// An answer has ended; of those that have, the first are forgotten. Whether the asker can be told.
    fn end(&mut self, ask: AskId, end: Frame) -> bool {
        let Some(answer) = self.answers.get_mut(&ask) else { return false };
        let is_interrupted = answer.is_interrupted;
        if answer.end.replace(end).is_none() {
            self.ended.push_back(ask);
        }
        if self.ended.len() > ENDED_KEPT {
            self.ended.pop_front().and_then(|first| self.answers.remove(&first));
        }
        !is_interrupted
    }

    fn is_awaited_by(&self, peer: PeerId) -> bool {
        self.of(peer).any(|answer| answer.end.is_none())
    }

    /// Whether somebody has not heard all of an answer, which may have ended meanwhile.
    fn is_interrupted(&self, peer: PeerId) -> bool {
        self.of(peer).any(|answer| answer.is_interrupted)
    }

    fn of(&self, peer: PeerId) -> impl Iterator<Item = &Answer> {
        self.answers.iter().filter(move |(ask, _)| ask.from == peer).map(|(_, answer)| answer)
    }

    fn interrupt(&mut self, peer: PeerId) {
        let of_peer = self.answers.iter_mut().filter(|(ask, _)| ask.from == peer);
        of_peer.for_each(|(_, answer)| answer.is_interrupted = true);
    }

    fn forget(&mut self, peer: PeerId) {
        self.answers.retain(|ask, _| ask.from != peer);
        self.ended.retain(|ask| ask.from != peer);
    }
}

/// The header's part.
impl Room {
    /// More of an answer.
    pub(crate) fn say(&mut self, to: AskId, delta: String) {
        let Some(answer) = self.told.answers.get_mut(&to) else { return };
        answer.text.push_str(&delta);
        if !answer.is_interrupted {
            self.transmit(to.from, Text { ask: to.number, delta });
        }
    }

    /// The last of it.
    pub(crate) fn say_last(&mut self, to: AskId, end: Frame) {
        if self.told.end(to, end.clone()) {
            self.transmit(to.from, end);
        }
    }

    /// A link is gone. Unless its phone has said that it leaves, it may be back soon.
    pub(crate) fn interrupt_answers(&mut self, peer: PeerId) {
        if self.members.get(&peer).is_none_or(|member| member.has_left) {
            return self.give_asker_up(peer);
        }
        self.told.interrupt(peer);
    }

    /// Nobody waits for these answers any more.
    pub(crate) fn give_asker_up(&mut self, peer: PeerId) {
        self.told.forget(peer);
        self.drop_asks_of(peer);
    }

    pub(crate) fn take_resume(&mut self, from: PeerId, resume: &Resume) -> Verdict {
        let Resume { ask, text_bytes } = *resume;
        let Some(answer) = self.told.answers.get_mut(&AskId { from, number: ask }) else {
            let failure = Failure::new(FailureCode::Busy, NOT_ARRIVED);
            return self.answer(from, AskFailed { ask, failure });
        };
        let rest =
            answer.text.get(text_bytes as usize..).ok_or("it has other text than it was told")?;
        answer.is_interrupted = false;
        let (rest, end) = (pieces(rest), answer.end.clone());
        rest.into_iter().for_each(|delta| self.transmit(from, Text { ask, delta }));
        end.into_iter().for_each(|end| self.transmit(from, end));
        Ok(())
    }

    /// Those who ask and do not come back.
    pub(crate) fn check_askers(&mut self) {
        let now = self.now_secs;
        let gone = self.askers_lost().filter(|&(_, until_secs)| now >= until_secs);
        let gone: Vec<PeerId> = gone.map(|(peer, _)| peer).collect();
        gone.into_iter().for_each(|peer| self.give_asker_up(peer));
    }

    /// Whether a link that is lost may come back for the rest of an answer.
    pub(crate) fn may_resume(&self, peer: PeerId, member: &Member) -> bool {
        self.now_secs < self.awaited_until_secs(member) && self.told.is_interrupted(peer)
    }

    pub(crate) fn askers_deadline(&self) -> Option<f64> {
        self.askers_lost().map(|(_, until_secs)| until_secs).reduce(f64::min)
    }

    /// Whom answers wait for, and until when.
    fn askers_lost(&self) -> impl Iterator<Item = (PeerId, f64)> {
        let lost = self.members.iter().filter(|(_, member)| member.link == LinkState::Lost);
        let asking = lost.filter(|(peer, _)| self.told.is_awaited_by(**peer));
        asking.map(|(&peer, member)| (peer, self.awaited_until_secs(member)))
    }

    /// How long a lost link may take to come back.
    fn awaited_until_secs(&self, member: &Member) -> f64 {
        member.lost_at_secs + self.config.limits.connect_secs
    }
}

/// A text in pieces that fit frames.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for character in text.chars() {
        match pieces.last_mut().filter(|last| last.len() + character.len_utf8() <= PIECE_BYTES) {
            Some(last) => last.push(character),
            None => pieces.push(character.to_string()),
        }
    }
    pieces
}

const PIECE_BYTES: usize = MAX_PROMPT_BYTES / 4;
/// Answers that have ended and may not have arrived.
const ENDED_KEPT: usize = 16;
const NOT_ARRIVED: &str = "The question did not arrive before the connection was lost. Ask again.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_fit_and_are_the_text() {
        let text = "aß語🙂".repeat(PIECE_BYTES / 5);
        let pieces = pieces(&text);
        assert!(pieces.len() > 1 && pieces.iter().all(|piece| piece.len() <= PIECE_BYTES));
        assert_eq!(pieces.concat(), text);
    }

    #[test]
    fn those_that_ended_last_are_kept() {
        let mut told = Told::default();
        let [first, second] = [2, 3].map(|peer| move |number| AskId { from: PeerId(peer), number });
        let leave = || Frame::from(protocol::peer::Leave {});
        told.begin(first(100));
        for number in 0..100 {
            told.begin(second(number));
            assert!(told.end(second(number), leave()));
        }
        assert!(told.end(first(100), leave()), "it had not ended");
        assert_eq!(told.answers.len(), ENDED_KEPT);
        assert!(told.answers.contains_key(&first(100)) && told.answers.contains_key(&second(99)));
        assert!(!told.answers.contains_key(&second(0)));
        told.forget(PeerId(3));
        assert_eq!((told.answers.len(), told.ended.len()), (1, 1));
    }
}
