//! A model of integer arithmetic instead of weights: instant, exact, and sensitive
//! to everything that a room could get wrong. A row depends on its token, its
//! position and every row before it in every attention module, in order; a step at a
//! position that does not follow the KV cache is an error, but for 0, which begins anew.

mod encoder;

use std::collections::{BTreeMap, BTreeSet};

use base::{Message, ModuleProfile, ModuleRange, Tied};
use protocol::peer::{Alternative, CacheAsk, ModelRef, Sampling, TokenLogprobs};
use session::{
    Job, JobInput, LoadStage, MAX_PARTS, ModelSpec, Part, Pass, Resident, SamplingStep,
    StageOutput, Wants,
};

pub use encoder::encoder_decoder;

use crate::{Loaded, Ran, StageRunner};
use encoder::Remembered;

/// The toy on one phone.
#[derive(Debug)]
pub struct ToyModel {
    /// Of a row's time, for each further row of a step: the weights are read once for all.
    further_row: f64,
    spec: Option<Loading>,
    /// By attention module and slot: of every row, the hash of all rows up to it.
    cache: BTreeMap<(usize, u16), Vec<u32>>,
    /// How many modules are an encoder's; they come first.
    encoder_modules: usize,
    /// By module that attends to the encoder's output, and slot.
    prompts: BTreeMap<(usize, u16), Remembered>,
}

#[derive(Debug)]
struct Loading {
    stages: Vec<Resident>,
    slots: u16,
    rows: usize,
    context_tokens: u32,
}

impl Default for ToyModel {
    fn default() -> Self {
        Self::with_further_row(FURTHER_ROW)
    }
}

/// What a module makes of a row, and of what it remembers.
fn mixed(module: usize, row: Row, memory: u32) -> Row {
    let (seen, [a, b, c, d]) = (mix(&row) ^ module as u32, row);
    [b ^ memory, c.wrapping_add(seen), mix(&[d, seen, memory]), a]
}

fn modules_of(stages: &[Resident]) -> impl Iterator<Item = usize> {
    stages.iter().flat_map(|stage| stage.resident.indices())
}

fn loaded(missing: usize) -> Loaded {
    Loaded { bytes: missing as u64 * 1_000_000, has_caches: missing == 0 }
}

/// A toy of so many layers: `embed`, then `attn` and `mlp` for each, then `head`.
pub fn spec(layers: usize) -> ModelSpec {
    let named = |name: String, weights_bytes, kv_bytes| ModuleProfile {
        name,
        flops: MODULE_FLOPS,
        weights_bytes,
        kv_bytes,
    };
    let layer =
        |l| [named(format!("attn.{l}"), 1e6, CACHE_BYTES), named(format!("mlp.{l}"), 1.9e6, 0.0)];
    let mut modules = vec![named("embed".into(), TABLE_BYTES, 0.0)];
    modules.extend((0..layers).flat_map(layer));
    modules.push(named("head".into(), TABLE_BYTES, 0.0));
    let model = ModelRef {
        url: "/models/toy.gguf".into(),
        name: "toy".into(),
        total_bytes: modules.iter().map(|module| module.weights_bytes as u64).sum(),
        context_tokens: CONTEXT_TOKENS,
        takes_chats: true,
        labels: Vec::new(),
    };
    ModelSpec {
        model,
        sequential_bytes: vec![f64::from(ROW_BYTES); modules.len() - 1],
        residual: Vec::new(),
        tied: vec![Tied(0, modules.len() - 1, TABLE_BYTES)],
        modules,
        encoder: None,
        eos: vec![EOS],
        row_bytes: ROW_BYTES,
        modules_depend: false,
        slots: 1,
    }
}

/// The prompt of so many tokens: one for each character, of all messages.
pub fn prompt(tokens: usize) -> String {
    (0..tokens).map(|i| char::from(b'a' + (i * 7 % 26) as u8)).collect()
}

impl StageRunner for ToyModel {
    fn load(&mut self, stage: &LoadStage) -> Result<Loaded, String> {
        let (slots, context_tokens) = (stage.slots, stage.context_tokens);
        let rows = usize::from(stage.rows);
        let fits = |held: &Loading| {
            (held.slots, held.rows, held.context_tokens) == (slots, rows, context_tokens)
        };
        let held = self.spec.take().filter(fits).map(|held| held.stages).unwrap_or_default();
        let has = |module| held.iter().any(|held| held.resident.contains(module));
        let wanted = |module| stage.stages.iter().any(|stage| stage.resident.contains(module));
        self.cache.retain(|&(module, _), _| has(module) && wanted(module));
        self.prompts.retain(|&(module, _), _| has(module) && wanted(module));
        let missing = modules_of(&stage.stages).filter(|&module| !has(module)).count();
        self.spec = Some(Loading { stages: stage.stages.clone(), slots, rows, context_tokens });
        Ok(loaded(missing))
    }

