//! The toy with an encoder: each row of a prompt depends on all others, and an answer on all of them.

use base::{ModuleProfile, ModuleRange, Residual};
use session::{EncoderSpec, Job, JobInput, ModelSpec, Part, Pass, StageOutput};

use super::{MODULE_FLOPS, ROW_BYTES, Row, ToyModel, VOCABULARY, bytes_of, first_rows, mix, spec};

/// A toy of so many layers in its encoder and its decoder: `embed`, then `encoder_attn` and `encoder_mlp` for each,
/// `decoder_embed`, then `attn`, `cross` and `mlp` for each, and `head`.
pub fn encoder_decoder(encoder_layers: usize, decoder_layers: usize) -> ModelSpec {
    let whole = spec(1);
    let encoder_modules = 1 + 2 * encoder_layers;
    let named = |part: &str, layer: usize, (flops, kv_bytes): (f64, f64)| ModuleProfile {
        name: format!("{part}.{layer}"),
        flops,
        weights_bytes: 1e6,
        kv_bytes,
    };
    let ends = |name: &str, flops| ModuleProfile { flops, ..named(name, 0, (0.0, 0.0)) };
    let encoder = (0..encoder_layers).flat_map(|layer| {
        ["encoder_attn", "encoder_mlp"].map(|part| named(part, layer, (0.0, 0.0)))
    });
    let decoder = (0..decoder_layers).flat_map(|layer| {
        [("attn", 1e5), ("cross", 1e5), ("mlp", 0.0)]
            .map(|(part, kv_bytes)| named(part, layer, (MODULE_FLOPS, kv_bytes)))
    });
    let mut modules = vec![ends("embed", 0.0)];
    modules.extend(encoder.chain([ends("decoder_embed", MODULE_FLOPS)]));
    modules.extend(decoder.chain([ends("head", MODULE_FLOPS)]));
    let mut sequential_bytes = vec![f64::from(ROW_BYTES); modules.len() - 1];
    sequential_bytes[encoder_modules - 1] = 0.0;
    let to = (0..decoder_layers).map(|layer| encoder_modules + 2 + 3 * layer).collect();
    let bytes = ROW_BYTES.into();
    ModelSpec {
        modules,
        sequential_bytes,
        residual: vec![Residual { from: encoder_modules - 1, to, bytes }],
        tied: Vec::new(),
        encoder: Some(EncoderSpec { modules: encoder_modules, first_token: VOCABULARY }),
        ..whole
    }
}

/// What of a prompt a module remembers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remembered {
    hash: u32,
    /// An answer has begun with it.
    is_used: bool,
}

impl ToyModel {
    /// One of a model whose first `modules` are an encoder's.
    pub fn with_encoder(modules: usize) -> Self {
        Self { encoder_modules: modules, ..Self::default() }
    }

    /// The modules that run a job.
    pub fn at_work(&self, job: &Job) -> Vec<usize> {
        match job.pass {
            Pass::Run => self.decoding(job.range).indices().collect(),
            Pass::Encode => self.encoding(job.range).indices().collect(),
            Pass::Remember => job.range.indices().filter(|&module| self.is_cross(module)).collect(),
        }
    }

    /// Those of a range that are the encoder's.
    fn encoding(&self, range: ModuleRange) -> ModuleRange {
        ModuleRange::new(range.start, range.end.min(self.encoder_modules).max(range.start))
    }

    /// Those of it that are not.
    pub(super) fn decoding(&self, range: ModuleRange) -> ModuleRange {
        ModuleRange::new(range.start.max(self.encoder_modules).min(range.end), range.end)
    }

    /// Whether it attends to what the encoder gave.
    pub(super) fn is_cross(&self, module: usize) -> bool {
        self.is_decoders(module) && (module - self.encoder_modules) % 3 == 2
    }

    /// Whether it attends to the rows before.
    pub(super) fn is_attention(&self, module: usize) -> bool {
        match self.encoder_modules {
            0 => module % 2 == 1,
            modules => self.is_decoders(module) && (module - modules) % 3 == 1,
        }
    }

    fn is_decoders(&self, module: usize) -> bool {
        self.encoder_modules > 0 && module >= self.encoder_modules
    }

    /// A whole prompt through the encoder's modules of a range.
    pub(super) fn encode(&self, range: ModuleRange, part: &Part) -> Result<StageOutput, String> {
        let range = self.encoding(range);
        if range.is_empty() {
            return Err(format!("{part:?} is not for a decoder"));
        }
        let mut rows = first_rows(range.start == 0, part)?;
        for module in range.indices().skip(usize::from(range.start == 0)) {
            // Odd modules attend to all rows, those behind as well.
            let all = if module % 2 == 1 { hash(&rows) } else { 0 };
            for row in &mut rows {
                let [a, b, c, d] = *row;
                let seen = mix(&[mix(row), module as u32, all]);
                *row = [b ^ seen, c.wrapping_add(all), mix(&[d, seen]), a];
            }
        }
        Ok(StageOutput::Hidden(bytes_of(&rows)))
    }

    /// Keeps what the encoder gave, in every module that is there and attends to it.
    pub(super) fn remember(&mut self, part: &Part) -> Result<StageOutput, String> {
        if !matches!(part.input, JobInput::Hidden(_)) {
            return Err(format!("{part:?} is not what an encoder gives"));
        }
        let all = hash(&first_rows(false, part)?);
        let stages = self.spec.iter().flat_map(|spec| &spec.stages);
        let modules = stages.flat_map(|stage| stage.resident.indices());
        let readers: Vec<usize> = modules.filter(|&module| self.is_cross(module)).collect();
        for module in readers {
            let remembered = Remembered { hash: mix(&[all, module as u32]), is_used: false };
            self.prompts.insert((module, part.slot), remembered);
        }
        Ok(StageOutput::Nothing)
    }

    /// What a module remembers of a slot's prompt. A new answer does not begin with another's.
    pub(super) fn recall(
        &mut self,
        module: usize,
        slot: u16,
        position: u32,
    ) -> Result<u32, String> {
        let prompt = self.prompts.get_mut(&(module, slot));
        let prompt = prompt.ok_or_else(|| format!("module {module} knows of no prompt"))?;
        if position == 0 && std::mem::replace(&mut prompt.is_used, true) {
            return Err(format!("what module {module} knows is another answer's prompt"));
        }
        Ok(prompt.hash)
    }
}

fn hash(rows: &[Row]) -> u32 {
    let rows: Vec<u32> = rows.iter().map(|row| mix(row)).collect();
    mix(&rows)
}
