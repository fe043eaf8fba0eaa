//! Frames that travel along the ring, from one stage to the next.

use base::{PeerId, RequestId};
use protocol::peer::{Activations, Begin, Frame};

use crate::{Room, frames::Verdict};

impl Room {
    pub(crate) fn take_begin(&mut self, peer: PeerId, begin: Begin) -> Verdict {
        let Some(index) = self.follows(peer, Some(begin.epoch))? else { return Ok(()) };
        self.is_worker()?;
        self.check_begin(&begin)?;
        let request = begin.request;
        self.stage.open(&begin);
        if begin.prompt_rows > 0 {
            self.stage.feed(request, begin.seen.clone(), begin.kept_tokens);
        }
        self.send_along(index, begin.into());
        self.take_early_output(request);
        self.feed_on(request);
        Ok(())
    }

    fn check_begin(&self, begin: &Begin) -> Verdict {
        let Some(ring) = &self.stage.ring else { return Ok(()) };
        let is_prompt = match ring.encoder() {
            Some(_) => (1..=ring.prompt_tokens()).contains(&begin.prompt_rows),
            None => begin.prompt_rows == 0,
        };
        let is_fed = self.only_feeds() && begin.seen.len() != begin.history_tokens as usize;
        match () {
            () if !self.stage.is_loaded => Err("the stage is not loaded"),
            () if self.stage.newest.is_some_and(|newest| begin.request <= newest) => {
                Err("its number is not new")
            }
            () if begin.slot >= ring.slots() => Err("there is no such slot"),
            () if self.stage.is_slot_taken(begin.slot) => Err("its slot is taken"),
            () if !ring.carries(begin) => Err("its rows are not in the caches"),
            () if begin.history_tokens > ring.context_tokens() => Err("its history is too long"),
            () if !is_prompt => Err("its prompt is not what the plan is for"),
            () if is_fed => Err("its history is not all there"),
            () => Ok(()),
        }
    }

    pub(crate) fn take_activations(&mut self, peer: PeerId, frame: Activations) -> Verdict {
        let Some(index) = self.follows(peer, Some(frame.epoch))? else { return Ok(()) };
        self.stage.expect_more(frame.more, self.now_secs);
        if let Some(step) = self.stage.expect(index, frame)? {
            self.touch(step.request);
            self.stage.push(step);
        }
        Ok(())
    }

    /// A request is over, one way or the other.
    pub(crate) fn take_end(&mut self, peer: PeerId, request: RequestId, frame: Frame) -> Verdict {
        let Some(index) = self.follows(peer, None)? else { return Ok(()) };
        self.is_worker()?;
        if self.stage.close(request) {
            self.report_changes.mark();
            self.send_along(index, frame);
        }
        Ok(())
    }

    /// The stage of ours that `peer` feeds. None where the frame is only late.
    fn follows(&self, peer: PeerId, epoch: Option<u32>) -> Result<Option<usize>, &'static str> {
        let Some(ring) = &self.stage.ring else { return Ok(None) };
        if epoch.is_some_and(|epoch| epoch != ring.epoch()) {
            return Ok(None);
        }
        let index = ring.fed_index().filter(|&index| ring.previous(index) == Some(peer));
        index.map(Some).ok_or("it does not come from the stage before ours")
    }

    fn is_worker(&self) -> Verdict {
        if self.config.coordinator { Err("it has come all the way round") } else { Ok(()) }
    }

    /// To the stage after `index`, unless that is the header again.
    pub(crate) fn send_along(&mut self, index: usize, frame: Frame) {
        let Some(ring) = &self.stage.ring else { return };
        if let Some(next) = ring.next(index).filter(|&next| next != ring.header()) {
            self.transmit(next, frame);
        }
    }
}