    fn copies_bytes(&self, copies: &LoadStage) -> u64 {
        let held: &[Resident] = self.spec.as_ref().map_or(&[], |spec| &spec.stages);
        let has = |module| held.iter().any(|stage| stage.resident.contains(module));
        loaded(modules_of(&copies.stages).filter(|&module| !has(module)).count()).bytes
    }

    fn load_copies(&mut self, copies: &LoadStage) -> Result<(), String> {
        let LoadStage { slots, context_tokens, .. } = *copies;
        let rows = usize::from(copies.rows);
        let stages = Vec::new();
        let spec = self.spec.get_or_insert(Loading { stages, slots, rows, context_tokens });
        let kept_of = |held: &Resident| {
            let mut kept = copies.stages.iter().map(|kept| kept.resident);
            let kept = kept.find(|kept| kept.holds(held.range))?;
            Some(Resident { range: held.range, resident: held.resident.common(kept) })
        };
        spec.stages = spec.stages.iter().filter_map(kept_of).collect();
        let held: BTreeSet<usize> = modules_of(&spec.stages).collect();
        self.cache.retain(|(module, _), _| held.contains(module));
        self.prompts.retain(|(module, _), _| held.contains(module));
        let lacking = modules_of(&copies.stages).filter(|module| !held.contains(module));
        let dormant = lacking.map(|module| {
            let range = ModuleRange::new(module, module + 1);
            Resident { range, resident: range }
        });
        spec.stages.extend(dormant);
        Ok(())
    }

    fn unload(&mut self) {
        self.spec = None;
        self.cache.clear();
        self.prompts.clear();
    }

    fn run(&mut self, job: &Job) -> Result<Ran, String> {
        let is_loaded = |spec: &Loading| spec.stages.iter().any(|stage| stage.range == job.range);
        let spec = self.spec.as_ref().filter(|spec| is_loaded(spec));
        let spec = spec.ok_or("its modules are not loaded")?;
        if job.parts.is_empty() || job.parts.len() > MAX_PARTS || job.rows() > spec.rows {
            return Err(format!("{job:?} is no step"));
        }
        if job.pass != Pass::Run && job.parts.len() > 1 {
            return Err("a whole prompt goes alone".to_owned());
        }
        let run = |part| match job.pass {
            Pass::Run => self.run_part(job.range, part),
            Pass::Encode => self.encode(job.range, part),
            Pass::Remember => self.remember(part),
        };
        let outputs = job.parts.iter().map(run).collect::<Result<_, _>>()?;
        let modules = self.at_work(job).len();
        let dispatches = modules as u32;
        let weight = 1.0 + self.further_row * (job.rows() as f64 - 1.0);
        let flops = MODULE_FLOPS * modules as f64 * weight;
        Ok(Ran { outputs, flops, dispatches })
    }

    fn read_cache(&mut self, part: &CacheAsk) -> Result<Vec<u8>, String> {
        let cache = self.cache.get(&(part.module as usize, part.slot)).ok_or("nothing there")?;
        let rows = cache.get(part.positions()).ok_or("fewer rows there")?;
        let wide = |row: &u32| [row.to_le_bytes().as_slice(), &[0; CACHE_ROW_BYTES - 4]].concat();
        Ok(rows.iter().flat_map(wide).collect())
    }

    fn write_cache(&mut self, part: &CacheAsk, data: &[u8]) -> Result<(), String> {
        let module = part.module as usize;
        let is_resident = |spec: &Loading| {
            spec.stages.iter().any(|stage| stage.resident.contains(module))
                && part.slot < spec.slots
        };
        if !self.spec.as_ref().is_some_and(is_resident) {
            return Err("its module is not loaded".into());
        }
        let cache = self.cache.entry((module, part.slot)).or_default();
        if cache.len() < part.position as usize {
            return Err(format!("position {} does not follow {} rows", part.position, cache.len()));
        }
        cache.truncate(part.position as usize);
        let rows = data.chunks_exact(CACHE_ROW_BYTES);
        cache.extend(rows.map(|row| u32::from_le_bytes([row[0], row[1], row[2], row[3]])));
        Ok(())
    }

    fn tokenize(&mut self, messages: &[Message]) -> Vec<u32> {
        messages.iter().flat_map(|message| message.content.chars().map(u32::from)).collect()
    }

    fn decode(&mut self, token: u32) -> String {
        format!("{token} ")
    }
}

impl ToyModel {
    /// Each further row of a step takes this part of the first one's time: all of it where operations take the time,
    /// next to nothing where the reading of weights does.
    pub fn with_further_row(further_row: f64) -> Self {
        let (cache, prompts) = (BTreeMap::new(), BTreeMap::new());
        Self { further_row, spec: None, cache, encoder_modules: 0, prompts }
    }

