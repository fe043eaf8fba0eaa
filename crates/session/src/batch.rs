//! What runs next: of the steps that wait at our stages, those that go through the device in one pass.
//!
//! Rows of answers go first, in the order in which they came. Chunks of prompts, or of what was said before in an
//! earlier epoch, fill the pass up to a chunk's
//! rows, and prompts take turns, so an answer waits for at most the pass that runs and the chunk beside it, and a
//! prompt for one chunk of each other. Where a model has an encoder, a prompt goes through it whole and alone, and so
//! is what comes out of it remembered: every other pass at most.

use std::collections::VecDeque;

use base::RequestId;

use crate::{JobInput, MAX_PARTS, Pass};

/// Some rows of a request on their way through one of our stages.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) request: RequestId,
    /// Which stage of the ring.
    pub(crate) index: usize,
    pub(crate) pass: Pass,
    pub(crate) position: u32,
    pub(crate) rows: u16,
    pub(crate) input: JobInput,
    /// Whether the tail samples from the last row.
    pub(crate) last: bool,
    /// What the stages before have spent on it.
    pub(crate) dispatches: u32,
}

/// Steps that wait: a few chunks of each prompt, or one row of its answer.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    answers: VecDeque<Step>,
    /// Those whose turn it is next come first.
    prompts: VecDeque<Prompt>,
    /// Whole prompts for an encoder, and what one gave of them.
    wholes: VecDeque<Step>,
    /// Whether the last pass was one of these.
    was_whole: bool,
}

/// A prompt's chunks that wait for one of our stages, in order; at least one.
#[derive(Debug)]
struct Prompt {
    request: RequestId,
    index: usize,
    chunks: VecDeque<Step>,
}

impl Waiting {
    /// A row of an answer; there is no other of it anywhere.
    pub(crate) fn push_answer(&mut self, step: Step) {
        self.answers.push_back(step);
    }

    /// A chunk of a prompt, after those before it.
    pub(crate) fn push_chunk(&mut self, step: Step) {
        let (request, index) = (step.request, step.index);
        let is_it = |prompt: &&mut Prompt| (prompt.request, prompt.index) == (request, index);
        match self.prompts.iter_mut().find(is_it) {
            Some(prompt) => prompt.chunks.push_back(step),
            None => self.prompts.push_back(Prompt { request, index, chunks: [step].into() }),
        }
    }

    /// A step that goes alone.
    pub(crate) fn push_whole(&mut self, step: Step) {
        self.wholes.push_back(step);
    }

    /// How many steps of a request wait.
    pub(crate) fn count(&self, request: RequestId) -> usize {
        let answers = self.answers.iter().filter(|step| step.request == request).count();
        let prompts = self.prompts.iter().filter(|prompt| prompt.request == request);
        answers + prompts.map(|prompt| prompt.chunks.len()).sum::<usize>()
    }

    /// How many rows wait, of all requests.
    pub(crate) fn rows(&self) -> u32 {
        let chunks = self.prompts.iter().flat_map(|prompt| &prompt.chunks);
        let steps = self.answers.iter().chain(&self.wholes).chain(chunks);
        steps.map(|step| u32::from(step.rows)).sum()
    }

    pub(crate) fn drop_request(&mut self, request: RequestId) {
        self.answers.retain(|step| step.request != request);
        self.prompts.retain(|prompt| prompt.request != request);
        self.wholes.retain(|step| step.request != request);
    }

    pub(crate) fn clear(&mut self) {
        self.answers.clear();
        self.prompts.clear();
        self.wholes.clear();
    }

    /// The next step that goes alone, if it is its turn.
    pub(crate) fn take_whole(&mut self) -> Option<Step> {
        let others_wait = !self.answers.is_empty() || !self.prompts.is_empty();
        let is_turn = !self.was_whole || !others_wait;
        self.was_whole = is_turn && !self.wholes.is_empty();
        if self.was_whole { self.wholes.pop_front() } else { None }
    }

    /// Whose turn it is of our stages: an answer's row goes first. None where nothing waits.
    pub(crate) fn next_index(&self) -> Option<usize> {
        let prompt_index = self.prompts.front().map(|prompt| prompt.index);
        self.answers.front().map(|step| step.index).or(prompt_index)
    }

    /// Takes the steps of the next pass through a stage, each of another request: at most `most_answers` rows of
    /// answers, or all that wait where there are chunks beside them, and at most `chunk_tokens` rows of prompts.
    pub(crate) fn take_pass(
        &mut self,
        index: usize,
        most_answers: usize,
        chunk_tokens: u16,
    ) -> Vec<Step> {
        let prompts_wait = self.prompts.iter().any(|prompt| prompt.index == index);
        let most_answers = if prompts_wait { MAX_PARTS - 1 } else { most_answers.min(MAX_PARTS) };
        let mut pass = self.take_answers(index, most_answers);
        self.add_chunks(&mut pass, index, chunk_tokens);
        pass
    }

