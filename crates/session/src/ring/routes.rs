//! Who sends what to whom: along the ring, and past it where a model has an encoder.

use super::*;

impl Ring {
    pub(crate) fn encoder(&self) -> Option<&PlannedEncoder> {
        self.plan.encoder.as_ref()
    }

    /// Most rows of a prompt; 0 without an encoder.
    pub(crate) fn prompt_tokens(&self) -> u16 {
        self.encoder().map_or(0, |encoder| encoder.prompt_tokens)
    }

    /// The stage that takes the tokens of histories and answers.
    pub(crate) fn feeding_index(&self) -> usize {
        self.index_of(self.encoder().map_or(0, |encoder| encoder.modules))
    }

    /// Who runs it.
    pub(crate) fn feeder(&self) -> PeerId {
        self.plan.stages[self.feeding_index()].peer
    }

    /// The stage that ends the encoder.
    pub(super) fn encoder_end(&self) -> Option<usize> {
        self.encoder().map(|encoder| self.index_of(encoder.modules - 1))
    }

    pub(crate) fn ends_encoder(&self, index: usize) -> bool {
        self.encoder_end() == Some(index)
    }

    /// Whether the rows that come to a stage are those of prompts on their way through an encoder.
    pub(crate) fn takes_prompts(&self, index: usize) -> bool {
        self.encoder_end().is_some_and(|end| index <= end)
    }

    /// Whether a stage has a part in prompts alone.
    pub(crate) fn is_of_prompts(&self, index: usize) -> bool {
        index < self.feeding_index()
    }

    /// Whether a phone has a part in prompts alone.
    pub(crate) fn only_encodes(&self, peer: PeerId) -> bool {
        self.plan.stages[self.feeding_index()..].iter().all(|stage| stage.peer != peer)
    }

    /// Whether a stage reads the encoder's output.
    pub(crate) fn reads(&self, index: usize) -> bool {
        let range = self.range(index);
        let readers = self.encoder().map_or(&[][..], |encoder| &encoder.readers);
        readers.iter().any(|&reader| range.contains(reader))
    }

    /// To whom the encoder's output goes from a stage that has it: to those that read it, each once, or along the
    /// ring as far as anybody needs it. It does not go to where it is already.
    pub(crate) fn output_goes_to(&self, index: usize) -> Vec<PeerId> {
        let (Some(encoder), Some(end)) = (self.encoder(), self.encoder_end()) else {
            return Vec::new();
        };
        if index < end {
            return Vec::new();
        }
        let stages = &self.plan.stages;
        let has_it = |peer: PeerId| stages[end..=index].iter().any(|stage| stage.peer == peer);
        let behind = index + 1..stages.len();
        let readers = behind.filter(|&index| self.reads(index)).map(|index| stages[index].peer);
        let readers: Vec<PeerId> = readers.filter(|&peer| !has_it(peer)).collect();
        match encoder.skips {
            true if index == end => readers,
            true => Vec::new(),
            false => self.next(index).filter(|_| !readers.is_empty()).into_iter().collect(),
        }
    }

    /// From whom the encoder's output comes to our stages, where it comes.
    pub(crate) fn output_comes_from(&self) -> Option<PeerId> {
        let (fed, end) = (self.fed_index()?, self.encoder_end()?);
        let from = if self.encoder()?.skips { end } else { fed.checked_sub(1)? };
        let me = self.plan.stages[fed].peer;
        let comes = from >= end && from < fed && self.output_goes_to(from).contains(&me);
        comes.then(|| self.plan.stages[from].peer)
    }

    /// Those that each token goes to: who feeds it into the ring again, and the header.
    pub(crate) fn token_takers(&self) -> Vec<PeerId> {
        let (feeder, header) = (self.feeder(), self.header());
        if feeder == header { vec![header] } else { vec![feeder, header] }
    }

    /// Whether one of the two sends the other something of requests.
    pub(crate) fn sends_to(&self, a: PeerId, b: PeerId) -> bool {
        let pairs = self.pairs();
        pairs.contains(&(a, b)) || pairs.contains(&(b, a))
    }

    /// Those that we exchange frames of requests with.
    pub(crate) fn neighbours(&self) -> Vec<PeerId> {
        let Some(&index) = self.indices.first() else { return Vec::new() };
        let me = self.plan.stages[index].peer;
        let other = |(from, to): (PeerId, PeerId)| match () {
            () if from == me => Some(to),
            () if to == me => Some(from),
            () => None,
        };
        let others = self.pairs().into_iter().filter_map(other);
        others.filter(|&peer| peer != me).collect()
    }

    /// Senders and receivers of what belongs to requests.
    fn pairs(&self) -> Vec<(PeerId, PeerId)> {
        let stages = &self.plan.stages;
        let along = stages.windows(2).map(|pair| (pair[0].peer, pair[1].peer));
        let tokens = self.token_takers().into_iter().map(|to| (self.tail(), to));
        let outputs = (0..stages.len()).flat_map(|index| {
            self.output_goes_to(index).into_iter().map(move |to| (stages[index].peer, to))
        });
        along.chain(tokens).chain(outputs).collect()
    }

    fn index_of(&self, module: usize) -> usize {
        let is_in = |stage: &PlannedStage| stage.range.contains(module);
        self.plan.stages.iter().position(is_in).unwrap_or(0)
    }
}
