//! What a model with an encoder does besides steps: the prompt's way through the encoder, and what the
//! decoder keeps of its output.

use super::*;

impl<L: ByteSource> Stage<L> {
    /// Runs a whole prompt through the encoder's modules among those that run: tokens where the first of
    /// them embeds, or what the stage before gave. `f32 [rows, hidden]`, little-endian, for the encoder's
    /// next stage; from its last, it is the encoder's output, for [`Stage::remember`] wherever the decoder
    /// attends to it, on this device too. All rows come at once, because each sees all others.
    ///
    /// # Errors
    /// [`ModelError::Step`] where no module of an encoder runs, or the prompt is longer than a step or than
    /// the context, or not what the first module reads; [`ModelError::Gpu`].
    pub async fn encode(&mut self, input: StageInput<'_>) -> Result<Vec<u8>, ModelError> {
        let rows = match input {
            StageInput::Tokens(tokens) => tokens.len(),
            StageInput::Hidden(bytes) => bytes.len() / self.row_bytes(),
        };
        let rows = rows.min(self.options.rows + 1) as u32;
        let step = Step { head_rows: Vec::new(), ..Step::chunk(0, 0, rows) };
        let modules = self.encoding();
        self.check(modules, &step, input)?;
        let rows = self.input_rows(&step, input).await?;
        let flow = self.launch(modules, &step, rows);
        self.read_hidden(&step, flow).await
    }

    /// Makes the keys and values of a slot's prompt from the encoder's output, in every resident module
    /// that attends to it, those that do not run among them. They stay until the next call for the slot.
    ///
    /// `memory` is `f32 [rows, hidden]`, little-endian, of any length up to the context.
    ///
    /// # Errors
    /// [`ModelError::Step`] for another slot or size; [`ModelError::Gpu`].
    pub async fn remember(&mut self, slot: u32, memory: &[u8]) -> Result<(), ModelError> {
        let (row_bytes, most) = (self.row_bytes(), self.options.context_tokens);
        let rows = memory.len() / row_bytes;
        if slot as usize >= self.options.slots {
            return Err(ModelError::Step(format!("slot {slot} of {}", self.options.slots)));
        }
        if rows == 0 || rows > most || !memory.len().is_multiple_of(row_bytes) {
            let problem = format!("an encoder's output of {} bytes", memory.len());
            return Err(ModelError::Step(format!(
                "{problem}, not 1 to {most} rows of {row_bytes}"
            )));
        }
        self.prompts[slot as usize] = 0;
        let mut position = 0;
        for chunk in memory.chunks(self.options.rows * row_bytes) {
            let rows = (chunk.len() / row_bytes) as u32;
            self.launch_remember(&Step::chunk(slot, position, rows), chunk.to_vec());
            position += rows;
        }
        self.gpu.read(&self.shared.hidden[0], SIGN_OF_LIFE_BYTES).await?;
        self.prompts[slot as usize] = rows as u32;
        Ok(())
    }

    pub(super) fn launch_remember(&self, step: &Step, rows: Vec<u8>) {
        let input = &self.shared.hidden[0];
        self.shared.step.write(&self.gpu, step);
        self.gpu.write(input, rows);
        for module in &self.modules {
            if let Module::Cross(cross) = module {
                cross.remember(&self.gpu, &self.shared, input, step.rows());
            }
        }
    }

    /// Those of the modules that run which are the encoder's.
    pub(super) fn encoding(&self) -> ModuleRange {
        let ModuleRange { start, end } = self.range;
        ModuleRange::new(start, end.min(self.encoder_modules).max(start))
    }

    /// Those of them which are not.
    pub(super) fn decoding(&self) -> ModuleRange {
        let ModuleRange { start, end } = self.range;
        ModuleRange::new(start.max(self.encoder_modules).min(end), end)
    }

    /// How long the prompt is that each row of a step attends to; 0 where it is not known. A prompt that is
    /// on its way through the encoder is all of its step.
    pub(super) fn prompts_of(&self, step: &Step) -> Vec<u32> {
        step.slots.iter().map(|&slot| self.prompts[slot as usize]).collect()
    }
}
