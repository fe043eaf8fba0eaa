//! A job of the room as a step of the model: the rows of all its parts, and what comes out for each.

use kernels::Step;
use model::{ByteSource, HEAD_ROWS, Logprobs, ModelError, Sampler, Stage, StageInput};
use platform::timed;
use protocol::peer::{Alternative, Sampling, TokenLogprobs};
use session::{Job, JobInput, MAX_PARTS, Part, Pass, SamplingStep, StageOutput, Wants};

const _: () = assert!(MAX_PARTS <= HEAD_ROWS, "every part may want a token");

/// A job on its stage: rows of histories and answers, a whole prompt for the encoder, or what that gave of one. What comes
/// out is of each part, in their order.
///
/// # Errors
/// Those of [`Stage::run`], [`Stage::encode`] and [`Stage::remember`].
pub async fn pass<L: ByteSource>(
    stage: &mut Stage<L>,
    job: &Job,
) -> Result<Vec<StageOutput>, ModelError> {
    let input = StepInput::of(&job.parts);
    match job.pass {
        Pass::Run => {
            let output = stage.run(step(&job.parts), input.of_stage()).await?;
            Ok(outputs(&job.parts, &output))
        }
        Pass::Encode => Ok(vec![StageOutput::Hidden(stage.encode(input.of_stage()).await?)]),
        Pass::Remember => {
            let slot = job.parts.first().map_or(0, |part| part.slot.into());
            stage.remember(slot, input.rows()).await?;
            Ok(vec![StageOutput::Nothing])
        }
    }
}

/// The input of a step.
#[derive(Debug)]
enum StepInput {
    Tokens(Vec<u32>),
    Hidden(Vec<u8>),
}

impl StepInput {
    /// The rows of all parts, in their order.
    fn of(parts: &[Part]) -> Self {
        let tokens = |part: &Part| match &part.input {
            JobInput::Tokens(tokens) => tokens.clone(),
            JobInput::Hidden(_) => Vec::new(),
        };
        let hidden = |part: &Part| match &part.input {
            JobInput::Tokens(_) => Vec::new(),
            JobInput::Hidden(bytes) => bytes.clone(),
        };
        match parts.first().map(|part| &part.input) {
            Some(JobInput::Tokens(_)) => Self::Tokens(parts.iter().flat_map(tokens).collect()),
            _ => Self::Hidden(parts.iter().flat_map(hidden).collect()),
        }
    }

    /// Hidden states; none where there are tokens.
    fn rows(&self) -> &[u8] {
        match self {
            Self::Tokens(_) => &[],
            Self::Hidden(bytes) => bytes,
        }
    }

    fn of_stage(&self) -> StageInput<'_> {
        match self {
            Self::Tokens(tokens) => StageInput::Tokens(tokens),
            Self::Hidden(bytes) => StageInput::Hidden(bytes),
        }
    }
}

/// Where the rows belong, with logits for the last row of each part that wants a token.
fn step(parts: &[Part]) -> Step {
    let mut step = Step::default();
    for part in parts {
        step.add(part.slot.into(), part.position, part.rows.into());
        if matches!(part.wants, Wants::Token(_)) {
            step.head_rows.extend(step.last_row());
        }
    }
    step
}

/// What each part has of a step's output.
fn outputs(parts: &[Part], output: &model::StageOutput) -> Vec<StageOutput> {
    match output {
        model::StageOutput::Hidden(bytes) => hidden(parts, bytes),
        model::StageOutput::Logits(logits) => timed("sampler", || tokens(parts, logits)),
        model::StageOutput::Nothing => parts.iter().map(|_| StageOutput::Nothing).collect(),
    }
}

fn hidden(parts: &[Part], bytes: &[u8]) -> Vec<StageOutput> {
    let rows: usize = parts.iter().map(|part| usize::from(part.rows)).sum();
    let row_bytes = bytes.len() / rows.max(1);
    let mut rest = bytes;
    let own = |part: &Part| {
        let (own, others) = rest.split_at(usize::from(part.rows) * row_bytes);
        rest = others;
        StageOutput::Hidden(own.to_vec())
    };
    parts.iter().map(own).collect()
}

/// Sampled from the logits of each part that wants a token.
fn tokens(parts: &[Part], logits: &[f32]) -> Vec<StageOutput> {
    let sampled = parts.iter().filter(|part| matches!(part.wants, Wants::Token(_))).count();
    let mut rows = logits.chunks_exact((logits.len() / sampled.max(1)).max(1));
    let own = |part: &Part| match &part.wants {
        Wants::Token(draw) => rows.next().map_or(StageOutput::Nothing, |row| drawn(row, draw)),
        _ => StageOutput::Nothing,
    };
    parts.iter().map(own).collect()
}

/// The tail's choice from the logits of a row.
fn drawn(logits: &[f32], draw: &SamplingStep) -> StageOutput {
    let Sampling { temperature, top_k, top_p, min_p, repetition_penalty, seed, .. } = draw.options;
    let sampling = model::Sampling { repetition_penalty, temperature, top_k, top_p, min_p, seed };
    let token = Sampler::new(sampling).choose(logits, &draw.seen, draw.step);
    let logprobs = draw.options.logprobs.map(|count| logprobs(logits, token, count.into()));
    StageOutput::Token { token, logprobs }
}

fn logprobs(logits: &[f32], token: u32, count: usize) -> TokenLogprobs {
    let Logprobs { chosen, alternatives } = Logprobs::of(logits, token, count);
    let alternative = |(token, logprob)| Alternative { token, logprob };
    TokenLogprobs { chosen, alternatives: alternatives.into_iter().map(alternative).collect() }
}
