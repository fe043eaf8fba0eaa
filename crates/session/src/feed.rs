//! Tokens into the ring, at the phone that has the module for them: the header, or behind an encoder whoever has
//! the decoder's beginning. A history goes in chunks, and then each token as it was drawn.

use base::{PeerId, RequestId};
use protocol::peer::{ChunkDone, Token};

use crate::{JobInput, Pass, Room, batch::Step, frames::Verdict};

/// What goes in of a request.
#[derive(Debug)]
pub(crate) struct Feed {
    history: Vec<u32>,
    sent_rows: u32,
    passed_rows: u32,
    /// Of the history; or a token.
    chunks_in_flight: u16,
    /// Tokens of the answer that may still be drawn.
    left_tokens: u32,
}

impl Feed {
    /// Of a history, of which the caches have so many rows already.
    pub(crate) fn new(history: Vec<u32>, kept_rows: u32, left_tokens: u32) -> Self {
        let (sent_rows, passed_rows) = (kept_rows, kept_rows);
        Self { history, sent_rows, passed_rows, chunks_in_flight: 0, left_tokens }
    }

    /// Rows that have gone in.
    pub(crate) fn sent_rows(&self) -> u32 {
        self.sent_rows
    }

    /// Whether any of it is in the ring.
    pub(crate) fn is_in_ring(&self) -> bool {
        self.chunks_in_flight > 0
    }

    /// The next chunk of the history, if one may go: its position, its tokens, and whether it is the last.
    fn next_chunk(
        &mut self,
        chunk_tokens: u16,
        most_in_flight: u16,
    ) -> Option<(u32, Vec<u32>, bool)> {
        let rest = self.history.get(self.sent_rows as usize..).unwrap_or_default();
        if rest.is_empty() || self.chunks_in_flight >= most_in_flight {
            return None;
        }
        let chunk = rest[..rest.len().min(chunk_tokens.into())].to_vec();
        let (position, is_last) = (self.sent_rows, chunk.len() == rest.len());
        self.sent_rows += chunk.len() as u32;
        self.chunks_in_flight += 1;
        Some((position, chunk, is_last))
    }

    /// Whether the next thing out of the ring is a token.
    fn awaits_token(&self) -> bool {
        self.sent_rows as usize >= self.history.len() && self.chunks_in_flight == 1
    }

    /// A token was drawn: its position, if it goes into the ring.
    fn next_token(&mut self, context_tokens: u32) -> Option<u32> {
        self.left_tokens = self.left_tokens.saturating_sub(1);
        let position = self.sent_rows;
        if self.left_tokens == 0 || position >= context_tokens {
            self.chunks_in_flight = 0;
            return None;
        }
        self.sent_rows += 1;
        Some(position)
    }

    fn check_token(&self, token: &Token) -> Verdict {
        let is_next = self.awaits_token() && token.position + 1 == self.sent_rows;
        if is_next { Ok(()) } else { Err("its position is not the next") }
    }

    fn check_chunk(&self, done: &ChunkDone) -> Verdict {
        let is_next = done.position == self.passed_rows && !self.awaits_token();
        if is_next && self.chunks_in_flight > 0 { Ok(()) } else { Err("its chunk is not the next") }
    }
}

impl Room {
    /// Sends as much of a history as may be in flight.
    pub(crate) fn feed_on(&mut self, number: RequestId) {
        if self.switch.is_some() {
            return;
        }
        let most_in_flight = self.config.limits.chunks_in_flight.max(1);
        let Some(ring) = &self.stage.ring else { return };
        let (index, chunk_tokens) = (ring.feeding_index(), ring.chunk_tokens());
        while let Some(feed) = self.stage.feed_of(number)
            && let Some((position, chunk, last)) = feed.next_chunk(chunk_tokens, most_in_flight)
        {
            self.stage.push(step((number, index), position, chunk, last));
        }
    }

    /// A token was drawn, and the answer goes on.
    pub(crate) fn feed_token(&mut self, number: RequestId, token: u32) {
        let Some(ring) = &self.stage.ring else { return };
        let (index, context_tokens) = (ring.feeding_index(), ring.context_tokens());
        self.stage.token_came(self.now_secs);
        let Some(feed) = self.stage.feed_of(number) else { return };
        if self.switch.is_some() {
            // It goes in with the next plan.
            feed.chunks_in_flight = 0;
        } else if let Some(position) = feed.next_token(context_tokens) {
            self.stage.push(step((number, index), position, vec![token], true));
        }
    }

    pub(crate) fn fed_chunk_passed(&mut self, number: RequestId) {
        let Some(ring) = &self.stage.ring else { return };
        let chunk_tokens = ring.chunk_tokens();
        let Some(feed) = self.stage.feed_of(number) else { return };
        feed.passed_rows += u32::from(chunk_tokens);
        feed.chunks_in_flight = feed.chunks_in_flight.saturating_sub(1);
        self.feed_on(number);
    }

    /// Whether we feed the ring without being its header.
    pub(crate) fn only_feeds(&self) -> bool {
        let ring = self.stage.ring.as_ref();
        ring.is_some_and(|ring| !self.config.coordinator && ring.feeder() == self.config.me)
    }

    /// A token from the tail, for us to feed; the header has it too.
    pub(crate) fn take_token_to_feed(&mut self, peer: PeerId, token: &Token) -> Verdict {
        if !self.comes_from_tail(peer, token.epoch)? {
            return Ok(());
        }
        self.stage.expect_more(token.more, self.now_secs);
        let Some(feed) = self.stage.feed_of(token.request) else { return Ok(()) };
        feed.check_token(token)?;
        self.feed_token(token.request, token.token);
        Ok(())
    }

    /// A chunk has passed the tail.
    pub(crate) fn take_fed_chunk(&mut self, peer: PeerId, done: &ChunkDone) -> Verdict {
        if !self.comes_from_tail(peer, done.epoch)? {
            return Ok(());
        }
        let Some(feed) = self.stage.feed_of(done.request) else { return Ok(()) };
        feed.check_chunk(done)?;
        self.fed_chunk_passed(done.request);
        Ok(())
    }
}

fn step((request, index): (RequestId, usize), position: u32, tokens: Vec<u32>, last: bool) -> Step {
    let (rows, input) = (tokens.len() as u16, JobInput::Tokens(tokens));
    Step { request, index, pass: Pass::Run, position, rows, input, last, dispatches: 0 }
}
