//! What an encoder gave of a request's prompt, as our stages wait for it.

use base::RequestId;
use protocol::peer::Residual;

use crate::{batch::Step, stage::Stage};

/// Which of our stages do not have it yet, and their steps meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Whether it has come to this phone.
    has_come: bool,
    awaiting: Vec<usize>,
    held: Vec<Step>,
}

impl Memory {
    /// These stages of ours read it.
    pub(crate) fn awaited_by(awaiting: Vec<usize>) -> Self {
        Self { awaiting, ..Self::default() }
    }

    /// It is on this phone; the stages that are to remember it.
    pub(crate) fn comes(&mut self) -> Vec<usize> {
        self.has_come = true;
        self.awaiting.clone()
    }

    pub(crate) fn has_come(&self) -> bool {
        self.has_come
    }

    /// Holds a step back that has to wait for it; gives it back where it has not.
    pub(crate) fn hold(&mut self, step: Step) -> Option<Step> {
        if self.awaiting.contains(&step.index) {
            self.held.push(step);
            return None;
        }
        Some(step)
    }

    /// How many steps wait for it.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// A stage has it; the steps that waited for that.
    pub(crate) fn is_in(&mut self, index: usize) -> Vec<Step> {
        self.awaiting.retain(|&other| other != index);
        self.held.extract_if(.., |step| step.index == index).collect()
    }
}

impl Stage {
    /// Whether the encoder's output is to be taken now. What comes before its request does waits for that; what comes
    /// when that is over is late.
    pub(crate) fn wants_output(&mut self, frame: &Residual) -> Result<bool, &'static str> {
        let Some(ring) = &self.ring else { return Ok(false) };
        match () {
            () if frame.wire != ring.wire() => {
                return Err("its values are not of the plan's wire type");
            }
            () if frame.row_len != ring.row_len() => {
                return Err("its rows are not as long as the model's");
            }
            () if frame.rows > ring.prompt_tokens() => return Err("more rows than a prompt has"),
            () if frame.sequence != 0 => return Err("its number is not the next"),
            () => {}
        }
        let Some(request) = self.requests.get(&frame.request) else {
            return self.keep_early(frame);
        };
        match () {
            () if request.memory.has_come() => Err("it has come before"),
            () if frame.rows != request.prompt_rows => Err("not as many rows as the prompt has"),
            () => Ok(true),
        }
    }

    fn keep_early(&mut self, frame: &Residual) -> Result<bool, &'static str> {
        if self.newest.is_some_and(|newest| frame.request <= newest) {
            return Ok(false);
        }
        let most = self.ring.as_ref().map_or(0, |ring| ring.slots());
        match () {
            () if self.early.iter().any(|early| early.request == frame.request) => {
                Err("it has come before")
            }
            () if self.early.len() >= most.into() => Err("more of them than may wait"),
            () => {
                self.early.push(frame.clone());
                Ok(false)
            }
        }
    }

    /// What came before this request, which begins now; none of those before it will begin.
    pub(crate) fn early_output(&mut self, begun: RequestId) -> Option<Residual> {
        self.early.retain(|frame| frame.request >= begun);
        let place = self.early.iter().position(|frame| frame.request == begun)?;
        Some(self.early.swap_remove(place))
    }

    /// The encoder's output is on this phone; those of our stages that are to remember it.
    pub(crate) fn output_comes(&mut self, request: RequestId) -> Vec<usize> {
        let request = self.requests.get_mut(&request);
        request.map_or_else(Vec::new, |request| request.memory.comes())
    }

    /// A stage remembers it; what waited for that goes on.
    pub(crate) fn remembered(&mut self, request: RequestId, index: usize) {
        let request = self.requests.get_mut(&request);
        let held = request.map_or_else(Vec::new, |request| request.memory.is_in(index));
        held.into_iter().for_each(|step| self.push(step));
    }
}
