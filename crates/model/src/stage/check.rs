//! What a stage can run without reading or writing astray.

use super::*;

impl<L: ByteSource> Stage<L> {
    /// The step and its input are those that these modules can run.
    pub(super) fn check(
        &self,
        modules: ModuleRange,
        step: &Step,
        input: StageInput<'_>,
    ) -> Result<(), ModelError> {
        let wrong = |problem: String| Err(ModelError::Step(problem));
        let rows = step.rows();
        let StageOptions { context_tokens, slots, rows: most_rows } = self.options;
        if modules.is_empty() {
            return wrong("the modules that run are all of the other kind".into());
        }
        if rows == 0 || rows > most_rows || step.slots.len() != rows {
            return wrong(format!("{rows} rows where 1 to {most_rows} are possible"));
        }
        if step.positions.iter().any(|&position| position as usize >= context_tokens) {
            return wrong(format!("a position is not below the context of {context_tokens}"));
        }
        if step.slots.iter().any(|&slot| slot as usize >= slots) {
            return wrong(format!("a slot is not below {slots}"));
        }
        if step.head_rows.len() > HEAD_ROWS
            || step.head_rows.iter().any(|&row| row as usize >= rows)
        {
            return wrong("a head row is not a row of the step".into());
        }
        let attends_to_prompt = |module: &Module| matches!(module, Module::Cross(_));
        if self.of(modules).iter().any(attends_to_prompt) && self.prompts_of(step).contains(&0) {
            return wrong("there is no encoder's output for a slot".into());
        }
        self.check_input(modules, rows, input)
    }

    fn check_input(
        &self,
        modules: ModuleRange,
        rows: usize,
        input: StageInput<'_>,
    ) -> Result<(), ModelError> {
        let embeds = matches!(self.of(modules).first(), Some(Module::Embed(_)));
        let problem = match input {
            StageInput::Tokens(_) if !embeds => "tokens for a stage that does not embed",
            StageInput::Hidden(_) if embeds => "hidden states for a stage that embeds",
            StageInput::Tokens(tokens) if tokens.len() != rows => "not one token for each row",
            StageInput::Tokens(tokens)
                if tokens.iter().any(|&token| token as usize >= self.config.vocab) =>
            {
                "a token is not in the vocabulary"
            }
            StageInput::Hidden(bytes) if bytes.len() != rows * self.row_bytes() => {
                "hidden states of another size than rows times hidden"
            }
            _ => return Ok(()),
        };
        Err(ModelError::Step(problem.into()))
    }
}
