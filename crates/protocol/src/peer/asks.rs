//! Bodies between someone who asks and the header.

use base::Message;
use serde::{Deserialize, Serialize};

use super::{
    AskOptions, DecodeError, MAX_COMPLETION_TOKENS, MAX_MESSAGES, MAX_PROMPT_BYTES, Refusal,
    TokenLogprobs, bounds, bounds::MAX_MESSAGE_CHARS, frame::Control,
};

/// To the header: answer the last message of this conversation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Ask {
    /// Number of the ask, unique among the sender's.
    pub ask: u32,
    /// What was said so far; within [`is_bounded`]. A model without a chat template is given
    /// the last message alone.
    pub messages: Vec<Message>,
    /// What the answer is to be like.
    pub options: AskOptions,
}

/// Whether a conversation is one to ask with: 1 to 256 messages of at most 64 KiB together.
pub fn is_bounded(messages: &[Message]) -> bool {
    let bytes: usize = messages.iter().map(|message| message.content.len()).sum();
    (1..=MAX_MESSAGES).contains(&messages.len()) && bytes <= MAX_PROMPT_BYTES
}

/// To the header: no more of this answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StopAsk {
    /// The ask's number.
    pub ask: u32,
}

/// To the header: the link to it was lost and is back, and the answer may go on.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Resume {
    /// The ask's number.
    pub ask: u32,
    /// How much of its text has come, in UTF-8.
    pub text_bytes: u32,
}

/// From the header: the answer goes on so.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Text {
    /// The ask's number.
    pub ask: u32,
    /// What comes next.
    pub delta: String,
}

/// From the header: the answer is complete.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Answered {
    /// The ask's number.
    pub ask: u32,
    /// How it went.
    pub stats: AnswerStats,
}

/// How an answer went.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnswerStats {
    /// Length of the prompt.
    pub prompt_tokens: u32,
    /// Length of the completion, without a token that ends it, but with those of a stop string.
    pub completion_tokens: u32,
    /// From the question's arrival at the header to its first token.
    pub ttft_secs: f64,
    /// Tokens after the first, by the time they took; 0 where there was none.
    pub decode_tokens_per_sec: f64,
    /// GPU dispatches of all phones for a decoded token, on average; 0 where there was none.
    pub dispatches_per_token: f64,
    /// Why it ended.
    pub finish: Finish,
    /// The completion.
    pub tokens: Vec<u32>,
    /// One for each of the tokens where they were asked for; else none.
    pub logprobs: Vec<TokenLogprobs>,
}

/// Why an answer ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// The model ended it, with a token that does so.
    Eos,
    /// Its text came to a stop string.
    Stop,
    /// It has as many tokens as were asked for, or fills the context.
    Length,
    /// Someone stopped it.
    Cancelled,
}

/// From the header: there will be no (more) answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AskFailed {
    /// The ask's number.
    pub ask: u32,
    /// Why.
    pub failure: Failure,
}

/// Why an ask or the room failed, for a program and for a person.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The kind.
    pub code: FailureCode,
    /// What was wrong and what to do, in one or two sentences.
    pub message: String,
}

/// Kinds of [`Failure`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FailureCode {
    /// A phone that runs a stage is gone.
    PhoneLeft,
    /// A phone does not get on.
    TooSlow,
    /// The prompt does not fit the context.
    PromptTooLong {
        /// Its length.
        prompt_tokens: u32,
        /// What the context takes.
        context_tokens: u32,
    },
    /// The conversation is not within [`is_bounded`].
    TextTooLong,
    /// The pledged memory does not hold the model.
    DoesNotFit,
    /// The room takes no (more) questions now.
    Busy,
    /// A phone's device cannot run its stage.
    DeviceFailed,
    /// A stage's weights cannot be fetched.
    ModelUnavailable,
    /// A mistake of the program.
    Internal,
    /// No link to the phone that started the room came about.
    Unreachable,
    /// A phone's GPU has no memory for its stage.
    OutOfMemory,
    /// The phone that started the room has not let us in.
    NotLetIn(Refusal),
}

impl Failure {
    /// A failure with its message cut to what a frame takes.
    pub fn new(code: FailureCode, message: impl AsRef<str>) -> Self {
        Self { code, message: bounds::clip(message.as_ref(), MAX_MESSAGE_CHARS) }
    }

    pub(super) fn check(&self) -> Result<(), DecodeError> {
        bounds::message(&self.message)
    }
}

impl FailureCode {
    /// The code as the page knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::PhoneLeft => "phone_left",
            Self::TooSlow => "too_slow",
            Self::PromptTooLong { .. } | Self::TextTooLong => "prompt_too_long",
            Self::DoesNotFit => "does_not_fit",
            Self::Busy => "busy",
            Self::DeviceFailed => "device_failed",
            Self::ModelUnavailable => "model_unavailable",
            Self::Internal => "internal",
            Self::Unreachable => "unreachable",
            Self::OutOfMemory => "out_of_memory",
            Self::NotLetIn(refusal) => refusal.name(),
        }
    }
}

impl Control for Ask {
    fn check(&self) -> Result<(), DecodeError> {
        bounds::within("messages", is_bounded(&self.messages))?;
        self.options.check()
    }
}

impl Control for StopAsk {
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}

impl Control for Resume {
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}

impl Control for Text {
    fn check(&self) -> Result<(), DecodeError> {
        bounds::within("delta", self.delta.len() <= MAX_PROMPT_BYTES)
    }
}

impl Control for Answered {
    fn check(&self) -> Result<(), DecodeError> {
        let stats = &self.stats;
        bounds::list("tokens", &stats.tokens, MAX_COMPLETION_TOKENS as usize)?;
        bounds::list("logprobs", &stats.logprobs, stats.tokens.len())?;
        stats.logprobs.iter().try_for_each(TokenLogprobs::check)?;
        bounds::figure("ttft_secs", stats.ttft_secs)?;
        bounds::figure("decode_tokens_per_sec", stats.decode_tokens_per_sec)?;
        bounds::figure("dispatches_per_token", stats.dispatches_per_token)
    }
}

impl Control for AskFailed {
    fn check(&self) -> Result<(), DecodeError> {
        self.failure.check()
    }
}
