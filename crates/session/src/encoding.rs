//! A prompt's way through an encoder, and what that gives to whoever attends to it.
//!
//! The encoder's output goes from the phone that ends it straight to every phone that reads it, one frame each, or
//! along the ring where nothing skips. It may be there before the request is: `Begin` goes from phone to phone.

use base::{PeerId, RequestId};
use protocol::peer::Residual;

use crate::{JobInput, Pass, Room, batch::Step, frames::Verdict};

impl Room {
    /// Our part of the encoder is done, and it is the last.
    pub(crate) fn encoded(&mut self, request: RequestId, index: usize, rows: Vec<u8>) {
        let Some(ring) = &self.stage.ring else { return };
        let (wire, row_len, epoch) = (ring.wire(), ring.row_len(), ring.epoch());
        let readers = ring.output_goes_to(index);
        if !readers.is_empty() {
            let count = (rows.len() as u64 / u64::from(ring.row_bytes())) as u16;
            let data = wire.pack(rows.clone(), row_len);
            let frame = Residual { request, epoch, sequence: 0, rows: count, row_len, wire, data };
            readers.into_iter().for_each(|to| self.transmit(to, frame.clone()));
        }
        self.touch(request);
        self.remember(request, &rows);
    }

    /// The encoder's output from another phone.
    pub(crate) fn take_residual(&mut self, peer: PeerId, frame: Residual) -> Verdict {
        let Some(ring) = self.stage.ring.as_ref().filter(|ring| ring.epoch() == frame.epoch) else {
            return Ok(());
        };
        match ring.output_comes_from() {
            Some(from) if from == peer => {}
            Some(_) => return Err("it does not come from the phone that has it for us"),
            None => return Err("nothing here reads it"),
        }
        if self.stage.wants_output(&frame)? {
            self.output_came(frame);
        }
        Ok(())
    }

    /// Takes what came before its request did.
    pub(crate) fn take_early_output(&mut self, request: RequestId) {
        let Some(frame) = self.stage.early_output(request) else { return };
        let from = self.stage.ring.as_ref().and_then(|ring| ring.output_comes_from());
        if let Some(from) = from {
            let verdict = self.take_residual(from, frame);
            self.judge(from, "Residual", verdict);
        }
    }

    fn output_came(&mut self, frame: Residual) {
        let Some(ring) = &self.stage.ring else { return };
        let onward = ring.fed_index().map_or_else(Vec::new, |index| ring.output_goes_to(index));
        onward.into_iter().for_each(|to| self.transmit(to, frame.clone()));
        self.remember(frame.request, &frame.wire.unpack(frame.data, frame.row_len));
    }

    fn remember(&mut self, request: RequestId, rows: &[u8]) {
        let row_bytes = self.stage.ring.as_ref().map_or(1, |ring| ring.row_bytes());
        let count = (rows.len() as u64 / u64::from(row_bytes)) as u16;
        for index in self.stage.output_comes(request) {
            let input = JobInput::Hidden(rows.to_vec());
            self.stage.push(whole((request, index), Pass::Remember, count, input));
        }
    }
}

/// A prompt's way through the encoder begins.
pub(crate) fn prompt_step(request: RequestId, prompt: Vec<u32>) -> Step {
    whole((request, 0), Pass::Encode, prompt.len() as u16, JobInput::Tokens(prompt))
}

fn whole((request, index): (RequestId, usize), pass: Pass, rows: u16, input: JobInput) -> Step {
    Step { request, index, pass, position: 0, rows, input, last: false, dispatches: 0 }
}
