//! One running request of the header: what has gone into the ring and come out of it.

use protocol::peer::{
    AnswerStats, AskOptions, Finish, MAX_SEEN_TOKENS, Sampling, Token, TokenLogprobs,
};

use crate::{AskId, carry::Kept, queue::QueuedAsk, stops::Stops};

/// A prompt and its completion under way.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) ask: AskId,
    pub(crate) sampling: Sampling,
    /// What goes into the ring in chunks: the prompt, or behind an encoder the model's first token; and what of the
    /// answer was drawn in earlier epochs.
    pub(crate) history: Vec<u32>,
    /// How many tokens of it are not of the answer.
    begin_tokens: usize,
    /// The prompt, where it goes through an encoder; else none.
    pub(crate) encoded: Vec<u32>,
    prompt_tokens: usize,
    pub(crate) completion: Vec<u32>,
    /// Of the completion, if they are wanted.
    pub(crate) logprobs: Vec<TokenLogprobs>,
    /// Rows that have entered the ring or wait to.
    pub(crate) sent_rows: u32,
    /// Rows that have come out at its end.
    pub(crate) passed_rows: u32,
    /// Chunks, or tokens, that are to come out.
    chunks_due: usize,
    asked_at_secs: f64,
    first_token_at_secs: f64,
    last_token_at_secs: f64,
    /// Steps after the one that gave the first token (the end's included), and what all phones
    /// dispatched for them.
    decode_steps: u32,
    decode_dispatches: u64,
    /// Texts that the driver still owes us.
    pub(crate) texts_due: u32,
    /// Texts that it has given, one for each token from the first.
    texts_taken: usize,
    stops: Stops,
    /// Set once nothing of it is in the ring.
    pub(crate) ended: Option<Finish>,
    /// It waits for a plan to go on with.
    pub(crate) is_parked: bool,
    /// What the caches of that plan have of it.
    pub(crate) kept: Option<Kept>,
    /// How many rows the caches of this epoch had when it began.
    kept_rows: u32,
    /// When the ring of this epoch began with it.
    pub(crate) opened_at_secs: f64,
    pub(crate) progress_at_secs: f64,
}

impl Request {
    /// One with a prompt, and the token that answers begin behind where the prompt goes through an encoder.
    pub(crate) fn new(
        ask: AskId,
        options: AskOptions,
        (prompt, first_token): (Vec<u32>, Option<u32>),
        asked_at_secs: f64,
        now_secs: f64,
    ) -> Self {
        let prompt_tokens = prompt.len();
        let (encoded, history) = match first_token {
            Some(first_token) => (prompt, vec![first_token]),
            None => (Vec::new(), prompt),
        };
        Self {
            ask,
            sampling: options.sampling,
            prompt_tokens,
            begin_tokens: history.len(),
            encoded,
            history,
            completion: Vec::new(),
            logprobs: Vec::new(),
            sent_rows: 0,
            passed_rows: 0,
            chunks_due: 0,
            asked_at_secs,
            first_token_at_secs: now_secs,
            last_token_at_secs: now_secs,
            decode_steps: 0,
            decode_dispatches: 0,
            texts_due: 0,
            texts_taken: 0,
            stops: Stops::new(options.stop),
            ended: None,
            is_parked: false,
            kept: None,
            kept_rows: 0,
            opened_at_secs: now_secs,
            progress_at_secs: now_secs,
        }
    }

    /// The ring begins with its history, behind what the caches have of it; gives how much that is.
    pub(crate) fn opened(&mut self, chunk_tokens: u16, now_secs: f64) -> u32 {
        self.kept_rows = self.kept.take().map_or(0, |kept| kept.rows);
        self.is_parked = false;
        self.opened_at_secs = now_secs;
        self.sent_rows = self.history.len() as u32;
        self.passed_rows = self.kept_rows;
        self.chunks_due = self.history_in_ring().div_ceil(chunk_tokens.into());
        self.kept_rows
    }

    /// How many tokens of the history go through this epoch's ring.
    pub(crate) fn history_in_ring(&self) -> usize {
        self.history.len() - self.kept_rows as usize
    }

    /// Whether the next token is the first that comes out of this epoch's ring.
    pub(crate) fn is_first_of_epoch(&self) -> bool {
        self.history.len() == self.begin_tokens + self.completion.len()
    }

    /// Whether some of it is in the ring.
    pub(crate) fn runs(&self) -> bool {
        self.ended.is_none() && !self.is_parked
    }

    /// The ring is no more: what it knew of the request is the beginning of a new history.
    pub(crate) fn park(&mut self, now_secs: f64) {
        self.history.truncate(self.begin_tokens);
        self.history.extend(&self.completion);
        (self.sent_rows, self.passed_rows, self.chunks_due) = (0, 0, 0);
        self.is_parked = true;
        self.progress_at_secs = now_secs;
    }

    /// What others need to know of the tokens so far: the tail, and behind an encoder who feeds the decoder.
    pub(crate) fn seen(&self) -> Vec<u32> {
        if !self.sampling.counts_seen() && self.encoded.is_empty() {
            return Vec::new();
        }
        let first = self.begin_tokens.saturating_sub(MAX_SEEN_TOKENS);
        self.history[first..].to_vec()
    }

    /// Whether the next thing out of the ring is a token.
    pub(crate) fn awaits_token(&self) -> bool {
        self.chunks_due == 1
    }