    fn run_part(&mut self, range: ModuleRange, part: &Part) -> Result<StageOutput, String> {
        let end = part.position + u32::from(part.rows);
        let fits =
            |spec: &Loading| part.slot < spec.slots && end <= spec.context_tokens && part.rows > 0;
        if !self.spec.as_ref().is_some_and(fits) {
            return Err(format!("{part:?} is not what was loaded"));
        }
        let range = self.decoding(range);
        let embeds = range.start == self.encoder_modules;
        let mut rows = first_rows(embeds, part)?;
        let head = (part.wants != Wants::Hidden).then(|| range.end - 1);
        for module in range.indices().skip(usize::from(embeds)) {
            if Some(module) == head {
                rows.iter_mut().for_each(|row| *row = mixed(module, *row, module as u32));
                continue;
            }
            for (position, row) in (part.position..).zip(&mut rows) {
                *row = self.module(module, part.slot, position, *row)?;
            }
        }
        Ok(output(part, &rows))
    }

    /// Attention remembers; other modules do not.
    fn module(&mut self, module: usize, slot: u16, position: u32, row: Row) -> Result<Row, String> {
        let seen = mix(&row) ^ module as u32;
        let memory = if self.is_cross(module) {
            self.recall(module, slot, position)?
        } else if self.is_attention(module) {
            let cache = self.cache.entry((module, slot)).or_default();
            if position == 0 {
                cache.clear();
            }
            if cache.len() != position as usize {
                return Err(format!("position {position} does not follow {} rows", cache.len()));
            }
            let before = cache.last().copied().unwrap_or(BASIS);
            let memory = mix_into(before, seen);
            cache.push(memory);
            memory
        } else {
            module as u32
        };
        Ok(mixed(module, row, memory))
    }
}

fn first_rows(embeds: bool, part: &Part) -> Result<Vec<Row>, String> {
    let rows: Vec<Row> = match &part.input {
        JobInput::Tokens(tokens) => (part.position..)
            .zip(tokens)
            .map(|(position, &token)| [token, position, mix(&[token, position]), 1])
            .collect(),
        JobInput::Hidden(bytes) => bytes.chunks_exact(ROW_BYTES as usize).map(read).collect(),
    };
    let is_first = matches!(part.input, JobInput::Tokens(_));
    if rows.len() != usize::from(part.rows) || is_first != embeds {
        return Err(format!("{} rows came for {part:?}", rows.len()));
    }
    Ok(rows)
}

fn output(part: &Part, rows: &[Row]) -> StageOutput {
    match &part.wants {
        Wants::Nothing => StageOutput::Nothing,
        Wants::Token(step) => {
            let last = rows.last().copied().unwrap_or_default();
            let token = mix(&last).wrapping_add(noise(step)) % VOCABULARY;
            let logprobs = step.options.logprobs.map(|count| logprobs(&last, token, count));
            StageOutput::Token { token, logprobs }
        }
        Wants::Hidden => StageOutput::Hidden(bytes_of(rows)),
    }
}

fn bytes_of(rows: &[Row]) -> Vec<u8> {
    rows.iter().flatten().flat_map(|value| value.to_le_bytes()).collect()
}

/// What moves the choice away from the likeliest token: the seed, and the tokens seen.
fn noise(step: &SamplingStep) -> u32 {
    let Sampling { temperature, seed, .. } = step.options;
    let drawn = if temperature > 0.0 { mix(&[seed as u32, step.step]) } else { 0 };
    drawn.wrapping_add(if step.seen.is_empty() { 0 } else { mix(&step.seen) })
}

/// Made up, but of the row and the token alone, as they are in a real model.
fn logprobs(row: &Row, token: u32, count: u8) -> TokenLogprobs {
    let logprob = |token: u32| -((mix(row) ^ token) as f32);
    let alternative = |token| Alternative { token, logprob: logprob(token) };
    TokenLogprobs {
        chosen: logprob(token),
        alternatives: (0..count.into()).map(alternative).collect(),
    }
}

fn read(bytes: &[u8]) -> Row {
    let word =
        |at: usize| bytes[4 * at..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word));
    [word(0), word(1), word(2), word(3)]
}

/// A hash in which order matters (FNV-1a over words).
fn mix(words: &[u32]) -> u32 {
    words.iter().fold(BASIS, |hash, &word| mix_into(hash, word))
}

fn mix_into(hash: u32, word: u32) -> u32 {
    (hash ^ word).wrapping_mul(0x0100_0193).rotate_left(5)
}

/// Four words, carried as the bits of four floats.
type Row = [u32; 4];

const BASIS: u32 = 0x811c_9dc5;
pub(crate) const ROW_BYTES: u32 = 16;
const MODULE_FLOPS: f64 = 1e6;
const CONTEXT_TOKENS: u32 = 256;
/// Keys and values of a position.
pub(crate) const CACHE_ROW_BYTES: usize = 390;
const CACHE_BYTES: f64 = CACHE_ROW_BYTES as f64 * CONTEXT_TOKENS as f64;
const FURTHER_ROW: f64 = 0.2;
const TABLE_BYTES: f64 = 4e6;
const VOCABULARY: u32 = 997;
const EOS: u32 = 3;
