//! A classifier's answers: one draw at the text's last token, which gives a label in place of a token.

use base::RequestId;
use protocol::peer::{AskOptions, Finish, Finished, MAX_ALTERNATIVES, Sampling, Token};

use crate::Room;

impl Room {
    /// What the room's model calls its labels, on the header; none where it goes on with texts.
    pub(crate) fn labels(&self) -> &[String] {
        self.spec.as_ref().map_or(&[], |spec| &spec.model.labels)
    }

    /// What an answer is to be like, whatever was asked for: of a classifier the likeliest label, and how
    /// likely the others are.
    pub(crate) fn possible(&self, asked: AskOptions) -> AskOptions {
        let labels = u8::try_from(self.labels().len()).unwrap_or(u8::MAX);
        if labels == 0 {
            return asked;
        }
        let sampling = Sampling {
            temperature: 0.0,
            repetition_penalty: 1.0,
            max_tokens: 1,
            logprobs: Some(labels.min(MAX_ALTERNATIVES)),
            ..asked.sampling
        };
        AskOptions { sampling, stop: Vec::new() }
    }

    /// Whether a classifier has no such label.
    pub(crate) fn is_no_label(&self, token: u32) -> bool {
        !self.labels().is_empty() && token as usize >= self.labels().len()
    }

    /// The answer is this label, and over.
    pub(crate) fn label_drawn(&mut self, number: RequestId, token: Token) {
        let label = self.labels().get(token.token as usize).cloned().unwrap_or_default();
        let Some(request) = self.requests.get_mut(&number) else { return };
        request.completion.push(token.token);
        request.logprobs.extend(token.logprobs);
        request.texts_due += 1;
        self.finish(number, Finish::Eos, Finished { request: number }.into());
        // Its name is known here, and no tokenizer knows it.
        self.decoded(number, label);
    }
}