    /// A chunk that wanted no token has come out.
    pub(crate) fn chunk_passed(&mut self, chunk_tokens: u16) {
        self.passed_rows += u32::from(chunk_tokens);
        self.chunks_due = self.chunks_due.saturating_sub(1);
    }

    /// Counts a token; gives how long after the one before it came, if there was one.
    pub(crate) fn count_token(&mut self, token: &Token, now_secs: f64) -> Option<f64> {
        let since_last_secs = now_secs - self.last_token_at_secs;
        self.progress_at_secs = now_secs;
        self.last_token_at_secs = now_secs;
        self.passed_rows = self.sent_rows;
        if self.completion.is_empty() {
            self.first_token_at_secs = now_secs;
            return None;
        }
        self.decode_steps += 1;
        self.decode_dispatches += u64::from(token.dispatches);
        Some(since_last_secs)
    }

    /// Takes the text of the next token; gives what can be shown, and whether the answer ends
    /// here. It then has the tokens up to this one, however many came out of the ring since.
    pub(crate) fn take_text(&mut self, text: &str, now_secs: f64) -> (String, bool) {
        self.texts_due = self.texts_due.saturating_sub(1);
        self.texts_taken += 1;
        if self.ended.is_some() {
            self.progress_at_secs = now_secs;
        }
        let had_stopped = self.stops.have_stopped();
        let mut shown = self.stops.push(text);
        let stops_here = self.stops.have_stopped() && !had_stopped;
        if stops_here {
            self.completion.truncate(self.texts_taken);
            self.logprobs.truncate(self.texts_taken);
        }
        if self.is_over() {
            shown += &self.stops.rest();
        }
        (shown, stops_here)
    }

    /// Whether nothing of it is to come, neither token nor text.
    pub(crate) fn is_over(&self) -> bool {
        self.texts_due == 0 && self.ended.is_some()
    }

    /// The position after the step that is to come out of the ring next.
    pub(crate) fn awaited_position(&self, chunk_tokens: u16) -> u32 {
        (self.passed_rows + u32::from(chunk_tokens)).min(self.sent_rows)
    }

    pub(crate) fn stats(self) -> AnswerStats {
        let completion_tokens = self.completion.len() as u32;
        let decoded = f64::from(self.decode_steps);
        let decode_secs = self.last_token_at_secs - self.first_token_at_secs;
        AnswerStats {
            prompt_tokens: self.prompt_tokens as u32,
            completion_tokens,
            ttft_secs: self.first_token_at_secs - self.asked_at_secs,
            decode_tokens_per_sec: ratio(decoded, decode_secs),
            dispatches_per_token: ratio(self.decode_dispatches as f64, decoded),
            finish: self.ended.unwrap_or(Finish::Cancelled),
            tokens: self.completion,
            logprobs: self.logprobs,
        }
    }
}

impl QueuedAsk {
    /// An answer without a token.
    pub(crate) fn stats(&self, finish: Finish) -> AnswerStats {
        AnswerStats {
            prompt_tokens: self.prompt.as_ref().map_or(0, |prompt| prompt.len() as u32),
            completion_tokens: 0,
            ttft_secs: 0.0,
            decode_tokens_per_sec: 0.0,
            dispatches_per_token: 0.0,
            finish,
            tokens: Vec::new(),
            logprobs: Vec::new(),
        }
    }
}

fn ratio(amount: f64, of: f64) -> f64 {
    if of > 0.0 { amount / of } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use base::PeerId;

    use super::*;

    fn request(prompt_tokens: u32, repetition_penalty: f32) -> Request {
        let sampling = Sampling {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty,
            seed: 1,
            max_tokens: 1,
            logprobs: None,
        };
        let ask = AskId { from: PeerId(1), number: 1 };
        Request::new(ask, sampling.into(), ((0..prompt_tokens).collect(), None), 0.0, 0.0)
    }

    #[test]
    fn the_tail_gets_the_end_of_a_prompt_where_it_counts() {
        assert_eq!(request(5000, 1.2).seen(), Vec::from_iter(5000 - MAX_SEEN_TOKENS as u32..5000));
        assert_eq!(request(9, 1.2).seen(), Vec::from_iter(0..9));
        assert!(request(9, 1.0).seen().is_empty());
    }

    #[test]
    fn what_was_drawn_goes_on_as_history() {
        let mut request = request(5000, 1.2);
        for (token, history_tokens) in [(7, 5001), (8, 5002)] {
            request.completion.push(token);
            request.park(1.0);
            assert_eq!(request.history.len(), history_tokens);
        }
        assert_eq!(request.history[4999..], [4999, 7, 8]);
        assert_eq!(request.seen().len(), MAX_SEEN_TOKENS + 2);
    }

    #[test]
    fn behind_an_encoder_an_answer_begins_with_one_token_whatever_the_prompt() {
        let Request { ask, sampling, .. } = request(1, 1.0);
        let prompt = (vec![4, 5, 6], Some(9));
        let mut request = Request::new(ask, sampling.into(), prompt, 0.0, 0.0);
        assert_eq!((&request.encoded[..], request.seen()), (&[4, 5, 6][..], vec![9]));
        request.opened(2, 0.0);
        assert!(request.awaits_token() && request.is_first_of_epoch());
        request.completion.extend([7, 8]);
        request.park(1.0);
        request.opened(2, 1.0);
        assert_eq!((request.seen(), request.awaits_token()), (vec![9, 7, 8], false));
        assert_eq!(request.stats().prompt_tokens, 3);
    }
}