    fn take_answers(&mut self, index: usize, most: usize) -> Vec<Step> {
        let mut taken = Vec::new();
        for step in std::mem::take(&mut self.answers) {
            match step.index == index && taken.len() < most {
                true => taken.push(step),
                false => self.answers.push_back(step),
            }
        }
        taken
    }

    /// One chunk of each prompt whose turn it is, as long as there is room; then others have theirs.
    fn add_chunks(&mut self, pass: &mut Vec<Step>, index: usize, chunk_tokens: u16) {
        let mut rows_left = chunk_tokens;
        let mut served = VecDeque::new();
        for mut prompt in std::mem::take(&mut self.prompts) {
            let fits = |chunk: &mut Step| chunk.rows <= rows_left;
            let has_room = prompt.index == index && pass.len() < MAX_PARTS;
            match prompt.chunks.pop_front_if(|chunk| has_room && fits(chunk)) {
                Some(chunk) => {
                    rows_left -= chunk.rows;
                    pass.push(chunk);
                    served.push_back(prompt);
                }
                None => self.prompts.push_back(prompt),
            }
        }
        served.retain(|prompt| !prompt.chunks.is_empty());
        self.prompts.append(&mut served);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(request: u32, index: usize, position: u32, rows: u16) -> Step {
        let (request, input) = (RequestId(request), JobInput::Hidden(Vec::new()));
        let pass = Pass::Run;
        Step { request, index, pass, position, rows, input, last: false, dispatches: 0 }
    }

    fn pass(waiting: &mut Waiting, most_answers: usize) -> Vec<(u32, u32)> {
        let Some(index) = waiting.next_index() else { return Vec::new() };
        let pass = waiting.take_pass(index, most_answers, 8);
        pass.iter().map(|step| (step.request.0, step.position)).collect()
    }

    #[test]
    fn answers_go_first_and_prompts_take_turns() {
        let mut waiting = Waiting::default();
        for chunk in 0..3 {
            waiting.push_chunk(step(1, 0, chunk * 8, 8));
        }
        waiting.push_chunk(step(2, 0, 0, 8));
        waiting.push_chunk(step(3, 0, 0, 4));
        waiting.push_chunk(step(4, 0, 0, 4));
        waiting.push_answer(step(5, 0, 9, 1));
        waiting.push_answer(step(6, 0, 7, 1));
        assert_eq!(pass(&mut waiting, 1), [(5, 9), (6, 7), (1, 0)], "none is left by a chunk");
        assert_eq!(pass(&mut waiting, 1), [(2, 0)]);
        assert_eq!(pass(&mut waiting, 1), [(3, 0), (4, 0)], "small ones share a chunk's rows");
        assert_eq!(pass(&mut waiting, 1), [(1, 8)]);
        assert_eq!(pass(&mut waiting, 1), [(1, 16)]);
        assert!(pass(&mut waiting, 1).is_empty());
    }

    #[test]
    fn a_pass_is_through_one_stage() {
        let mut waiting = Waiting::default();
        waiting.push_chunk(step(1, 0, 8, 8));
        waiting.push_chunk(step(1, 3, 0, 8));
        waiting.push_answer(step(2, 3, 9, 1));
        waiting.push_answer(step(3, 0, 9, 1));
        assert_eq!(waiting.count(RequestId(1)), 2);
        assert_eq!(pass(&mut waiting, 8), [(2, 9), (1, 0)]);
        assert_eq!(pass(&mut waiting, 8), [(3, 9), (1, 8)]);
    }

    #[test]
    fn a_pass_has_an_end_and_room_for_a_prompt() {
        let mut waiting = Waiting::default();
        (0..20).for_each(|request| waiting.push_answer(step(request, 0, 9, 1)));
        assert_eq!(pass(&mut waiting, 100).len(), MAX_PARTS);
        waiting.push_chunk(step(20, 0, 0, 8));
        assert_eq!(pass(&mut waiting, 100).last(), Some(&(20, 0)));
        assert_eq!(pass(&mut waiting, 2), [(15, 9), (16, 9)]);
    }

    #[test]
    fn whole_prompts_take_turns_with_all_else() {
        let mut waiting = Waiting::default();
        for request in [1, 2, 3] {
            waiting.push_whole(Step { pass: Pass::Encode, ..step(request, 0, 0, 99) });
        }
        waiting.push_answer(step(4, 0, 9, 1));
        let whole = |waiting: &mut Waiting| waiting.take_whole().map(|step| step.request.0);
        assert_eq!(whole(&mut waiting), Some(1));
        assert_eq!(whole(&mut waiting), None, "an answer's turn");
        assert_eq!(pass(&mut waiting, 1), [(4, 9)]);
        waiting.drop_request(RequestId(2));
        assert_eq!([whole(&mut waiting), whole(&mut waiting)], [Some(3), None]);
    }

    #[test]
    fn what_is_dropped_does_not_run() {
        let mut waiting = Waiting::default();
        waiting.push_chunk(step(1, 0, 0, 8));
        waiting.push_answer(step(2, 0, 9, 1));
        waiting.drop_request(RequestId(1));
        waiting.drop_request(RequestId(2));
        assert_eq!(waiting.next_index(), None);
    }
}
